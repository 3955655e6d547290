"""Functions that NumPy lacks, by those that it has, as a hand would write them: coth(x) as 1/tanh(x).

What is 1/sinh or 1/cosh is written by sech, which does not overflow: cosh(x) does where x is 711.
"""

from collections.abc import Callable

from sympy import (
    Expr,
    Pow,
    acos,
    acosh,
    acot,
    acoth,
    acsc,
    acsch,
    asec,
    asech,
    asin,
    asinh,
    atan,
    atanh,
    cos,
    cosh,
    cot,
    coth,
    csc,
    csch,
    sec,
    sech,
    sin,
    sinh,
    tan,
    tanh,
)

from derive.program import Program
from derive.terms import bottom_up

BY_OTHERS: dict[type, Callable[[Expr], Expr]] = {
    cot: lambda x: 1 / tan(x), sec: lambda x: 1 / cos(x), csc: lambda x: 1 / sin(x), coth: lambda x: 1 / tanh(x),
    csch: lambda x: sech(x) / tanh(x), acot: lambda x: atan(1 / x), acoth: lambda x: atanh(1 / x),
    asec: lambda x: acos(1 / x), acsc: lambda x: asin(1 / x), asech: lambda x: acosh(1 / x),
    acsch: lambda x: asinh(1 / x),
}  # fmt: skip


def with_functions_written_out(program: Program) -> Program:
    """Return the program without functions that NumPy lacks and others say."""
    return program.with_equations(e.with_rhs(bottom_up(e.rhs, _written_out)) for e in program.equations)


def _written_out(term):
    if type(term) in BY_OTHERS:
        return BY_OTHERS[type(term)](*term.args)
    if isinstance(term, Pow) and term.exp.is_negative and isinstance(term.base, cosh | sinh):
        [x] = term.base.args
        return (sech(x) if isinstance(term.base, cosh) else sech(x) / tanh(x)) ** -term.exp
    return term
