"""Windows and maxima: the gradient of one pooling for the other, shared among all or sent to one; one entry for all."""

from collections.abc import Iterator
from math import prod

from sympy import Idx, KroneckerDelta, Mul, Sum

from derive.binders import FirstMaximum, Maximum
from derive.program import Equation, Program
from derive.terms import instantiated, reads, subterms

from .slips import POSSIBLE, RARE, Mutant


def shared_or_strided(program: Program, equation: Equation) -> Iterator[Mutant]:
    """Yield the mutants of a backward equation in which a maximum's gradient is shared, or one entry counts for all."""
    first = {n for n in program.variables if n.startswith("first_")}
    for bracket in sorted((b for b in equation.rhs.atoms(KroneckerDelta) if reads(b, first)), key=str):
        place = next(a for a in bracket.args[:2] if not reads(a, first))
        count = Mul(*(i.upper - i.lower + 1 for i in place.atoms(Idx)))
        words = "the gradient of a maximum is shared evenly by all entries, as if it were a mean"
        yield _mutant(equation, {bracket: 1 / count}, words, "mean", POSSIBLE)
    for total in (t for t in subterms(equation.rhs) if isinstance(t, Sum)):
        fixed = {i: low for i, low, high in total.limits if (high - low).is_Integer and high != low}
        if len(fixed) < 2:
            continue
        rest = [tuple(limit) for limit in total.limits if limit[0] not in fixed]
        term = instantiated(total.function, fixed)
        one = Sum(term, *rest) if rest else term
        size = prod(high - low + 1 for i, low, high in total.limits if i in fixed)
        names = ", ".join(str(i.name) for i in fixed)
        words = f"only the first entry of each window ({names}) counts, not the sum over all"
        yield _mutant(equation, {total: one}, words, "sum", POSSIBLE)
        yield _mutant(equation, {total: size * one}, f"the first entry of each window ({names}) counts {size} times, "
                      "not each once", "sum", RARE)


def other_poolings(equation: Equation) -> Iterator[Mutant]:
    """Yield the changes of a forward equation that make a mean or a sum of a maximum, or a maximum of a mean."""
    for old in sorted((t for t in subterms(equation.rhs) if isinstance(t, Maximum)), key=str):
        count = Mul(*(high - low + 1 for _, low, high in old.limits))
        total = Sum(old.function, *(tuple(limit) for limit in old.limits))
        yield _mutant(equation, {old: total / count}, "a mean stands where a maximum should", "forward", POSSIBLE)
        yield _mutant(equation, {old: total}, "a sum stands where a maximum should", "forward", POSSIBLE)
    for old in sorted((t for t in subterms(equation.rhs) if isinstance(t, Sum)), key=str):
        count = Mul(*(high - low + 1 for _, low, high in old.limits))
        if old.limits and equation.rhs.subs(old, count) == 1:
            yield _mutant(equation, {equation.rhs: FirstMaximum(old.function, *(tuple(x) for x in old.limits))},
                          "a maximum stands where a mean should", "forward", POSSIBLE)


def _mutant(equation, changes, words, kind, rank):
    return Mutant(equation.name, (equation.with_rhs(equation.rhs.xreplace(changes)),), words, kind, rank)
