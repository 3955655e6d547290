"""Choices at an end of an index's range, where they keep a read in range: [t = 0] is t < 1, since t >= 0.

    Piecewise((x0, Eq(t, 0)), (x[t - 1], True))     is      Piecewise((x0, t < 1), (x[t - 1], True))

An inequality says what is >= 0 where it does not hold, and so proves a read; that two numbers differ does not.
"""

from collections.abc import Callable

from sympy import Eq, Expr, Ge, Idx, Indexed, Lt, Ne, Piecewise, expand
from sympy.core.relational import Relational

from .ranges import index_atoms, index_range
from .terms import bottom_up, holds


def with_inequalities_at_ends(expr: Expr, leaves_its_range: Callable[[Indexed], bool]) -> Expr:
    """Return an expression whose choices ask for an end by an inequality where a read beside may leave its range."""
    return bottom_up(expr, lambda term: _asked(term, leaves_its_range)) if holds(expr, Piecewise) else expr


def _asked(choice, leaves_its_range):
    if not isinstance(choice, Piecewise):
        return choice
    leaving = set().union(*(index_atoms(i) for read in choice.atoms(Indexed) if leaves_its_range(read)
                            for i in read.indices))
    ends = {e: found for _, condition in choice.args for e in condition.atoms(Eq, Ne)
            if (found := _inequality(e, leaving)) is not None}
    if not ends:
        return choice
    return Piecewise(*((value, condition.xreplace(ends)) for value, condition in choice.args), evaluate=False)


def _inequality(relation: Relational, indices: set) -> Relational | None:
    """Return an equality of one of some indices with an end of its range as an inequality; None for another."""
    difference = expand(relation.lhs - relation.rhs)
    for i in sorted(difference.atoms(Idx) & indices, key=str):
        slope, (low, high) = difference.coeff(i), index_range(i)
        value = expand(i - difference * slope)
        if slope**2 != 1 or low is None:
            continue
        if value == low:
            return Lt(i, low + 1) if isinstance(relation, Eq) else Ge(i, low + 1)
        if value == high:
            return Ge(i, high) if isinstance(relation, Eq) else Lt(i, high)
    return None
