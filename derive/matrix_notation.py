"""Matrix notation on a network: MatrixSymbols are declared, and what is written with them becomes index equations."""

from functools import cached_property
from typing import Any

from sympy import Add, Eq, Expr, KroneckerDelta, MatrixExpr, MatrixSymbol

from .matrices import axes_of, indexed, shape_without_ones
from .matrix_inverses import Inverses
from .triangles import residual


class MatrixNotation:
    """What a network does with SymPy's matrix expressions."""

    _canonical: Any
    _declare: Any
    _index_for: Any
    _unused: Any
    define: Any
    implicitly: Any
    unknown: Any

    def _declare_given(self, given, shape, kind, note):
        """Declare an array by name and shape; a MatrixSymbol brings both, and is what it is written with."""
        if not isinstance(given, MatrixSymbol):
            return self._declare(given, shape, kind, note=note)
        self._declare(given.name, shape_without_ones(given.shape), kind, note=note)
        return given

    def _define_matrix(self, name: str, value: Expr, note: str = "") -> Expr:
        """Define what is written in matrix algebra; it goes on as a MatrixSymbol, a scalar as a symbol."""
        value = self._inverses.solved(value)
        indices = self._canonical(axes_of(value))
        base = self.define(name, indexed(value, indices, self._index_for), over=indices, note=note)
        return MatrixSymbol(name, *value.shape) if indices else base

    def _in_indices(self, scalar: Expr) -> Expr:
        """Return a scalar that is written in matrix algebra in index notation."""
        return indexed(self._inverses.solved(scalar), (), self._index_for)

    @cached_property
    def _inverses(self):
        return Inverses(
            lambda stem, matrix: self._define_matrix(self._unused(stem), matrix), self._solve, self._factorise)

    def _factorise(self, stem: str, matrix: MatrixExpr) -> MatrixSymbol:
        """Name the Cholesky factor of the symmetric part of a matrix."""
        factor = MatrixSymbol(self._unused(stem), *matrix.shape)
        indices = self._canonical(axes_of(factor))
        unknown = self.unknown(factor.name, *axes_of(factor))
        whole = Add(*(indexed(m, indices, self._index_for) for m in (matrix, matrix.T))) / 2
        self.implicitly(unknown, residual(unknown[indices], whole), over=indices, start=KroneckerDelta(*indices))
        return factor

    def _solve(self, stem: str, matrix: MatrixExpr, right: MatrixExpr) -> MatrixSymbol:
        """Name the solution of matrix*Y = right."""
        solution = MatrixSymbol(self._unused(stem), *right.shape)
        indices = self._canonical(axes_of(solution))
        unknown = self.unknown(solution.name, *axes_of(solution))
        sides = (indexed(side, indices, self._index_for) for side in (matrix * solution, right))
        self.implicitly(unknown, Eq(*sides, evaluate=False), over=indices)
        return solution
