"""Choices by the place of an index that has few places: (a if b = 0 else c) over b = 0..1 is [b = 0] a + [b = 1] c."""

from sympy import Add, Eq, Expr, Idx, KroneckerDelta, Ne, Piecewise, S, Sum

from .terms import instantiated, subterms

FEW = 4         # places that are written out


def added_up(total: Sum) -> Expr:
    """Return a sum over an index by which its summand chooses as the terms that it has."""
    for limit in total.limits:
        index, *ends = limit
        if places(index, *ends) and any(_chooses(t, index) for t in subterms(total.function)):
            terms = [instantiated(total.function, {index: place}) for place in places(index, *ends)]
            others = [other for other in total.limits if other != limit]
            return Add(*(Sum(t, *others) if others else t for t in terms))
    return total


def by_place(choice: Expr) -> Expr:
    """Return a choice by the place of an index as a sum of brackets; any other expression as it is."""
    if not isinstance(choice, Piecewise) or choice.has(S.Infinity, S.NegativeInfinity):
        return choice
    indices = {a for _, condition in choice.args for a in condition.atoms(Idx)}
    if len(indices) != 1:
        return choice
    [index] = indices
    if not places(index, index.lower, index.upper) or not _chooses(choice, index):
        return choice
    return Add(*(KroneckerDelta(index, k) * instantiated(choice, {index: k})
                 for k in places(index, index.lower, index.upper)))


def places(index: Idx, low: Expr, high: Expr) -> list[Expr]:
    """Return the numbers that an index runs through, [] where they are many or not known."""
    if not (low.is_Integer and high.is_Integer and high - low < FEW):
        return []
    return [S(k) for k in range(int(low), int(high) + 1)]


def _chooses(term, index):
    """Tell whether a term is a choice that asks only whether an index is at a number."""
    conditions = [c for _, c in term.args if c != True] if isinstance(term, Piecewise) else []
    return bool(conditions) and all(
        isinstance(c, Eq | Ne) and index in c.args and any(a.is_Integer for a in c.args) for c in conditions
    )
