"""A term that is c times what it should be: gradients are linear in each term of a backward equation, so c is found.

With the term dropped they are g0, as derived g1; the code's are g0 + c (g1 - g0) for one number c at each point.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from derive.program import Equation

from .evidence import Evidence, largest
from .mutants import RARE, Mutant
from .scales import named_ratio, times


def weighted(
    evidence: Evidence, dropped: Iterable[Mutant], lines: Callable[[str], Sequence[Equation]], wrong: Sequence[str],
) -> Iterator[tuple[Mutant, tuple[str, ...]]]:
    """Yield mutants in which a term has another weight, and what they explain, given those that lack it."""
    for mutant in dropped:
        numbers: list[float] = []
        left = set(wrong)
        for k in range(len(evidence.seen)):
            number, left = _weight(evidence, k, mutant, left)
            if number is None or not left:
                break
            numbers.append(number)
        if len(numbers) < len(evidence.seen) or not left or all(np.isnan(c) for c in numbers):
            continue
        named = named_ratio(evidence.program, [s.point for s in evidence.seen], numbers)
        if named is None or named[0] == 0:
            continue
        words = mutant.words.removesuffix(" is missing")
        told = f"{words} has the wrong sign" if named[0] == -1 else f"{words} is {times(named[0])} what it should be"
        explained = tuple(n for n in evidence.usual if n in left)
        whole = {e.lhs: e.rhs for e in lines(mutant.name)}
        equations = tuple(Equation(e.lhs, e.rhs + named[0] * (whole[e.lhs] - e.rhs)) for e in mutant.equations)
        kind = "sign" if named[0] == -1 else "scale"
        yield replace(mutant, equations=equations, words=told, kind=kind, rank=RARE), explained


def _weight(evidence: Evidence, k: int, mutant: Mutant, left: set[str]):
    """Return the weight at a point, nan where the term is 0 there, and the parameters that it explains."""
    point = evidence.seen[k].point
    try:
        values = point.ours.changed(mutant.equations, evidence.base(k))
    except NotImplementedError:
        return None, left
    without, whole, theirs = point.ours.gradients(values), evidence.gradients(k), evidence.seen[k].answer.gradients
    if any(not evidence.close(k, n, g) for n, g in whole.items() if n not in left and largest(g - without[n]) > 0):
        return None, left
    moved = [n for n in evidence.usual if n in left and largest(whole[n] - without[n]) > 1e-12 * largest(whole[n])]
    if not moved:
        return np.nan, left
    first = max(moved, key=lambda n: largest(whole[n] - without[n]) / (largest(whole[n]) or 1.0))
    step, rest = whole[first] - without[first], theirs[first] - without[first]
    if not np.all(np.isfinite(rest)) or not np.all(np.isfinite(step)):
        return None, left
    number = float(np.sum(step * rest) / np.sum(step * step))
    kept = {n for n in left if evidence.close(k, n, without[n] + number * (whole[n] - without[n]))}
    return number, kept
