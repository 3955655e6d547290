"""What was seen: answers at points beside the derived values, and when two arrays are the same but for rounding."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from derive.program import Equation, Program

from .evaluate import Values
from .patient import Answer
from .trials import Point

DOUBLE, SINGLE = 1e-9, 3e-4             # what rounding explains, relative to the largest entry
JUMPS = 50              # so many that rounding makes may add up to what is left, where it cancels
FAINT = 1e-3                            # a gradient that much below its usual size is measured against that
VANISHING = 1e-12       # of the largest gradient, or of the terms that cancel, that is left of one that is 0


@dataclass
class Seen:
    """One point and what the code answered there."""

    point: Point
    answer: Answer

    @property
    def tolerance(self) -> float:
        return max(SINGLE if self.answer.single else DOUBLE, JUMPS * self.answer.jump, 2 * self.point.slack)


@dataclass
class Evidence:
    """All answers, and what the network's gradients are taken to be: derived, or with mistakes already found."""

    program: Program
    seen: Sequence[Seen]
    bases: dict[int, Values] = field(default_factory=dict)      # per place in `seen`: values with mistakes found so far
    made: dict[str, tuple[Equation, ...]] = field(default_factory=dict)     # what these made of equations, by variable

    @property
    def exact(self) -> list[float]:
        """How near a ratio of gradients is to what it is, relatively, at each point: nearer than each entry."""
        return [s.tolerance / 10 if s.answer.single else DOUBLE for s in self.seen]

    @cached_property
    def usual(self) -> dict[str, float]:
        """The usual size of each parameter's gradient, or of the terms that it is the sum of where they cancel."""
        found = {p.name: 0.0 for p in self.program.parameters}
        for s in self.seen:
            for name, g in s.point.ours.gradients().items():
                terms = s.point.ours.terms(self.program.adjoints[name]) if name in self.program.adjoints else 0.0
                found[name] = max(found[name], largest(g), terms)
        return found

    def beside(self, seen: Seen, values: Values | None = None) -> "Evidence":
        """Return the evidence of another point alone, where what is faint is so beside the gradients here."""
        found = Evidence(self.program, [seen], {0: values} if values else {})
        found.usual = {n: max(size, found.usual[n]) for n, size in self.usual.items()}
        return found

    def on(self, seen: Sequence[Seen]) -> "Evidence":
        """Return the evidence of other answers, or of these, with the mistakes found so far made."""
        found = Evidence(self.program, seen)
        found.make([e for lines in self.made.values() for e in lines])
        return found

    def base(self, k: int) -> Values:
        return self.bases.get(k, self.seen[k].point.ours.values)

    def make(self, equations: Sequence[Equation]) -> None:
        """Take a mistake as made: from here on, the derived gradients are those with it."""
        self.made |= {e.name: tuple(other for other in equations if other.name == e.name) for e in equations}
        for k in range(len(self.seen)):
            values = self.changed(k, ())
            if values is not None:
                self.bases[k] = values

    def changed(
        self, k: int, equations: Sequence[Equation], wanted: Callable[[str, Any], bool] = lambda name, value: True,
    ) -> Values | None:
        """Return the values at a point with some equations changed, and with the mistakes found so far.

        `wanted` may stop that early (`Evaluated.changed`).

        Raises
        ------
        NotImplementedError
            A change made 1/0 of something, or a number that is too large.
        """
        names = {e.name for e in equations}
        earlier = [e for name, lines in self.made.items() if name not in names for e in lines]
        return self.seen[k].point.ours.changed([*earlier, *equations], self.base(k), wanted)

    def gradients(self, k: int) -> Values:
        """Return what the gradients are at a point, mistakes found so far included."""
        return self.seen[k].point.ours.gradients(self.base(k))

    def vanishing(self) -> frozenset[str]:
        """Return what gradients are 0 at all points but for rounding, as that of a bias before a normalisation."""
        seen = [self.gradients(k) for k in range(len(self.seen))]
        return frozenset(n for n in self.usual if all(
            largest(g[n]) <= VANISHING * max(self.usual[n], *map(largest, g.values())) for g in seen))

    def close(self, k: int, name: str, ours: Any) -> bool:
        """Tell whether the code's gradient is `ours` but for rounding."""
        theirs = self.seen[k].answer.gradients[name]
        return self.apart(k, name, theirs, ours) <= self.seen[k].tolerance

    def apart(self, k: int, name: str, theirs: Any, ours: Any) -> float:
        """Return the largest difference relative to the largest entry; infinite where the shapes differ."""
        theirs, ours = np.asarray(theirs), np.asarray(ours)
        if theirs.shape != ours.shape:
            return np.inf
        if theirs.size == 0:
            return 0.0
        finite = np.isfinite(ours)
        if not np.array_equal(finite, np.isfinite(theirs)):
            return np.inf
        return float(np.max(np.abs(theirs[finite] - ours[finite]), initial=0.0)) / self.scale(name, theirs, ours)

    def scale(self, name: str, theirs: Any, ours: Any) -> float:
        """Return what a difference of two values of a gradient is measured against."""
        return max(largest(theirs), largest(ours), FAINT * self.usual[name]) or 1.0

    def wrong(self) -> list[str]:
        """Return the parameters whose gradient is not what it should be somewhere, mistakes found so far included."""
        return [p.name for p in self.program.parameters if not self.agrees(p.name)]

    def agrees(self, name: str) -> bool:
        return all(self.close(k, name, self.gradients(k)[name]) for k in range(len(self.seen)))

    def agreeing(self, name: str) -> list[int]:
        """Return the places of the points at which a gradient is as derived."""
        return [k for k in range(len(self.seen)) if self.close(k, name, self.gradients(k)[name])]

    def disagreements(self) -> Mapping[str, float]:
        """Return the largest disagreement with the derived gradient, by parameter."""
        return {
            p.name: max((self.apart(k, p.name, s.answer.gradients[p.name], s.point.ours.gradients()[p.name])
                         for k, s in enumerate(self.seen)), default=np.nan)
            for p in self.program.parameters
        }


def largest(value: Any) -> float:
    """Return the largest modulus among the finite entries."""
    value = np.abs(np.asarray(value, float))
    return float(np.max(value[np.isfinite(value)], initial=0.0))


def near(seen: Seen, a: Any, b: Any) -> bool:
    """Tell whether two arrays are the same but for rounding."""
    return np.shape(a) == np.shape(b) and largest(a - b) <= seen.tolerance * max(largest(a), largest(b))
