"""The nodes of array forms: operations on whole arrays, each with its ordered axes."""

from dataclasses import dataclass

from sympy import Expr, Idx, Indexed

Axes = tuple[Idx, ...]


@dataclass(frozen=True)
class Node:
    """An array with named axes."""

    axes: Axes


@dataclass(frozen=True)
class Scalar(Node):
    """A variable without axes, a number, or an expression in sizes alone (1/N, sqrt(D))."""

    expr: Expr


@dataclass(frozen=True)
class Read(Node):
    """A variable, whole: read at distinct indices that each run over all of their axis."""

    name: str


@dataclass(frozen=True)
class Gather(Node):
    """A variable read at other positions: labels, constants, shifts, a diagonal."""

    read: Indexed


@dataclass(frozen=True)
class Index(Node):
    """An index as a value, or an expression in indices: i, i + 1, y[n]."""

    expr: Expr


@dataclass(frozen=True)
class Bracket(Node):
    """[left = right], or another condition on indices or values: 1 where it holds, 0 elsewhere."""

    head: type
    left: Node
    right: Node


@dataclass(frozen=True)
class Transpose(Node):
    """The same entries with the axes in another order."""

    body: Node


@dataclass(frozen=True)
class Spread(Node):
    """The same entries repeated along new axes; the axes of the body keep their order."""

    body: Node


@dataclass(frozen=True)
class Apply(Node):
    """An elementwise operation: head is a SymPy class (Add, Mul, Pow, exp, relu, Piecewise, ...)."""

    head: type
    args: tuple[Node, ...]


@dataclass(frozen=True)
class Product(Node):
    """A contraction of two arrays over the indices `over`, which both have."""

    left: Node
    right: Node
    over: Axes


@dataclass(frozen=True)
class Outer(Node):
    """The outer product of two vectors."""

    left: Node
    right: Node


@dataclass(frozen=True)
class Reduction(Node):
    """A binder (Sum, Maximum, LogSumExp) of one array over the indices `over`, the last axes of the body first."""

    binder: type
    body: Node
    over: Axes
