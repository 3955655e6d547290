"""The derivative of a sigmoid whose value is there: s(z) s(-z) is i/(1 + exp(z)) where i = sigmoid(z).

It takes half the operations of the derivative by itself, and loses as few digits at both ends.
"""

from sympy import Function, Indexed

from derive.functions import sigmoid
from derive.program import Program
from derive.terms import read_name, runs_over

from .lowering import slope


class slope_at(Function):
    """The derivative of sigmoid at x, given s = sigmoid(x) and x."""


def with_slopes_of_values(program: Program) -> Program:
    """Return a lowered program in which derivatives of sigmoids that have a name take their values."""
    known = {read_name(e.rhs.args[0]): e for e in program.equations if isinstance(e.rhs, sigmoid) and _is_of_all(e)}

    def changed(x):
        e = known.get(read_name(x))
        return slope_at(e.lhs.base[x.indices], x) if e and isinstance(x, Indexed) else slope(x)

    return program.with_equations(e.with_rhs(e.rhs.replace(slope, changed)) if e.rhs.has(slope) else e
                                  for e in program.equations)


def _is_of_all(equation):
    """Tell whether an equation is about all entries of the array that it reads, each at its own place."""
    x = equation.rhs.args[0]
    return isinstance(x, Indexed) and x.indices == equation.free == equation.indices != () \
        and all(map(runs_over, x.indices, x.base.shape))
