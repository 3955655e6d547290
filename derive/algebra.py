"""Matrix algebra out: index equations written with SymPy's MatrixSymbols, products, transposes and traces.

`Algebra(program).gradient("X")` is the gradient by X in the algebra of what the user wrote, `A.T*B.T` for Trace(A*X*B),
with everything that was named on the way written out. A vector is a column.
"""

from collections.abc import Mapping
from functools import cached_property

from sympy import (
    Abs,
    Add,
    Determinant,
    DiagonalOf,
    Eq,
    Expr,
    HadamardPower,
    HadamardProduct,
    Identity,
    Idx,
    Indexed,
    Inverse,
    KroneckerDelta,
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    Mul,
    OneMatrix,
    Pow,
    S,
    Sum,
    Symbol,
    Trace,
    log,
)
from sympy.matrices.expressions.diagonal import DiagMatrix

from .consequences import SYMMETRIC
from .determinants import Determinant as OfEntries
from .determinants import LogDeterminant as LogOfEntries
from .errors import DerivationError
from .forms import form
from .implicit import linear_system
from .matrix_length import length, shortest, with_symmetric
from .nodes import Apply, Bracket, Gather, Node, Outer, Product, Read, Reduction, Scalar, Spread
from .nodes import Transpose as Turned
from .paper.nodes import ONE, opened, pulled, size_of
from .program import Equation, Program
from .terms import bottom_up, read_name, reads


class Algebra:
    """A program's equations in matrix algebra.

    Parameters
    ----------
    program : a derived program.
    written_out : whether what an equation reads is replaced by what defines it.
    """

    def __init__(self, program: Program, written_out: bool = True, known: Mapping[str, Expr] | None = None):
        self.program, self.written_out = program, written_out
        self._known: dict[str, Expr] = dict(known or {})

    def gradient(self, name: str) -> Expr:
        """Return the gradient by a parameter.

        Raises
        ------
        DerivationError
            An equation without a form in matrix algebra; the message names it.
        """
        return self.variable(self.program.adjoints[name])

    def equations(self) -> list[Eq]:
        """Return every equation, forward and backward, between whole matrices."""
        return [Eq(self.symbol(e.name), self.value(e), evaluate=False) for e in self.program.equations]

    def variable(self, name: str) -> Expr:
        """Return a variable written out: what defines it, its symbol where nothing does."""
        if name not in self._known:
            lines = self.program.defining(name)
            if not lines:
                return self.symbol(name)
            if len(lines) > 1:
                raise DerivationError(f"{name} is a state, which has no form in matrix algebra")
            self._known[name] = self.value(lines[0])
        return self._known[name]

    @cached_property
    def _symmetric(self):
        names = {n for a in self.program.assumptions if a.kind in SYMMETRIC for n in a.about}
        return frozenset(self.symbol(n) for n in sorted(names))

    def _short(self, value: Expr) -> Expr:
        return shortest(with_symmetric(value, self._symmetric))

    def symbol(self, name: str) -> Expr:
        """Return the symbol that stands for a variable."""
        variable = self.program.variables[name]
        if len(variable.shape) > 2:
            raise DerivationError(f"{name} has {len(variable.shape)} axes; matrix algebra has two")
        return MatrixSymbol(name, *[*variable.shape, S.One][:2]) if variable.shape else variable.base

    def value(self, equation: Equation) -> Expr:
        """Return the right-hand side of an equation."""
        if equation.implicit:
            return self._solution(equation)
        if len(equation.free) > 2 or equation.free != equation.indices:
            raise DerivationError(f"{equation.name} has no form in matrix algebra: {equation}")
        return self._array(equation.rhs, equation.free, equation)

    def _solution(self, equation: Equation) -> Expr:
        """Return what a linear implicit equation defines: the inverse of its matrix times the right-hand side."""
        system = linear_system(equation, self.program)
        if system is None or system.stack or len(system.rows) != 1:
            raise DerivationError(f"{equation.name} has no form in matrix algebra: {equation}")
        [row], [column] = system.rows, system.columns
        matrix = self._array(system.matrix, (row, column), equation)
        right = self._array(system.right, equation.free, equation)
        if equation.free and equation.free[0] != row:                  # the unknown is the transpose of a solution
            return self._short(MatMul(right, Inverse(matrix).T).doit(deep=False))
        return self._short(MatMul(Inverse(matrix), right).doit(deep=False))

    def _array(self, expr, axes, equation):
        try:
            row, column = _down_and_across(axes)
            return self._short(_Writer(self).array(form(bottom_up(expr, _with_brackets_apart), axes), row, column))
        except NotAlgebra as error:
            raise DerivationError(f"{equation.name} has no form in matrix algebra ({error}): {equation}") from error


class NotAlgebra(ValueError):
    """A part of an equation that SymPy's matrix algebra has no word for."""


