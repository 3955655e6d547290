"""True values to 50 digits of what a formula is, and of its derivatives: mpmath's, none of them ours.

A formula is told in functions whose tails mpmath has whole (`logistic`, `softplus`, expm1), so that no digit is lost
before the last sum. Its derivatives are SymPy's, multiplied out: the terms of the sum that they are. At a kink the
convention is the toolkit's: the derivative of |u| at 0 is 0, and a Piecewise is differentiated where it holds.
"""

from collections.abc import Iterator, Mapping
from functools import cache

import mpmath
import numpy as np
from sympy import (
    Abs,
    Add,
    Expr,
    Float,
    Function,
    Integer,
    Mul,
    Piecewise,
    Pow,
    Symbol,
    diff,
    expand_mul,
    sign,
)
from sympy.logic.boolalg import Boolean

DIGITS = 50
ULPS = 8


class logistic(Function):
    """1/(1 + exp(-x)), whose derivative is a product without a cancellation."""

    def fdiff(self, argindex=1):
        return logistic(self.args[0]) * logistic(-self.args[0])


class softplus(Function):
    """log(1 + exp(x))."""

    def fdiff(self, argindex=1):
        return logistic(self.args[0])


class minus(Function):
    """a - b, one rounding of its own; it is not multiplied out."""

    def fdiff(self, argindex=1):
        return {1: 1, 2: -1}[argindex]


class length(Function):
    """The Euclidean length of its arguments."""

    def fdiff(self, argindex=1):
        return self.args[argindex - 1] / self


class softmax(Function):
    """The entry k, its first argument, of the softmax of the others."""

    def fdiff(self, argindex=1):
        k, *z = self.args
        return self * (Integer(k == argindex - 2) - softmax(Integer(argindex - 2), *z))


class logsumexp(Function):
    """The logarithm of the sum of the exponentials of the arguments."""

    def fdiff(self, argindex=1):
        return softmax(Integer(argindex - 1), *self.args)


KNOWN = {
    "softmax": lambda k, *z: 1 / mpmath.fsum(mpmath.exp(x - z[int(k)]) for x in z),
    "logsumexp": lambda *z: max(z) + mpmath.log(mpmath.fsum(mpmath.exp(x - max(z)) for x in z)),
    "logistic": lambda x: 1 / (1 + mpmath.exp(-x)), "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "minus": lambda a, b: a - b, "length": lambda *u: mpmath.sqrt(mpmath.fsum(x * x for x in u)), "Abs": abs,
}


def ramp(u: Expr) -> Expr:
    """Return max(u, 0), its derivative at 0 being 0."""
    return Piecewise((u, u > 0), (0, True))


class Exactly:
    """What formulas are at a point, to 50 digits."""

    def __init__(self, point: Mapping[Symbol, float]):
        self.known: dict[Expr, mpmath.mpf] = {s: mpmath.mpf(float(x)) for s, x in point.items()}

    def terms(self, formula: Expr, *by: Symbol) -> list[mpmath.mpf]:
        """Return the values of the terms of the sum that a formula's derivative by some symbols is."""
        return [self.value(t) for t in differentiated(self.branch(formula), by)]

    def powers(self, formula: Expr, *by: Symbol) -> Iterator[mpmath.mpf]:
        """Yield the values of the powers that stand in the terms: numbers that any computation of them has to hold."""
        for t in differentiated(self.branch(formula), by):
            yield from (self.value(factor) for factor in Mul.make_args(t) if isinstance(factor, Pow))
        yield from (self.value(u) ** 2 for u in formula.atoms(length))

    def branch(self, formula: Expr) -> Expr:
        """Return the smooth formula that holds here."""
        if isinstance(formula, Piecewise):
            return self.branch(next(e for e, condition in formula.args if self.holds(condition)))
        if isinstance(formula, Abs):
            [inside] = formula.args
            return sign(self.value(inside)) * self.branch(inside)
        return formula.func(*map(self.branch, formula.args)) if formula.args else formula

    def holds(self, condition: Boolean) -> bool:
        """Tell whether a comparison holds."""
        if condition in (True, False):
            return bool(condition)
        return bool(condition.func(*(Float(self.value(a), DIGITS) for a in condition.args)))

    def value(self, expr: Expr) -> mpmath.mpf:
        """Return an expression, each function of it to 50 digits of its own value."""
        if expr not in self.known:
            with mpmath.workdps(DIGITS + 10):
                self.known[expr] = self._value(expr)
        return self.known[expr]

    def _value(self, expr):
        if expr.is_Rational:
            return mpmath.mpf(expr.p) / expr.q
        if expr.is_NumberSymbol:
            return mpmath.mpf(expr.evalf(DIGITS + 10))
        args = [self.value(a) for a in expr.args]
        if isinstance(expr, Add):
            return mpmath.fsum(args)
        if isinstance(expr, Mul):
            return mpmath.fprod(args)
        if isinstance(expr, Pow):
            return args[0] ** args[1]
        return KNOWN.get(expr.func.__name__, getattr(mpmath, expr.func.__name__, None))(*args)


@cache
def differentiated(formula: Expr, by: tuple[Symbol, ...]) -> tuple[Expr, ...]:
    """Return the terms of the derivative of a formula by some symbols."""
    formula = expand_mul(diff(differentiated_whole(formula, by[:-1]), by[-1])) if by else expand_mul(formula)
    return Add.make_args(formula)


def differentiated_whole(formula, by):
    return Add(*differentiated(formula, by)) if by else formula


def assert_close(got: np.generic, terms: list[mpmath.mpf], dtype: type, told: str = "") -> None:
    """Assert that a number of the dtype is the sum of the terms, to a few units in the last place of the largest."""
    error = abs(mpmath.mpf(float(got)) - mpmath.fsum(terms))
    bound = ULPS * float(np.finfo(dtype).eps) * max(map(abs, terms)) + float(np.finfo(dtype).tiny)
    assert np.asarray(got).dtype == dtype, told
    units, true = mpmath.nstr(error / bound * ULPS, 3), mpmath.nstr(mpmath.fsum(terms), 20)
    assert error <= bound, f"{told}: {got!r} is {units} units off {true}"
