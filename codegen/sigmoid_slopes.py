"""The derivative of a sigmoid whose value is there: s(z) s(-z) is i/(1 + exp(z)) where i = sigmoid(z).

It takes half the operations of the derivative by itself, and loses as few digits at both ends.
"""

from sympy import Expr, Function, Indexed

from derive.functions import sigmoid
from derive.program import Equation, Program
from derive.terms import free_indices, read_name, runs_over

from .lowering import slope


class slope_at(Function):
    """The derivative of sigmoid at x, given s = sigmoid(x) and x."""


def with_slopes_of_values(program: Program) -> Program:
    """Return a lowered program in which derivatives of sigmoids that have a name take their values."""
    known = {_place(e.rhs.args[0]): e for e in program.equations if isinstance(e.rhs, sigmoid) and _is_of_all(e)}

    def changed(x):
        e = known.get(_place(x)) if isinstance(x, Indexed) else None
        return slope_at(e.lhs.base[_varying(x)], x) if e and all(map(_is_from_0, x.indices)) else slope(x)

    return program.with_equations(e.with_rhs(e.rhs.replace(slope, changed)) if e.rhs.has(slope) else e
                                  for e in program.equations)


def _is_of_all(equation: Equation) -> bool:
    """Tell whether an equation is about all entries of the array, or of the block, that it reads, each at its place."""
    x = equation.rhs.args[0]
    return isinstance(x, Indexed) and _varying(x) == equation.free == equation.indices != () and all(
        i.is_Integer or runs_over(i, size) for i, size in zip(x.indices, x.base.shape, strict=True))


def _is_from_0(position: Expr) -> bool:
    """Tell whether a position is never that of the row before the first, which states alone have."""
    return bool(position.xreplace({i: i.lower for i in free_indices(position)}).is_nonnegative)


def _varying(read: Indexed) -> tuple[Expr, ...]:
    return tuple(p for p in read.indices if not p.is_Integer)


def _place(read: Indexed) -> tuple:
    """Return what is the same in all reads of one block of an array: its name, and the numbers among its indices."""
    return read_name(read), *(p if p.is_Integer else None for p in read.indices)
