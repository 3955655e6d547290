"""What is added at places that labels choose is said of those places: [i = y[n]] f(a[i]) is [i = y[n]] f(a[y[n]]).

Where a condition on labels stands around it, all that is summed is computed once an example, and not for all i.
"""

from functools import partial

from sympy import Expr, Idx, Indexed, KroneckerDelta, Mul, Piecewise, S, Sum

from derive.binders import has_binder
from derive.program import Program
from derive.terms import bottom_up, free_indices, holds


def with_places_chosen(program: Program) -> Program:
    """Return the program with what counts under a condition on labels read at the places that these choose."""
    return program.with_equations(
        e.with_rhs(bottom_up(e.rhs, partial(_chosen, e))) if holds(e.rhs, KroneckerDelta) else e
        for e in program.equations)


def by_data(term: Expr) -> bool:
    """Tell whether a term counts where a condition on data holds, and picks entries there."""
    if not isinstance(term, Piecewise) or term.args[1:] != ((S.Zero, S.true),) or not holds(term, KroneckerDelta):
        return False
    condition = term.args[0][1]
    return condition.has(Indexed) and not condition.has(KroneckerDelta)


def _chosen(equation, term):
    """Return a product with a sum under a condition on labels as one that is said of the places that these choose."""
    factors = Mul.make_args(term) if isinstance(term, Mul | Sum) else ()
    total = next((f for f in factors if isinstance(f, Sum) and by_data(f.function)), None)
    if total is None:
        return term
    value, condition = total.function.args[0]
    for bracket in (f for f in Mul.make_args(value) if isinstance(f, KroneckerDelta)):
        for index, place in (bracket.args, bracket.args[::-1]):
            if isinstance(index, Idx) and index in equation.free and place.has(Indexed) and index not in free_indices(
                    place):
                before = [f for f in factors if f is not total and index in free_indices(f)]
                if any(map(has_binder, before)):        # whose own index may be that of the sum
                    continue
                inside = [f for f in (*before, *Mul.make_args(value)) if f != bracket]
                chosen = bracket * Mul(*inside).xreplace({index: place})
                counts = Piecewise((chosen, condition), (S.Zero, True), evaluate=False)
                rest = [f for f in factors if f is not total and f not in before]
                return Mul(*rest, Sum(counts, *total.limits))
    return term
