"""Matrix notation: one array form in, one piece out. Vectors are columns; what has no such form raises NotMatrix."""

from sympy import Add, Expr, Idx, Mul, Piecewise, Pow, Rational, S, Sum, Symbol, exp, log
from sympy.logic.boolalg import And, Not, Or

from ..forms import Apply, Node, Outer, Product, Read, Reduction, Scalar, Spread, Transpose
from ..functions import at_zero, half_step, step
from .pieces import TANGENT, Piece, Term, ordered_factors, ordered_terms
from .scalars import Scalars, is_constant, is_negative
from .styles import Style


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
        number = isinstance(node, Scalar) and is_constant(node.expr)
        piece = self.repeated(node, axes) if not node.axes and not number else self.piece(node)
        places = [self.style.names.place.get(n, -1) for n in names(node)]
        return Term(negative, piece, (0 if number else 1 if contracts(node) else 2, min(places, default=-1)))

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

    def _elementwise(self, node, row, column):
        """A product entry by entry: coefficients, then rows scaled, then arrays, then columns scaled, then what divides."""
        factors = [_without_spread(f) for f in opened(node)]
        constants = [f.expr for f in factors if isinstance(f, Scalar) and is_constant(f.expr)]
        scalars = [f for f in factors if not f.axes and not (isinstance(f, Scalar) and is_constant(f.expr))]
        pieces = self._arrays([f for f in factors if f.axes], node.axes, row, column)
        return self.style.times([*self._scalar_factors(Mul(*constants), scalars, bool(pieces)), *pieces])

    def _scalar_factors(self, coefficient, scalars, before_arrays):
        """Coefficients and scalars, those below the line in a fraction."""
        tops = ordered_factors(self.piece(f) for f in scalars if not is_reciprocal(f))
        bottoms = [self.piece(inverted(f)) for f in scalars if is_reciprocal(f)]
        negative = is_negative(coefficient)
        pieces = [*self.scalars.coefficient(-coefficient if negative else coefficient, bool(tops) or before_arrays), *tops]
        if bottoms:
            top = self.style.scalar_times(pieces) if pieces else self.style.number("1")
            pieces = [self.style.fraction(top, self.style.scalar_times(bottoms))]
        if negative:
            pieces = [self.style.add([Term(True, self.style.times(pieces))])]
        return [self.style.scalar_times(pieces)] if pieces else []

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
        coefficient, body = pulled(node.body)
        if len(node.over) == 2 and len(body.axes) == 2:
            total = self._inner_of(body)
        elif len(node.over) == 1 and len(body.axes) == 2:
            [kept] = node.axes
            total = self.style.times([self.oriented(body, kept, node.over[0]), self._ones(node.over[0])])
        elif len(node.over) == 1 and len(body.axes) == 1:
            total = self.style.times([self.style.transposed(self._ones(node.over[0])), self.piece(body)])
        else:
            raise NotMatrix("a sum over several axes")
        return self._scaled_by(coefficient, total)

    def _scaled_by(self, coefficient, total):
        negative = is_negative(coefficient)
        factors = self.scalars.coefficient(-coefficient if negative else coefficient)
        piece = self.style.times([*factors, total])
        return self.style.add([Term(True, piece)]) if negative else piece

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
        terms = [signed(a) for a in x.args] if isinstance(x, Apply) and x.head is Add else [(False, x)]
        zero = Scalar((), S.Zero)
        left = [n for negative, n in terms if not negative]
        right = [n for negative, n in terms if negative]
        if not left:
            left, right = [x], []
        made = [_joined(left, x.axes), _joined(right, x.axes) if right else zero]
        stand_ins = [Symbol("left", real=True), Symbol("right", real=True)]
        printed = dict(zip(stand_ins, [self.piece(m) for m in made], strict=True))
        return self.scalars.indicator(head, Add(stand_ins[0], -stand_ins[1]), printed.__getitem__)


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
    """Split a node into its constant coefficient and the rest."""
    factors = opened(node)
    constants = [f for f in factors if isinstance(f, Scalar) and is_constant(f.expr)]
    rest = [f for f in factors if f not in constants]
    if not constants or not rest:
        return S.One, node
    return Mul(*(c.expr for c in constants)), rest[0] if len(rest) == 1 else Apply(node.axes, Mul, tuple(rest))


def signed(node: Node) -> tuple[bool, Node]:
    """Return whether a node has a minus sign, and the node without it."""
    if isinstance(node, Scalar):
        negative = is_constant(node.expr) and is_negative(node.expr)
        return negative, Scalar((), -node.expr) if negative else node
    if isinstance(node, Spread | Transpose):
        negative, body = signed(node.body)
        return negative, type(node)(node.axes, body) if negative else node
    coefficient, rest = pulled(node)
    if not is_negative(coefficient):
        return False, node
    if coefficient == -1:
        return True, rest
    return True, Apply(node.axes, Mul, (Scalar((), -coefficient), *opened(rest)))


def is_reciprocal(node: Node) -> bool:
    """Tell whether a node is a power with a negative exponent."""
    return isinstance(node, Apply) and node.head is Pow and isinstance(node.args[1], Scalar) \
        and is_negative(node.args[1].expr)


def inverted(node: Node) -> Node:
    """Return 1 over such a power."""
    base, exponent = node.args
    return base if exponent.expr == -1 else Apply(node.axes, Pow, (base, Scalar((), -exponent.expr)))


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

