"""The solution of a linear system as an expression over indices, as an array form, and as code.

`Solution` is bound like a sum: its right-hand side varies with the rows of the matrix, its value with the place where
it is read. The matrix, or its factor, is a variable of its own, so that several solutions share it.
"""

from dataclasses import dataclass

from sympy import Expr, Idx, Symbol, Tuple
from sympy.core.symbol import Str

from derive.binders import Binder
from derive.forms import arranged, form
from derive.nodes import Node, Scalar, Spread
from derive.terms import free_indices

from .precedence import ATOM, Text

HELPERS = {
    "_lu": '''
def _lu(name, matrix):
    """Return the LU factors of a matrix, for `lu_solve`: computed once for all that is solved with it."""
    getrf, = get_lapack_funcs(("getrf",), (matrix,))
    lu, pivots, singular = getrf(matrix)
    if singular:
        raise np.linalg.LinAlgError(f"{name} is singular; expected a matrix of full rank")
    return lu, pivots
''',
    "_cholesky": '''
def _cholesky(name, matrix):
    """Return the lower triangular L with L L' = matrix."""
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise np.linalg.LinAlgError(f"{name} is not positive definite") from None
''',
    "_solved": '''
def _solved(name, matrix, right):
    """Return the solution of a linear system that defines a variable."""
    try:
        return np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        raise np.linalg.LinAlgError(f"the matrix of {name} is singular; expected one of full rank") from None
''',
    "_inverse": '''
def _inverse(name, matrix):
    """Return the inverse of a matrix, which is itself a variable."""
    try:
        return np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        raise np.linalg.LinAlgError(f"{name} is singular; expected a matrix of full rank") from None
''',
}


class Parts(Expr):
    """What a binder of this kind is made of: of a solution how it is found, its name, right-hand side, matrix, ..."""

    is_commutative = True
    is_value = False            # a choice in a part stays there

    def _eval_is_real(self):
        return True


class Identity(Expr):
    """The entry of an identity matrix as a right-hand side."""

    is_commutative = True

    def as_node(self, axes):
        """Return the array form."""
        return Eye(tuple(i for i in axes if i in self.args))

    def _eval_is_real(self):
        return True


class Solution(Binder):
    """The entry of the solution of a linear system at some places; bound are the rows and columns of the matrix."""

    @classmethod
    def made(cls, how: str, name: str, right: Expr, matrix: Expr, rows, columns, places) -> "Solution":
        """Return a solution; `how` is "lu", "lower", these "transposed", "cholesky" or "general"."""
        parts = Parts(Str(how), Str(name), right, matrix, Tuple(*rows), Tuple(*columns), Tuple(*places))
        return cls(parts, *rows, *(() if how.endswith("lu") else columns))

    def as_node(self, axes) -> "Solve":
        """Return the array form."""
        how, name, right, matrix, rows, columns, places = self.function.args
        rows, columns, places = tuple(rows), tuple(columns), tuple(places)
        stack = tuple(i for i in axes if i in free_indices(matrix) and i not in (*rows, *columns))
        several = tuple(i for i in axes if i in free_indices(right) and i not in (*rows, *stack))
        inner = form(right, (*stack, *rows, *several))
        plain = isinstance(matrix, Symbol)
        left = Scalar((), matrix) if plain else form(matrix, (*stack, *rows, *columns))
        return Solve((*stack, *places, *several), how.name, name.name, inner, left, stack, rows, columns, several)


class Factored(Binder):
    """The LU factors of a matrix, a pair of arrays."""

    word = "lu"

    def as_node(self, axes) -> "Factor":
        """Return the array form."""
        bound = tuple(limit[0] for limit in self.limits)
        return Factor((), form(self.function, bound), self.function.base.name)


class Triangle(Binder):
    """An entry of the Cholesky factor of a matrix, at two places."""

    @classmethod
    def made(cls, name: str, matrix: Expr, rows, columns, places) -> "Triangle":
        """Return the entry of the factor at (row, column)."""
        return cls(Parts(Str(name), matrix, *places), rows, columns)

    def as_node(self, axes) -> "Cholesky":
        """Return the array form."""
        name, matrix, *places = self.function.args
        bound = tuple(limit[0] for limit in self.limits)
        stack = tuple(i for i in axes if i in free_indices(matrix) and i not in bound)
        return Cholesky((*stack, *places), form(matrix, (*stack, *bound)), name.name)


class OfMatrix(Binder):
    """A number that is computed of a matrix: "det", "logdet", or "lu", logdet by the factors that there are."""

    def as_node(self, axes) -> "Number":
        """Return the array form."""
        how, matrix = self.function.args
        if how.name == "lu":
            return Number((), how.name, Scalar((), matrix))
        bound = tuple(limit[0] for limit in self.limits)
        stack = tuple(i for i in axes if i in free_indices(matrix) and i not in bound)
        return Number(stack, how.name, form(matrix, (*stack, *bound)))


OF_MATRICES = (Identity, Solution, Factored, Triangle, OfMatrix)       # what is computed of whole matrices


