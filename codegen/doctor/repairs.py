"""The line of somebody's code that makes the gradients wrong, found by editing it until they are right.

Which lines may be at fault is seen by moving what each computes; there every edit that undoes a common slip is tried.
"""

import ast
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from .bracketing import rebracketed
from .copied_lines import in_other_loops
from .diagnosis import Finding
from .edits import BRACKETS, FAR, FARTHER, FEW, MOVED, OTHER, SLIP, Edit, Surroundings
from .evidence import Evidence, Seen, near
from .judge import LOSS, Judge, Repair
from .lacking import fitting
from .limits import can_stop, memory_limited
from .lines import Line, line
from .patient import Answer, Patient
from .regions import FIRST, MAYBE, SECOND, UNLIKELY, Region, likely
from .rewritings import everywhere
from .several_lines import in_several_lines
from .sharing import REPEATED
from .slots import Slot, text
from .source import Unit, acts, units_of
from .statements import of_block, of_statement
from .twin_lines import in_all_twins, in_two_twins
from .two_edits import BOTH, Guesses, Tried, both, but_for_a_factor, likely_together, located

# ranks of edits, and tiers of the regions to try them in
NEAR = ((FEW, FIRST, MAYBE), (SLIP, FIRST, FIRST), (MOVED, FIRST, FIRST), (SLIP, SECOND, MAYBE), (MOVED, SECOND, MAYBE),
        (BRACKETS, FIRST, SECOND), (OTHER, FIRST, MAYBE))
ALONE = (*NEAR[:3], NEAR[5], *NEAR[3:5], *NEAR[6:])     # where one edit is left to be found
SLIPS = len(NEAR) - 1       # the phases of slips, which may be twins
PHASES = (*NEAR, (FEW, UNLIKELY, UNLIKELY), (SLIP, UNLIKELY, UNLIKELY), (MOVED, UNLIKELY, UNLIKELY),
          (FAR, FIRST, SECOND), (FARTHER, FIRST, SECOND), (OTHER, UNLIKELY, UNLIKELY), (FAR, MAYBE, MAYBE))
MOST_REPAIRS = 3
PAIRS = 0.3                 # of all the time, that is spent on likely edits two by two, at least
SEVERAL = 0.15              # of the time left that is spent on edits of several lines: each of them is run
LIKELIEST = 2               # edits that are taken to leave a factor, and formulas asked for what makes that
REST = 0.3                  # of the time left, that is kept for what few turns tell, where the whole is tried between
PART = 0.1                  # of the time left that is spent on what one line does
Formulas = Callable[[Evidence], list[Finding]]      # that explain all, [] where none do


