"""Derivatives of quotients over one divisor: 1/(1 + x) - x/(1 + x)**2 is 1/(1 + x)**2, and does not cancel."""

from collections.abc import Iterator

from sympy import Abs, Add, Expr, Mul, Pow, S, factor, factor_terms, sign

from .terms import bottom_up, multiplied_out


def over_one_divisor(expr: Expr) -> Expr:
    """Return an expression with each sum of quotients in it as one, if its numerator has no more terms than the sum.

    The divisors are sums to powers that differ by integers: (1 + x**2)**(-1/2) and (1 + x**2)**(-3/2) are alike.
    """
    return bottom_up(expr, lambda term: _one_quotient(term) if isinstance(term, Add) else term)


def _one_quotient(total):
    for divisor, power in _divisors(total):
        numerator = multiplied_out(Add(*(_numerator(t, divisor, power) for t in total.args)))
        numerator = Add(*map(_without_signs, Add.make_args(numerator)))
        if len(Add.make_args(numerator)) <= len(total.args):
            return _factored(numerator) * divisor**power
    return total


def _divisors(total) -> Iterator[tuple[Expr, Expr]]:
    """Yield the sums that all terms divide by, each with the lowest of its powers."""
    powers = [dict(f.as_base_exp() for f in Mul.make_args(t) if _is_divisor(f)) for t in total.args]
    for base in powers[0]:
        found = [p[base] for p in powers if base in p]
        if len(found) == len(powers) and len(set(found)) > 1 and all((p - found[0]).is_Integer for p in found):
            yield base, min(found)


def _is_divisor(factor):
    return isinstance(factor, Pow) and isinstance(factor.base, Add) and factor.exp.is_Rational and factor.exp < 0


def _numerator(term, divisor, power):
    """Return what a term is multiplied by, once it is written over divisor**-power."""
    factors = [f.as_base_exp() for f in Mul.make_args(term)]
    own = next((p for base, p in factors if base == divisor), S.Zero)
    return Mul(*(Pow(b, p) for b, p in factors if b != divisor)) * divisor**(own - power)


def _factored(numerator):
    return factor(numerator) if numerator.is_polynomial(*numerator.free_symbols) else factor_terms(numerator)


def _without_signs(term):
    """Write |x| for sign(x)*x."""
    for f in Mul.make_args(term):
        if isinstance(f, sign) and f.args[0] in Mul.make_args(term):
            return term / (f * f.args[0]) * Abs(f.args[0])
    return term
