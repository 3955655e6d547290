"""The logarithm of a normal distribution's tail, and what its density is of it, where the tail itself is 0 for floats.

    log(erfc(u)/2)      log_ndtr(-sqrt(2) u)            exp(-u**2)/erfc(u)      1/erfcx(u)
"""

from collections.abc import Callable

from sympy import Add, Expr, Function, Integer, Mul, Pow, exp, expand, expand_mul, log, sqrt


class tail(Function):
    """What erf(x) leaves of 1, erfc(x), which SymPy would write as 2 - erfc(-x)."""

    word = "erfc"


class log_ndtr(Function):
    """The logarithm of the normal distribution function, log(erfc(-x/sqrt(2))/2)."""


class erfcx(Function):
    """exp(x**2) erfc(x)."""


def log_of_tail(number: Expr, of: Expr) -> Expr:
    """Return log(number * erfc(of))."""
    return log(2 * number) + log_ndtr(expand_mul(-sqrt(2) * of))


def with_scaled_tails(product: Expr, seen: Callable[[Expr], Expr]) -> Expr:
    """Return a product with exp(-u**2)/erfc(u) as 1/erfcx(u), also where a sum of such quotients is a factor.

    `seen` returns what a read stands for, where that is known.
    """
    scaled = _scaled(product, Integer(0), seen) if product.has(tail) else None
    return product if scaled is None else scaled


def _scaled(term, exponent, seen):
    """Return a term times exp(exponent), by quotients of tails in it, or None where no quotient takes all of that."""
    if isinstance(term, Add):
        terms = [_scaled(t, exponent, seen) for t in term.args]
        return None if None in terms else Add(*terms)
    factors = Mul.make_args(term)
    densities = [f for f in factors if isinstance(seen(f), exp)]
    rest = Mul(*(f for f in factors if f not in densities))
    exponent += Add(*(seen(f).args[0] for f in densities))
    if exponent == 0:
        return None
    for f in Mul.make_args(rest):
        if isinstance(f, Pow) and isinstance(f.base, tail) and isinstance(f.exp, Integer) and f.exp < 0:
            [u] = f.base.args
            if expand(exponent - f.exp * u**2) == 0:
                return rest / f * erfcx(u) ** f.exp
        if isinstance(f, Add) and (inner := _scaled(f, exponent, seen)) is not None:
            return rest / f * inner
    return None