class Repairs:
    """Looks for edits of somebody's code that make what is wrong right."""

    def __init__(
        self, patient: Patient, evidence: Evidence, wrong: Sequence[str], seconds: float,
        guesses: Guesses | None = None, formulas: Formulas | None = None, whole: Evidence | None = None,
    ):
        self.deadline = time.thread_time() + seconds
        self.pairs = PAIRS * seconds
        self.guesses, self.formulas = guesses, formulas
        self.judge = Judge(patient, evidence, frozenset(wrong))
        self.whole = Judge(patient, whole, frozenset(whole.wrong())) if whole else None     # more to be right at last
        self.reaches: dict[Slot, Line | None] = {}
        self.edits: dict[Slot, list[Edit]] = {}             # of each place, as long as the code is as it is
        self.around: dict[int, Surroundings] = {}           # of each unit, likewise
        self.lines: tuple[str, ...] = ()        # where a mistake may be that makes all wrong, and nothing else
        self.tried: list[Tried] = []            # what makes nothing right
        self.some: list[Repair] = []            # edits that were found, though more is wrong
        self.beside: list[Finding] = []         # in formulas, what more is wrong

    def one(self) -> list[Repair]:
        """Return the single likely edit that makes all right, [] where there is none."""
        return self._found((*NEAR, (FAR, FIRST, FIRST)), 1)

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
            self.functions = [u.function for u in units]
            last: Edit | None = None
            while judge.wrong and len(found) < most and time.thread_time() < self.deadline:
                places = likely(units, judge.changed, judge.wrong)
                self.lines = self.lines or _lines(places)
                self.tried, self.now = [], judge.answer(judge.order[0]).gradients
                if most > 1 and not found and (pair := self._beside_additions(units, places)):
                    return pair
                best = self._best(places, phases, last, most)
                if most > 1 and best is None:
                    self.beside = self._in_formulas() if found else []
                    if self.beside:
                        return found
                    pair = both(judge, self.tried, self.guesses, places)
                    if not pair and (first := self._but_for_a_factor()):
                        return [*found, first]
                    left = self.deadline - time.thread_time()
                    pair = pair or likely_together(judge, self.tried, max(self.pairs, left / 2))
                    return [*found, *pair] if pair else []
                if best is None or (most == 1 and best[2].mends != judge.wrong):
                    return []
                unit, last, repair = best
                self._put(unit, last, last.new, repair.mends)
                found.append(repair)
                self.some = found
                if judge.wrong and (last_one := self._the_rest(units)):
                    return [*found, last_one]
            whole = self.whole is None or self.whole.mended() == self.whole.wrong
        return found if whole and not judge.wrong else []

    def _put(self, unit, edit, what, mends=frozenset()):
        """Take the code with something in the place of an edit for what it is."""
        edit.slot.put(what)
        unit.run()
        unit.keep()
        self._forget()
        self.judge.go_on(mends)

    def _forget(self):
        """Forget what was made of the code as it was, or seen by the judge before."""
        for made in (self.reaches, self.edits, self.around):
            made.clear()

    def _beside_additions(self, units, places) -> list[Repair]:
        """Return an addition at repeated indices, which is needed where it changes anything, and what else is."""
        seen, wrong = self.judge.evidence.seen[self.judge.order[0]], self.judge.wrong
        for region in (r for r in places if isinstance(r.slot.node, ast.Assign | ast.AugAssign) and r.tier <= MAYBE):
            for edit in (e for e in self._made(region) if e.reason == REPEATED):
                mends, given = self._mends(region.unit, edit), self.judge.now.gradients
                if mends == wrong or not given or all(near(seen, given[n], self.now[n]) for n in wrong - {LOSS}):
                    continue
                self._put(region.unit, edit, edit.new)
                if second := self._single(units, NEAR, 1 / 2):
                    line = f"line {getattr(edit.old, 'lineno', region.line)}"
                    return [Repair(line, edit.words, wrong, BOTH), replace(second, how=BOTH)]
                self._put(region.unit, edit, edit.old)
        return []

    def _but_for_a_factor(self) -> Repair | None:
        """Return an edit that makes all wrong so many times what is right, if formulas tell what makes it that."""
        for tried in but_for_a_factor(self.judge, self.tried)[:LIKELIEST] if self.formulas else ():
            self._put(tried.unit, tried.edit, tried.edit.new)
            if found := self._in_formulas():
                self.beside = found
                return Repair(tried.line, tried.edit.words, self.judge.wrong, BOTH)
            self._put(tried.unit, tried.edit, tried.edit.old)
        return None

    def _single(self, units, phases, part) -> Repair | None:
        """Return the one edit that makes the code as it is now all right, if found in a part of the time left."""
        end = self.deadline
        self.deadline = end - (1 - part) * (end - time.thread_time())
        found = self._best(likely(units, self.judge.changed, self.judge.wrong), phases, None, 1)
        self.deadline = end
        return found[2] if found and found[2].mends == self.judge.wrong else None

    def _the_rest(self, units) -> Repair | None:
        """Return the single edit that makes right all that is to be so at last, with those that were found before."""
        if self.whole is None:
            return None
        few, self.judge = self.judge, self.whole
        self.judge.go_on(frozenset())
        found = self._single(units, ALONE, 1 - REST)
        self.judge = few
        self._forget()
        return found

    def _in_formulas(self) -> list[Finding]:
        """Return mistakes in equations that explain all that is wrong of the code as it is edited now."""
        if self.formulas is None:
            return []
        judge, seen = self.judge, list[Seen]()
        for k, s in enumerate(judge.evidence.seen):
            now = judge.answer(k)
            ours = judge.evidence.gradients(k)
            if now.failure or any(np.shape(now.gradients[n]) != np.shape(g) for n, g in ours.items()):
                return []
            right = {n: g for n, g in ours.items() if n not in judge.wrong}
            seen.append(Seen(s.point, replace(now, gradients={**now.gradients, **right})))
        return self.formulas(judge.evidence.on(seen))

    def _best(self, places, phases, last, most) -> tuple[Unit, Edit, Repair] | None:
        """Return the first edit that makes all right, or the one that makes most right."""
        best: tuple[Unit, Edit, Repair] | None = None
        but: tuple[Unit, Edit, Repair] | None = None        # that makes all right but at sizes of 1
        each = frozenset[str]()                             # what some edit makes right
        ways = [(phase[0], self._edits(places, *phase)) for phase in phases]
        ways.insert(len(NEAR), (OTHER, self._in_several_lines(places)))
        ways.insert(SLIPS, (SLIP, self._in_twins(places, most)))
        for rank, tried in [(OTHER, self._once_more(places, last)), *ways] if last else ways:
            for region, edit in tried:
                if time.thread_time() > self.deadline:
                    return best or but
                may = self._may(region, edit, most)
                mends = self._mends(region.unit, edit) if may else frozenset()
                place = f"line {edit.line or getattr(edit.slot.node, 'lineno', region.line)}"
                if may and self.judge.but and but is None:
                    how = f"so edited, except {self.judge.but}"
                    but = region.unit, edit, Repair(place, self._words(region, edit), self.judge.wrong, how)
                if most > 1 and best is None and not mends:
                    self._remember(region, edit, place, may)
                if mends != self.judge.wrong:
                    mends -= self.judge.vanishing           # what is 0 is so for many a reason
                each |= mends
                if len(mends) > (len(best[2].mends) if best else 0):
                    best = region.unit, edit, Repair(place, self._words(region, edit), mends)
                    if mends == self.judge.wrong:
                        return best
            apart = LOSS in each and each == self.judge.wrong       # the loss by one line, the gradients by another
            if best is not None and (apart or rank >= (BRACKETS if self.whole else OTHER)):
                return best
        return best or but

    def _words(self, region, edit):
        """Return the words of an edit; with the number, where it reads one for another: others may be the same."""
        reach, point = self._reach(region), self.judge.evidence.seen[self.judge.order[0]].point
        try:
            numbers = [v for n in (edit.new, edit.old) for v in reach.valued(n)] if reach and isinstance(
                edit.old, ast.Name) else []
        except (Exception, SystemExit):
            numbers = []
        given = [v for v in point.arguments.values() if np.ndim(v) == 0]
        constant = bool(numbers) and all(type(v) is float and v not in given for v in numbers)
        return f"{edit.words} (or what else is {numbers[0]:.6g} here)" if constant else edit.words

    def _may(self, region, edit, most):
        """Tell whether an edit may make right what is wrong, all of it if only that counts, by what its line gives."""
        reach, cheap = self._reach(region), most == 1 and edit.rank == FAR      # of those none is run to see
        if reach is None:
            return not cheap
        with edit.slot.holding(located(edit)):
            mends = reach.mends(region.slot.node)
        return not cheap if mends is None else mends == self.judge.wrong if most == 1 else bool(mends)

    def _remember(self, region, edit, place, ran):
        """Keep what the code gives with an edit that makes nothing right, and does not hide what is wrong."""
        reach = self._reach(region)
        with edit.slot.holding(located(edit)):
            if reach and reach.vanishes(region.slot.node):
                return
            change = reach.change(region.slot.node) if reach and not ran else None
        if reach and change is not None:
            scales = self.judge.scales
            given = {n: g + scales[n] * change[reach.rows[n]].reshape(np.shape(g)) for n, g in self.now.items()
                     if n in reach.rows}        # others, neither right nor to be made so, are not looked at
        else:
            if not ran:
                self._mends(region.unit, edit)
            given = self.judge.now.gradients
        if given:
            self.tried.append(Tried(region.unit, edit, place, given))

    def _reach(self, region) -> Line | None:
        if region.slot not in self.reaches:
            missing = self.judge.missing() if isinstance(region.slot.node, ast.expr) else None
            left = self.deadline - time.thread_time()
            self.reaches[region.slot] = None if missing is None else line(
                region.unit, region.slot, self.judge.results, missing, PART * left)
        return self.reaches[region.slot]

    def _edits(self, places, rank, low, high) -> Iterator[tuple[Region, Edit]]:
        """Yield the edits of one rank in the regions of some tiers; the many of the last where a value mends all."""
        for region in (r for r in places if low <= r.tier <= high):
            expression = isinstance(region.slot.node, ast.expr)
            if expression and rank == FARTHER:
                reach = self._reach(region)
                made = fitting(reach, region.slot, self._around(region.unit)) if reach and reach.may() else iter(())
            elif expression and rank == BRACKETS:
                made = rebracketed(region.slot)
            else:
                made = iter(self._made(region) if rank > FEW or not expression else ())
            yield from ((region, edit) for edit in made if edit.rank == rank)

    def _in_twins(self, places, most) -> Iterator[tuple[Region, Edit]]:
        """Yield the edits of twin lines: of two, by what is tried by then, and of all twins, for some time."""
        yield from in_two_twins(self.judge, self.tried, places)
        if most > 1:
            yield from self._for_some_time(in_all_twins(here, self._made) for here in _by_unit(places))

    def _in_several_lines(self, places) -> Iterator[tuple[Region, Edit]]:
        """Yield the edits of several lines of one function, and those that put a line elsewhere too, for some time."""
        yield from self._for_some_time(chain(
            in_several_lines(here, self._around(here[0].unit)), in_other_loops(here)) for here in _by_unit(places))

    def _for_some_time(self, ways) -> Iterator[tuple[Region, Edit]]:
        now = time.thread_time()
        end = now + SEVERAL * (self.deadline - now)
        for found in chain.from_iterable(ways):
            if time.thread_time() > end:
                return
            yield found

    def _made(self, region):
        """Return the edits of all ranks in a region, made once."""
        slot = region.slot
        if slot not in self.edits:
            node, around = slot.node, self._around(region.unit)
            self.edits[slot] = list(of_block(slot, node, around) if isinstance(node, list) else
                                    of_statement(slot, around) if isinstance(node, ast.stmt) else
                                    everywhere(slot, around))
        return self.edits[slot]

    def _around(self, unit):
        if id(unit) not in self.around:
            self.around[id(unit)] = Surroundings.of(unit.function, self.functions)
        return self.around[id(unit)]

    def _once_more(self, places, last) -> Iterator[tuple[Region, Edit]]:
        """Yield an edit that was made elsewhere at other places that say the same."""
        if not isinstance(last.old, ast.expr):
            return
        old, new = text(last.old), text(last.new)
        saying = [r for r in places if isinstance(r.slot.node, ast.AST) and old in text(r.slot.node)]
        for rank in (SLIP, MOVED, OTHER, FAR):
            for region, edit in self._edits(saying, rank, FIRST, UNLIKELY):
                if isinstance(edit.old, ast.expr) and text(edit.old) == old and text(edit.new) == new:
                    yield region, edit

    def _mends(self, unit, edit):
        self.judge.now = Answer(failure="no program")
        with edit.slot.holding(located(edit)):
            mends = self.judge.mended() if unit.run() else frozenset()
        unit.reset()
        return mends


def _by_unit(places):
    """Return the regions of each function."""
    units = {id(r.unit): r.unit for r in places}
    return [[r for r in places if r.unit is unit] for unit in units.values()]


def _lines(places):
    numbers = {r.line for r in places if r.tier == FIRST and r.slot.name not in ("iter", "test")
               and isinstance(r.slot.node, ast.expr)}
    return tuple(str(n) for n in sorted(numbers))
