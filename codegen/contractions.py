"""Contractions of two arrays as matrix products that BLAS computes, on views where there are any.

Each operand is seen as a stack of matrices: its leading axes, then its own axes and those summed, each taken as one.

    X[n, t, d] dQ[n, t, e]                  over n, t       X.reshape(-1, D).T @ dQ.reshape(-1, E)
    w[f, c, p] windows_x[n, c, p, i]        over c, p       w.reshape(F, -1) @ windows_x.reshape(N, -1, I)
    dy[n, f, i] windows_x[n, c, p, i]       over n, i       the same with .mT, then a sum over n, which both stacks have

Where the axes do not lie so, an operand is transposed first; without a stack np.tensordot does it in the plain style.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product as pairs

from sympy import Idx, Mul

from derive.forms import arranged
from derive.nodes import Axes, Gather, Node, Product, Transpose

from .nodes import is_condition
from .precedence import ATOM, SIGN, TERM, Text


@dataclass(frozen=True)
class View:
    """An operand as a stack of matrices, `own` by `over` or, where `swapped`, the other way about."""

    node: Node
    stack: Axes
    own: Axes
    over: Axes
    swapped: bool = False

    @property
    def blocks(self) -> tuple[Axes, Axes]:
        """The two axes of the matrices as they are stored."""
        return (self.over, self.own) if self.swapped else (self.own, self.over)

    @property
    def reshaped(self) -> bool:
        """Whether an axis of the matrices is made of several."""
        return len(self.own) > 1 or len(self.over) > 1


def contraction(node: Product, printer) -> Text:
    """Return the code of a contraction whose operands are no plain matrices and vectors."""
    batch = tuple(i for i in node.left.axes if i in node.right.axes and i not in node.over)
    own = [tuple(i for i in n.axes if i not in (*batch, *node.over)) for n in (node.left, node.right)]
    if not all(own):
        return _einsum(node, printer) if batch else _summed_whole(node, own, printer) or _tensordot(node, own, printer)
    best = None
    operands = list(zip((node.left, node.right), own, strict=True))
    views = [list(_views(n, o, node.over, batch, printer.joined)) for n, o in operands]
    if any(_is_of_a_turn(n, printer) for n, _ in operands):
        for found, (n, o) in zip(views, operands, strict=True):
            found[:] = [*_blocks(n, o, node.over), *(found if printer.joined else ())] or found
    for left, right in pairs(*views):
        for first, second in ((left, right), (right, left)):
            cost = _cost(first, second, node.axes)
            if cost is not None and (best is None or cost < best[0]):
                best = cost, first, second
    return _tensordot(node, own, printer) if best is None else _matmul(*best[1:], node.axes, printer)


def _views(node: Node, own: Axes, over: Axes, batch: Axes, joined: bool) -> Iterator[View]:
    """Yield the ways to see an operand as a stack of matrices; the last ones transpose it."""
    for k in range(len(node.axes) - 1):
        stack, rest = node.axes[:k], node.axes[k:]
        inside = tuple(i for i in rest if i in own), tuple(i for i in rest if i in over)
        if all(inside) and set(batch) <= set(stack):
            for swapped in (False, True):
                view = View(node, stack, *inside, swapped)
                if sum(view.blocks, ()) == rest:
                    yield view
    if batch or joined:
        yield View(arranged(node, (*batch, *own, *over)), batch, own, over)
    if joined:
        yield View(arranged(node, (*batch, *over, *own)), batch, own, over, swapped=True)


def _blocks(node: Node, own: Axes, over: Axes) -> Iterator[View]:
    """Yield a matrix of several blocks of columns as a stack of these."""
    if len(own) == 2 and len(over) == 1 and node.axes == (*over, *own):
        yield View(arranged(node, (own[0], *over, own[1])), own[:1], own[1:], over, swapped=True)


def _is_of_a_turn(node: Node, printer) -> bool:
    """Tell whether an operand is what a turn of a loop reads: few rows, which BLAS takes faster in small products."""
    return isinstance(node, Gather) and bool(node.read.free_symbols & printer.counters)


def _cost(left: View, right: View, axes: Axes) -> tuple | None:
    """Return how much work a product is beside the multiplications, None where the two do not fit each other."""
    summed = {i for i in (*left.stack, *right.stack) if i not in axes}
    longer, shorter = sorted((left.stack, right.stack), key=len, reverse=True)
    fits = left.over == right.over and longer[len(longer) - len(shorter):] == shorter
    if not fits or (summed and left.stack != right.stack):
        return None
    result = (*(i for i in longer if i in axes), *left.own, *right.own)
    copies = sum(isinstance(v.node, Transpose) and v.reshaped for v in (left, right))
    views = sum(isinstance(v.node, Transpose) for v in (left, right))
    joined, turned = sum(len(v.own) > 1 for v in (left, right)), left.swapped + (not right.swapped)
    contiguous = not result or result[-1] == axes[-1]
    return (
        copies,
        bool(summed),
        result != axes,
        result[:1] != axes[:1],
        left.reshaped + right.reshaped,
        joined,
        not contiguous,
        views,
        turned,
    )


def _matmul(left: View, right: View, axes: Axes, printer) -> Text:
    if printer.joined and left.stack and not right.stack and not left.swapped and set(left.stack) <= set(axes) \
            and (len(right.own) > 1 or not right.swapped):
        left = View(left.node, (), left.stack + left.own, left.over)
    longer = max(left.stack, right.stack, key=len)
    code = f"{_operand(left, False, printer).inside(TERM)} @ {_operand(right, True, printer).inside(SIGN)}"
    text = Text(code, TERM, is_condition(left.node) or left.swapped)
    places = [k for k, i in enumerate(longer) if i not in axes]
    if places:
        text = Text(f"({text.code}).sum(axis={places[0] if len(places) == 1 else tuple(places)})")
    have = (*(i for i in longer if i in axes), *left.own, *right.own)
    if len(left.own) > 1 or len(right.own) > 1:
        printer.product_shape = "" if places else ", ".join(
            [*(printer.size(_size(i)).code for i in longer), "-1", printer.size(Mul(*map(_size, right.own))).code])
        text = Text(f"{text.inside(ATOM)}.reshape({', '.join(printer.lengths(have))})")
    return text if have == axes else Text(f"{text.inside(ATOM)}{transposition(have, axes)}")


def _operand(view: View, is_right: bool, printer) -> Text:
    """Print an operand: its matrices have the summed axis last on the left side of @, first on the right."""
    if isinstance(view.node, Transpose) and not view.reshaped:
        return printer.text(
            arranged(view.node.body, view.stack + (view.over + view.own if is_right else view.own + view.over))
        )
    text = printer.text(view.node)
    if view.reshaped:
        text = Text(f"{text.inside(ATOM)}.reshape({', '.join(_shape(view, printer))})")
    if view.swapped == is_right:
        return text
    return Text(f"{text.inside(ATOM)}{'.mT' if view.stack else '.T'}")


def _shape(view: View, printer) -> list[str]:
    """Return the shape of an operand: -1 for the first axis that is made of several."""
    sizes, left_out = [printer.size(_size(i)).code for i in view.stack], False
    for block in view.blocks:
        if len(block) > 1 and not left_out:
            sizes.append("-1")
            left_out = True
        else:
            sizes.append(printer.size(Mul(*map(_size, block))).code)
    return sizes


def _size(index):
    return index.upper - index.lower + 1


def _summed_whole(node, own, printer) -> Text | None:
    """Print a factor that is summed whole as a vector, and the other as a matrix; None where its axes do not lie so."""
    (whole, other) = (node.left, node.right) if own[1] else (node.right, node.left)
    kept, count = own[0] or own[1], len(node.over)
    places = [axes for axes in (other.axes[:count], other.axes[-count:]) if set(axes) == set(node.over)]
    if not kept or not places:
        return None
    comes_first = places[0] == other.axes[:count]
    columns = printer.size(Mul(*map(_size, kept))).code
    vector, matrix = printer.text(arranged(whole, places[0])).inside(ATOM), printer.text(other).inside(ATOM)
    vector += ".reshape(-1)" if count > 1 else ""
    matrix += f".reshape({f'-1, {columns}' if comes_first else f'{columns}, -1'})" if len(other.axes) > 2 else ""
    text = Text(f"{vector} @ {matrix}" if comes_first else f"{matrix} @ {vector}", TERM)
    if len(kept) > 1:
        text = Text(f"{text.inside(ATOM)}.reshape({', '.join(printer.size(_size(i)).code for i in kept)})")
    return text if kept == node.axes else Text(f"{text.inside(ATOM)}{transposition(kept, node.axes)}")


def _einsum(node, printer):
    left, right = (n.body if isinstance(n, Transpose) else n for n in (node.left, node.right))
    return Text(einsum(printer.code(left), printer.code(right), left.axes, right.axes, node.axes))


def einsum(left: str, right: str, left_axes: Axes, right_axes: Axes, axes: Axes) -> str:
    """Return the code of a sum of products of two arrays, with the letters that the indices begin with."""
    given = letters((*left_axes, *right_axes))
    spec = ["".join(given[i] for i in those) for those in (left_axes, right_axes, axes)]
    return f'np.einsum("{spec[0]},{spec[1]}->{spec[2]}", {left}, {right})'


def letters(axes: Axes) -> dict[Idx, str]:
    """Return a letter for each index: the first of its name, or one of those that follow it and begin no name here."""
    alphabet, found = "abcdefghijklmnopqrstuvwxyz", dict[Idx, str]()
    for i in axes:
        start = alphabet.find(i.name[0].lower())
        following = [c for c in alphabet[start:] + alphabet[:start] if c not in {k.name[0] for k in axes}]
        found.setdefault(i, next(c for c in [i.name[0], *following] if c not in found.values()))
    return found


def _tensordot(node, own, printer):
    places = [tuple(n.axes.index(i) for i in node.over) for n in (node.left, node.right)]
    axes = ", ".join(f"({', '.join(map(str, p))}{',' if len(p) == 1 else ''})" for p in places)
    text = Text(f"np.tensordot({printer.code(node.left)}, {printer.code(node.right)}, axes=({axes}))")
    have = own[0] + own[1]
    return text if have == node.axes else Text(f"{text.inside(ATOM)}{transposition(have, node.axes)}")


def transposition(have: Axes, want: Axes) -> str:
    """Return the code that turns an array's axes round."""
    if len(have) == 2:
        return ".T"
    if want == (*have[:-2], have[-1], have[-2]):
        return ".mT"
    return f".transpose({', '.join(str(have.index(i)) for i in want)})"
