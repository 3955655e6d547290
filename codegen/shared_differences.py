"""Names for differences of two arrays needed more than once: p - m, of which a variance and a norm are made.

    Q[n, k] = Sum((X[n, d] - C[k, d])**2, d)        diff_Q[n, k, d] = X[n, d] - C[k, d],  Q[n, k] = Sum(diff_Q**2, d)

A difference for all pairs of rows is larger than what it is made of, and costs more than a line that reads it.
"""

from sympy import Expr, Function

from derive.deviations import difference
from derive.program import Program
from derive.sharing import with_named
from derive.terms import bottom_up, free_indices, read_name, subterms


class Difference(Function):
    """The difference of two arrays while differences are being gathered."""

    word = "diff"
    nargs = (2,)


class PairwiseDifference(Difference):
    """One that has more axes than either array."""


def with_shared_differences(program: Program, least: int = 2) -> Program:
    """Name the differences of two arrays that are needed so many times, with the sign that they have first.

    One that has more axes than either array is named where it is needed twice.
    """
    first: dict[frozenset, str] = {}
    for e in program.equations:
        for a, b in filter(None, map(_pair, subterms(e.rhs))):
            first.setdefault(_names(a, b), read_name(a))

    def marked(term: Expr) -> Expr:
        pair = _pair(term)
        if pair is None:
            return term
        a, b = pair
        kind = Difference if any(set(free_indices(r)) == set(free_indices(term)) for r in pair) else PairwiseDifference
        return kind(a, b) if first[_names(a, b)] == read_name(a) else -kind(b, a)

    named = program.with_equations(e.with_rhs(bottom_up(e.rhs, marked)) for e in program.equations)
    named = with_named(named, lambda term: isinstance(term, PairwiseDifference))
    named = with_named(named, lambda term: isinstance(term, Difference), least)
    return named.with_equations(e.with_rhs(e.rhs.replace(Difference, lambda a, b: a - b)) for e in named.equations)


def _pair(term: Expr) -> tuple[Expr, Expr] | None:
    """Return (a, b) for a - b, both reads of arrays; None for another expression."""
    pair = difference(term)
    return pair if pair and all(r.is_Indexed for r in pair) else None


def _names(a: Expr, b: Expr) -> frozenset:
    return frozenset(map(read_name, (a, b)))
