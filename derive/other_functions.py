"""Functions that say in a word what others say too: written by those before they are differentiated.

The classes are what SymPy's `diff` sees in the place of its own functions whose derivatives it does not know for real
numbers, or knows only as a quotient that is 0/0 somewhere.
"""

from collections.abc import Callable

from sympy import (
    Abs,
    EulerGamma,
    Expr,
    Function,
    Heaviside,
    LambertW,
    Mod,
    Piecewise,
    Pow,
    Rational,
    S,
    Si,
    binomial,
    coth,
    digamma,
    erf,
    erf2,
    exp,
    factorial,
    frac,
    gamma,
    harmonic,
    jn,
    log,
    loggamma,
    sign,
    sinc,
    sqrt,
)
from sympy.codegen import cfunctions

BY_OTHERS: dict[type, Callable[..., Expr]] = {
    frac: lambda x: Mod(x, 1, evaluate=False),
    factorial: lambda x: gamma(x + 1),
    binomial: lambda n, k: exp(loggamma(n + 1) - loggamma(k + 1) - loggamma(n - k + 1)),
    erf2: lambda x, y: erf(y) - erf(x),
    cfunctions.expm1: lambda x: exp(x) - 1,
    cfunctions.log1p: lambda x: log(1 + x),
    cfunctions.exp2: lambda x: Pow(2, x),
    cfunctions.log2: lambda x: log(x) / log(2),
    cfunctions.log10: lambda x: log(x) / log(10),
    cfunctions.Sqrt: sqrt,
    cfunctions.Cbrt: lambda x: x ** Rational(1, 3),
    cfunctions.hypot: lambda x, y: sqrt(x**2 + y**2),
}


def by_others(term: Expr) -> Expr | None:
    """Return a function as others write it, or None for one that is its own."""
    if isinstance(term, harmonic) and len(term.args) == 1:
        return digamma(term.args[0] + 1) + EulerGamma
    if isinstance(term, Heaviside) and term.args[1] != S.Half:
        x, at = term.args
        return Piecewise((1, x > 0), (0, x < 0), (at, True)) if at not in (0, 1) else (
            Piecewise((1, x > 0 if at == 0 else x >= 0), (0, True)))
    if type(term) not in BY_OTHERS or term.is_integer:
        return None
    return BY_OTHERS[type(term)](*term.args)


class _Power(Function):
    """x**K for a K that is no number; SymPy's derivative is K x**K/x, which has no value at 0."""

    def fdiff(self, argindex=1):
        base, power = self.args
        return power * _Power(base, power - 1) if argindex == 1 else _Power(base, power) * log(base)


class _Modulus(Function):
    """|x| of a real x; SymPy's derivative speaks of angles where it cannot tell that x is real."""

    def fdiff(self, argindex=1):
        return _Sign(self.args[0])


class _Sign(Function):
    def fdiff(self, argindex=1):
        return S.Zero


class _Remainder(Function):
    """What division by m leaves of x, x - m floor(x/m): the slope is 1 where it jumps, too."""

    def fdiff(self, argindex=1):
        x, m = self.args
        return S.One if argindex == 1 else (self - x) / m


class _Lambert(Function):
    """W(x), which solves W exp(W) = x; SymPy's derivative W/(x (1 + W)) has no value at 0."""

    def fdiff(self, argindex=1):
        return exp(-self) / (1 + self)


class _Coth(Function):
    """1/tanh(x), whose slope is 1 less its square; SymPy's, -1/sinh(x)**2, overflows where x is 356."""

    def fdiff(self, argindex=1):
        return 1 - self**2


class _Sinc(Function):
    """sin(x)/x, whose derivative is minus the spherical Bessel function of order 1."""

    def fdiff(self, argindex=1):
        return -_Spherical(S.One, self.args[0])


class _SineIntegral(Function):
    """The integral of sin(t)/t from 0 to x; SymPy's derivative divides by x."""

    def fdiff(self, argindex=1):
        return _Sinc(self.args[0])


class _Spherical(Function):
    """The spherical Bessel function j_n(x); SymPy's derivative divides by x."""

    def fdiff(self, argindex=2):
        n, x = self.args
        before = _Sinc(x) if n == 1 else _Spherical(n - 1, x)
        return (n * before - (n + 1) * _Spherical(n + 1, x)) / (2 * n + 1)


OF_REALS: dict[type, type] = {
    Abs: _Modulus, sign: _Sign, Mod: _Remainder, LambertW: _Lambert, coth: _Coth, sinc: _Sinc, jn: _Spherical,
    Si: _SineIntegral,
}
WRITTEN: dict[type, type] = {_Power: Pow, **{ours: function for function, ours in OF_REALS.items()}}


def with_real_derivatives(expr: Expr) -> Expr:
    """Return an expression with functions whose derivatives are those of real numbers."""
    raised = expr.replace(_is_symbolic_power, lambda t: _Power(*t.args))
    return raised.replace(lambda t: type(t) in OF_REALS, lambda t: OF_REALS[type(t)](*t.args))


def as_written(expr: Expr) -> Expr:
    """Return an expression with SymPy's own functions again."""
    return expr.replace(lambda t: type(t) in WRITTEN, lambda t: WRITTEN[type(t)](*t.args))


def _is_symbolic_power(term):
    return isinstance(term, Pow) and bool(term.exp.free_symbols)