class _Writer:
    """Turns array forms into matrix expressions. An array without axes is a scalar expression."""

    def __init__(self, algebra: Algebra):
        self.algebra = algebra

    def array(self, node: Node, row: Idx | None, column: Idx | None) -> Expr:
        """Return a node with the axis `row` down and the axis `column` across; None is an axis of size 1."""
        if row is None and column is None:
            return self.scalar(node)
        coefficient, rest = pulled(node)
        if rest == ONE or not rest.axes:
            return _product([self.scalar(node)], [OneMatrix(_size(row), _size(column))])
        if coefficient != 1:
            return _product([coefficient], [self.array(rest, row, column)])
        return self._array(rest, row, column)

    def _array(self, node, row, column):
        match node:
            case Turned():
                return self.array(node.body, row, column)
            case Read():
                return _turned(self._read(node.name), node.axes, row, column)
            case Gather():
                return _turned(self._diagonal_of(node), node.axes, row, column)
            case Bracket():
                return self._identity(node)
            case Product():
                return self._contraction(node, row, column)
            case Outer():
                down, across = (node.left, node.right) if node.left.axes == (row,) else (node.right, node.left)
                return _times(self.array(down, row, None), self.array(across, None, column))
            case Spread():
                return self._spread(node, row, column)
            case Reduction():
                return self._reduction(node, row, column)
            case Apply(head=head):
                if head is Add:
                    return shortest(MatAdd(*(self.array(a, row, column) for a in node.args)).doit(deep=False))
                return self._elementwise(node, row, column)
        raise NotAlgebra(type(node).__name__)

    def scalar(self, node: Node) -> Expr:
        """Return a node without axes."""
        coefficient, rest = pulled(node)
        if coefficient != 1:
            return coefficient * (self.scalar(rest) if rest != ONE else 1)
        match node:
            case Scalar():
                return self._written(node.expr)
            case Product() if len(node.over) == 1:
                [k] = node.over
                return _dot(self.array(node.left, k, None), self.array(node.right, k, None))
            case Product(over=(i, k)):
                return Trace(_times(self.array(node.left, i, k), self.array(node.right, k, i)))
            case Reduction(binder=binder) if binder is Sum:
                return self._total(node)
            case Reduction(binder=binder) if issubclass(binder, OfEntries):
                [row, column] = node.over
                determinant = Determinant(self.array(node.body, row, column))
                return log(Abs(determinant)) if issubclass(binder, LogOfEntries) else determinant
            case Apply(head=head):
                return head(*map(self.scalar, node.args))
        raise NotAlgebra(str(type(node).__name__))

    # ---- what is read

    def _read(self, name):
        return self.algebra.variable(name) if self.algebra.written_out else self.algebra.symbol(name)

    def _written(self, expr):
        """Return a scalar expression with what its variables stand for."""
        names = [v.name for v in self.algebra.program.variables.values() if not v.shape]
        return expr.xreplace({r: self._read(read_name(r)) for r in reads(expr, names)})

    def _diagonal_of(self, node):
        """A[i, i] is the diagonal of A."""
        indices = node.read.indices
        if len(indices) == 2 and indices[0] == indices[1] == (node.axes or (None,))[0]:
            return DiagonalOf(self._read(node.read.base.name))
        raise NotAlgebra(str(node.read))

    def _identity(self, node):
        if node.head is KroneckerDelta and [type(s.expr) for s in (node.left, node.right)] == [Idx, Idx]:
            return Identity(_size(node.axes[0]))
        raise NotAlgebra(f"{node.head.__name__} of indices")

    # ---- sums

    def _contraction(self, node, row, column):
        left, right = node.left, node.right
        if len(node.over) != 1 or set(left.axes) & set(right.axes) != set(node.over):
            raise NotAlgebra("a product over several axes")
        [k] = node.over
        if row not in left.axes if row is not None else column in left.axes:
            left, right = right, left
        return _times(self.array(left, row, k), self.array(right, k, column))

    def _reduction(self, node, row, column):
        if node.binder is not Sum or len(node.over) != 1 or len(node.body.axes) != 2:
            raise NotAlgebra(node.binder.__name__)
        [k] = node.over
        ones = OneMatrix(_size(k), 1)
        if column is None:
            return _times(self.array(node.body, row, k), ones)
        return _times(ones.T, self.array(node.body, k, column))

    def _total(self, node):
        """A sum over all axes: a trace where the body is a product of two arrays."""
        if any(i not in node.body.axes for i in node.over):
            raise NotAlgebra("a sum over what does not vary")
        factors = opened(node.body)
        if len(node.over) == 1:
            if isinstance(node.body, Gather):
                return Trace(self._diagonal_of(node.body).arg)
            [k] = node.over
            if _is_square(node.body):
                return _dot(*[self.array(node.body.args[0], k, None)] * 2)
            left = self.array(factors[0], k, None) if len(factors) > 1 else OneMatrix(_size(k), 1)
            rest = self._rest(factors[1:], node.body.axes) if len(factors) > 1 else node.body
            return _dot(left, self.array(rest, k, None))
        if len(node.over) != 2:
            raise NotAlgebra("a sum over several axes")
        i, k = node.body.axes
        if _is_square(node.body):
            base = node.body.args[0]
            return Trace(_times(self.array(base, i, k), self.array(base, k, i)))
        if len(factors) > 1:
            rest = self.array(self._rest(factors[1:], node.body.axes), k, i)
            return Trace(_times(self.array(factors[0], i, k), rest))
        return _dot(OneMatrix(_size(i), 1), _times(self.array(node.body, i, k), OneMatrix(_size(k), 1)))

    def _rest(self, factors, axes):
        return factors[0] if len(factors) == 1 else Apply(axes, Mul, tuple(factors))

    def _spread(self, node, row, column):
        body = node.body
        if body.axes == (row,):
            return _times(self.array(body, row, None), OneMatrix(1, _size(column)))
        return _times(OneMatrix(_size(row), 1), self.array(body, None, column))

    # ---- entry by entry

    def _elementwise(self, node, row, column):
        if node.head is Mul:
            return self._hadamard(opened(node), row, column)
        if node.head is Pow and isinstance(node.args[1], Scalar):
            base = self.array(node.args[0], row, column)
            return HadamardPower(base, self.scalar(node.args[1]))
        varying = [a for a in node.args if not isinstance(a, Scalar)]
        if len(varying) != 1:
            raise NotAlgebra(f"{node.head.__name__} of several arrays")
        x = Symbol("x", real=True)
        function = node.head(*(x if a is varying[0] else self.scalar(a) for a in node.args))
        return self.array(varying[0], row, column).applyfunc(lambda v: function.xreplace({x: v}))

    def _hadamard(self, factors, row, column):
        """Scalars before, vectors that scale rows and columns as diagonal matrices, the rest entry by entry."""
        scalars = [self.scalar(f) for f in factors if not f.axes]
        arrays = [f for f in factors if f.axes]
        if row is None or column is None:
            return _product(scalars, [_entrywise([self.array(f, row, column) for f in arrays])])
        if any(isinstance(f, Bracket) and self.array(f, row, column) == Identity(_size(row)) for f in arrays):
            others = [self.array(f, row, column) for f in arrays if not isinstance(f, Bracket)]
            return _product(scalars, [_entrywise([min(a, a.T, key=length) for a in others] + [Identity(_size(row))])])
        full = [f for f in arrays if not isinstance(f, Spread)]
        scales = [f.body for f in arrays if isinstance(f, Spread)]
        downs, acrosses = ([self.array(v, i, None) for v in scales if v.axes == (i,)] for i in (row, column))
        if not full:
            return _product(scalars, [_entrywise(downs), _entrywise(acrosses).T])
        return _product(scalars, [*_diagonal(downs), _entrywise([self.array(f, row, column) for f in full]),
                                  *_diagonal(acrosses)])


