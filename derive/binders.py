"""Binders beside `Sum`: expressions that bind an index. Each knows the derivative of its value by one of its terms."""

from sympy import Add, Expr, Max, Sum, exp, log
from sympy.concrete.expr_with_limits import ExprWithLimits

from .functions import at_zero


class Binder(ExprWithLimits):
    """A value taken over all values of its bound indices; `Binder(term, d)` takes the range from the index."""

    def _eval_is_extended_real(self):
        return self.function.is_extended_real

    def _eval_is_real(self):
        return self.function.is_real


class LogSumExp(Binder):
    """log(Sum(exp(term))), differentiable as it stands and never an overflow."""

    word = "lse"

    @staticmethod
    def partial(term: Expr, value: Expr) -> Expr:
        """Return the derivative of the value by one term: the softmax."""
        return exp(term - value)

    @staticmethod
    def of(terms):
        """Return its value on explicit terms, in stock SymPy."""
        return log(Add(*map(exp, terms)))


class Maximum(Binder):
    """The largest term; its gradient is shared equally among ties."""

    word = "max"

    @staticmethod
    def partial(term: Expr, value: Expr, ties: Expr) -> Expr:
        """Return the derivative of the value by one term: 1 over the number of `ties` where the term is largest."""
        return at_zero(term - value) / ties

    @staticmethod
    def of(terms):
        """Return its value on explicit terms, in stock SymPy."""
        return Max(*terms)


def is_binder(expr) -> bool:
    """Tell whether `expr` binds an index."""
    return isinstance(expr, Sum | Binder)


def has_binder(expr) -> bool:
    """Tell whether `expr` binds an index anywhere inside."""
    return expr.has(Sum, Binder)


def over(binder, body, limits):
    """Return the same binder over other limits; without limits a sum is its body."""
    return binder.func(body, *limits) if limits else body
