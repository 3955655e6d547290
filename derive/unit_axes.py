"""Axes of size 1, as keepdims=True leaves them: an index over one runs from 0 to 0, and is 0."""

from collections.abc import Sequence

from sympy import Expr, Idx, S, Sum

from .program import Program
from .terms import bottom_up, instantiated


def with_units_read_at_0(program: Program) -> Program:
    """Return an equal program whose right-hand sides have no index of an axis of size 1, and no sum over one."""
    return program.with_equations(e.with_rhs(read_at_0(e.rhs, e.free)) for e in program.equations)


def read_at_0(rhs: Expr, free: Sequence[Idx]) -> Expr:
    """Return a right-hand side with 0 for each index, free or summed, that runs from 0 to 0."""
    units = {i: S.Zero for i in free if i.lower == i.upper == 0}
    return bottom_up(instantiated(rhs, units) if units else rhs, _of_one_term)


def _of_one_term(term: Expr) -> Expr:
    """Return what a sum over an index from 0 to 0 is."""
    if not isinstance(term, Sum):
        return term
    units = {i: S.Zero for i, low, high in term.limits if low == high == 0}
    if not units:
        return term
    rest = [limit for limit in term.limits if limit[0] not in units]
    inner = instantiated(term.function, units)
    return Sum(inner, *rest) if rest else inner