# ---- building


def _with_brackets_apart(term):
    """Return a product with a sum of brackets multiplied out: (1 - [i = k])*A[i, k] is A[i, k] - [i = k]*A[i, k]."""
    for f in term.args if isinstance(term, Mul) else ():
        if isinstance(f, Add) and f.has(KroneckerDelta) and not f.has(Indexed):
            return Add(*(_with_brackets_apart(Mul(t, *(a for a in term.args if a is not f))) for t in f.args))
    return term


def _down_and_across(axes):
    return [*axes, None, None][:2]


def _size(index):
    return S.One if index is None else size_of(index)


def _turned(matrix, axes, row, column):
    """Return a matrix, whose axes stand as given, with `row` down."""
    upright = axes[0] == row
    return matrix if upright else shortest(matrix.T)


def _times(left, right):
    return MatMul(left, right).doit(deep=False)


def _product(scalars, matrices):
    product = MatMul(*scalars, *matrices)
    return product if len(matrices) == 1 and isinstance(matrices[0], MatAdd) else product.doit(deep=False)


def _entrywise(matrices):
    """Return the product entry by entry, scalar factors before it."""
    if len(matrices) == 1:
        return matrices[0]
    parts = [a.as_coeff_mmul() if isinstance(a, MatMul) else (S.One, a) for a in matrices]
    return _product([c for c, _ in parts], [HadamardProduct(*(m for _, m in parts))])


def _diagonal(vectors):
    return [DiagMatrix(_entrywise(vectors))] if vectors else []


def _dot(left, right):
    """Return the inner product of two columns: a trace is a scalar of SymPy's, a product 1 by 1 is not."""
    if isinstance(left, OneMatrix):
        return _sum_of(right)
    return Trace(_times(shortest(left.T), right))


def _sum_of(column):
    """Return the sum of the entries of a column; that of a diagonal is a trace."""
    if isinstance(column, MatAdd):
        return Add(*map(_sum_of, column.args))
    if isinstance(column, DiagonalOf):
        return Trace(column.arg)
    if isinstance(column, MatMul) and not isinstance(column.args[0], MatrixExpr):
        scalars = [a for a in column.args if not isinstance(a, MatrixExpr)]
        return Mul(*scalars, _sum_of(MatMul(*(a for a in column.args if isinstance(a, MatrixExpr))).doit(deep=False)))
    return Trace(_times(OneMatrix(1, column.rows), column))


def _is_square(node):
    return isinstance(node, Apply) and node.head is Pow and node.args[1] == Scalar((), S(2))
