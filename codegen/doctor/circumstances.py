"""The same numbers in other circumstances: laid out otherwise, as integers; and the arguments of somebody's own check.

A gradient can be right and its check bad: integer arrays take no step of 1e-6, and float32 resolves no difference.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sympy import Symbol

from derive.program import Program

from . import forward
from .diagnosis import Diagnosis
from .evidence import Evidence, Seen, largest, near
from .own_layout import Layout, other_layouts, told
from .patient import Patient
from .trials import Point, drawn

SINGLE_STEPS = 1e-3         # what central differences in float32 resolve of a gradient, at best
SECONDS = 3.0               # of processor time, to look for the layout that code is made for
RIGHT = (False, 0, 0)


def in_its_layout(patient: Patient, diagnosis: Diagnosis, points: Sequence[Point]) -> bool:
    """Have the function called with arrays as it lays them out; tell whether that is not as the network does.

    That is so where it fails, or has another loss, on arrays as the network has them, and not in another layout. Of
    several that will do, that one counts in which most is right.
    """
    usual = _apart(patient, points)
    if usual is not None and not usual[0]:
        return False
    best, ways, end = usual, list(patient.ways), time.thread_time() + SECONDS
    chosen: Layout = {}
    for layout in other_layouts(patient.program):
        patient.layout, patient.ways = layout, list(ways)
        found = _apart(patient, points)
        likely = found is not None and (not found[0] or (usual is None and not found[1]))
        if likely and (best is None or found < best):
            best, chosen = found, layout
        if time.thread_time() > end or best == RIGHT:
            break
    patient.layout, patient.ways = chosen, ways
    if chosen:
        diagnosis.remarks.append(f"called with arrays as the code lays them out: {told(patient.program, chosen)}")
    return bool(chosen)


def _apart(patient, points):
    """Return what is wrong in a layout: whether the loss is, how many shapes and gradients; None if the function fails.

    Where no loss is returned, it is taken for the network's if all gradients are.
    """
    seen = []
    for point in points:
        answer = patient.answer(point)
        if answer.failure:
            return None
        seen.append(Seen(point, replace(answer, single=True)))      # coarsely: rounding is no layout
    shapes = sum(a != b for a, b in seen[0].answer.shapes.values())
    wrong = len(Evidence(patient.program, seen).wrong())
    lost = wrong if seen[0].answer.loss is None else forward.differs(seen)
    return bool(lost), shapes, wrong


def in_other_circumstances(patient: Patient, diagnosis: Diagnosis, seen: Seen) -> None:
    """Run the function on the same numbers as integers and in another memory layout, and tell what changes."""
    turned = patient.answer(seen.point, lambda v: np.asfortranarray(np.repeat(np.array(v), 2, axis=0))[::2])
    theirs = seen.answer.gradients
    other = [n for n, g in theirs.items() if turned.failure or not _same(seen, g, turned.gradients[n])]
    if turned.failure:
        diagnosis.find("layout", f"the function fails on arrays that are not contiguous: {turned.failure}")
    elif other:
        diagnosis.find("layout", f"the gradient of {', '.join(other)} is another one where arrays are not contiguous: "
                       "a reshape or ravel was taken for a view, or memory order for index order", "", other)
    point = replace(seen.point, arguments=drawn(patient.program, seen.point.sizes, 5, "integers"))
    plain, whole = patient.answer(point), patient.answer(point, lambda v: np.array(v).astype(int))
    if plain.failure:
        return
    cut = [] if whole.failure else [n for n, g in plain.gradients.items() if not _same(seen, g, whole.gradients[n])]
    if cut:
        diagnosis.remarks.append(f"a check with integer arrays is a bad check: there the gradient of {', '.join(cut)} "
                                 "is cut to integers, as np.zeros_like of integers does; give floats")


def _same(seen, a, b):
    return np.size(a) == np.size(b) and near(seen, a, np.reshape(b, np.shape(a)))


def own_point(program: Program, at: Mapping[str, Any]) -> Point:
    """Return the point of somebody's own check.

    Raises
    ------
    ValueError
        An argument or a size is missing, or has another number of axes.
    """
    sizes: dict[Symbol, int] = {s: int(at[s.name]) for s in program.sizes if s.name in at}
    arguments = {}
    for v in (*program.parameters, *program.inputs):
        if v.name not in at:
            raise ValueError(f"at has no {v.name}; expected all parameters and inputs")
        value = np.asarray(at[v.name])
        if value.ndim != len(v.shape):
            raise ValueError(f"{v.name} has shape {value.shape}; expected {len(v.shape)} axes")
        for size, n in zip(v.shape, value.shape, strict=True):
            if isinstance(size, Symbol):
                sizes.setdefault(size, n)
        arguments[v.name] = value if value.ndim else value.item()
    missing = [s.name for s in program.sizes if s not in sizes]
    if missing:
        raise ValueError(f"at does not tell the sizes {', '.join(missing)}; add them by name")
    floats = {n: v if np.asarray(v).dtype.kind in "iu" and n in _labels(program) else np.asarray(v, float)
              for n, v in arguments.items()}
    return Point("at the arguments given", program, {s: sizes[s] for s in program.sizes}, floats)


def _labels(program):
    return {v.name for v in program.kind("labels")}


def bad_checks(program: Program, at: Mapping[str, Any], point: Point) -> list[str]:
    """Say what makes a check at somebody's own arguments a bad one, whatever the gradient."""
    told = []
    real = [p.name for p in program.parameters]
    whole = [n for n in real if np.asarray(at[n]).dtype.kind in "iub"]
    if whole:
        told.append(f"a bad check: {', '.join(whole)} in integers, so {whole[0]}[i] += 1e-6 changes nothing, and "
                    "differences are 0: give floats")
    single = [n for n in real if np.asarray(at[n]).dtype in (np.float32, np.float16)]
    if single:
        told.append(f"a bad check: {', '.join(single)} in {np.asarray(at[single[0]]).dtype}, where differences resolve "
                    f"about {SINGLE_STEPS:g} of a gradient at best: check in float64")
    if all(largest(g) == 0 for g in point.ours.gradients().values()):
        told.append("this point says nothing: all derived gradients are 0 there")
    return told
