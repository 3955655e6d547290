"""Matrix notation: one array form in, one piece out. Vectors are columns; what has no such form raises NotMatrix."""

from dataclasses import replace

from sympy import Add, Expr, Idx, Mul, Piecewise, Pow, Rational, S, Sum, Symbol, exp, log
from sympy.logic.boolalg import And, Not, Or

from ..forms import Apply, Node, Outer, Product, Read, Reduction, Scalar, Spread, Transpose
from ..functions import at_zero, half_step, step
from .pieces import TANGENT, Piece, Term, ordered_factors, ordered_terms
from .scalars import Scalars, is_constant, is_negative, place_of_term
from .styles import Style

ONE = Scalar((), S.One)


class NotMatrix(ValueError):
    """An expression that is written with indices."""


class Matrices:
    """Prints array forms of at most two axes."""

    def __init__(self, style: Style):
        self.style, self.scalars = style, Scalars(style)

    def piece(self, node: Node) -> Piece:
        """Return an array, or a scalar, as a piece: a column for one axis, rows by columns for two."""
        if len(node.axes) > 2:
            raise NotMatrix(f"{len(node.axes)} axes")
        return self.oriented(node, *[*node.axes, None, None][:2])

    def oriented(self, node: Node, row: Idx | None, column: Idx | None) -> Piece:
        """Return a node with the axis `row` down and the axis `column` across; None is an axis of size 1."""
        coefficient, node = pulled(node)
        if coefficient != 1:
            return self._scaled_by(coefficient, node, row, column)
        if isinstance(node, Transpose):
            return self.oriented(node.body, row, column)
        if isinstance(node, Product):
            return self._product(node, row, column)
        if isinstance(node, Outer):
            down, across = (node.left, node.right) if node.left.axes == (row,) else (node.right, node.left)
            return self.style.times([self.oriented(down, row, None), self.oriented(across, None, column)])
        if isinstance(node, Spread):
            return self._spread(node, row, column)
        if isinstance(node, Apply) and node.head is Mul:
            return self._elementwise(node, row, column)
        return self._turned(self._upright(node), node.axes, row, column)

    def _turned(self, piece, axes, row, column):
        """Transpose a piece that was printed in its own orientation where its place asks for it."""
        return self.style.transposed(piece) if axes and axes != (row, column)[: len(axes)] else piece

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
            return self.style.add(ordered_terms(self._term(a, node.axes) for a in node.args))
        return self._power(node) if node.head is Pow else self._function(node)

    def _term(self, node, axes):
        negative, node = signed(node)
        number = pulled(node)[1] == ONE
        piece = self.repeated(node, axes) if not node.axes and not number else self.piece(node)
        order = place_of_term(
            number and pulled(node)[0], contracts(node), len(unspread(node).axes), self.style.names.places(names(node)))
        return Term(negative, piece, (*order, piece.text.find(r"\mathrm d")))

    def repeated(self, node: Node, axes: tuple[Idx, ...]) -> Piece:
        """Return a scalar repeated along axes: b 1, or b 1 1'."""
        ones = [self._ones(i) for i in axes]
        ones[1:] = [self.style.transposed(o) for o in ones[1:]]
        one = isinstance(node, Scalar) and node.expr == 1
        return self.style.times([*([] if one else [self.piece(node)]), *ones])

    # ---- products

    def _product(self, node, row, column):
        """A matrix product: the factor with the row first."""
        left, right = node.left, node.right
        if len(node.over) == 2 and not node.axes and set(left.axes) == set(right.axes):
            return self.style.inner(self.oriented(left, *node.over), self.oriented(right, *node.over))
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
        if self._is_parameter(right) and not self._is_parameter(left):
            left, b = right, a
        return self.style.times([self.oriented(left, None, k), b])

    def _is_parameter(self, node):
        variable = self.style.names.program.variables.get(node.name) if isinstance(node, Read) else None
        return variable is not None and variable.kind == "parameter"

    def _scaled_by(self, coefficient, node, row, column):
        """A number or a quotient of sizes times the rest."""
        negative = is_negative(coefficient)
        factors = self.scalars.coefficient(-coefficient if negative else coefficient, needed_one=node != ONE)
        rest = self.oriented(node, row, column) if node != ONE else None
        piece = self.style.scaled(*factors, rest) if factors and rest else rest or factors[0]
        return self.style.add([Term(True, piece)]) if negative else piece

    def _elementwise(self, node, row, column):
        """A product entry by entry: scalars, then rows scaled, then arrays, then columns scaled."""
        factors = [_without_spread(f) for f in opened(node)]
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
        if len(factors) == 1:
            return [self.oriented(factors[0], row, column)] if not is_reciprocal(factors[0]) else [
                self._turned(self._quotient(factors, axes), axes, row, column)]
        if not factors:
            return []
        pieces = self._scaled(factors, axes)
        flipped = axes != (row, column)[: len(axes)]
        return [self.style.transposed(self.style.times(pieces))] if flipped else pieces

    def _scaled(self, factors, axes):
        """Vectors scale rows and columns: diag(u) A diag(v)."""
        full = [f for f in factors if not isinstance(f, Spread)]
        downs, acrosses = ([f.body for f in factors if isinstance(f, Spread) and f.body.axes == (i,)] for i in axes[:2]) \
            if len(axes) == 2 else ([], [])
        if not full:
            return [self._quotient(downs, axes[:1]), self.style.transposed(self._quotient(acrosses, axes[1:]))]
        pieces = [self._diagonal(downs)] if downs else []
        pieces.append(self._quotient(full, axes))
        return pieces + ([self._diagonal(acrosses)] if acrosses else [])

    def _quotient(self, factors, axes):
        """Multiply and divide arrays of the same axes entry by entry."""
        tops = [f for f in factors if not is_reciprocal(f)]
        bottoms = [inverted(f) for f in factors if is_reciprocal(f)]
        top = self._hadamard(tops, axes) if tops else self.style.number("1")
        return self.style.divided(top, self._hadamard(bottoms, axes)) if bottoms else top

    def _diagonal(self, vectors):
        """Return diag(v) for the elementwise product v of vectors, diag(v)^-1 where all of them divide."""
        axes = vectors[0].axes
        if not all(map(is_reciprocal, vectors)):
            return self.style.diagonal(self._quotient(vectors, axes))
        exponent, bases = Scalar((), S.NegativeOne), [inverted(v) for v in vectors]
        if len(vectors) == 1:
            [base], exponent = [vectors[0].args[0]], vectors[0].args[1]
            bases = [base]
        return self.style.power(self.style.diagonal(self._hadamard(bases, axes)), self.scalars.piece(exponent.expr))

    def _hadamard(self, nodes, axes):
        columns = [*axes, None][:2]
        return self.style.hadamard(ordered_factors(self.oriented(n, *columns) for n in nodes))

    # ---- broadcasts, reductions

    def _spread(self, node, row, column):
        """A vector repeated: 1 b' for the rows, v 1' for the columns."""
        if not node.body.axes:
            return self.repeated(node.body, tuple(i for i in (row, column) if i is not None))
        [axis] = node.body.axes
        if axis == column:
            return self.style.times([self._ones(row), self.oriented(node.body, None, axis)])
        return self.style.times([self.oriented(node.body, axis, None), self.style.transposed(self._ones(column))])

    def _reduction(self, node):
        if node.binder is not Sum:
            raise NotMatrix(node.binder.__name__)
        body = node.body
        if len(node.over) == 2 and len(body.axes) == 2:
            return self._inner_of(body)
        if len(node.over) == 1 and len(body.axes) == 2:
            return self.style.times([self.oriented(body, *node.axes, *node.over), self._ones(*node.over)])
        if len(node.over) == 1 and len(body.axes) == 1:
            return self.style.times([self.style.transposed(self._ones(*node.over)), self.piece(body)])
        raise NotMatrix("a sum over several axes")

    def _inner_of(self, body):
        """The sum of all entries of a product of two matrices is their inner product."""
        factors = opened(body)
        if len(factors) != 2 or any(f.axes != body.axes for f in factors):
            raise NotMatrix("a sum over two axes")
        return self.style.inner(*ordered_factors(self.oriented(f, *body.axes) for f in factors))

    def _ones(self, index):
        return self.style.ones(self.scalars.piece(size_of(index)))

    # ---- functions

    def _power(self, node):
        base, exponent = node.args
        if not isinstance(exponent, Scalar):
            raise NotMatrix("a power of arrays")
        if is_negative(exponent.expr):
            return self._elementwise(Apply(node.axes, Mul, (node,)), *[*node.axes, None, None][:2])
        if exponent.expr == Rational(1, 2):
            return self.style.root(self.piece(base))
        return self.style.power(self.piece(base), self.scalars.piece(exponent.expr))

    def _function(self, node):
        head, args = node.head, node.args
        if head in (step, at_zero, half_step):
            return self._indicator(head, args[0])
        pieces = [self.piece(a) for a in args]
        if head is exp:
            return self.style.call("exp", pieces)
        if head is log:
            return self.style.prefix("log", pieces[0])
        return self.scalars.applied(head, pieces, args)

    def _indicator(self, head, x):
        """[x > 0], with what is subtracted on the right."""
        terms = [signed(a) for a in x.args] if isinstance(x, Apply) and x.head is Add else [signed(x)]
        zero = Scalar((), S.Zero)
        left = [n for negative, n in terms if not negative]
        right = [n for negative, n in terms if negative]
        made = [_joined(left, x.axes) if left else zero, _joined(right, x.axes) if right else zero]
        stand_ins = [Symbol("left", real=True), Symbol("right", real=True)]
        printed = {s: self.piece(m) for s, m in zip(stand_ins, made, strict=True)}
        left, right = (pulled(m)[0] if pulled(m)[1] == ONE else s for s, m in zip(stand_ins, made, strict=True))
        return self.scalars.indicator(head, left - right, lambda e: printed.get(e) or self.scalars.piece(e))


