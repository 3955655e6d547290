"""A term that is c times what it should be: gradients are linear in each term of a backward equation, so c is found.

With the term dropped they are g0, as derived g1; the code's are g0 + c (g1 - g0) for one number c at each point.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from sympy import Add, Float

from derive.program import Equation
from derive.terms import read_name, reads

from .evidence import Evidence, largest
from .normalisations import CONSTANTS
from .scales import named_ratio, times
from .slips import RARE, Mutant


def weighted(
    evidence: Evidence, dropped: Iterable[Mutant], lines: Callable[[str], Sequence[Equation]], wrong: Sequence[str],
) -> Iterator[tuple[Mutant, tuple[str, ...]]]:
    """Yield mutants in which a term has another weight, and what they explain, given those that lack it."""
    for mutant in dropped:
        weight, explained = _named(evidence, mutant, None, wrong)
        if weight in (None, 0):
            continue
        words = mutant.words.removeprefix(CONSTANTS).removesuffix(" is missing")
        told = f"{words} has the wrong sign" if weight == -1 else f"{words} is {times(weight)} what it should be"
        whole = {e.lhs: e.rhs for e in lines(mutant.name)}
        equations = tuple(e.with_rhs(e.rhs + weight * (whole[e.lhs] - e.rhs)) for e in mutant.equations)
        kind = "sign" if weight == -1 else "scale"
        yield replace(mutant, equations=equations, words=told, kind=kind, rank=RARE), explained


def unmasked(
    evidence: Evidence, masks: Iterable[Mutant], dropped: Iterable[Mutant],
    lines: Callable[[str], Sequence[Equation]], wrong: Sequence[str],
) -> Iterator[tuple[Mutant, tuple[str, ...]]]:
    """Yield mutants in which a term has no mask and another weight, and what they explain.

    They are made of those in which its mask is missing, and those in which it is missing itself.
    """
    without = [(m, _term(m, lines)) for m in dropped]
    for mask in masks:
        for mutant in (m for m, term in without if m.name == mask.name and term and _term(mask, lines) == term):
            weight, explained = _named(evidence, mutant, mask, wrong)
            if weight in (None, 0, 1):
                continue
            bare = {e.lhs: e.rhs for e in mutant.equations}
            equations = tuple(e.with_rhs(bare[e.lhs] + weight * (e.rhs - bare[e.lhs])) for e in mask.equations)
            words = f"{mask.words}, and the term is {times(weight)} what it should be"
            yield replace(mask, equations=equations, words=words, rank=RARE), explained


def _named(evidence, lacking, whole, wrong):
    """Return the weight as a number or of sizes, None where it is neither, and what it explains (`_weights`)."""
    numbers, left = _weights(evidence, lacking, whole, wrong)
    if not left or all(np.isnan(c) for c in numbers):
        return None, ()
    named = named_ratio(evidence.program, [s.point for s in evidence.seen], numbers, evidence.exact)
    return named and named[0], tuple(n for n in evidence.usual if n in left)


def _term(mutant, lines):
    """Return the terms that a mutant does not have as they were."""
    whole = {e.lhs: e.rhs for e in lines(mutant.name)}
    return [(e.lhs, t) for e in mutant.equations if e.lhs in whole
            for t in Add.make_args(whole[e.lhs]) if t not in Add.make_args(e.rhs)]


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
    numbers, left = _weights(evidence, None, mutant, wrong)
    known = [n for n in numbers if not np.isnan(n)]
    if left and known and max(known) - min(known) <= 1e-6 * abs(known[0]):
        yield Float(known[0]), tuple(n for n in evidence.usual if n in left)


def _weights(evidence: Evidence, lacking: Mutant | None, whole: Mutant | None, wrong: Sequence[str]):
    """Return the weight at each point, nan where the term is 0, and what is explained: by the gradient that tells most.

    One mutant gives the gradients without the term, the other with the whole of it; None stands for what is derived.
    """
    told: dict[str, tuple[list[float], set[str]]] = {n: ([], set(wrong)) for n in wrong}
    for k, seen in enumerate(evidence.seen):
        try:
            without, entire = (seen.point.ours.gradients(evidence.changed(k, m.equations) if m else evidence.base(k))
                               for m in (lacking, whole))
        except NotImplementedError:
            return [], set()
        for name, (numbers, left) in list(told.items()):
            numbers.append(_weight(evidence, k, name, without, entire))
            told[name] = numbers, _kept(evidence, k, numbers[-1], left, without, entire)
            if name not in told[name][1]:
                del told[name]
        if not told:
            return [], set()
    return max(told.values(), key=lambda found: len(found[1]))


def _weight(evidence, k, name, without, entire):
    """Return the weight that one gradient tells at a point."""
    step, rest = entire[name] - without[name], evidence.seen[k].answer.gradients[name] - without[name]
    if not largest(step) > 1e-12 * largest(entire[name]):
        return np.nan
    return float(np.sum(step * rest) / np.sum(step * step))


def _kept(evidence, k, number, left, without, entire):
    """Return which of some gradients are as the code has them with a weight; where there is none, as derived."""
    weight = 1.0 if np.isnan(number) else number
    return {n for n in left if evidence.close(k, n, without[n] + weight * (entire[n] - without[n]))}
