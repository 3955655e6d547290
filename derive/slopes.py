"""Derivatives inside a loss: `derivative(u, x)`, written where its value stands and named before anything else.

In index notation, `derivative(u[n], x[n])` is the derivative of one entry by another. In array notation the leading
axes that u and x share are the examples, each of which depends on its own row of x alone: u (N,) by x (N, D) is (N, D).
"""

from sympy import Expr, Indexed, Integer, Symbol

from .arrays import Array, ArrayNode, at, is_array, shape_of
from .conversion import symbolic
from .errors import DefinitionError


class Slope(Expr):
    """The derivative of a scalar by one read, as it stands in an equation; `rows` axes of the two are examples."""

    def __new__(cls, u, x, rows=0):
        return Expr.__new__(cls, u, x, Integer(rows))

    def _eval_is_real(self):
        return True

    def _eval_is_extended_real(self):
        return True

    def _sympystr(self, printer):
        return f"derivative({self.args[0]}, {self.args[1]})"


class Slopes(ArrayNode):
    """The derivative of an array by another, example by example."""

    @property
    def rows(self):
        u, x = map(shape_of, self.args)
        return next((k for k, (a, b) in enumerate(zip(u, x, strict=False)) if a != b), min(len(u), len(x)))

    @property
    def shape(self):
        u, x = map(shape_of, self.args)
        return (*u, *x[self.rows:])

    def at(self, indices, name_index):
        u, x = self.args
        rank, rows = len(shape_of(u)), self.rows
        return Slope(at(u, indices[:rank], name_index), at(x, (*indices[:rows], *indices[rank:]), name_index), rows)


def derivative(u, x) -> Expr:
    """Return the derivative of u by x, to be used in a definition or a loss like any other expression.

    Parameters
    ----------
    u : a variable, or an expression in variables; a scalar, or an array whose leading axes x has too.
    x : an input or a parameter, by name (array notation) or read at its indices (index notation).

    Raises
    ------
    DefinitionError
        x is no array, parameter or read.
    """
    u, x = symbolic(u), symbolic(x)
    if not isinstance(x, Array | Indexed | Symbol):
        raise DefinitionError(f"derivative({u}, {x}): expected an input or a parameter to differentiate by")
    return Slopes(u, x) if is_array(u) or is_array(x) else Slope(u, x)
