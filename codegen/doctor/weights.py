"""A term that is c times what it should be: gradients are linear in each term of a backward equation, so c is found.

With the term dropped they are g0, as derived g1; the code's are g0 + c (g1 - g0) for one number c at each point.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from sympy import Float

from derive.program import Equation
from derive.terms import read_name, reads

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
        equations = tuple(e.with_rhs(e.rhs + named[0] * (whole[e.lhs] - e.rhs)) for e in mutant.equations)
        kind = "sign" if named[0] == -1 else "scale"
        yield replace(mutant, equations=equations, words=told, kind=kind, rank=RARE), explained


def updated(
    evidence: Evidence, places: Iterable[str], lines: Callable[[str], Sequence[Equation]], wrong: Sequence[str],
) -> Iterator[tuple[Mutant, tuple[str, ...]]]:
    """Yield mutants in which a parameter is read after its update W - rate*dW, and what they explain."""
    program = evidence.program
    parameters = {p.name: p for p in program.parameters if p.name in program.adjoints}
    for name in places:
        for line in lines(name):
            for read in reads(line.rhs, parameters):
                step = program.variables[program.adjoints[read_name(read)]].at(*getattr(read, "indices", ()))
                whole = line.with_rhs(line.rhs.xreplace({read: read - step}))
                for rate in _rates(evidence, Mutant(name, (whole,), "", "updated", RARE), wrong):
                    equation = line.with_rhs(line.rhs.xreplace({read: read - rate[0] * step}))
                    words = f"{read_name(read)} is read after its update, {read_name(read)} - {float(rate[0]):.4g} "
                    words += f"d{read_name(read)}: take all gradients first, then update"
                    yield Mutant(name, (equation,), words, "updated", RARE), rate[1]


def _rates(evidence, mutant, wrong):
    """Yield the one rate at all points, with what it explains, if there is one."""
    numbers, left = [], set(wrong)
    for k in range(len(evidence.seen)):
        number, left = _weight(evidence, k, mutant, left, whole=True)
        if number is None or not left:
            return
        numbers.append(number)
    known = [n for n in numbers if not np.isnan(n)]
    if known and max(known) - min(known) <= 1e-6 * abs(known[0]):
        yield Float(known[0]), tuple(n for n in evidence.usual if n in left)


def _weight(evidence: Evidence, k: int, mutant: Mutant, left: set[str], whole: bool = False):
    """Return the weight at a point, nan where the term is 0 there, and the parameters that it explains.

    What the mutant gives is the gradient without the term; or, if so told, with the whole of it.
    """
    point = evidence.seen[k].point
    try:
        values = point.ours.changed(mutant.equations, evidence.base(k))
    except NotImplementedError:
        return None, left
    without, entire = point.ours.gradients(values), evidence.gradients(k)
    if whole:
        without, entire = entire, without
    theirs = evidence.seen[k].answer.gradients
    if any(not evidence.close(k, n, g) for n, g in entire.items() if n not in left and largest(g - without[n]) > 0):
        return None, left
    moved = [n for n in evidence.usual if n in left and largest(entire[n] - without[n]) > 1e-12 * largest(entire[n])]
    if not moved:
        return np.nan, left
    first = max(moved, key=lambda n: largest(entire[n] - without[n]) / (largest(entire[n]) or 1.0))
    step, rest = entire[first] - without[first], theirs[first] - without[first]
    if not np.all(np.isfinite(rest)) or not np.all(np.isfinite(step)):
        return None, left
    number = float(np.sum(step * rest) / np.sum(step * step))
    kept = {n for n in left if evidence.close(k, n, without[n] + number * (entire[n] - without[n]))}
    return number, kept
