"""Sentences: a mistake with its place, what it explains and the numbers; or where an unknown one first appears."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from .diagnosis import Finding
from .edits import once
from .evidence import Evidence
from .judge import LOSS, Repair
from .leaves import partly
from .scales import named_ratio, ratios, times
from .search import Hit
from .wording import Wording


def finding(hit: Hit, evidence: Evidence, wording: Wording) -> Finding:
    """Return the finding of a hit: the mistake, where it is, what it explains, and the numbers."""
    mutant, explained = hit.mutant, hit.explained
    told = " and ".join(f"d{n}" for n in explained) if len(explained) < 3 else ", ".join(f"d{n}" for n in explained)
    words = f"{mutant.name}: {mutant.words} ({wording.equation(mutant.name, mutant.equations)})"
    if mutant.name != f"d{explained[0]}" or len(explained) > 1:
        words += f"; this explains {told}"
    return Finding(mutant.kind, words + _numbers(hit, evidence), mutant.name, explained, _plain(mutant.words))


def _plain(words):
    """Return a mistake without what it is a part of: the mean's 1/N is missing, of whichever product."""
    return re.sub(r" of .*(?= is (missing|there twice))", "", words)


def together(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings, one mistake that is made at several places told once, with the evidence of the first."""
    groups: dict[object, list[Finding]] = {}
    for k, f in enumerate(findings):
        groups.setdefault((f.kind, f.mistake) if f.mistake else k, []).append(f)
    return [_joined(group) if len(group) > 1 else group[0] for group in groups.values()]


def _joined(group):
    first = group[0]
    words = f"{', '.join(once(f.name for f in group))}: {first.mistake}, in each of them. The first: {first.words}"
    explains = (n for f in group for n in f.explains)
    return Finding(first.kind, words, first.name, once(explains), first.mistake)


def _numbers(hit, evidence):
    """Return the evidence: the ratio to the derived gradient, or an entry of both; and where they agree."""
    name = hit.explained[0]
    plain = Evidence(evidence.program, evidence.seen)
    k = next((k for k in range(len(plain.seen)) if not plain.close(k, name, plain.gradients(k)[name])), 0)
    seen = plain.seen[k]
    theirs, ours = np.asarray(seen.answer.gradients[name]), np.asarray(plain.gradients(k)[name])
    numbers = ratios(plain, name)
    named = numbers and named_ratio(plain.program, [s.point for s in plain.seen], numbers, plain.exact)
    if named and named[0] == 1:
        text = f". In d{name} two mistakes undo each other"
    elif named:
        text = f". d{name} is {times(named[0])} the derived gradient everywhere"
    else:
        place = np.unravel_index(int(np.argmax(np.abs(theirs - ours))), ours.shape) if ours.ndim else ()
        at = f"[{', '.join(map(str, place))}]" if ours.ndim else ""
        text = f". d{name}{at} is {theirs[place]:.6g}, derived {ours[place]:.6g} {seen.point.words}"
    agreeing = [plain.seen[j].point.words for j in plain.agreeing(name) if plain.seen[j].point.least is not None]
    return text + (f"; it agrees {' and '.join(agreeing[:3])}" if agreeing else "")


def no_match(
    evidence: Evidence, wording: Wording, wrong: Sequence[str], reached: Mapping[str, frozenset[str]],
    lines: Sequence[str] = (),
) -> str:
    """Say where a disagreement that no known mistake explains first appears."""
    order = [evidence.program.variables[e.name].primal for e in evidence.program.backward]
    right = [n for n in evidence.usual if n not in wrong]
    first = min(wrong, key=lambda n: order.index(n) if n in order else 0)
    adjoint = evidence.program.adjoints.get(first, f"d{first}")
    k = next(k for k in range(len(evidence.seen)) if not evidence.close(k, first, evidence.gradients(k)[first]))
    seen = evidence.seen[k]
    theirs, ours = seen.answer.gradients[first], evidence.gradients(k)[first]
    apart = evidence.apart(k, first, theirs, ours)
    words = f"no known mistake matches {', '.join(f'd{n}' for n in wrong)}"
    words += f"; the first to differ on the way back is {adjoint} ({wording.equation(adjoint)})"
    words += f", by {apart:.1g} of its largest entry {seen.point.words} ({seen.point.told})"
    rows = partly(evidence, first)
    words += f"; it {rows}" if rows else ""
    above = [e.name for e in evidence.program.backward if reached[e.name] == set(wrong) and e.name != adjoint]
    if right and above:
        words += f"; just these come from {', '.join(dict.fromkeys(above))}: look there, and at what they are made of"
    if lines:
        computed = f"lines {', '.join(lines)} compute" if len(lines) > 1 else f"line {lines[0]} computes"
        these = "all of these" if len(wrong) > 1 else "it"
        words += f"; in the code, what {computed} goes into {these} and nothing else"
    if right:
        words += f"; {', '.join(f'd{n}' for n in right)} {'is' if len(right) == 1 else 'are'} right"
    return words


def edited(repair: Repair, formulas: Sequence[Finding] = ()) -> Finding:
    """Return the finding of a line of the code that, edited, makes gradients right; with what that is in formulas."""
    names = sorted(repair.mends - {LOSS})
    told = [*(f"d{n}" for n in names), *(["the loss"] if LOSS in repair.mends else [])]
    listed = " and ".join(told) if len(told) < 3 else ", ".join(told)
    words = f"{repair.line}: {repair.words}; {repair.how}, {listed} {'is' if len(told) == 1 else 'are'} right"
    short = [f.words for f in formulas if "..." not in f.mistake]
    words += f". In formulas: {'; '.join(short)}" if short else ""
    return Finding("line", words, "", tuple(names))