def _joined(nodes, axes):
    return nodes[0] if len(nodes) == 1 else Apply(axes, Add, tuple(nodes))


# ---- looking at nodes


def size_of(index: Idx) -> Expr:
    """Return how many values an index takes."""
    return index.upper - index.lower + 1


def opened(node: Node) -> list[Node]:
    """Return the factors of an elementwise product, products inside it opened."""
    if isinstance(node, Apply) and node.head is Mul:
        return [f for a in node.args for f in opened(a)]
    return [node]


def _without_spread(node):
    """Return the scalar that a node repeats, or the node."""
    return node.body if isinstance(node, Spread) and not node.body.axes else node


def pulled(node: Node) -> tuple[Expr, Node]:
    """Split a node into its coefficient of numbers and sizes, and the rest."""
    if isinstance(node, Scalar):
        return (node.expr, ONE) if is_constant(node.expr) and node != ONE else (S.One, node)
    if isinstance(node, Apply) and node.head is Mul:
        parts = [pulled(f) for f in opened(node)]
        rest = tuple(n for _, n in parts if n != ONE)
        inner = Apply(node.axes, Mul, rest) if len(rest) > 1 else rest[0] if rest else ONE
        return Mul(*(c for c, _ in parts)), inner
    if isinstance(node, Product | Outer):
        (c, left), (d, right) = pulled(node.left), pulled(node.right)
        return c * d, replace(node, left=left, right=right)
    if isinstance(node, Reduction | Spread | Transpose):
        coefficient, body = pulled(node.body)
        linear = not isinstance(node, Reduction) or node.binder is Sum
        return (coefficient, replace(node, body=body)) if linear and body != ONE else (S.One, node)
    return S.One, node


