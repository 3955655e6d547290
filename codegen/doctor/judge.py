"""Somebody's code as it runs now, judged: what it gives, what of that is another thing than before, what is right."""

import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from derive.program import Equation

from . import forward
from .evidence import Evidence, Seen, largest, near
from .limits import time_limited
from .lines import Results
from .patient import Answer, Patient
from .trials import Point, drawn, is_finite

LOSS = "loss"
SECONDS = 2.0               # that any run may take
OTHERS = range(20, 50)      # seeds of more arguments, for what is right at all points
MORE = 1.0                  # seconds that making them may take


@dataclass(frozen=True)
class Repair:
    """An edit, the line that it is in, and what it makes right; or a formula, with the variable in the line's place."""

    line: str
    words: str
    mends: frozenset[str]
    how: str = "so edited"


@dataclass
class Judge:
    """Runs the code as it is now, and compares with what it should give."""

    patient: Patient
    evidence: Evidence
    wrong: frozenset[str]       # gradients, and perhaps the loss, to be made right
    left: tuple[Equation, ...] = ()     # a mistake that the code may keep; in the evidence it is made

    def __post_init__(self):
        self.before: list[Answer] = []
        self.now = Answer()     # what the code gave last at the first point
        self.but = ""           # where what was mended last is not right, though it is at all other points
        self.most = 0.0         # seconds that a run may take, once it is known what it usually takes
        costs = []
        for k in range(len(self.evidence.seen)):
            start = time.thread_time()
            self.before.append(self.answer(k))
            right = sum(self._right(k, n, self.before[k]) for n in self.wrong)
            special = self.evidence.seen[k].point.least is not None
            costs.append((right, special, time.thread_time() - start, k))
        self.most = max(SECONDS, 20 * max(seconds for *_, seconds, _ in costs))
        self.order = [k for *_, k in sorted(costs)]     # where all shows that is wrong, what takes least time first
        k = self.order[0]
        self.scales = {n: self.evidence.scale(n, g, g) for n, g in self.evidence.gradients(k).items()}
        self.scales[LOSS] = abs(float(self.evidence.base(k)[self.evidence.program.loss])) or 1.0

    @cached_property
    def vanishing(self) -> frozenset[str]:
        """The gradients that are 0 at all points but for rounding."""
        return self.evidence.vanishing()

    @cached_property
    def usual(self) -> float:
        """How large the loss is usually."""
        return forward.usual(self.evidence.seen)

    def go_on(self, mended: frozenset[str]) -> None:
        """Take the code as it is now, in which something is mended, for what it was before."""
        self.before = [self.answer(k) for k in range(len(self.evidence.seen))]
        self.wrong -= mended

    def answer(self, k: int) -> Answer:
        """Run the code at one point; one that takes far longer than its like fails."""
        return self._answer(self.evidence.seen[k].point)

    def _answer(self, point):
        if not self.most:
            return self.patient.answer(point)
        try:
            with time_limited(self.most):
                return self.patient.answer(point)
        except TimeoutError as error:
            return Answer(failure=str(error))

    def changed(self) -> frozenset[str] | None:
        """Return what is another result than before at one point, None where the code fails now."""
        k = self.order[0]
        now = self.answer(k)
        if now.failure:
            return None
        return frozenset(n for n in (*now.gradients, LOSS) if not self._same(k, n, now))

    def results(self) -> Results | None:
        """Return what the code gives at one point, in units of what is usual there, None where it fails."""
        now = self.answer(self.order[0])
        if now.failure:
            return None
        found = {n: g / self.scales[n] for n, g in now.gradients.items()}
        return found if now.loss is None else {**found, LOSS: np.asarray(now.loss / self.scales[LOSS])}

    def missing(self) -> Results | None:
        """Return what is to be added to these results, 0 for the right ones; None where that makes no sense.

        What is neither right nor to be made right is left out: another edit may change it as it likes.
        """
        k = self.order[0]
        now = self.results()
        right = {**self.evidence.gradients(k), LOSS: self.evidence.base(k)[self.evidence.program.loss]}
        if now is None or any(np.shape(right[n]) != v.shape or not np.all(np.isfinite(v)) for n, v in now.items()):
            return None
        gaps = {n: right[n] / self.scales[n] - v for n, v in now.items()}
        tolerance = self.evidence.seen[k].tolerance
        return {n: gap if n in self.wrong else np.zeros_like(gap) for n, gap in gaps.items()
                if n in self.wrong or largest(gap) <= tolerance}

    def mended(self) -> frozenset[str]:
        """Return what of the wrong is right now at every point, nothing where anything else is spoilt.

        Where all is right but at sizes of 1, at which an axis of one entry may be dropped, `but` tells them.
        """
        left, but, self.but = self.wrong, list[str](), ""
        for k in self.order:
            now = self.answer(k)
            self.now = now if k == self.order[0] else self.now
            right = frozenset() if now.failure else frozenset(n for n in left if self._right(k, n, now))
            spoilt = bool(now.failure) or not all(
                n in self.wrong or self._same(k, n, now) or self._right(k, n, now) for n in (*now.gradients, LOSS))
            if left == self.wrong and (spoilt or right != left) and self.evidence.seen[k].point.of_one:
                but.append(self.evidence.seen[k].point.words)
                continue
            left = right
            if spoilt or not left or (but and left != self.wrong):
                return frozenset()
        mends = self._right_elsewhere(left) if self.left or not self.evidence.bases else left
        self.but = " and ".join(but) if mends == self.wrong else ""
        return frozenset() if but else mends

    def _right_elsewhere(self, names):
        """Return the results that are right with other arguments too: a mask may be so by chance at those judged.

        Coarsely: what is right is right to rounding at the others, and here arguments may be where the network itself
        loses digits.
        """
        for point in self.others if names else ():
            seen = Seen(point, replace(self._answer(point), single=True))
            if seen.answer.failure:
                return frozenset()
            values = point.ours.changed(self.left) if self.left else None
            names -= set(self.evidence.beside(seen, values).wrong())
            names -= {LOSS} if forward.differs([seen], self.usual) else set()
            if not names:
                break
        return names

    @cached_property
    def others(self) -> list[Point]:
        """More points like the first, where that is one of ours: data of a kind of its own are not made anew.

        The network has a value at each.
        """
        program, first = self.evidence.program, self.evidence.seen[0].point
        ours = drawn(program, first.sizes, 0)
        if any(e.implicit for e in program.equations) or not all(
                np.array_equal(first.arguments[n], v) for n, v in ours.items()):
            return []
        made, end = [], time.thread_time() + MORE
        for seed in OTHERS:
            if time.thread_time() < end:
                arguments = drawn(program, first.sizes, seed)
                made.append(Point("elsewhere", program, first.sizes, arguments, extra=first.extra))
        return [p for p in made if is_finite(p.ours)]

    def _right(self, k, name, now):
        if name == LOSS:
            seen = [Seen(self.evidence.seen[k].point, now)]
            return now.loss is not None and not forward.differs(seen, self.usual)       # an array is no loss
        seen, theirs = self.evidence.seen[k], now.gradients[name]
        rights = (self.evidence.gradients(k), seen.point.ours.gradients())      # with mistakes found before, or without
        return any(self.evidence.apart(k, name, theirs, right[name]) <= seen.tolerance for right in rights)

    def _same(self, k, name, now):
        def of(answer: Answer) -> Any:
            return np.asarray(np.nan if answer.loss is None else answer.loss) if name == LOSS \
                else answer.gradients[name]

        return np.array_equal(of(now), of(self.before[k]), equal_nan=True) or near(
            self.evidence.seen[k], of(now), of(self.before[k]))