@dataclass(frozen=True)
class Number(Node):
    """A number that is computed of a matrix, or one of each of a stack."""

    how: str
    matrix: Node

    def text(self, printer) -> Text:
        """Print it."""
        code = printer.code(self.matrix)
        if self.how == "lu":
            return Text(f"np.log(np.abs(np.diagonal({code}[0]))).sum()")
        return Text(f"np.linalg.det({code})" if self.how == "det" else f"np.linalg.slogdet({code})[1]")


@dataclass(frozen=True)
class Eye(Node):
    """An identity matrix."""

    def text(self, printer) -> Text:
        """Print it."""
        size = printer.size(self.axes[0].upper + 1).code
        return Text(f"np.eye({size}, dtype={printer.like}.dtype)")


@dataclass(frozen=True)
class Factor(Node):
    """The LU factors of a matrix."""

    matrix: Node
    name: str

    def text(self, printer) -> Text:
        """Print it."""
        printer.helpers["lu"] = printer.linalg["get_lapack_funcs"] = None
        return Text(f'_lu("{self.name}", {square(self.matrix, len(self.matrix.axes) // 2, printer)})')


@dataclass(frozen=True)
class Cholesky(Node):
    """The Cholesky factor of a matrix, or of a stack of them."""

    matrix: Node
    name: str

    def text(self, printer) -> Text:
        """Print it."""
        printer.helpers["cholesky"] = None
        return Text(f'_cholesky("{self.name}", {printer.code(self.matrix)})')


def square(matrix: Node, rank: int, printer) -> str:
    """Print a matrix; one whose rows are told by several indices has them joined, and so its columns."""
    text = printer.text(matrix)
    if rank == 1:
        return text.code
    *stack, size = [printer.size(i.upper + 1).code for i in matrix.axes[:-2 * rank]] + [
        " * ".join(printer.size(i.upper + 1).code for i in matrix.axes[-rank:])]
    return f"{text.inside(ATOM)}.reshape({', '.join([*stack, size, size])})"


@dataclass(frozen=True)
class Solve(Node):
    """The solution of a linear system, or of a stack of them."""

    how: str
    name: str
    right: Node
    matrix: Node
    stack: tuple[Idx, ...]
    rows: tuple[Idx, ...]
    columns: tuple[Idx, ...]
    several: tuple[Idx, ...]

    def text(self, printer) -> Text:
        """Print it: the right-hand side as a matrix of one column, or more, where it is none by itself."""
        if isinstance(self.right, Eye) and self.how == "general":
            printer.helpers["inverse"] = None
            return Text(f'_inverse("{self._matrix_name()}", {self._matrix(printer)})')
        code, end = self._right(printer), ""
        joined = len(self.rows) > 1 or len(self.several) > 1
        if joined:
            shape = [*self.stack, *([] if len(self.rows) > 1 else self.rows)]
            sizes = [printer.size(i.upper + 1).code for i in shape]
            code = f"{code}.reshape({', '.join([*sizes, *self._flat(printer)])})"
            sizes = [printer.size(i.upper + 1).code for i in (*self.stack, *self.rows, *self.several)]
            end = f".reshape({', '.join(sizes)})"
        if self.stack and not self.several:
            code, end = f"{code}[..., None]", f"[..., 0]{end}"
        return Text(f"{self._call(code, printer)}{end}")

    def _flat(self, printer):
        """Return the sizes of the rows, as one, and of what is solved for together, as one."""
        rows = ["-1"] if len(self.rows) > 1 and len(self.several) < 2 else \
            [" * ".join(printer.size(i.upper + 1).code for i in self.rows)] if len(self.rows) > 1 else []
        if len(self.several) > 1:
            return [*rows, "-1"]
        return [*rows, *(printer.size(i.upper + 1).code for i in self.several)]

    def _right(self, printer):
        axes = (*self.stack, *self.rows, *self.several)
        node = arranged(self.right, axes)
        inside = node.body if isinstance(node, Spread) else node
        missing = [i for i in (*self.rows, *self.several) if i not in inside.axes]
        if missing:
            shape = ", ".join(printer.size(i.upper + 1).code for i in axes)
            return f"np.full(({shape}{',' if len(axes) == 1 else ''}), {printer.code(node)}, {printer.like}.dtype)"
        text = printer.text(node)
        return text.inside(ATOM) if len(self.rows) > 1 or len(self.several) > 1 or (self.stack and not self.several) \
            else text.code

    def _matrix(self, printer):
        return square(arranged(self.matrix, (*self.stack, *self.rows, *self.columns)), len(self.rows), printer)

    def _matrix_name(self):
        return getattr(self.matrix, "name", "") or getattr(getattr(self.matrix, "body", None), "name", "") \
            or f"the matrix of {self.name}"

    def _call(self, code, printer):
        if self.how == "general":
            printer.helpers["solved"] = None
            return f'_solved("{self.name}", {self._matrix(printer)}, {code})'
        factor = printer.code(self.matrix)
        if self.how.endswith("lower"):
            printer.linalg["solve_triangular"] = None
            trans = ", trans=1" if self.how.startswith("transposed") else ""
            return f"solve_triangular({factor}, {code}, lower=True{trans})"
        if self.how == "cholesky":
            printer.linalg["cho_solve"] = None
            return f"cho_solve(({factor}, True), {code})"
        printer.linalg["lu_solve"] = None
        return f"lu_solve({factor}, {code}{', trans=1' if self.how == 'transposed lu' else ''})"
