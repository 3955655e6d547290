"""Looking at array forms: their coefficients, signs and factors, and the names in them."""

from dataclasses import replace

from sympy import Add, Expr, Idx, Mul, Pow, S, Sum, Symbol

from ..nodes import Apply, Node, Outer, Product, Read, Reduction, Scalar, Spread, Transpose
from .constants import is_constant, is_negative

ONE, ZERO = Scalar((), S.One), Scalar((), S.Zero)


def size_of(index: Idx) -> Expr:
    """Return how many values an index takes."""
    return index.upper - index.lower + 1


def children(node: Node) -> list[Node]:
    """Return the nodes that a node is made of."""
    if isinstance(node, Apply):
        return list(node.args)
    if isinstance(node, Product | Outer):
        return [node.left, node.right]
    return [node.body] if isinstance(node, Reduction | Spread | Transpose) else []


def opened(node: Node) -> list[Node]:
    """Return the factors of an elementwise product, products inside it opened, repeated scalars as they are."""
    if isinstance(node, Apply) and node.head is Mul:
        return [f for a in node.args for f in opened(a)]
    return [node.body if isinstance(node, Spread) and not node.body.axes else node]


def pulled(node: Node) -> tuple[Expr, Node]:
    """Split a node into its coefficient of numbers and sizes, and the rest, which is ONE where there is no rest."""
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
    if isinstance(node, Spread | Transpose) or (isinstance(node, Reduction) and node.binder is Sum):
        coefficient, body = pulled(node.body)
        return (coefficient, replace(node, body=body)) if body != ONE else (S.One, node)
    return S.One, node


def signed(node: Node) -> tuple[bool, Node]:
    """Return whether a node has a minus sign, and the node without it."""
    coefficient, rest = pulled(node)
    if not is_negative(coefficient):
        return False, node
    return True, rest if coefficient == -1 else Apply(node.axes, Mul, (Scalar((), -coefficient), *opened(rest)))


def summands(node: Node) -> list[tuple[bool, Node]]:
    """Return the terms of a sum, each with its sign apart."""
    return [signed(a) for a in (node.args if isinstance(node, Apply) and node.head is Add else (node,))]


def summed(nodes: list[Node], axes) -> Node:
    """Return the sum of nodes over the same axes."""
    return ZERO if not nodes else nodes[0] if len(nodes) == 1 else Apply(axes, Add, tuple(nodes))


def is_reciprocal(node: Node) -> bool:
    """Tell whether a node is a power with a negative exponent."""
    return isinstance(node, Apply) and node.head is Pow and isinstance(node.args[1], Scalar) \
        and is_negative(node.args[1].expr)


def inverted(node: Node) -> Node:
    """Return 1 over such a power."""
    assert isinstance(node, Apply) and isinstance(node.args[1], Scalar)
    base, exponent = node.args[0], node.args[1].expr
    return base if exponent == -1 else Apply(node.axes, Pow, (base, Scalar((), -exponent)))


def contracts(node: Node) -> bool:
    """Tell whether a summand is a matrix product or a sum over an index."""
    return isinstance(node, Product | Outer | Reduction) or (
        isinstance(node, Apply) and node.head is Mul and any(map(contracts, node.args)))


def reduces(node: Node) -> bool:
    """Tell whether a sum, a maximum or the like over an index stands anywhere in a node."""
    return isinstance(node, Reduction) or any(map(reduces, children(node)))


def names(node: Node) -> list[str]:
    """Return the names of the variables read in a node."""
    if isinstance(node, Read):
        return [node.name]
    if isinstance(node, Scalar):
        return [node.expr.name] if isinstance(node.expr, Symbol) else []
    return [n for c in children(node) for n in names(c)]
