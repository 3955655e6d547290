"""What labels choose places for in the turns of a loop: added where it goes, by no mask of 0 and 1.

    Z[t, v, c] = Sum([v = dst[e]] w[e] Z[t - 1, src[e], c], e) + ...    _add_rows(Z[t + 1], dst, w[:, None] * Z[t, src])
"""

from collections.abc import Sequence

from sympy import Add, Expr, Idx

from derive.arrays import Array
from derive.program import Equation, Program
from derive.terms import index_over

from .statements import Update, update_of


def taken_apart(equation: Equation, expr: Expr, program: Program) -> tuple[Expr, list[Update]]:
    """Return what is added everywhere, and the updates that are added where labels say, to an equation's free axes."""
    rows = seen(equation, "")
    if not rows.indices or any(i.lower != 0 for i in rows.free):
        return expr, []
    updates = {t: u for t in Add.make_args(expr) if (u := update_of(t, rows, program)) is not None and u.over}
    return Add(*(t for t in Add.make_args(expr) if t not in updates)), list(updates.values())


def seen(equation: Equation, view: str) -> Equation:
    """Return an equation of the entries that `view` shows of its array: those that its free indices count."""
    return Equation(Array(view, tuple(i.upper + 1 for i in equation.free))[equation.free], equation.rhs)


def without_first_row(equation: Equation, expr: Expr, conditions: Sequence[Expr]) -> tuple[Equation, Expr]:
    """Return an equation and a term without the row -1 of a state where it is what the conditions leave out."""
    if not equation.free or equation.free[0].lower != -1 or list(conditions) != [equation.free[0]]:
        return equation, expr
    rows: Idx = index_over(equation.free[0].name, equation.free[0].upper + 1)
    here = {equation.free[0]: rows}
    return seen(Equation(equation.lhs.xreplace(here), equation.rhs), f"{equation.name}[1:]"), expr.xreplace(here)