def signed(node: Node) -> tuple[bool, Node]:
    """Return whether a node has a minus sign, and the node without it."""
    coefficient, rest = pulled(node)
    if not is_negative(coefficient):
        return False, node
    return True, rest if coefficient == -1 else Apply(node.axes, Mul, (Scalar((), -coefficient), *opened(rest)))


def is_reciprocal(node: Node) -> bool:
    """Tell whether a node is a power with a negative exponent."""
    return isinstance(node, Apply) and node.head is Pow and isinstance(node.args[1], Scalar) \
        and is_negative(node.args[1].expr)


def inverted(node: Node) -> Node:
    """Return 1 over such a power."""
    base, exponent = node.args
    return base if exponent.expr == -1 else Apply(node.axes, Pow, (base, Scalar((), -exponent.expr)))


def unspread(node: Node) -> Node:
    """Return what a node repeats along new axes, or the node."""
    return node.body if isinstance(node, Spread) else node


def contracts(node: Node) -> bool:
    """Tell whether a summand is a matrix product or a sum over an index."""
    return isinstance(node, Product | Outer | Reduction) or (
        isinstance(node, Apply) and node.head is Mul and any(map(contracts, node.args)))


def names(node: Node) -> list[str]:
    """Return the names of the variables read in a node."""
    if isinstance(node, Read):
        return [node.name]
    if isinstance(node, Scalar):
        return [node.expr.name] if isinstance(node.expr, Symbol) else []
    children = getattr(node, "args", None) or [c for c in (getattr(node, k, None) for k in ("body", "left", "right")) if c]
    return [n for c in children for n in names(c)]

