"""Further points for code that is right so far: labels, or kinks, may have hidden a mistake by chance."""

import math
import time
from collections.abc import Iterable, Iterator

import numpy as np

from derive.program import Program

from .domains import with_small
from .evidence import Evidence, Seen, largest
from .patient import Patient
from .precision import mark_rounded
from .trials import Point, drawn, has_kinks, is_finite, small_sizes

SEEDS = range(50, 70)
SIZES = 3               # the largest of those that fit the network
SECONDS = 1.0           # of processor time
PLAINLY = 1e-3          # a difference that no rounding explains
MODERATE = 10.0         # a value of the forward pass, of which no function is saturated


def wrong_elsewhere(patient: Patient, evidence: Evidence, points: Iterable[Point] | None = None) -> list[Seen]:
    """Return answers at further points, the last of which is plainly wrong; [] where none is, or the code fails."""
    seen: list[Seen] = []
    end = time.thread_time() + SECONDS
    exact = not any(s.answer.single for s in evidence.seen)
    for point in _small_and_moderate(patient.program, exact) if points is None else points:
        answer, ours = patient.answer(point), point.ours.gradients()
        if time.thread_time() > end or answer.failure or any(
                np.size(answer.gradients[n]) != np.size(g) for n, g in ours.items()):
            return []
        answer.gradients = {n: np.reshape(answer.gradients[n], np.shape(g)) for n, g in ours.items()}
        seen.append(Seen(point, answer))
        if _apart(evidence, seen[-1]) > PLAINLY:
            mark_rounded(patient, patient.program, seen[-1:])
            if _apart(evidence, seen[-1]) > max(PLAINLY, seen[-1].tolerance):
                return seen[-2:]
    return []


def _apart(evidence, seen):
    return max(evidence.beside(seen).disagreements().values(), default=0.0)


def further(program: Program) -> Iterator[Point]:
    """Yield points at larger sizes, at which the network has a value: no mean over labels of which there are none."""
    largest = sorted(small_sizes(program), key=lambda s: -math.prod(s.values()))[:SIZES]
    for seed in SEEDS:
        sizes = largest[seed % len(largest)]
        point = Point("at other labels", program, sizes, drawn(program, sizes, seed))
        if is_finite(point.ours):
            yield point


def _small_and_moderate(program, exact):
    """Yield these points with small parameters; none without labels and kinks.

    Every other one stays as it is for exact code: what float16 rounds, or an iteration ends at, is another thing there.
    """
    exact = exact and not any(e.implicit for e in program.equations)
    if program.kind("labels") or has_kinks(program):
        for k, point in enumerate(further(program)):
            if exact and k % 2 and all(largest(point.ours.values[e.name]) <= MODERATE for e in program.forward):
                yield point
            else:
                yield from with_small(program, [point])
