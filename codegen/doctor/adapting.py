"""How somebody's code has to be called to be what it is meant to be: in its layout, without what keeps it in range."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import numpy as np
from sympy import Number

from . import forward, guards
from .diagnosis import Diagnosis
from .domains import with_small
from .evidence import Evidence, Seen
from .own_layout import Layout, other_layouts, told
from .patient import Patient
from .trials import Point, is_guard

SECONDS = 3.0               # of processor time, to look for the layout that code is made for
RIGHT = (False, 0, 0)
LITTLE = 1e-4               # relative: what keeps code in range moves gradients by less, where it is that alone


def in_its_layout(patient: Patient, diagnosis: Diagnosis, points: Sequence[Point]) -> bool:
    """Have the function called with arrays as it lays them out; tell whether that is not as the network does.

    That is so where it fails, or has another loss, on arrays as the network has them, and not in another layout. Of
    several that will do, that one counts in which most is right; none does in which more shapes are wrong than as the
    network has arrays. Where all shapes are right as it has them, and values where one has an axis more, it is a
    mistake that the code broadcasts it.
    """
    usual = _apart(patient, points)
    if usual is not None and not usual[0]:
        return False
    best, ways, end = usual, list(patient.ways), time.thread_time() + SECONDS
    chosen: Layout = {}
    for layout in other_layouts(patient.program):
        patient.layout, patient.ways = layout, list(ways)
        found = _apart(patient, points)
        likely = found is not None and (not found[0] or (usual is None and not found[1])) and (
            usual is None or usual[1] >= found[1])
        if likely and (best is None or found < best):
            best, chosen = found, layout
        if time.thread_time() > end or best == RIGHT:
            break
    patient.layout, patient.ways = chosen, ways
    if best == RIGHT and usual is not None and usual[1] == 0 and all(map(_adds_an_axis, chosen.values())):
        patient.layout = {}
        whole = f"{' and '.join(chosen)} {'is' if len(chosen) == 1 else 'are'} broadcast against what has another axis"
        diagnosis.find("broadcast", f"{whole}: given as {told(patient.program, chosen)} instead, all is right", "",
                       [p.name for p in patient.program.parameters])
        return False
    if chosen:
        diagnosis.remarks.append(f"called with arrays as the code lays them out: {told(patient.program, chosen)}")
    return bool(chosen)


def _adds_an_axis(form):
    """Tell whether a form has the network's axes in their order, and one more of a single entry."""
    own = [a for a in form.axes if a >= 0]
    return form.onehot is None and own == list(range(len(own))) and len(own) == len(form.axes) - 1


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


def without_guards(patient: Patient, diagnosis: Diagnosis, points: Sequence[Point], kept: ExitStack) -> bool:
    """Take small numbers that keep the code in range for 0, where more is right so; tell whether that is done.

    It is done, too, where they move gradients by little, which would still hide what mends a mistake beside them; not
    where the network has such numbers itself. `kept` sets them back when it is closed.
    """
    most = _fewest(patient, points)
    if most == (0, 0):
        return False
    call = partial(patient.answer, points[0])
    choices = guards.choices(call)
    own = any(is_guard(n) for e in patient.program.equations for n in e.rhs.atoms(Number))
    before = [Seen(p, patient.answer(p)) for p in points] if choices and not own else []
    for chosen in choices:
        with ExitStack() as tried:
            patient.prepared = tried.enter_context(guards.lifted(call, chosen))
            if patient.prepared and (_fewest(patient, points) < most or _by_little(patient, before)):
                words = ", ".join(dict.fromkeys(g.words for g in chosen))
                diagnosis.remarks.append(f"judged without what keeps it in range: {words}")
                kept.enter_context(tried.pop_all())
                return True
    patient.prepared = None
    return False


def _by_little(patient, before):
    """Tell whether gradients are others than they were before at some point, and nowhere by much."""
    evidence, moved = Evidence(patient.program, before), False
    for k, seen in enumerate(before):
        now = patient.answer(seen.point)
        if seen.answer.failure or now.failure:
            return False
        apart = max(evidence.apart(k, n, g, now.gradients[n]) for n, g in seen.answer.gradients.items())
        if apart > LITTLE:
            return False
        moved |= apart > seen.tolerance
    return moved


def _fewest(patient, points):
    """Count what is wrong, at the points or with small parameters, and at the points."""
    here = _wrong_at(patient, points)
    return min(here, _wrong_at(patient, with_small(patient.program, points))) if here else 0, here


def _wrong_at(patient, points):
    seen = [Seen(p, patient.answer(p)) for p in points]
    failed = any(s.answer.failure for s in seen)
    return len(patient.parameters) + 2 if failed else how_many_wrong(Evidence(patient.program, seen))


def how_many_wrong(evidence: Evidence) -> int:
    """Count the gradients, and the loss, that are not the network's; more than all where a shape is another."""
    if any(np.shape(s.answer.gradients[n]) != np.shape(g) for s in evidence.seen
           for n, g in s.point.ours.gradients().items()):
        return len(evidence.program.parameters) + 1
    return len(evidence.wrong()) + forward.differs(evidence.seen)
