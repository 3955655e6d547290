"""Binders over the rows and columns of a square matrix: its determinant, and the logarithm of that.

    Determinant(A[i, j], i, j)          LogDeterminant(A[i, j], i, j), which is log |det A|

The derivative of log |det A| by A[i, j] is that entry of the transposed inverse, which is defined implicitly: it is a
companion that only a derivative makes, and the rule goes on through it.
"""

from math import isqrt

from sympy import Abs, Expr, KroneckerDelta, Matrix, Sum, log

from .binders import Binder
from .terms import fresh, index_names, instantiated


class Determinant(Binder):
    """The determinant of a square matrix; differentiable where that is not 0."""

    word = "det"
    companion_word = "inverse"
    companion_by_term = True
    implicit_companion = True

    def companion(self, unknown: Expr) -> Expr:
        """Return what vanishes for the transposed inverse: Sum over k of A[k, i] C[k, j], minus the identity."""
        (i, *_), (j, *_) = self.limits
        k = fresh(i, index_names(self.function) | {n.name for n in unknown.indices} | {i.name, j.name})
        entry = instantiated(self.function, {i: k, j: i})
        return Sum(entry * unknown.xreplace({i: k}), k) - KroneckerDelta(i, j)

    def partial(self, value: Expr, inverse: Expr) -> Expr:
        """Return the derivative of the value by one entry of the matrix."""
        return value * inverse

    @staticmethod
    def of(terms):
        """Return its value on explicit entries, in stock SymPy."""
        size = isqrt(len(terms))
        return Matrix(size, size, terms).det(method="berkowitz")


class LogDeterminant(Determinant):
    """The logarithm of the absolute value of the determinant of a square matrix."""

    word = "logdet"

    def partial(self, value: Expr, inverse: Expr) -> Expr:
        """Return the derivative of the value by one entry of the matrix."""
        return inverse

    @staticmethod
    def of(terms):
        """Return its value on explicit entries, in stock SymPy."""
        return log(Abs(Determinant.of(terms)))
