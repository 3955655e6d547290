"""The examination: run the code at all points, compare, and look for the mistake wherever it differs."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
from sympy import Sum

from derive.network import Network
from derive.program import Program

from . import domains, forward, kinks, leaves
from .activations import slopes, softmaxes
from .diagnosis import RIGHT, UNKNOWN, WRONG, Diagnosis, Finding
from .evidence import DOUBLE, SINGLE, Evidence, Seen
from .expressions import compiled
from .inlining import inlined
from .losses import lost_scalars
from .mutants import LIKELY, Mutant, Mutator
from .normalisations import normalisations
from .patient import Answer, Patient
from .places import overwritten
from .scales import named_ratio, ratios, times
from .search import Hit, Hypotheses, Search
from .trials import Point, points

SECONDS = 30.0          # of searching, at most
MOST_AT_ONCE = 3        # mistakes found on narrower data: more are no explanation
CALLS = ("in place", "state", "shape", "shapes", "padding", "order")     # found by calling, whatever is computed


class Examination:
    """One examination of a function; `diagnosis` is what comes of it."""

    def __init__(self, net: Network, function: Callable, seconds: float = SECONDS, extra: Sequence[Point] = ()):
        self.net, self.program = net, net.backward()
        self.patient = Patient(self.program, function)
        self.deadline = time.monotonic() + seconds
        self.diagnosis = Diagnosis(net.name)
        self.points = [*extra, *points(self.program)]
        self.mutator = Mutator(self.program)
        self.wording = self.mutator.wording

    def done(self) -> Diagnosis:
        """Examine, and return the diagnosis."""
        answers = [(p, self.patient.answer(p, twice=k == 0)) for k, p in enumerate(self.points)]
        answered = [Seen(p, a) for p, a in answers if not a.failure]
        if not answered:
            self.diagnosis.remarks.append(f"the function fails at every point tried: {answers[0][1].failure}")
            return self.diagnosis
        self._failures(answers)
        self._behaviour(answered)
        answered = self._in_shape(answered)
        ordinary = [s for s in answered if not s.point.kinked] or answered
        kinked = [s for s in answered if s.point.kinked]
        self._gradients(ordinary, kinked)
        self._settle(ordinary)
        return self.diagnosis

    def _settle(self, seen):
        single = any(s.answer.single for s in seen)
        self.diagnosis.tolerance = SINGLE if single else DOUBLE
        if single:
            self.diagnosis.remarks.append("gradients are float32: what float32 rounds is no mistake")
        if self.diagnosis.verdict == UNKNOWN:
            self.diagnosis.verdict = WRONG if self.diagnosis.findings else RIGHT

    def _find(self, kind, words, name="", explains=()):
        self.diagnosis.findings.append(Finding(kind, words, name, tuple(explains)))

    # ---- how it behaves

    def _failures(self, answers: Sequence[tuple[Point, Answer]]):
        failed = [(p, a) for p, a in answers if a.failure]
        if not failed:
            return
        plain = [p for p, a in answers if not a.failure and not p.square and p.least is None]
        point, answer = failed[0]
        told = f"{answer.failure} {point.words} ({point.told})"
        if not plain and any(p.square for p, a in answers if not a.failure):
            self._find("shapes", f"the function runs only where sizes are alike, and fails otherwise: {told}")
            return
        for point, answer in failed:
            told = f"the function fails {point.words} ({point.told}): {answer.failure}"
            if point.least is not None and self.program.least.get(point.least, 1) == 0:
                self._find("padding", f"{told}; a slice [p:-p] is empty at p = 0: write [p:p + size]")
            elif (point.least is None and not point.kinked) or self._is_hidden(point.least):
                self._find("shapes", told)
            else:
                self.diagnosis.remarks.append(told)

    def _is_hidden(self, size):
        """Tell whether a size is one that no argument shows: a stride, a dilation."""
        return size is not None and not any(size in s.free_symbols for v in (
            *self.program.parameters, *self.program.inputs) for s in v.shape)

    def _behaviour(self, seen: Sequence[Seen]):
        modified = list(dict.fromkeys(n for s in seen for n in s.answer.modified))
        if modified:
            words = f"the function writes into its arguments: {', '.join(modified)} changed in the call"
            line = self.patient.writing(seen[0].point)
            words += f" ({line})" if line else ""
            self._find("in place", f"{words}, so what is computed from them later is wrong; copy before writing")
        for s in seen:
            again = s.answer.again
            if again is None or again.failure:
                continue
            other = [n for n, g in s.answer.gradients.items()
                     if not np.array_equal(g, again.gradients[n], equal_nan=True)]
            if other:
                twice = all(np.allclose(2 * s.answer.gradients[n], again.gradients[n]) for n in other)
                self._find("state", f"a second call with the same arguments gives other gradients of {', '.join(other)}"
                           + (", twice the first: they are added to what is there, and never set back to zero" if twice
                              else ": something is kept from call to call, or drawn at random"), "", other)
        aliased = list(dict.fromkeys(n for s in seen for n in s.answer.aliased))
        if aliased:
            self.diagnosis.remarks.append(f"the gradient of {', '.join(aliased)} shares memory with an argument: "
                                          "whoever changes one changes the other")

    def _in_shape(self, seen: Sequence[Seen]) -> list[Seen]:
        """Return the answers with each gradient in its parameter's shape, having told where that was not so."""
        exchanged = leaves.exchanged([p.name for p in self.program.parameters], seen)
        if exchanged:
            told = ", ".join(f"what is returned for {a} is the gradient of {b}" for a, b in exchanged.items())
            self._find("order", f"gradients are returned in another order than the parameters: {told}", "", exchanged)
            for s in seen:
                s.answer.gradients |= {b: s.answer.gradients[a] for a, b in list(exchanged.items())}
        for name in [p.name for p in self.program.parameters]:
            seen = self._without_empty(name, seen)
            shape = leaves.shape_of(name, seen, partial(self._other_sums, name))
            if shape is None:
                continue
            if shape.harmless:
                self.diagnosis.remarks.append(shape.words)
            else:
                self._find("shape", f"{shape.words} {seen[0].point.words}", f"d{name}", (name,))
            for s in seen:
                ours = s.point.ours.gradients()[name]
                value = s.answer.gradients[name]
                s.answer.gradients[name] = (
                    value if np.shape(value) == np.shape(ours) else leaves.repaired(value, shape, ours))
        return list(seen)

    def _without_empty(self, name, seen):
        """Return the answers without those at which a padding is 0 and the gradient's shape is wrong, told if so."""
        def wrong(s):
            return s.answer.gradients[name].shape != np.shape(s.point.ours.gradients()[name])

        empty = [s for s in seen if wrong(s) and any(n == 0 for n in s.point.sizes.values())]
        if not empty or any(wrong(s) for s in seen if s not in empty):
            return seen
        shape = empty[0].answer.gradients[name].shape
        words = f"the gradient of {name} has shape {shape} {empty[0].point.words} ({empty[0].point.told}), and is "
        words += "as it should be elsewhere; a slice [p:-p] is empty at p = 0: write [p:p + size]"
        self._find("padding", words, f"d{name}", (name,))
        return [s for s in seen if s not in empty]

    def _other_sums(self, name, seen):
        """Yield what a gradient would be were it summed over other indices, with words."""
        lines = self.program.defining(self.program.adjoints.get(name, ""))
        if len(lines) != 1 or not isinstance(lines[0].rhs, Sum):
            return
        total, free = lines[0].rhs, lines[0].free
        context = (*free, *(limit[0] for limit in total.limits))
        scope = seen.point.ours.scope
        scope.values = seen.point.ours.values
        body = np.asarray(compiled(total.function, context)(scope), float)
        body = np.broadcast_to(body, tuple(scope.number(i.upper) - scope.number(i.lower) + 1 for i in context))
        bound = ", ".join(i.name for i in context[len(free):])
        for size in range(1, len(context)):
            for axes in combinations(range(len(context)), size):
                if axes != tuple(range(len(free), len(context))):
                    other = ", ".join(context[a].name for a in axes)
                    yield f"is summed over {other} where it should be summed over {bound}", body.sum(axis=axes)

    # ---- what it computes

    def _gradients(self, ordinary, kinked):
        evidence = Evidence(self.program, ordinary)
        shapeless = {n: np.inf for f in self.diagnosis.findings if f.kind == "shape" for n in f.explains}
        self.diagnosis.disagreements = {**evidence.disagreements(), **shapeless}
        ordinary, evidence = self._on_its_data(ordinary, evidence)
        loss = forward.difference(self.net, ordinary, self._left(0.3))
        if loss is not None:
            self._other_loss(loss, evidence, ordinary)
            return
        self._mistakes(evidence, self.program, kinked)
        if "unknown" in self.diagnosis.kinds:
            self._on_narrower_data(ordinary)

    def _on_its_data(self, ordinary, evidence):
        """Return the answers on data of a narrower kind, where the code is right, or nearer to it, on those only."""
        most = self._wrongs(evidence)
        if not most:
            return ordinary, evidence
        best = None
        for words, moved in domains.narrower(self.program, [s.point for s in ordinary]):
            few = [Seen(p, self.patient.answer(p)) for p in moved[:2]]
            if any(s.answer.failure for s in few) or self._wrongs(Evidence(self.program, few)) >= most:
                continue
            seen = [Seen(p, self.patient.answer(p)) for p in moved]
            narrow = Evidence(self.program, [s for s in seen if not s.answer.failure])
            if self._wrongs(narrow) < most:
                best, most = (words, narrow), self._wrongs(narrow)
        if best is None:
            return ordinary, evidence
        words, narrow = best
        self.diagnosis.remarks.append(f"judged on data where {words}: on other data the code computes another thing")
        self.diagnosis.disagreements = narrow.disagreements()
        return narrow.seen, narrow

    def _on_narrower_data(self, ordinary):
        """Look for the mistake once more on data of a narrower kind, which the code may be made for."""
        findings, told = self.diagnosis.findings, list(self.diagnosis.remarks)
        for words, moved in domains.narrower(self.program, [s.point for s in ordinary]):
            if self._left(1.0) < 1:
                break
            seen = [Seen(p, self.patient.answer(p)) for p in moved]
            evidence = Evidence(self.program, [s for s in seen if not s.answer.failure])
            if self._wrongs(evidence) > len(self.program.parameters):
                continue
            self.diagnosis.findings = [f for f in findings if f.kind in CALLS]
            self._mistakes(evidence, self.program, (), seconds=min(4.0, self._left(0.3)), pairs=False)
            if "unknown" not in self.diagnosis.kinds and len(self.diagnosis.findings) <= MOST_AT_ONCE:
                self.diagnosis.remarks.append(f"seen on data where {words}")
                return
        self.diagnosis.findings, self.diagnosis.remarks = findings, told

    def _wrongs(self, evidence):
        """Count the gradients, and the loss, that are not the network's."""
        if any(np.shape(s.answer.gradients[n]) != np.shape(g) for s in evidence.seen
               for n, g in s.point.ours.gradients().items()):
            return len(self.program.parameters) + 1
        return len(evidence.wrong()) + forward.differs(evidence.seen)

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
        self._find("forward", f"{loss.words}; {words}", loss.mutant.name if loss.mutant else "loss")
        if wrong and theirs:
            other = forward.with_mutant(self.net, loss)
            if other is not None:
                moved = [Seen(replace(s.point, program=other), s.answer) for s in seen]
                against = Evidence(other, moved)
                if len(against.wrong()) <= len(wrong):
                    self._mistakes(against, other, ())
                    return
            self._mistakes(evidence, self.program, ())

    def _mistakes(
        self, evidence: Evidence, program: Program, kinked: Sequence[Seen], seconds: float | None = None,
        pairs: bool = True,
    ):
        mutator = self.mutator if program is self.program else Mutator(program)
        wrong = evidence.wrong()
        for name in list(wrong):
            if all(np.isnan(s.answer.gradients[name]).all() for s in evidence.seen) and self._told(name, "shape"):
                self._set_aside(evidence, name)
        for name in wrong:
            words = leaves.relation(evidence, name) if self._early(evidence, name) else ""
            if words:
                self._find("value", f"d{name} {words}", f"d{name}", (name,))
                self._set_aside(evidence, name)
        search = Search(program, evidence, self._left(0.6) if seconds is None else seconds, pairs)
        first = evidence.seen[0].point.ours
        makers = [mutator.of, partial(slopes, program), partial(softmaxes, program), partial(overwritten, program),
                  partial(normalisations, program, mutator, first), partial(inlined, program, mutator)]
        hypotheses = Hypotheses(program, makers, lost_scalars(program), partial(self._ratios, evidence, mutator))
        for hits in search.hits(hypotheses):
            for hit in hits:
                self._tell(hit, evidence, program)
        self._unexplained(evidence, program)
        if kinked:
            self._kinks(program, kinked, search)

    def _told(self, name, kind):
        return any(f.kind == kind and name in f.explains for f in self.diagnosis.findings)

    def _early(self, evidence, name):
        """Tell whether a gradient is so plainly another thing that no equation need be changed to see it."""
        return any(test(evidence, name) for test in leaves.PLAIN)

    def _set_aside(self, evidence, name):
        """Take what the code gives for a parameter as explained."""
        for k, s in enumerate(evidence.seen):
            s.answer.gradients[name] = evidence.gradients(k)[name]

    def _ratios(self, evidence, mutator, places) -> list[Mutant]:
        """Return mutants that have an equation times what the code's gradients are of ours."""
        found: dict = {}
        for name in evidence.wrong():
            numbers = ratios(evidence, name)
            named = numbers and named_ratio(mutator.program, [s.point for s in evidence.seen], numbers)
            if named:
                found.setdefault(named[0], named[1])
        lines = {e.name: e for e in mutator.program.backward}
        return [replace(mutator.scaled(lines[n], expr, words, LIKELY),
                        kind="sign" if expr == -1 else "mean" if expr.free_symbols else "scale")
                for expr, words in found.items() for n in places]

    def _tell(self, hit: Hit, evidence: Evidence, program: Program):
        """Add a finding: the mistake, where it is, what it explains, and the numbers."""
        mutant, explained = hit.mutant, hit.explained
        wording = self.wording if program is self.program else Mutator(program).wording
        where = wording.equation(mutant.name)
        told = " and ".join(f"d{n}" for n in explained) if len(explained) < 3 else ", ".join(f"d{n}" for n in explained)
        words = f"{mutant.name}: {mutant.words} ({where})"
        if explained != (program.variables[mutant.name].primal,) or mutant.name != f"d{explained[0]}":
            words += f"; this explains {told}"
        words += self._numbers(hit, evidence)
        self._find(mutant.kind, words, mutant.name, explained)

    def _numbers(self, hit, evidence):
        """Return the evidence: the ratio to the derived gradient, or an entry of both; and where they agree."""
        name = hit.explained[0]
        plain = Evidence(evidence.program, evidence.seen)
        k = next((k for k in range(len(plain.seen)) if not plain.close(k, name, plain.gradients(k)[name])), 0)
        seen = plain.seen[k]
        theirs, ours = np.asarray(seen.answer.gradients[name]), np.asarray(plain.gradients(k)[name])
        numbers = ratios(plain, name)
        named = numbers and named_ratio(plain.program, [s.point for s in plain.seen], numbers)
        if named:
            text = f". d{name} is {times(named[0])} the derived gradient everywhere"
        else:
            place = np.unravel_index(int(np.argmax(np.abs(theirs - ours))), ours.shape) if ours.ndim else ()
            at = f"[{', '.join(map(str, place))}]" if ours.ndim else ""
            text = f". d{name}{at} is {theirs[place]:.6g}, derived {ours[place]:.6g} {seen.point.words}"
        agreeing = [plain.seen[j].point.words for j in plain.agreeing(name) if plain.seen[j].point.least is not None]
        return text + (f"; it agrees {' and '.join(agreeing[:3])}" if agreeing else "")

    def _unexplained(self, evidence, program):
        for name in evidence.wrong():
            relation = leaves.relation(evidence, name)
            if relation:
                self._find("value", f"d{name} {relation}", f"d{name}", (name,))
                self._set_aside(evidence, name)
        wrong = [n for n in evidence.wrong() if not self._told(n, "shape")]
        if not wrong:
            return
        worst = max(evidence.apart(k, n, s.answer.gradients[n], evidence.gradients(k)[n])
                    for n in wrong for k, s in enumerate(evidence.seen))
        if worst < 1e-5:
            self.diagnosis.remarks.append(f"gradients agree to {worst:.0e} only, as differences or float32 would")
            return
        self._find("unknown", self._no_match(evidence, program, wrong), "", wrong)

    def _no_match(self, evidence, program, wrong):
        """Say where a disagreement that no known mistake explains first appears."""
        order = [program.variables[e.name].primal for e in program.backward]
        right = [n for n in evidence.usual if n not in wrong]
        first = min(wrong, key=lambda n: order.index(n) if n in order else 0)
        adjoint = program.adjoints.get(first, f"d{first}")
        k = next(k for k in range(len(evidence.seen)) if not evidence.close(k, first, evidence.gradients(k)[first]))
        seen = evidence.seen[k]
        theirs, ours = seen.answer.gradients[first], evidence.gradients(k)[first]
        apart = evidence.apart(k, first, theirs, ours)
        words = f"no known mistake matches {', '.join(f'd{n}' for n in wrong)}"
        words += f"; the first to differ on the way back is {adjoint} ({self.wording.equation(adjoint)})"
        words += f", by {apart:.1g} of its largest entry {seen.point.words} ({seen.point.told})"
        if right:
            words += f"; {', '.join(f'd{n}' for n in right)} {'is' if len(right) == 1 else 'are'} right"
        return words

    def _kinks(self, program, kinked, search):
        evidence = Evidence(program, kinked)
        lines = [e for changed in search.changed.values() for e in changed]
        if self.diagnosis.findings and not lines:
            return
        for k, s in enumerate(kinked if lines else ()):
            evidence.bases[k] = s.point.ours.changed(lines)
        found = kinks.at_kinks(program, evidence)
        if found is None:
            return
        words, harmless, names = found
        told = ", ".join(f"d{n}" for n in names)
        if words and harmless:
            self.diagnosis.remarks.append(f"{words}: another convention, no mistake; {told} differ only at kinks")
        elif words:
            self._find("ties", f"{words}; {told} differ only where a maximum is attained twice", "", names)
        elif not self.diagnosis.findings:
            self.diagnosis.remarks.append(f"{told} differ only at kinks or ties: another convention than the network's")

    def _left(self, part):
        return max(0.5, part * (self.deadline - time.monotonic()))
