"""One repair of SymPy: a Piecewise stays inside the sum whose index its conditions are about.

SymPy 1.14 folds it out of inner sums: Sum(tanh(Sum(Piecewise((x[k], k > 0), (0, True)), k)), n) becomes
Sum(Piecewise((tanh(Sum(x[k], k)), k > 0), (0, True)), n), where k has lost its meaning, or, if the outer sum is over k
too, has another. A user's expression would be changed before the toolkit sees it, so the repair is made on import:
folding looks into no binder inside the one that is built, nor into sums of terms, each of which keeps its condition,
nor into products of several choices, which would become one of all combinations, nor into what says of itself that it
is no value (`is_value = False`).
"""

from sympy import Add, Dummy, Indexed, Mul, Piecewise, S, piecewise_fold
from sympy.concrete import expr_with_limits

from .ranges import is_conjunction


def fold(expr, evaluate=True):
    """Return what SymPy's `piecewise_fold` does, inner binders left as they are."""
    if not getattr(expr, "has", lambda _: False)(Piecewise) or not getattr(expr, "is_value", True):
        return expr
    choices = [f for f in Mul.make_args(expr) if f.has(Piecewise)]
    if len(choices) > 1 or isinstance(choices[0], Add) or _is_nested(choices[0]) or _is_masked(choices[0]):
        return expr
    hidden = {binder: Dummy(extended_real=True) for binder in expr.atoms(expr_with_limits.ExprWithLimits)}
    folded = piecewise_fold(expr.xreplace(hidden), evaluate)
    return folded.xreplace({placeholder: binder for binder, placeholder in hidden.items()})


def _is_nested(choice):
    """Tell whether a choice has another in a branch, and indices choose by other conditions than inequalities."""
    inside = [c for branch, _ in choice.args for c in branch.atoms(Piecewise)] if isinstance(choice, Piecewise) else []
    conditions = [condition for c in (choice, *inside) for _, condition in c.args] if inside else []
    return not all(is_conjunction(condition) or condition.has(Indexed) for condition in conditions)


def _is_masked(choice):
    """Tell whether a choice is a read where a condition other than an inequality holds, and 0 elsewhere."""
    return isinstance(choice, Piecewise) and choice.args[1:] == ((S.Zero, S.true),) and isinstance(
        choice.args[0][0], Indexed) and not is_conjunction(choice.args[0][1])


expr_with_limits.piecewise_fold = fold
