"""What rounding makes of results: float32's, also in code that returns float64, and float64's where it cancels.

It is seen by jumps. A function that is moved by tiny steps moves smoothly; one that rounds on the way moves in stairs.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from derive.program import Program

from . import forward
from .domains import with_small
from .evidence import FAINT, Evidence, Seen, largest
from .patient import Patient

FINE, WIDE = 1e-7, 1e-4     # steps of arguments, relative: as fine as float32 resolves them; where float32 saturates
STEPS = 8
ORDER = 3               # of the differences in which what is smooth vanishes
COARSE, WILD = 1e-11, 1e-5      # jumps, relative to the largest entry: more than float64 makes; than any rounding
MOST = 2e-4             # of a jump that is taken for rounding where float32 cancels
FINEST = 1e-12          # steps that float32 does not see, so that what jumps is float64's rounding
SATURATED = 1e-8        # steps that float64 sees where it saturates, as 1 - p does at p = 1 - 1e-10
MOST_IN_DOUBLE = 1e-8   # of a jump that is taken for rounding where float64 cancels: the root of its precision


def mark_rounded(patient: Patient, program: Program, answered: Sequence[Seen]) -> None:
    """Mark answers as float32's where code rounds inside, and those where it cancels with what that leaves."""
    first = answered[0]
    if not first.answer.single and _differs(program, first) and not _right_if_small(patient, program, first.point):
        jump = _jump(patient, program, first, FINE)
        patient.single = COARSE < jump < WILD and _jump(patient, program, first, FINEST) < jump / 10
    for s in answered:
        s.answer.single = s.answer.single or patient.single
        if _differs(program, s):
            steps, most = ((WIDE,), MOST) if s.answer.single else ((FINEST, SATURATED), MOST_IN_DOUBLE)
            s.answer.jump = min(max(_jump(patient, program, s, step) for step in steps), most)


def _right_if_small(patient, program, point):
    """Tell whether code is right with small parameters: elsewhere it leaves its range, as 1 - p does at p = 1."""
    [small] = with_small(program, [point])
    answer = patient.answer(small)
    return not answer.failure and not _differs(program, Seen(small, answer))


def _differs(program, seen):
    return bool(Evidence(program, [seen]).wrong()) or forward.differs([seen])


def _jump(patient, program, seen, step):
    """Return by how much the results jump, relative to their largest entry, where arguments move by small steps.

    Data in whole numbers (masks, one-hot rows) stay as they are.
    """
    usual = Evidence(program, [seen]).usual
    random = np.random.default_rng(0)
    real = {n: np.asarray(v) for n, v in seen.point.arguments.items() if np.any(np.mod(v, 1))}
    slopes = {n: 1 + random.uniform(size=v.shape) for n, v in real.items()}
    answers = []
    for k in range(STEPS):
        moved = {n: v * (1 + step * k * slopes[n]) for n, v in real.items()}
        plain = {n: v if np.ndim(v) else float(v) for n, v in moved.items()}
        answers.append(patient.answer(replace(seen.point, arguments={**seen.point.arguments, **plain})))
    if any(a.failure for a in answers):
        return 0.0
    found = [_rough([a.gradients[n] for a in answers], FAINT * size) for n, size in usual.items()]
    if all(a.loss is not None for a in answers):
        found.append(_rough([a.loss for a in answers], 0.0))
    return max(found)


def _rough(values, least):
    """Return the size of what is left of values in equal steps once what is smooth in them is taken away."""
    if len({np.shape(v) for v in values}) > 1 or not all(np.all(np.isfinite(v)) for v in values):
        return 0.0
    size = max(largest(values), least)
    return largest(np.diff(np.stack(values), ORDER, axis=0)) / size / np.sqrt(20) if size else 0.0
