"""In which order the axes of a stacked product lie in memory, where what reads it takes several of them as one.

    O = np.matmul(A, V, out=array("O", N, T, H, E).transpose(0, 2, 1, 3))       O[n, h, t, e]
    Z = O.transpose(0, 2, 1, 3).reshape(-1, E * H) @ Wo.reshape(-1, D)          (n, t) by (h, e): a view, not a copy
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from derive.forms import form
from derive.nodes import Axes, Node, Product, Read, Transpose
from derive.program import Equation, Program
from derive.terms import read_name, reads

Places = tuple[int, ...]


@dataclass(frozen=True)
class Use:
    """How a contraction reads an array: the places of its axes that it has in a stack, keeps, and sums over."""

    stack: Places
    own: Places
    over: Places

    def is_view(self, order: Places) -> bool:
        """Tell whether the array is a stack of matrices as it lies in memory, its axes in this order."""
        blocks = [block for block in (self.own, self.over) if block]
        inside = tuple(k for k in order if k not in self.stack)
        return all(_is_run(block, order) for block in blocks) and inside in (self.own + self.over, self.over + self.own)


def layouts(program: Program) -> dict[str, Places]:
    """Return the order in memory of the axes of the products that are copied before they are read otherwise."""
    in_turns = program.looped()
    kept = {*program.wanted, *program.results.values(), *in_turns}
    stacked = [e for e in program.equations if e.name not in kept and _is_stacked(e)]
    readers: dict[str, list[Equation]] = {e.name: [] for e in stacked}
    for r in program.equations if stacked else ():
        for name in dict.fromkeys(read_name(read) for read in reads(r.rhs, readers)):
            readers[name].append(r)
    found: dict[str, Places] = {}
    for e in stacked:
        uses = [use for r in readers[e.name] for use in _uses(r, e.name, r.name in in_turns)]
        order = _best(len(e.free), uses)
        found |= {e.name: order} if order else {}
    return found


def _is_stacked(equation: Equation) -> bool:
    """Tell whether an equation is a stack of products of matrices, each of which has rows of its own."""
    node = form(equation.rhs, equation.free)
    return isinstance(node, Product) and equation.free == equation.indices and len(node.axes) > 3 \
        and node.axes[-1] in node.right.axes and len({*node.left.axes} & {*node.right.axes} - {*node.over}) > 1


def _best(rank: int, uses: list[Use | None]) -> Places | None:
    """Return an order of the axes, the last one last, in which more uses are views and none is one no longer."""
    usual = tuple(range(rank))
    copied = [use for use in uses if use and not use.is_view(usual)]
    for use in copied:
        for order in (use.stack + use.own + use.over, use.stack + use.over + use.own):
            if order[-1] == rank - 1 and all(u and (u.is_view(order) or u in copied) for u in uses):
                return order
    return None


def _uses(reader: Equation, name: str, in_turns: bool) -> list[Use | None]:
    """Return how an equation reads an array, None where that is not as an operand of contractions alone."""
    node = form(reader.rhs, reader.free)
    found = [] if in_turns else list(_as_operand(node, name))
    places = {tuple(read.indices) for read in reads(reader.rhs, [name])}
    plain = {axes for axes, _ in found} == places and sum(n.name == name for n in _reads(node)) == len(found)
    return [use for _, use in found] if plain else [None]


def _as_operand(node: Node, name: str) -> Iterator[tuple[Axes, Use]]:
    """Yield how contractions read an array, and with which axes."""
    for product in (n for n in _nodes(node) if isinstance(n, Product)):
        for operand, other in ((product.left, product.right), (product.right, product.left)):
            inner = operand.body if isinstance(operand, Transpose) else operand
            if isinstance(inner, Read) and inner.name == name:
                parts: tuple[list[int], list[int], list[int]] = [], [], []
                for k, i in enumerate(inner.axes):
                    parts[2 if i in product.over else i not in other.axes].append(k)
                yield inner.axes, Use(*map(tuple, parts))


def _reads(node: Node) -> Iterator[Read]:
    return (n for n in _nodes(node) if isinstance(n, Read))


def _nodes(node: Node) -> Iterator[Node]:
    """Yield a node and those that it is made of."""
    yield node
    for field in fields(node):
        value = getattr(node, field.name)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, Node):
                yield from _nodes(inner)


def _is_run(block: Places, order: Places) -> bool:
    """Tell whether places follow each other in an order."""
    start = order.index(block[0])
    return order[start:start + len(block)] == block
