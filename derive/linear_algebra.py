"""Linear algebra in array notation: inverses, solutions of systems, Cholesky factors, determinants, diagonals.

    alpha = net.define("alpha", solve(K, y))                # K alpha = y, defined implicitly
    net.loss = y @ alpha / 2 + logdet(K) / 2

All take stacks of matrices too, (..., N, N). An inverse or a solution that stands inside a larger expression is given a
name, `inv_K`, `solve_alpha`; so is a matrix that has none. State `net.positive_definite(K)` where it is one.
"""

from typing import ClassVar

from sympy import Basic, Eq, Expr, Integer, KroneckerDelta, S, Symbol

from .arrays import Array, ArrayNode, MatMul, Transposed, _checked, _scope, at, broadcast, shape_of, shape_text
from .conversion import symbolic
from .determinants import Determinant, LogDeterminant
from .errors import DefinitionError
from .triangles import residual


def _square(a, what):
    shape = shape_of(a)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise DefinitionError(f"{what} of an array of shape {shape_text(shape)}; expected a square matrix, (..., N, N)")
    return shape


class Eye(ArrayNode):
    """An identity matrix."""

    @property
    def shape(self):
        return (self.args[0], self.args[0])

    def at(self, indices, name_index):
        return KroneckerDelta(*indices) if self.args[0] != 1 else Integer(1)


class Diagonal(ArrayNode):
    """The entries on the diagonal of a square matrix."""

    @property
    def shape(self):
        return _square(self.args[0], "the diagonal")[:-1]

    def at(self, indices, name_index):
        return at(self.args[0], (*indices, indices[-1]), name_index)


class Unknown(ArrayNode):
    """An array that is defined implicitly: `equation(Y)` is what Y satisfies, `start` where to look for it."""

    start: Expr = S.Zero

    @property
    def matrix(self) -> Expr:
        """The matrix that is inverted."""
        return self.args[0]

    def named(self, matrix: Expr) -> "Unknown":
        """Return the same of a matrix that has a name."""
        return self.func(matrix, *self.args[1:])

    def at(self, indices, name_index):
        raise DefinitionError(f"{self} needs a network to name it; use it in net.define(...) or net.loss")


class Inverse(Unknown):
    """The inverse of a matrix."""

    stem = "inv"

    @property
    def shape(self):
        return _square(self.matrix, "the inverse")

    def equation(self, unknown: Expr) -> Basic:
        """Return what the inverse satisfies."""
        return Eq(MatMul(self.matrix, unknown), Eye(self.shape[-1]), evaluate=False)


class Solved(Unknown):
    """The solution of a system with one right-hand side, or with several as columns."""

    stem = "solve"

    @property
    def shape(self):
        a, b = _square(self.matrix, "the solution with a matrix"), shape_of(self.args[1])
        axis = -1 if len(b) == 1 else -2
        if not b or b[axis] != a[-1]:
            vectors = len(b) == len(a) - 1 and b[-1:] == a[-1:]
            raise DefinitionError(
                f"solve(A, B): A has shape {shape_text(a)} and B {shape_text(b)}; expected B with {a[-1]} rows"
                f"{'; of a vector for each A, solve(A, B[..., None])[..., 0]' if vectors else ''}"
            )
        if len(b) == 1:
            return a[:-1]
        return (*broadcast([a[:-2], b[:-2]], self), *b[-2:])

    def equation(self, unknown: Expr) -> Basic:
        """Return what the solution satisfies."""
        return Eq(MatMul(self.matrix, unknown), self.args[1], evaluate=False)


class CholeskyFactor(Unknown):
    """The lower triangular matrix whose product with its transpose a matrix is."""

    stem = "chol"

    @property
    def shape(self):
        return _square(self.matrix, "the Cholesky factor")

    @property
    def start(self):
        return Eye(self.shape[-1])

    def equation(self, unknown: Expr) -> Basic:
        """Return what vanishes for the factor."""
        return CholeskyResidual(self.matrix, unknown)


class CholeskyResidual(ArrayNode):
    """L L' minus the symmetric part of a matrix; above the diagonal, what L has there beside it."""

    @property
    def shape(self):
        return shape_of(self.args[0])

    def at(self, indices, name_index):
        matrix, unknown = self.args
        *stack, row, column = indices
        whole = at(matrix, indices, name_index) + at(matrix, (*stack, column, row), name_index)
        return residual(unknown[tuple(indices)], whole / 2)


class OfDeterminant(ArrayNode):
    """A determinant, or the logarithm of one."""

    kinds: ClassVar = {"det": Determinant, "logdet": LogDeterminant}

    @property
    def shape(self):
        return _square(self.args[1], f"{self.args[0]}")[:-2]

    def at(self, indices, name_index):
        scope = _scope(indices)
        row = name_index(self.shape_of_matrix[-1], scope)
        column = name_index(self.shape_of_matrix[-1], scope | {row.name})
        return self.kinds[str(self.args[0])](at(self.args[1], (*indices, row, column), name_index), row, column)

    @property
    def shape_of_matrix(self):
        """The shape of the matrix."""
        return shape_of(self.args[1])


def inverse(a) -> Expr:
    """Return the inverse of a square matrix; prefer `solve`, which needs no inverse, where one is multiplied by it."""
    return _checked(Inverse(symbolic(a)))


def solve(a, b) -> Expr:
    """Return the solution Y of a Y = b for a square matrix a; b is a vector, or a matrix of columns."""
    return _checked(Solved(symbolic(a), symbolic(b)))


def cholesky(a) -> Expr:
    """Return the lower triangular L with L L' = (a + a')/2, which must be positive definite.

    The gradient by `a` is symmetric, as PyTorch's is. Where `a` is stated to be positive definite, and so symmetric
    (`net.positive_definite`), modules factorise it as it is, once for all that is solved with it too.
    """
    return _checked(CholeskyFactor(symbolic(a)))


def logdet(a) -> Expr:
    """Return log |det a| of a square matrix."""
    return _checked(OfDeterminant(Symbol("logdet"), symbolic(a)))


def det(a) -> Expr:
    """Return the determinant of a square matrix; its gradient needs one that is not singular."""
    return _checked(OfDeterminant(Symbol("det"), symbolic(a)))


def eye(size) -> Expr:
    """Return the identity matrix of a size."""
    return Eye(symbolic(size))


def diagonal(a) -> Expr:
    """Return the diagonal of a square matrix."""
    return _checked(Diagonal(symbolic(a)))


def is_named(matrix: Expr) -> bool:
    """Tell whether a matrix is a variable, or the transpose of one."""
    return isinstance(matrix, Array) or (isinstance(matrix, Transposed) and isinstance(matrix.args[0], Array))


def innermost_unknown(expr: Basic) -> Unknown | None:
    """Return a part of an expression that must be named before it is read, one without others inside; else None."""
    for a in expr.args:
        found = innermost_unknown(a)
        if found is not None:
            return found
    return expr if isinstance(expr, Unknown) else None
