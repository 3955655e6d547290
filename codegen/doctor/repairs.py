"""The line of somebody's code that makes the gradients wrong, found by editing it until they are right.

Which lines may be at fault is seen by moving what each computes; there every edit that undoes a common slip is tried.
"""

import ast
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import forward
from .edits import FAR, FARTHER, OTHER, SLIP, Edit, Surroundings
from .evidence import Evidence, Seen, near
from .lacking import fitting
from .limits import can_stop, memory_limited, time_limited
from .lines import Line, Results, line
from .patient import Answer, Patient
from .regions import FIRST, MAYBE, SECOND, UNLIKELY, Region, likely
from .rewritings import everywhere
from .slots import Slot, text
from .source import Unit, acts, units_of
from .statements import of_block, of_statement

LOSS = "loss"
NEAR = ((SLIP, FIRST, MAYBE), (OTHER, FIRST, MAYBE))        # ranks of edits, and tiers of the regions to try them in
PHASES = (*NEAR, (FAR, FIRST, SECOND), (SLIP, UNLIKELY, UNLIKELY), (FARTHER, FIRST, FIRST), (OTHER, UNLIKELY, UNLIKELY),
          (FAR, MAYBE, MAYBE))
MOST_REPAIRS = 3
PART = 0.1                  # of the time left that is spent on what one line does
SECONDS = 2.0               # that any run may take


@dataclass(frozen=True)
class Repair:
    """An edit, the line that it is in, and what it makes right."""

    line: str
    words: str
    mends: frozenset[str]


@dataclass
class Judge:
    """Runs the code as it is now, and compares with what it should give."""

    patient: Patient
    evidence: Evidence
    wrong: frozenset[str]       # gradients, and perhaps the loss, to be made right

    def __post_init__(self):
        self.before: list[Answer] = []
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

    def answer(self, k: int) -> Answer:
        """Run the code at one point; one that takes far longer than its like fails."""
        if not self.most:
            return self.patient.answer(self.evidence.seen[k].point)
        try:
            with time_limited(self.most):
                return self.patient.answer(self.evidence.seen[k].point)
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
        """Return what is to be added to these results, 0 for the right ones; None where that makes no sense."""
        k = self.order[0]
        now = self.results()
        right = {**self.evidence.gradients(k), LOSS: self.evidence.base(k)[self.evidence.program.loss]}
        if now is None or any(np.shape(right[n]) != v.shape or not np.all(np.isfinite(v)) for n, v in now.items()):
            return None
        return {n: right[n] / self.scales[n] - v if n in self.wrong else np.zeros_like(v) for n, v in now.items()}

    def mended(self) -> frozenset[str]:
        """Return what of the wrong is right now at every point, nothing where anything else is spoilt."""
        left = self.wrong
        for k in self.order:
            now = self.answer(k)
            if now.failure:
                return frozenset()
            left = frozenset(n for n in left if self._right(k, n, now))
            if not left or not all(n in self.wrong or self._same(k, n, now) or self._right(k, n, now)
                                   for n in (*now.gradients, LOSS)):
                return frozenset()
        return left

    def _right(self, k, name, now):
        if name == LOSS:
            seen = [Seen(self.evidence.seen[k].point, now)]
            return now.loss is not None and not forward.differs(seen)       # an array is no loss
        apart = self.evidence.apart(k, name, now.gradients[name], self.evidence.gradients(k)[name])
        return apart <= self.evidence.seen[k].tolerance

    def _same(self, k, name, now):
        def of(answer: Answer) -> Any:
            return np.asarray(np.nan if answer.loss is None else answer.loss) if name == LOSS \
                else answer.gradients[name]

        return np.array_equal(of(now), of(self.before[k]), equal_nan=True) or near(
            self.evidence.seen[k], of(now), of(self.before[k]))


