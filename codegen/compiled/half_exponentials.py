"""What C makes of exp(-|x|), which is never more than 1, so that nothing is lost at either end.

    p = softplus(g)             exp_g = half_exp(g), p = max(g, 0) + log(1 + exp_g)
    dg = dp*sigmoid(g)          dg = dp*(1 or exp_g)/(1 + exp_g), by the sign of g
"""

from sympy import Abs, Expr, Function, exp

from derive.functions import sigmoid, softplus

from ..lowering import slope
from ..shared_exponentials import Made


class half_exp(Function):
    """exp(-|x|)."""

    word = "exp"


class sigmoid_by(Function):
    """1/(1 + exp(-x)), given e = half_exp(x) and x."""


class slope_by(Function):
    """The derivative of the sigmoid, given e = half_exp(x)."""


class softplus_by(Function):
    """log(1 + exp(x)), given e = half_exp(x) and x."""


MADE: Made = {softplus: softplus_by, sigmoid: sigmoid_by, slope: lambda e, x: slope_by(e)}


def without_them(expr: Expr) -> Expr:
    """Return an expression in functions that NumPy has as well."""
    expr = expr.replace(softplus_by, lambda e, x: softplus(x)).replace(sigmoid_by, lambda e, x: sigmoid(x))
    return expr.replace(slope_by, lambda e: e/(1 + e)**2).replace(half_exp, lambda x: exp(-Abs(x)))
