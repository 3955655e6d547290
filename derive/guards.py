"""Guards: a term that is 0, and is not evaluated, where an index leaves its range.

A guard is stock SymPy, `Piecewise((term, conditions), (0, True))`; here it is built, taken apart and, where the
conditions are proven, removed.
"""

from collections.abc import Iterable, Mapping

from sympy import And, Expr, Ge, Mul, Piecewise, S, expand

from .ranges import Prover, conjuncts


def guarded(term: Expr, nonnegative: Iterable[Expr]) -> Expr:
    """Return `term` where all the given integer expressions are >= 0, and 0 elsewhere."""
    conditions = list(dict.fromkeys(map(expand, nonnegative)))
    if not conditions or term == 0:
        return term
    return Piecewise((term, And(*(Ge(e, 0, evaluate=False) for e in conditions))), (S.Zero, True), evaluate=False)


def unguarded(expr: Expr) -> tuple[Expr, list[Expr]]:
    """Split a product into its term and the expressions that must be >= 0 for it to count."""
    factors, conditions = [], []
    for factor in Mul.make_args(expr):
        if is_guard(factor):
            inner, more = unguarded(factor.args[0][0])
            factors.append(inner)
            conditions += conjuncts(factor.args[0][1]) + more
        else:
            factors.append(factor)
    return Mul(*factors), conditions


def is_guard(expr: Expr) -> bool:
    """Tell whether `expr` is a term guarded by conditions on indices."""
    if not isinstance(expr, Piecewise) or len(expr.args) != 2 or expr.args[1] != (S.Zero, S.true):
        return False
    try:
        return all(e.is_integer for e in conjuncts(expr.args[0][1]))
    except ValueError:
        return False


def proven_away(conditions: Iterable[Expr], prover: Prover, ranges: Mapping) -> list[Expr]:
    """Return the conditions that are not proven."""
    return [e for e in dict.fromkeys(map(expand, conditions)) if not prover.nonnegative(e, ranges)]