class Repairs:
    """Looks for edits of somebody's code that make what is wrong right."""

    def __init__(self, patient: Patient, evidence: Evidence, wrong: Sequence[str], seconds: float):
        self.deadline = time.thread_time() + seconds
        self.judge = Judge(patient, evidence, frozenset(wrong))
        self.reaches: dict[Slot, Line | None] = {}
        self.lines: tuple[str, ...] = ()        # where a mistake may be that makes all wrong, and nothing else

    def one(self) -> list[Repair]:
        """Return the single likely edit that makes all right, [] where there is none."""
        return self._found(NEAR, 1)

    def several(self) -> list[Repair]:
        """Return the edits that make all right together, [] where they do not."""
        return self._found(PHASES, MOST_REPAIRS)

    def _found(self, phases, most) -> list[Repair]:
        judge, found = self.judge, list[Repair]()
        if not can_stop():
            return []
        with memory_limited(), units_of(lambda: judge.answer(judge.order[0]), judge.patient.prepared) as units:
            if not units or acts(units):
                return []
            last: Edit | None = None
            while judge.wrong and len(found) < most and time.thread_time() < self.deadline:
                places = likely(units, judge.changed, judge.wrong)
                self.lines = self.lines or _lines(places)
                best = self._best(places, phases, last, most)
                if best is None or (most == 1 and best[2].mends != judge.wrong):
                    return []
                unit, last, repair = best
                last.slot.put(last.new)
                unit.run()
                unit.keep()
                self.reaches.clear()
                found.append(repair)
                judge.wrong -= repair.mends
        return found if not judge.wrong else []

    def _best(self, places, phases, last, most) -> tuple[Unit, Edit, Repair] | None:
        """Return the first edit that makes all right, or the one that makes most right."""
        best: tuple[Unit, Edit, Repair] | None = None
        slips, *others = (self._edits(places, *phase) for phase in phases)
        for tried in (self._once_more(places, last), slips, *others) if last else (slips, *others):
            for region, edit in tried:
                if time.thread_time() > self.deadline:
                    return best
                mends = self._mends(region.unit, edit) if self._may(region, edit, most) else frozenset()
                if len(mends) > (len(best[2].mends) if best else 0):
                    place = f"line {getattr(edit.slot.node, 'lineno', region.line)}"
                    best = region.unit, edit, Repair(place, edit.words, mends)
                    if mends == self.judge.wrong:
                        return best
            if best is not None and tried is not slips:
                return best
        return best

    def _may(self, region, edit, most):
        """Tell whether an edit may make right what is wrong, all of it if only that counts, by what its line gives."""
        reach = self._reach(region)
        if reach is None:
            return True
        with edit.slot.holding(_located(edit)):
            mends = reach.mends(region.slot.node)
        return mends is None or (mends == self.judge.wrong if most == 1 else bool(mends))

    def _reach(self, region) -> Line | None:
        if region.slot not in self.reaches:
            missing = self.judge.missing() if isinstance(region.slot.node, ast.expr) else None
            left = self.deadline - time.thread_time()
            self.reaches[region.slot] = None if missing is None else line(
                region.unit, region.slot, self.judge.results, missing, PART * left)
        return self.reaches[region.slot]

    def _edits(self, places, rank, low, high) -> Iterator[tuple[Region, Edit]]:
        """Yield the edits of one rank in the regions of some tiers; the many of the last where a value mends all."""
        around: dict[int, Surroundings] = {}
        for region in (r for r in places if low <= r.tier <= high):
            own = around.setdefault(id(region.unit), Surroundings.of(region.unit.function))
            if isinstance(region.slot.node, list):
                made = of_block(region.slot, region.slot.node)
            elif isinstance(region.slot.node, ast.stmt):
                made = of_statement(region.slot, own)
            elif rank < FARTHER:
                made = everywhere(region.slot, own)
            else:
                reach = self._reach(region)
                made = fitting(reach, region.slot, own) if reach and reach.may() else iter(())
            yield from ((region, edit) for edit in made if edit.rank == rank)

    def _once_more(self, places, last) -> Iterator[tuple[Region, Edit]]:
        """Yield an edit that was made elsewhere at other places that say the same."""
        if not isinstance(last.old, ast.expr):
            return
        old, new = text(last.old), text(last.new)
        for rank in (SLIP, OTHER, FAR):
            for region, edit in self._edits(places, rank, FIRST, UNLIKELY):
                if isinstance(edit.old, ast.expr) and text(edit.old) == old and text(edit.new) == new:
                    yield region, edit

    def _mends(self, unit, edit):
        with edit.slot.holding(_located(edit)):
            mends = self.judge.mended() if unit.run() else frozenset()
        unit.reset()
        return mends


def _lines(places):
    numbers = {r.line for r in places if r.tier == FIRST and r.slot.name not in ("iter", "test")
               and isinstance(r.slot.node, ast.expr)}
    return tuple(str(n) for n in sorted(numbers))


def _located(edit):
    """Return what an edit puts there, with line numbers."""
    for node in edit.new if isinstance(edit.new, list) else [edit.new]:
        if not hasattr(node, "lineno"):
            ast.copy_location(node, edit.old if isinstance(edit.old, ast.AST) else edit.old[0])
        ast.fix_missing_locations(node)
    return edit.new
