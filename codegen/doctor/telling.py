"""Sentences: a mistake with its place, what it explains and the numbers; or where an unknown one first appears."""

from collections.abc import Sequence

import numpy as np

from .evidence import Evidence
from .scales import named_ratio, ratios, times
from .search import Hit
from .wording import Wording


def sentence(hit: Hit, evidence: Evidence, wording: Wording) -> str:
    """Return the mistake, where it is, what it explains, and the numbers."""
    mutant, explained = hit.mutant, hit.explained
    where = wording.equation(mutant.name)
    told = " and ".join(f"d{n}" for n in explained) if len(explained) < 3 else ", ".join(f"d{n}" for n in explained)
    words = f"{mutant.name}: {mutant.words} ({where})"
    if explained != (evidence.program.variables[mutant.name].primal,) or mutant.name != f"d{explained[0]}":
        words += f"; this explains {told}"
    return words + _numbers(hit, evidence)


def _numbers(hit, evidence):
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


def no_match(evidence: Evidence, wording: Wording, wrong: Sequence[str]) -> str:
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
    if right:
        words += f"; {', '.join(f'd{n}' for n in right)} {'is' if len(right) == 1 else 'are'} right"
    return words
