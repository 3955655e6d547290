"""The examination: run the code at all points, compare, and look for the mistake wherever it differs."""

import os
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from sympy import Max, Min

from derive.program import Program
from derive.terms import subterms

from . import domains, few_turns, forward, kinks, leaves
from .adapting import how_many_wrong, in_its_layout, without_guards
from .circumstances import bad_checks, in_other_circumstances, own_point
from .conduct import (
    behaviour,
    failures,
    is_stale,
    of_another_loss,
    of_other_numbers,
    of_other_shapes,
    without_degenerate,
    without_wrong_ones,
)
from .diagnosis import RIGHT, UNKNOWN, WRONG, Diagnosis
from .elsewhere import further, wrong_elsewhere
from .evidence import DOUBLE, Evidence, Seen
from .hypotheses import Hypotheses
from .judge import LOSS
from .kinds_of_data import are_lost, own_data
from .normalisations import in_compact_form
from .other_networks import CHOICES, KINDS, on_values_of, rederived
from .patient import Patient
from .precision import mark_rounded
from .repairs import Repairs
from .search import Search, explaining
from .second_order import Judged
from .shapes import in_shape
from .single_gradients import alone, lower
from .subjects import subject
from .telling import edited, finding, no_match, together
from .two_edits import BOTH
from .two_summands import SUMMANDS

SECONDS = 30.0          # of searching
LONGER = 2              # times that again, in the lines alone, where nothing is found in it
FETCHED = ("substitute", SUMMANDS, "another network", "alike", "anew")     # where one line may say it more simply
FURTHER = 4             # points at which another network must be the code's, too
MOST_AT_ONCE = 3        # mistakes found on narrower data: more are no explanation
STRICT = False          # whether errors of the search itself are raised, as tests want them
GUARDED = "it does without small numbers of the network's, or has others: what these change is no mistake"
CANCELS = ("it cancels in float64: its results jump where arguments move by 1e-12 of themselves; what that explains is "
           "no mistake")
CALLS = ("in place", "state", "shape", "shapes", "padding", "order")     # found by calling, whatever is computed


