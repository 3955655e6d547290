"""The same numbers in other circumstances: integers, other memory layouts; and the arguments of somebody's own check.

A gradient can be right and its check bad: integer arrays take no step of 1e-6, and float32 resolves no difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sympy import Symbol

from derive.program import Program

from .diagnosis import Diagnosis
from .evidence import Evidence, Seen, largest
from .patient import Patient
from .trials import Point, drawn

SINGLE_STEPS = 1e-3         # what central differences in float32 resolve of a gradient, at best


def in_other_circumstances(patient: Patient, diagnosis: Diagnosis, answered: Sequence[Seen]) -> None:
    """Run the function on the same numbers as integers and in another memory layout, and tell what changes."""
    evidence, seen = Evidence(patient.program, answered), answered[0]

    def same(name, a, b):
        b = np.reshape(b, np.shape(a)) if np.size(a) == np.size(b) else b
        return np.shape(a) == np.shape(b) and largest(a - b) <= seen.tolerance * evidence.scale(name, a, b)

    turned = patient.answer(seen.point, lambda v: np.asfortranarray(np.repeat(np.array(v), 2, axis=0))[::2])
    theirs = seen.answer.gradients
    other = [n for n, g in theirs.items() if turned.failure or not same(n, g, turned.gradients[n])]
    if turned.failure:
        diagnosis.remarks.append(f"the function fails on arrays that are not contiguous: {turned.failure}")
    elif other:
        diagnosis.remarks.append(f"the gradient of {', '.join(other)} is another one where arrays are not contiguous: "
                                 "a reshape or ravel was taken for a view, or memory order for index order")
    point = replace(seen.point, arguments=drawn(patient.program, seen.point.sizes, 5, "integers"))
    plain, whole = patient.answer(point), patient.answer(point, lambda v: np.array(v).astype(int))
    if plain.failure:
        return
    cut = [] if whole.failure else [n for n, g in plain.gradients.items() if not same(n, g, whole.gradients[n])]
    if cut:
        diagnosis.remarks.append(f"a check with integer arrays is a bad check: there the gradient of {', '.join(cut)} "
                                 "is cut to integers, as np.zeros_like of integers does; give floats")


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
