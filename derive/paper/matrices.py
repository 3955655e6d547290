"""Matrix notation: one array form in, one piece out. Vectors are columns; what has no such form raises NotMatrix."""

from sympy import Add, Idx, KroneckerDelta, Max, Min, Mul, Piecewise, Pow, Rational, S, Sum, Symbol, exp
from sympy.logic.boolalg import And, Not, Or

from ..nodes import Apply, Bracket, Gather, Index, Node, Outer, Product, Read, Reduction, Scalar, Spread, Transpose
from .conditions import indicator
from .constants import is_negative
from .nodes import (
    ONE,
    ZERO,
    contracts,
    inverted,
    is_reciprocal,
    names,
    opened,
    pulled,
    signed,
    size_of,
    summands,
    summed,
)
from .pieces import TANGENT, Piece, Term, ordered_factors, ordered_terms
from .scalars import INDICATORS, Scalars, place_of_term
from .styles import Style


class NotMatrix(ValueError):
    """An expression that is written with indices."""


def _is_number(node):
    """Tell whether a node is a number or a scalar, also for all entries."""
    return isinstance(node.body if isinstance(node, Spread) else node, Scalar)


def _is_identity(node):
    """Tell whether a factor is [i = j] of the two axes."""
    return isinstance(node, Bracket) and node.head is KroneckerDelta and len(node.axes) == 2 and all(
        isinstance(side, Index) and isinstance(side.expr, Idx) for side in (node.left, node.right)
    ) and size_of(node.axes[0]) == size_of(node.axes[1])


