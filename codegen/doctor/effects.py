"""What each hypothesis adds to the gradients alone: so two that explain a gap together are found without trying all.

Effects add up where two mistakes are in different terms. Where everything that the first sends on is so many times what
it should be, the second's effect is so many times what it is alone.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sympy import Expr

from .evidence import Evidence, largest
from .mutants import Mutator
from .pairs import CLOSE, adding_up
from .scales import constants, words_of
from .slips import Mutant

MOST = 3000             # hypotheses
NOTHING = 1e-12         # of a value's usual size, that rounding leaves of what is 0


@dataclass
class Effects:
    """The effects of some mutants on some gradients at one point, a row each."""

    mutator: Mutator
    evidence: Evidence
    k: int                  # the point
    places: Sequence[str]
    names: Sequence[str]

    def __post_init__(self):
        self.mutants: list[Mutant] = []
        self.rows: list[np.ndarray] = []
        self.usual = self.flat(self.evidence.gradients(self.k))

    def _gradients(self, values):
        return self.evidence.seen[self.k].point.ours.gradients(values)

    def flat(self, gradients: Mapping[str, Any]) -> np.ndarray:
        """Return the gradients as one row."""
        return np.concatenate([np.ravel(np.asarray(gradients[n], float)) for n in self.names])

    def add(self, mutants: Iterator[Mutant], deadline: float) -> None:
        """Add the effects of mutants, until it is time."""
        for mutant in mutants:
            if time.thread_time() > deadline or len(self.rows) >= MOST:
                return
            row = None if mutant.square else self._of(mutant)
            if row is not None and np.all(np.isfinite(row)) and np.any(row):
                self.mutants.append(mutant)
                self.rows.append(row)

    def _of(self, mutant):
        try:
            values = self.evidence.changed(self.k, mutant.equations)
        except NotImplementedError:
            return None
        if values is None or _vanishes(values[mutant.name], self.evidence.base(self.k)[mutant.name]):
            return None
        return self.flat(self._gradients(values)) - self.usual

    def matching(self, gaps: np.ndarray) -> Iterator[tuple[int, Mutant]]:
        """Yield the gaps, rows of them, that one mutant makes alone, by their numbers, with it."""
        if not self.rows:
            return
        rows = np.stack(self.rows)
        along = np.random.default_rng(0).normal(size=rows.shape[1])
        numbers = rows @ along
        order = np.argsort(numbers, kind="stable")
        for a, gap in enumerate(gaps):
            for b in _near(rows, numbers, order, gap, along):
                yield a, self.mutants[b]

    def pairs(self, gap: np.ndarray) -> Iterator[tuple[Mutant, Mutant]]:
        """Yield two mutants whose effects may make a gap; the first may be a factor of all that a place sends on."""
        if not self.rows:
            return
        rows = np.stack(self.rows)
        yield from ((self.mutants[a], self.mutants[b]) for a, b in adding_up(rows, gap))
        along = np.random.default_rng(0).normal(size=len(gap))
        numbers = rows @ along
        order = np.argsort(numbers, kind="stable")
        error = CLOSE * np.max(np.abs(gap), initial=0.0)
        for whole, value, by in self._scalings(rows):
            for times in (value, 1.0) if value not in (0.0, 1.0) else ():
                left = (gap - (value - 1) * whole) / times
                if np.max(np.abs(left)) <= error:
                    continue
                for b in _near(rows, numbers, order, left, along):
                    yield by(), self.mutants[b]

    def _scalings(self, rows) -> Iterator[tuple[np.ndarray, float, Callable[[], Mutant]]]:
        """Yield all that a place sends on, what that may be times what it should be, and the mutant of which it is."""
        usual = constants(self.mutator.program, self.evidence.seen[self.k].point)
        sources = self.mutator.sources
        if sources and not self.evidence.made:
            yield from ((self.usual, value, partial(sources.mutant, by)) for by, value in usual)
        for place, whole in self._places():
            yield from ((whole, value, partial(self._scaled, place, by)) for by, value in usual)
            k = int(np.argmax(np.abs(whole)))
            for mutant, row in zip(self.mutants, rows, strict=True):
                if mutant.name == place and largest(row - row[k] / whole[k] * whole) <= CLOSE * largest(row):
                    yield whole, 1 + row[k] / whole[k], partial(_same, mutant)

    def _places(self):
        """Yield places with all that they send on to the gradients."""
        for place in self.places:
            line = self._line(place)
            whole = self._of(self.mutator.scaled(line, 2, "")) if line else None
            if whole is not None and np.any(whole):
                yield place, whole

    def _line(self, place):
        lines = self.evidence.made.get(place) or self.mutator.program.defining(place)
        return lines[0] if len(lines) == 1 else None

    def _scaled(self, place, factor: Expr) -> Mutant:
        return self.mutator.scaled(self._line(place), factor, words_of(factor))


def _same(mutant):
    return mutant


def _vanishes(value, usual):
    """Tell whether nothing is left of a value, or of how it varies along an axis: that hides whatever else is wrong."""
    value, usual = np.asarray(value, float), np.asarray(usual, float)
    return not largest(value) > NOTHING * largest(usual) or any(
        largest(np.diff(value, axis=k)) <= NOTHING * largest(value) < largest(np.diff(usual, axis=k))
        for k in range(value.ndim) if value.shape == usual.shape and value.shape[k] > 1)


def _near(rows, numbers, order, wanted, along):
    """Yield the places of the rows that are what is wanted; `numbers` are the rows along a direction, so ordered."""
    if not np.all(np.isfinite(wanted)):
        return
    error = CLOSE * np.max(np.abs(wanted), initial=0.0)
    whole, about = wanted @ along, error * np.sum(np.abs(along))
    low, high = np.searchsorted(numbers, (whole - about, whole + about), sorter=order)
    yield from (b for b in order[low:high] if np.max(np.abs(rows[b] - wanted)) <= error)
