"""Powers that derivatives leave where they count for nothing: k x**(k - 1) is 0 where k is, also where x is.

    k*x**(k - 1)                k*x**max(k - 1, 0)
    I*(I - 1)*x**(I - 2)        I*(I - 1)*x**max(I - 2, 0)      of sizes, too
"""

from sympy import Add, Expr, Indexed, Max, Mul, Piecewise, Pow, S, Sum, expand

from derive.program import Program
from derive.ranges import Prover
from derive.terms import subterms

MOST = 8            # exponents below 0 that are looked at


def with_vanishing_powers(program: Program) -> Program:
    """Return the program with exponents kept from below 0 where what they are multiplied with is 0."""
    return program.with_equations(e.with_rhs(_kept(e.rhs, (), program.prover)) for e in program.equations)


def _kept(term: Expr, around: tuple[Expr, ...], prover: Prover) -> Expr:
    """Return a term that is multiplied with whole numbers `around` it."""
    if not any(isinstance(t, Pow) and _is_counted(t) for t in subterms(term)):
        return term
    if isinstance(term, Pow) and _is_counted(term):
        return term.base ** Max(term.exp, 0) if _vanishes(term.exp, around, prover) else term
    if isinstance(term, Mul):
        around = (*around, *filter(_is_whole, term.args))
        return Mul(*(_kept(f, around, prover) for f in term.args))
    if isinstance(term, Add):
        return Add(*(_kept(t, around, prover) for t in term.args))
    if isinstance(term, Sum):
        return term.func(_kept(term.function, around, prover), *term.limits)
    if isinstance(term, Piecewise):
        return term.func(*((_kept(value, around, prover), c) for value, c in term.args), evaluate=False)
    return term


def _is_counted(power):
    """Tell whether an exponent is a whole number less than an index or a size, of a base that may be 0."""
    constant, rest = power.exp.as_coeff_Add()
    return constant.is_negative and rest != 0 and _is_whole(rest) and not power.base.is_number


def _is_whole(factor):
    return bool(factor.is_integer) and not any(isinstance(t, Indexed) for t in subterms(factor))


def _vanishes(exponent, around, prover):
    """Tell whether a factor is 0 wherever the exponent is below 0."""
    for below in range(1, MOST + 1):
        if prover.nonnegative(expand(exponent + below - 1)):
            return below > 1
        zero = expand(exponent + below)             # where the exponent is -below
        if not any(expand(f - s * zero) == S.Zero for f in around for s in (1, -1)):
            return False
    return False