class Matrices:
    """Prints array forms of at most two axes."""

    def __init__(self, style: Style):
        self.style, self.scalars = style, Scalars(style)

    def piece(self, node: Node) -> Piece:
        """Return an array, or a scalar, as a piece: a column for one axis, rows by columns for two.

        Raises
        ------
        NotMatrix
            The form, or a part of it, has no matrix notation.
        """
        if len(node.axes) > 2:
            raise NotMatrix(f"{len(node.axes)} axes")
        return self.oriented(node, *self._down_and_across(node.axes))

    def _own(self, axes):
        """Return axes down and across: of a matrix in columns, transposed."""
        return axes[::-1] if self.style.in_columns and len(axes) == 2 else axes

    def _down_and_across(self, axes):
        return [*self._own(axes), None, None][:2]

    def oriented(self, node: Node, row: Idx | None, column: Idx | None) -> Piece:
        """Return a node with the axis `row` down and the axis `column` across; None is an axis of size 1."""
        coefficient, node = pulled(node)
        if coefficient != 1:
            return self._scaled_by(coefficient, node, row, column)
        if _is_identity(node):
            return self.style.identity(self.scalars.piece(size_of(node.axes[0])))
        if isinstance(node, Transpose):
            return self.oriented(node.body, row, column)
        if isinstance(node, Product):
            return self._product(node, row, column)
        if isinstance(node, Outer):
            return self._outer(node, row, column)
        if isinstance(node, Spread):
            return self._spread(node, row, column)
        if isinstance(node, Apply) and node.head is Mul:
            return self._elementwise(node, row, column)
        piece = self._upright(node)
        if not node.axes or self._own(node.axes) == (row, column)[: len(node.axes)]:
            return piece
        turned = self.style.transposed(piece)
        if isinstance(node, Apply) and node.head is Add and any(
                contracts(a) or isinstance(a, Transpose) for a in node.args):
            upright_first = sorted(node.args, key=lambda a: not isinstance(a, Transpose))
            terms = (self._term(a, node.axes, row, column) for a in upright_first)
            return self._turned_least(turned, self.style.add(ordered_terms(terms)))
        return turned

    def _upright(self, node):
        """Return a leaf, a sum, a reduction or an elementwise function in its own orientation."""
        if isinstance(node, Read):
            return self.style.variable(node.name)
        if isinstance(node, Scalar):
            return self.scalars.piece(node.expr)
        if isinstance(node, Reduction):
            return self._reduction(node)
        if not isinstance(node, Apply) or node.head in (Piecewise, And, Or, Not):
            raise NotMatrix(type(node).__name__)
        if node.head is Add:
            if len(node.axes) == 2 and any(map(_is_scalar, node.args)) and not any(map(contracts, node.args)):
                raise NotMatrix("one number for all entries, which an index says better than 1 1'")
            return self.style.add(ordered_terms(self._term(a, node.axes) for a in node.args))
        return self._power(node) if node.head is Pow else self._function(node)

    def _turned_least(self, first, second):
        """Return the piece with fewer transposes in it, the first where there are as many."""
        mark = self.style.transpose_mark
        return second if second.text.count(mark) < first.text.count(mark) else first

    # ---- sums

    def _term(self, node, axes, *oriented):
        """A summand, in its own orientation or in another."""
        negative, node = signed(node)
        coefficient, rest = pulled(node)
        number = rest == ONE
        oriented = oriented or self._down_and_across(node.axes)
        piece = self.oriented(node, *oriented) if node.axes or number else self.repeated(node, axes)
        rank = len(node.body.axes if isinstance(node, Spread) else node.axes)
        places = self.style.names.places(names(node))
        order = place_of_term(number and coefficient, contracts(node), rank, places)
        return Term(negative, piece, (*order, self._place_of_tangent(node)))

    def _place_of_tangent(self, node):
        """Return how far to the right a product has its tangent: dA B comes before A dB."""
        return next((k for k, n in enumerate(names(node)) if self.style.rank(n) == TANGENT), -1)

    def repeated(self, node: Node, axes: tuple[Idx, ...]) -> Piece:
        """Return a scalar repeated along axes: b 1, or b 1 1'."""
        ones = [self._ones(i) for i in self._own(axes)]
        ones[1:] = map(self.style.transposed, ones[1:])
        negative, node = signed(node)
        repeated = self.style.times([*([] if node == ONE else [self.piece(node)]), *ones])
        return self.style.negated(repeated) if negative else repeated

    def _ones(self, index):
        return self.style.ones(self.scalars.piece(size_of(index)))

    # ---- matrix products

    def _product(self, node, row, column):
        """A matrix product: the factor with the row first."""
        left, right = node.left, node.right
        if len(node.over) == 2 and not node.axes and set(left.axes) == set(right.axes):
            return self.style.inner(*(self.oriented(side, *self._own(node.over)) for side in (left, right)))
        if len(node.over) != 1 or set(left.axes) & set(right.axes) != set(node.over):
            raise NotMatrix("a product over several axes")
        [k] = node.over
        if row is None and column is None:
            return self._inner(left, right, k)
        if row not in left.axes if row is not None else column in left.axes:
            left, right = right, left
        return self.style.times([self.oriented(left, row, k), self.oriented(right, k, column)])

    def _inner(self, left, right, k):
        """The inner product of two vectors, a parameter first; with a tangent in angles."""
        a, b = self.oriented(left, k, None), self.oriented(right, k, None)
        if TANGENT in (a.rank, b.rank):
            return self.style.inner(*((b, a) if a.rank == TANGENT else (a, b)))
        if self._place(right) < self._place(left):
            left, b = right, a
        return self.style.times([self.oriented(left, None, k), b])

    def _place(self, node):
        """Return what decides the order of two vectors: parameters, then as declared."""
        variable = self.style.names.program.variables.get(node.name) if isinstance(node, Read) else None
        parameter = variable is not None and variable.kind == "parameter"
        return not parameter, min(self.style.names.places(names(node)), default=-1)

    def _outer(self, node, row, column):
        down, across = (node.left, node.right) if node.left.axes == (row,) else (node.right, node.left)
        return self.style.times([self.oriented(down, row, None), self.oriented(across, None, column)])

    def _spread(self, node, row, column):
        """A vector repeated: 1 b' for the rows, v 1' for the columns."""
        if not node.body.axes:
            return self.repeated(node.body, self._own(tuple(i for i in (row, column) if i is not None)))
        if node.body.axes == (column,):
            return self.style.times([self._ones(row), self.oriented(node.body, None, column)])
        return self.style.times([self.oriented(node.body, row, None), self.style.transposed(self._ones(column))])

    # ---- products entry by entry

    def _scaled_by(self, coefficient, node, row, column):
        """A number or a quotient of sizes times the rest."""
        negative = is_negative(coefficient)
        number = self.scalars.constants.coefficient(-coefficient if negative else coefficient)
        if node == ONE:
            piece = number
        else:
            rest = self.oriented(node, row, column)
            piece = rest if coefficient == -1 else self.style.scaled(number, rest)
        return self.style.negated(piece) if negative else piece

    def _elementwise(self, node, row, column):
        """Scalars, then rows scaled, then arrays, then columns scaled."""
        factors = opened(node)
        scalars = self._scalar_factors([f for f in factors if not f.axes])
        return self.style.times([*scalars, *self._arrays([f for f in factors if f.axes], node.axes, row, column)])

    def _scalar_factors(self, factors):
        """Scalars, those below the line in a fraction."""
        tops = ordered_factors(self.piece(f) for f in factors if not is_reciprocal(f))
        bottoms = ordered_factors(self.piece(inverted(f)) for f in factors if is_reciprocal(f))
        if not bottoms:
            return [self.style.scalar_times(tops)] if tops else []
        top = self.style.scalar_times(tops) if tops else self.style.number("1")
        return [self.style.fraction(top, self.style.scalar_times(bottoms))]

    def _arrays(self, factors, axes, row, column):
        """Several arrays are multiplied in their own orientation and turned together; one is turned by itself."""
        if not factors:
            return []
        if len(factors) == 1 and not is_reciprocal(factors[0]):
            return [self.oriented(factors[0], row, column)]
        if any(map(_is_identity, factors)):
            return [self._diagonal_of([f for f in factors if not _is_identity(f)])]
        axes = self._own(axes)
        if len(axes) == 2 and axes == (column, row) and not all(isinstance(f, Spread) for f in factors):
            return self._with_diagonals(factors, axes, turned=True)
        pieces = self._with_diagonals(factors, axes) if len(axes) == 2 else [self._quotient(factors, axes)]
        if axes == (row, column)[: len(axes)]:
            return pieces
        return [self.style.transposed(self.style.times(pieces))]

    def _with_diagonals(self, factors, axes, turned=False):
        """Vectors scale rows and columns: diag(u) A diag(v); turned, diag(v) A' diag(u)."""
        full = [f for f in factors if not isinstance(f, Spread)]
        downs, acrosses = ([f.body for f in factors if isinstance(f, Spread) and f.body.axes == (i,)] for i in axes)
        if not full:
            return [self._quotient(downs, axes[:1]), self.style.transposed(self._quotient(acrosses, axes[1:]))]
        left, right = ([self._diagonal(v)] if v else [] for v in (downs, acrosses))
        core = self._quotient(full, axes)
        if not turned:
            return [*left, core, *right]
        return [*right, self._turned_least(self.style.transposed(core), self._quotient(full, axes[::-1])), *left]

    def _quotient(self, factors, axes):
        """Multiply and divide arrays of the same axes entry by entry."""
        tops = [f for f in factors if not is_reciprocal(f)]
        bottoms = [inverted(f) for f in factors if is_reciprocal(f)]
        top = self._hadamard(tops, axes) if tops else self.style.number("1")
        return self.style.divided(top, self._hadamard(bottoms, axes)) if bottoms else top

    def _hadamard(self, nodes, axes):
        return self.style.hadamard(ordered_factors(self.oriented(n, *[*axes, None, None][:2]) for n in nodes))

    def _diagonal_of(self, vectors):
        """Return the diagonal matrix of the product of vectors along either axis."""
        if not vectors or not all(isinstance(v, Spread) and len(v.body.axes) == 1 for v in vectors):
            raise NotMatrix("a condition on two indices")
        return self.style.diagonal(self.style.hadamard(ordered_factors(
            self.oriented(v.body, v.body.axes[0], None) for v in vectors)))

    def _diagonal(self, vectors):
        """Return diag(v) for the elementwise product v of vectors, diag(v)^-1 where all of them divide."""
        axes = vectors[0].axes
        if not all(map(is_reciprocal, vectors)):
            return self.style.diagonal(self._quotient(vectors, axes))
        bases, exponent = [inverted(v) for v in vectors], S.NegativeOne
        if len(vectors) == 1:
            bases, exponent = [vectors[0].args[0]], vectors[0].args[1].expr
        return self.style.power(self.style.diagonal(self._hadamard(bases, axes)), self.scalars.piece(exponent))

    # ---- reductions

    def _reduction(self, node):
        if node.binder is not Sum:
            raise NotMatrix(node.binder.__name__)
        body = node.body
        if not set(node.over) <= set(body.axes):
            raise NotMatrix("a sum over an index that its terms do not have")
        if len(node.over) == 2 and len(body.axes) == 2:
            return self._inner_of(body)
        if len(node.over) == 1 and len(body.axes) == 2:
            return self.style.times([self.oriented(body, *node.axes, *node.over), self._ones(*node.over)])
        if isinstance(body, Gather) and len(body.read.indices) == 2 and set(body.read.indices) == set(node.over):
            return self.style.call("tr", [self.style.variable(body.read.base.name)])
        if len(node.over) == 1 and len(body.axes) == 1:
            if len(opened(body)) > 2 and any(self.style.rank(n) == TANGENT for n in names(body)):
                return self._inner_of(body)
            return self.style.times([self.style.transposed(self._ones(*node.over)), self.piece(body)])
        raise NotMatrix("a sum over several axes")

    def _inner_of(self, body):
        """The sum of all entries of a product of two matrices is their inner product."""
        factors = opened(body)
        if len(factors) < 2 or any(f.axes != body.axes for f in factors):
            raise NotMatrix("a sum over several axes")
        pieces = ordered_factors(self.oriented(f, *self._down_and_across(body.axes)) for f in factors)
        if len(factors) > 2 and (pieces[-1].rank != TANGENT or any(map(is_reciprocal, factors))):
            raise NotMatrix("a sum of products of several matrices")
        return self.style.inner(self.style.hadamard(pieces[:-1]), pieces[-1])

    # ---- functions

    def _power(self, node):
        base, exponent = node.args
        if not isinstance(exponent, Scalar):
            raise NotMatrix("a power of arrays")
        if is_negative(exponent.expr):
            return self._elementwise(Apply(node.axes, Mul, (node,)), *self._down_and_across(node.axes))
        if exponent.expr == Rational(1, 2):
            return self.style.root(self.piece(base))
        return self.style.power(self.piece(base), self.scalars.piece(exponent.expr))

    def _function(self, node):
        if node.head in INDICATORS:
            return self._indicator(INDICATORS[node.head], node.args[0])
        args = sorted(node.args, key=_is_number) if node.head in (Max, Min) else node.args      # min(x, 0)
        pieces = [self.piece(a) for a in args]
        return self.style.call("exp", pieces) if node.head is exp else self.scalars.applied(node.head, pieces)

    def _indicator(self, head, x):
        """[x > 0], with what is subtracted on the right."""
        terms = summands(x)
        sides = [summed([n for negative, n in terms if negative is side], x.axes) for side in (False, True)]
        stand_ins = [Symbol("left", real=True), Symbol("right", real=True)]
        left, right = (_value(n, s) for n, s in zip(sides, stand_ins, strict=True))
        printed = {s: self.piece(n) for n, s in zip(sides, stand_ins, strict=True)}
        return indicator(self.style, head, left, right, lambda e: printed.get(e) or self.scalars.piece(e))


def _value(node, stand_in):
    """Return the number that a node is, else what stands for it."""
    coefficient, rest = pulled(node)
    return coefficient if rest == ONE or node == ZERO else stand_in


def _is_scalar(node):
    """Tell whether a summand is one variable number for all entries."""
    _, rest = pulled(node)
    body = rest.body if isinstance(rest, Spread) else rest
    return rest != ONE and not body.axes
