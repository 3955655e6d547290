"""Deviations from a mean, p - m: what is known of their sums, and a name for each that is needed more than once."""

from sympy import Add, Expr, Function, Idx, Indexed, Mul, S, Sum

from derive.program import Equation, Program
from derive.sharing import with_named
from derive.terms import bottom_up, canonical, instantiated, read_name


class Difference(Function):
    """The difference of two arrays while differences are being gathered."""

    word = "diff"
    nargs = (2,)


def without_vanishing(program: Program) -> Program:
    """Drop sums of deviations from the mean: Sum(p[n, d] - m[n], d) = 0 where m[n] = Sum(p[n, d], d)/D."""
    means = {e.name: e for e in program.equations if _is_mean(e)}
    if not means:
        return program
    return program.with_equations(
        e.with_rhs(bottom_up(e.rhs, lambda term: _vanished(term, means))) for e in program.equations)


def _is_mean(e: Equation) -> bool:
    sums = [f for f in Mul.make_args(e.rhs) if isinstance(f, Sum)]
    return len(sums) == 1 and isinstance(sums[0].function, Indexed) and e.free == e.indices and bool(e.indices) \
        and all(isinstance(i, Idx) for i in e.indices)


def _vanished(term: Expr, means) -> Expr:
    pair = _pair(term.function) if isinstance(term, Sum) else None
    if pair is None:
        return term
    for mean, value in (pair, pair[::-1]):
        definition = means.get(read_name(mean))
        if definition is not None:
            here = instantiated(definition.rhs, dict(zip(definition.indices, mean.indices, strict=True)))
            number = Mul(*(high - low + 1 for _, low, high in term.limits))
            if canonical(here * number) == canonical(Sum(value, *term.limits)):
                return S.Zero
    return term


def _pair(expr: Expr):
    """Return (a, b) for a - b, both reads of arrays; None for another expression."""
    if not isinstance(expr, Add) or len(expr.args) != 2:
        return None
    plus = [a for a in expr.args if isinstance(a, Indexed) and not a.is_integer]
    minus = [-a for a in expr.args if isinstance(-a, Indexed) and not a.is_integer]
    return (plus[0], minus[0]) if len(plus) == len(minus) == 1 else None


def with_shared_differences(program: Program) -> Program:
    """Name the differences of two arrays that are needed more than once, the larger of the two first."""
    marked = program.with_equations(e.with_rhs(bottom_up(e.rhs, _marked)) for e in program.equations)
    named = with_named(marked, lambda term: isinstance(term, Difference))
    return named.with_equations(
        e.with_rhs(e.rhs.replace(Difference, lambda a, b: a - b)) for e in named.equations)


def _marked(term: Expr) -> Expr:
    pair = _pair(term)
    if pair is None:
        return term
    a, b = pair
    if (len(a.indices), read_name(a)) < (len(b.indices), read_name(b)):
        return -Difference(b, a)
    return Difference(a, b)