class Examination:
    """One examination of a function; `diagnosis` is what comes of it."""

    def __init__(self, net: Judged, function: Callable, seconds: float = SECONDS, at: Mapping[str, Any] | None = None):
        self.net, self.subject = net, subject(net)
        self.program = self.subject.program
        self.patient = Patient(self.program, function)
        self.seconds, self.deadline = seconds, time.thread_time() + seconds
        self.diagnosis = Diagnosis(net.name)
        self.points = list(self.subject.points)
        if at is not None:
            own = own_point(self.program, at)
            self.points.append(own)
            self.diagnosis.remarks += bad_checks(self.program, at, own)
        self.hidden = False                         # whether two mistakes were found of which each hides the other
        self.searched: tuple[Search, list[str]]     # and the wrong gradients, for a longer search
        self.failed = False                         # whether a step did, by an error of the doctor's own
        self.lines: tuple[str, ...] = ()            # of the code, where what no known mistake explains may come from
        self.wording = self.subject.hypotheses.mutator.wording

    def done(self) -> Diagnosis:
        """Examine, and return the diagnosis; what the code prints, and its warnings, are not the report."""
        with ExitStack() as kept:
            kept.enter_context(redirect_stdout(kept.enter_context(open(os.devnull, "w", errors="ignore"))))
            kept.enter_context(np.errstate(all="ignore"))
            kept.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            answers = self._answers()           # before all else, for code may keep something from call to call
            laid_out = self._step(in_its_layout, self.patient, self.diagnosis, self.points[:3:2])
            plain = [p for p in self.points if not p.kinked]
            lifted = self._step(without_guards, self.patient, self.diagnosis, plain, kept)
            return self._examined(self._answers() if laid_out or lifted else answers)

    def _without_wrong_ones(self, answered, is_wrong):
        return self._step(without_wrong_ones, self.program, self.diagnosis, answered, is_wrong) or answered

    def _answers(self):
        return [(p, self.patient.answer(p, twice=k == 0)) for k, p in enumerate(self.points)]

    def _examined(self, answers):
        answered = [Seen(p, a) for p, a in answers if not a.failure]
        if not answered:
            self.diagnosis.remarks.append(f"the function fails at every point tried: {answers[0][1].failure}")
            return self.diagnosis
        mark_rounded(self.patient, self.program, answered)
        failures(self.program, self.diagnosis, answers)
        self._step(behaviour, self.patient, self.diagnosis, answered)
        self._step(in_other_circumstances, self.patient, self.diagnosis, answered)
        answered = self._without_wrong_ones(answered, of_other_shapes)
        answered = without_degenerate(self.diagnosis, in_shape(self.program, self.diagnosis, answered))
        answered = self._without_wrong_ones(self._without_wrong_ones(answered, of_another_loss), of_other_numbers)
        ordinary = [s for s in answered if not s.point.kinked] or answered
        kinked = [s for s in answered if s.point.kinked]
        evidence = Evidence(self.program, ordinary)
        if not self.diagnosis.findings and not how_many_wrong(evidence):
            ordinary += self._step(wrong_elsewhere, self.patient, evidence) or []
        if "shapes" not in self.diagnosis.kinds or any(s.point.least is None for s in ordinary):
            self._step(self._gradients, ordinary, kinked)
        self._settle(ordinary)
        return self.diagnosis

    def _step(self, step, *arguments):
        """Take a step; where it fails by an error of the doctor's own, tell that, return None, and let others go on."""
        try:
            return step(*arguments)
        except Exception as error:
            if STRICT:
                raise
            self.failed = True
            place = traceback.extract_tb(error.__traceback__)[-1]
            self.diagnosis.remarks.append(
                f"a part of the search ended with an error of the doctor's own: {type(error).__name__}: {error} "
                f"({Path(place.filename).name}, line {place.lineno}): please report it")
            return None

    def _settle(self, seen):
        single = any(s.answer.single for s in seen)
        self.diagnosis.tolerance = max(s.tolerance for s in seen)
        wrong = [n for n, apart in self.diagnosis.disagreements.items() if not apart <= self.diagnosis.tolerance]
        if self.failed and wrong and not self.diagnosis.findings:
            self.diagnosis.find("unknown", f"no known mistake matches {', '.join(f'd{n}' for n in wrong)}", "", wrong)
        if single:
            words = "it computes in float32 inside" if self.patient.single else "gradients are float32"
            self.diagnosis.remarks.append(f"{words}: what float32 rounds is no mistake")
        self.diagnosis.findings = together(self.diagnosis.findings)
        if self.diagnosis.verdict == UNKNOWN:
            self.diagnosis.verdict = WRONG if self.diagnosis.findings else RIGHT
        if not single and self.diagnosis.right and max(self.diagnosis.disagreements.values(), default=0) > DOUBLE:
            self.diagnosis.remarks.append(GUARDED if any(s.point.slack for s in seen) else CANCELS)

    # ---- what it computes

    def _gradients(self, ordinary, kinked):
        evidence = Evidence(self.program, ordinary)
        shapeless = {n: np.inf for f in self.diagnosis.findings if f.kind == "shape" for n in f.explains}
        self.diagnosis.disagreements = {**evidence.disagreements(), **shapeless}
        if "broadcast" in self.diagnosis.kinds or is_stale(self.program, self.diagnosis, ordinary, self.patient):
            return
        ordinary, evidence = self._step(self._on_its_data, ordinary, evidence) or (ordinary, evidence)
        loss = self._step(forward.difference, self.net, ordinary, self._left(0.3), self._further)
        self.diagnosis.remarks += filter(None, [forward.out_of_range(ordinary)])
        if loss is not None:
            wrong = evidence.wrong()
            self._step(self._other_loss, loss, evidence, ordinary)
            if "unknown" in self.diagnosis.kinds or not loss.named:
                self._step(self._repaired_with_loss, evidence, wrong, Repairs.several, 0.9)
                if "unknown" in self.diagnosis.kinds:
                    self.deadline = time.thread_time() + LONGER * self.seconds
                    self._step(self._repaired_with_loss, evidence, wrong, Repairs.several, 0.9)
            elif sum(kind not in CALLS for kind in self.diagnosis.kinds) > 1:
                self._step(self._repaired_with_loss, evidence, wrong, Repairs.one, 0.35)
            return
        if "state" in self.diagnosis.kinds:         # what it gives depends on the calls before: no use to go on
            return
        self._mistakes(evidence, self.program, kinked, lines=True)
        if self.hidden or not self._is_clear():
            self._step(self._on_narrower_data, ordinary)
        if "unknown" in self.diagnosis.kinds:
            self._step(self._longer, evidence)

    def _further(self):
        """Return more answers, for what may be so by chance; none where it is judged on data of a narrower kind."""
        points = () if self.diagnosis.where else islice(further(self.program), FURTHER)
        return [Seen(p, a) for p in points if not (a := self.patient.answer(p)).failure]

    def _longer(self, evidence):
        """Go on looking in the lines for what is unknown still, and once more where a part of that is found."""
        search, wrong = self.searched
        for _ in range(2):
            told = self.diagnosis.findings
            known = [f for f in told if f.kind != "unknown"]
            self.diagnosis.findings = list(known)
            self.deadline = time.thread_time() + LONGER * self.seconds
            if search.recurrent:                # each hypothesis is a recurrence to be run: these take longest
                search.go_on(self._left(0.3))
                self._step(self._found, search, search.hypotheses.mutator)
            if evidence.wrong():
                self._step(self._repaired, evidence, wrong)
            self._step(self._mended, search, True)
            if evidence.wrong() and self.diagnosis.findings == known:
                self.diagnosis.findings = told
            if not evidence.wrong() or self.diagnosis.findings is told:
                return
            self._unexplained(evidence, search.reached)

    def _on_its_data(self, ordinary, evidence):
        """Return the answers on data of a narrower kind, where the code is right, or its loss is, on those only."""
        found = own_data(self.patient, ordinary, evidence)
        if found is None:
            return ordinary, evidence
        words, narrow = found
        elsewhere = "at larger ones the code leaves its range" if words == domains.IN_RANGE else \
            "on other data the code computes another thing"
        self.diagnosis.remarks.append(f"judged on data where {words}: {elsewhere}")
        self.diagnosis.where = f" where {words}"
        self.diagnosis.disagreements = narrow.disagreements()
        return narrow.seen, narrow

    def _on_narrower_data(self, ordinary):
        """Look for the mistake once more on data of a narrower kind, which the code may be made for."""
        findings, told = self.diagnosis.findings, list(self.diagnosis.remarks)
        fewer = 1 if self._is_clear() else 0        # than are found now, to be better
        most = MOST_AT_ONCE if "unknown" in self.diagnosis.kinds else len(findings) - fewer
        points = [s.point for s in ordinary]
        for words, moved in domains.narrower(self.program, points, bool(forward.differs(ordinary)), are_lost(ordinary)):
            if self._left(1.0) < 1:
                break
            seen = [Seen(p, self.patient.answer(p)) for p in moved]
            evidence = Evidence(self.program, [s for s in seen if not s.answer.failure])
            if not 0 < how_many_wrong(evidence) <= len(self.program.parameters):
                continue
            self.diagnosis.findings = [f for f in findings if f.kind in CALLS]
            self._mistakes(evidence, self.program, (), seconds=min(4.0, self._left(0.3)), pairs=False)
            if self._is_clear() and len(self.diagnosis.findings) <= most:
                self.diagnosis.remarks.append(f"seen on data where {words}")
                return
        self.diagnosis.findings, self.diagnosis.remarks = findings, told

    def _is_clear(self):
        return not {"unknown", SUMMANDS} & {*self.diagnosis.kinds}

    def _other_loss(self, loss, evidence, seen):
        """The forward pass differs: say so first, and judge the gradient by the network's loss and by their own."""
        wrong = evidence.wrong()
        own = {p.name: forward.own_gradient(self.patient, seen[0], p.name) for p in self.program.parameters}
        theirs = [n for n, apart in own.items() if not apart <= 1e-5]
        if not wrong:
            words = "the gradients are the network's all the same"
            words += ", and not those of the loss returned" if theirs else ", and those of the loss returned too"
        elif not theirs:
            words = "the gradients are those of the loss returned, so they agree with their own forward pass"
        else:
            words = f"nor are the gradients of {', '.join(theirs)} those of the loss returned"
        other = forward.with_mutant(self.net, loss) if wrong and theirs else None
        usual = other is not None and self._is_usual(other, seen)
        if usual:
            words = ("the gradients are what the derived equations give on the values of that forward pass: mend it, "
                     "and they are right")
        name = loss.mutant.name if loss.mutant else "loss"
        self.diagnosis.find("forward", f"{loss.words}; {words}", name, wrong if usual else ())
        if wrong and theirs and not usual:
            self._mistakes_against(other, evidence)

    def _mistakes_against(self, other, evidence):
        """Look for mistakes against the network that the forward pass is of, and where those are unknown, its own."""
        before, told = list(self.diagnosis.findings), None
        if other is not None:
            moved = [Seen(replace(s.point, program=other), replace(s.answer, gradients=dict(s.answer.gradients)))
                     for s in evidence.seen]
            against = Evidence(other, moved)
            if len(against.wrong()) <= len(evidence.wrong()):
                self._mistakes(against, other, ())
                if "unknown" not in self.diagnosis.kinds:
                    return
                told, self.diagnosis.findings = self.diagnosis.findings, before
        self._mistakes(evidence, self.program, ())
        if told and "unknown" in self.diagnosis.kinds:
            self.diagnosis.findings = told

    def _is_usual(self, other, seen):
        """Tell whether the gradients are the network's own equations, run on another forward pass."""
        usual = on_values_of(other, self.program)
        return any(not Evidence(p, [Seen(replace(s.point, program=p), s.answer) for s in seen]).wrong()
                   for p in (usual, in_compact_form(self.program, seen[0].point.ours, usual)))

    def _mistakes(
        self, evidence: Evidence, program: Program, kinked: Sequence[Seen], seconds: float | None = None,
        pairs: bool = True, lines: bool = False,
    ):
        hypotheses = self.subject.hypotheses
        if program is not self.program:
            hypotheses = Hypotheses(program, evidence.seen[0].point.ours)
        mutator = hypotheses.mutator
        wrong = evidence.wrong()
        for name in list(wrong):
            if all(np.isnan(s.answer.gradients[name]).all() for s in evidence.seen) and self._told(name, "shape"):
                self._set_aside(evidence, name)
        search = Search(hypotheses, evidence, self._left(0.35) if seconds is None else seconds)
        self._unsent(evidence, search.reached)
        for name in evidence.wrong():
            words = leaves.relation(evidence, name) if self._early(evidence, name) else ""
            if words:
                self._value(evidence, name, words)
        if program is self.program and evidence.wrong() and any(
                isinstance(t, Max | Min) for e in program.forward for t in subterms(e.rhs)):
            self._step(self._rederived, evidence, CHOICES)
        self._step(self._found, search, mutator)
        self._step(self._apart, search)
        if lines:
            self._step(self._related, evidence)
            self._step(self._repaired, evidence, wrong)
            self._step(self._in_few_turns, search)
        if program is self.program and evidence.wrong():
            self._step(self._rederived, evidence)
        if pairs:
            search.pairs, search.deadline = True, time.thread_time() + self._left(0.3)
            self._step(self._found, search, mutator)
        if lines:
            self._step(self._mended, search)
            self.searched = search, wrong
        self._unexplained(evidence, search.reached)
        if kinked:
            self._step(self._kinks, program, kinked, search)

    def _unsent(self, evidence, reached):
        """Say where nothing is sent back from, where all gradients beneath it are 0."""
        zero = leaves.all_zero(evidence, evidence.wrong())
        first = next((e.name for e in self.program.backward if reached[e.name] == zero), "")
        if len(zero) > 1 and first:
            names = [n for n in evidence.usual if n in zero]
            words = f"{first}: nothing is sent back through it ({self.wording.equation(first)}): "
            words += f"{', '.join(f'd{n}' for n in names)} are zero everywhere"
            self.diagnosis.find("detached", words, first, names, "nothing is sent back through it")
            for name in names:
                self._set_aside(evidence, name)

    def _found(self, search, mutator):
        """Add what a search finds."""
        for hits in search.hits():
            self.hidden = self.hidden or len(hits) > 1
            self.diagnosis.findings += [finding(hit, search.evidence, mutator.wording) for hit in hits]

    def _apart(self, search):
        """Take mistakes for ones of single gradients, where that explains what is left."""
        left, wording = search.evidence.wrong(), search.hypotheses.mutator.wording
        hits = alone(search, left, self._left(0.3)) if left and search.found else []
        if hits:
            plain = Evidence(search.program, search.evidence.seen)
            told = {finding(hit, search.evidence, wording): finding(lower(search, hit, left), search.evidence, wording)
                    for hit in search.found}
            self.diagnosis.findings = [told.get(f, f) for f in self.diagnosis.findings]
            self.diagnosis.findings += [finding(hit, plain, wording) for hit in hits]
            for name in left:
                self._set_aside(search.evidence, name)

    def _in_few_turns(self, search):
        """Take mistakes in what a recurrence carries, found one by one where it takes few turns, for what is left."""
        left, seconds = search.evidence.wrong(), partial(self._left, 0.2)
        found = few_turns.mistakes(self.patient, search, seconds) if left and search.recurrent else []
        self.hidden = self.hidden or len(found) > 1
        for hit, evidence in found:
            self.diagnosis.findings.append(finding(hit, evidence, self.wording))
        for name in left if found else ():
            self._set_aside(search.evidence, name)

    def _rederived(self, evidence, kinds=KINDS):
        """Take the mistakes found, which leave something unknown, for one that explains it all."""
        found = rederived(self.net.program(), self.program, evidence, self._left(0.4), kinds)
        if found:
            self.diagnosis.findings = [f for f in self.diagnosis.findings if f.kind in CALLS] + [found]
            for name in evidence.wrong():
                self._set_aside(evidence, name)

    def _repaired(self, evidence, wrong):
        """Take the one line that, edited, makes all right for what is found, where that is not all or far-fetched."""
        told = [f for f in self.diagnosis.findings if f.kind not in CALLS]
        if evidence.wrong() or any(f.kind in FETCHED for f in told):
            search = Repairs(self.patient, Evidence(self.program, evidence.seen), wrong, self._left(0.35))
            found = search.one()
            if found:
                self.diagnosis.findings = [f for f in self.diagnosis.findings if f.kind in CALLS]
                self._edited(evidence, found, wrong, () if evidence.wrong() else told)

    def _mended(self, search, last=False):
        """Name the lines that, edited, make right what is left; at last with formulas, too, or a part of it."""
        evidence, left = search.evidence, search.evidence.wrong()
        if left and search.recurrent and (found := few_turns.edits(self.patient, evidence, partial(self._left, 0.5))):
            self._edited(evidence, found, left)
        elif left:
            def guesses(k, names):
                return search.effects(k, names, time.thread_time() + self._left(0.5))

            def formulas(edited):
                hits = explaining(search.hypotheses, edited, self._left(0.4))
                return [finding(hit, edited, self.wording) for hit in hits]

            repairs = Repairs(self.patient, evidence, left, self._left(0.5), guesses if last else None, formulas)
            if found := repairs.several():
                self._edited(evidence, found, left)
                self.diagnosis.findings += repairs.beside
            for repair in repairs.some if last and not found else ():
                self._edited(evidence, [repair], sorted(repair.mends))
            self.lines = repairs.lines
            self._reread(evidence)

    def _reread(self, evidence):
        """Take lines that, edited, make all right for formulas that explain a part, and the rest not."""
        formulas = [f for f in self.diagnosis.findings if f.name and f.explains and f.kind not in CALLS]
        if evidence.wrong() and formulas:
            plain = Evidence(self.program, evidence.seen)
            found = Repairs(self.patient, plain, plain.wrong(), self._left(0.7)).several()
            if found:
                self.diagnosis.findings = [f for f in self.diagnosis.findings if f not in formulas]
                self._edited(evidence, found, evidence.wrong())

    def _edited(self, evidence, found, names, formulas=()):
        self.hidden = self.hidden or any(r.how == BOTH for r in found)
        self.diagnosis.findings += [edited(repair, formulas) for repair in found]
        for name in names if found else ():
            self._set_aside(evidence, name)

    def _repaired_with_loss(self, evidence, wrong, edits, part):
        """Name the lines that make the loss right as well, in the place of mistakes that are unknown, or of several."""
        found = edits(Repairs(self.patient, Evidence(self.program, evidence.seen), [*wrong, LOSS], self._left(part)))
        if found:
            kept = [f for f in self.diagnosis.findings if f.kind in CALLS]
            told = [f for f in self.diagnosis.findings if f.kind == "forward"]
            loss = next((repair for repair in found if LOSS in repair.mends and told), None)
            same = [repair for repair in found if loss and repair.words == loss.words]
            if same:                # one mistake: what the loss is, and the lines that make it so
                first = told.pop(0)
                words = ". ".join([first.words, *(edited(repair).words for repair in same)])
                names = sorted(frozenset[str]().union(*(repair.mends for repair in same)) - {LOSS})
                told.insert(0, replace(first, words=words, explains=tuple(names)))
            lines = [edited(repair) for repair in found if repair not in same]
            self.diagnosis.findings = [*kept, *told, *lines]

    def _told(self, name, kind):
        return any(f.kind == kind and name in f.explains for f in self.diagnosis.findings)

    def _early(self, evidence, name):
        """Tell whether a gradient is so plainly another thing that no equation need be changed to see it."""
        return any(test(evidence, name) for test in leaves.PLAIN)

    def _value(self, evidence, name, words):
        """Add what is seen of one gradient by itself."""
        self.diagnosis.find("value", f"d{name} {words}", f"d{name}", (name,), words)
        self._set_aside(evidence, name)

    def _set_aside(self, evidence, name):
        """Take what the code gives for a parameter as explained."""
        for k, s in enumerate(evidence.seen):
            s.answer.gradients[name] = evidence.gradients(k)[name]

    def _related(self, evidence):
        """Say of each gradient that is left what it is by itself, or what they are together."""
        wrong = evidence.wrong()
        if len(wrong) > 1 and leaves.cut_elsewhere(evidence):
            self.diagnosis.find("order", f"{', '.join(f'd{n}' for n in wrong)}: all gradients are one vector, which is "
                                "cut into those of the parameters at the wrong places, or in another order", "", wrong)
            for name in wrong:
                self._set_aside(evidence, name)
        for name in evidence.wrong():
            relation = leaves.relation(evidence, name)
            if relation:
                self._value(evidence, name, relation)

    def _unexplained(self, evidence, reached):
        self._related(evidence)
        wrong = [n for n in evidence.wrong() if not self._told(n, "shape")]
        if not wrong:
            return
        worst = max(evidence.apart(k, n, s.answer.gradients[n], evidence.gradients(k)[n])
                    for n in wrong for k, s in enumerate(evidence.seen))
        if worst < 1e-5:
            self.diagnosis.remarks.append(f"gradients agree to {worst:.0e} only, as differences or float32 would")
            return
        words = no_match(evidence, self.wording, wrong, reached, self.lines)
        if "shapes" in self.diagnosis.kinds:        # it fails, by a mistake that is told: no other is to be inferred
            self.diagnosis.remarks.append(words)
        else:
            self.diagnosis.find("unknown", words, "", wrong)

    def _kinks(self, program, kinked, search):
        evidence = Evidence(program, kinked)
        lines = [e for made in search.evidence.made.values() for e in made]
        if self.diagnosis.findings and not lines:
            return
        if lines:
            evidence.make(lines)
        found = kinks.at_kinks(program, evidence)
        if found is None:
            return
        words, harmless, names = found
        told, differ = ", ".join(f"d{n}" for n in names), "differs" if len(names) == 1 else "differ"
        if words and harmless:
            self.diagnosis.remarks.append(f"{words}: another convention, no mistake; {told} {differ} only at kinks")
        elif words:
            self.diagnosis.where += " but where a maximum is attained twice"
            self.diagnosis.remarks.append(f"{words}, which is no slope of it: give it to one, or to each its share; "
                                          f"{told} {differ} only where a maximum is attained twice")
        elif not self.diagnosis.findings:
            words = f"{told} {differ} only at kinks or ties: another convention than the network's"
            self.diagnosis.remarks.append(words)

    def _left(self, part):
        return max(0.5, part * (self.deadline - time.thread_time()))
