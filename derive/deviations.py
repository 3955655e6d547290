"""Deviations from a mean sum to 0: Sum(p[n, d] - m[n], d) where m[n] = Sum(p[n, d], d)/D."""

from collections.abc import Mapping

from sympy import Add, Expr, Idx, Indexed, Mul, S, Sum

from .program import Equation, Program
from .terms import bottom_up, canonical, instantiated, read_name


def without_deviations(program: Program) -> Program:
    """Drop the sums of deviations from a mean, which the adjoint of a mean gets from a variance about it."""
    means = means_of(program)
    if not means:
        return program
    return program.with_equations(e.with_rhs(without_vanishing(e.rhs, means)) for e in program.equations)


def means_of(program: Program) -> dict[str, Equation]:
    """Return the lines that sum one array, by name: those that may be means of it."""
    return {e.name: e for e in program.equations if _is_sum(e)}


def without_vanishing(expr: Expr, means: Mapping[str, Equation]) -> Expr:
    """Return an expression with 0 for every sum of deviations from one of the means."""
    return bottom_up(expr, lambda term: _vanished(term, means))


def _is_sum(e):
    sums = [f for f in Mul.make_args(e.rhs) if isinstance(f, Sum)]
    return len(sums) == 1 and isinstance(sums[0].function, Indexed) and e.free == e.indices and not e.implicit


def _vanished(term, means):
    pair = difference(term.function) if isinstance(term, Sum) else None
    for mean, value in (pair, pair[::-1]) if pair else ():
        definition = means.get(read_name(mean))
        if definition is not None:
            here = instantiated(definition.rhs, dict(zip(definition.indices, _indices(mean), strict=True)))
            number = Mul(*(high - low + 1 for _, low, high in term.limits))
            if canonical(here * number) == canonical(Sum(value, *term.limits)):
                return S.Zero
    return term


def _indices(read):
    return getattr(read, "indices", ())


def difference(expr: Expr) -> tuple[Expr, Expr] | None:
    """Return (a, b) for a - b, both reads of real variables; None for another expression."""
    if not isinstance(expr, Add) or len(expr.args) != 2:
        return None
    plus = [a for a in expr.args if _is_read(a)]
    minus = [-a for a in expr.args if _is_read(-a)]
    return (plus[0], minus[0]) if len(plus) == len(minus) == 1 else None


def _is_read(expr):
    return (isinstance(expr, Indexed) or expr.is_Symbol) and not isinstance(expr, Idx) and not expr.is_integer
