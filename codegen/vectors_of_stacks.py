"""Sums of a stack of matrices times a vector for each of them: BLAS takes them, and no product of the whole is made.

    a[n, t] X[n, t, d]      over t      (a[:, None, :] @ X)[:, 0]
    c[n, d] X[n, t, d]      over d      (X @ c[:, :, None])[:, :, 0]
    a[n, t] X[t, n, d]      over t      np.einsum("nt,tnd->nd", a, X)
    w[d, k] X[k, t, d]      over k      np.einsum("kd,ktd->td", w.T.copy(), X)

Rows or columns that are made of several axes are taken as one, as of windows that kernels of single channels read:

    w[c, p, q] X[n, c, p, q, u, v]      over p, q       w.reshape(C, 1, -1) @ X.reshape(N, C, 9, -1), in its shape
    dZ[n, c, u, v] X[n, c, p, q, u, v]  over n, u, v    (X.reshape(N, C, 9, -1) @ dZ.reshape(N, C, -1, 1)).sum(axis=0)
"""

from sympy import Mul, Sum

from derive.nodes import Apply, Axes, Node, Reduction, Spread, Transpose

from .contractions import einsum
from .nodes import is_mask
from .places_text import indexed
from .precedence import ATOM, SIGN, TERM, Text


def by_vectors(node: Node, printer, axes: Axes = ()) -> str:
    """Return the code of a sum of an array times a vector for each of its matrices, "" for another node.

    `axes` is another order than the sum's, which np.einsum gives as well as any; "" where it is not used.
    """
    found = _vector_and_array(node)
    if found is None:
        return "" if axes else _by_blocks(node, printer)
    vector, array, batch, over, kept = found
    order = array.axes
    if order == (*batch, over, *kept):
        rows = indexed(printer.text(vector), vector.axes, (*batch, *kept, over))
        code = f"({rows.inside(TERM)} @ {printer.text(array).inside(SIGN)})[{', '.join(':' for _ in batch)}, 0]"
    elif order == (*batch, *kept, over):
        columns = indexed(printer.text(vector), vector.axes, (*batch, over, *kept))
        places = ", ".join(":" for _ in (*batch, *kept))
        code = f"({printer.text(array).inside(TERM)} @ {columns.inside(SIGN)})[{places}, 0]"
    else:
        vector, array = (n.body if isinstance(n, Transpose) else n for n in (vector, array))
        text, own = printer.text(vector), vector.axes
        if array.axes[-1] == own[0] and len(own) == 2:          # np.einsum is slow where only one of two lies so
            text, own = Text(f"{text.inside(ATOM)}.T.copy()"), own[::-1]
        return einsum(text.code, printer.code(array), own, array.axes, axes or node.axes)
    return "" if axes else code


def _vector_and_array(node):
    """Return the two, the axes that both keep, the one that is summed, the one that the vector lacks; else None."""
    for vector, array in _pairs(node):
        batch = tuple(i for i in vector.axes if i not in node.over)
        kept = tuple(i for i in array.axes if i not in vector.axes)
        if len(kept) == len(node.over) == 1 and batch and node.over[0] in vector.axes:
            return vector, array, batch, node.over[0], kept
    return None


def _pairs(node):
    """Yield an array with fewer axes and the one that it is multiplied by, where a sum is of such a product."""
    if not (isinstance(node, Reduction) and node.binder is Sum):
        return
    body = node.body
    pair = body.args if isinstance(body, Apply) and body.head is Mul and len(body.args) == 2 else ()
    for spread, array in (pair, pair[::-1]) if pair else ():
        if isinstance(spread, Spread) and array.axes == body.axes and not (is_mask(spread) or is_mask(array)):
            yield spread.body, array


def _by_blocks(node, printer):
    """Return the code where the rows or the columns are made of several axes, "" where these do not lie so."""
    for vector, array in _pairs(node):
        for own, inner, stack, rest in _cuts(vector, array):
            kept = tuple(i for i in rest if i not in inner)
            have = tuple(i for i in stack if i not in node.over) + kept
            if kept and rest in ((*inner, *kept), (*kept, *inner)) and have == node.axes \
                    and own == tuple(i for i in stack if i in own) and set(inner) <= set(node.over) \
                    and not set(kept) & {*vector.axes, *node.over}:
                return _product_of_blocks(vector, array, (stack, inner, kept), node, printer)
    return ""


def _cuts(vector, array):
    """Yield the ways to take a vector as a stack of rows, and an array as a stack of matrices that begins with it."""
    for first in range(1, len(vector.axes)):
        own, inner = vector.axes[:first], vector.axes[first:]
        for end in range(array.axes.index(own[-1]) + 1, len(array.axes)):
            yield own, inner, array.axes[:end], array.axes[end:]


def _product_of_blocks(vector, array, parts, node, printer):
    """Return the code of a product of stacked matrices by vectors, given the stack, what is summed and what is kept."""
    stack, inner, kept = parts
    is_left = array.axes == (*stack, *inner, *kept)
    rows = printer.size(Mul(*(i.upper - i.lower + 1 for i in (inner if is_left else kept)))).code
    first = next(k for k, i in enumerate(stack) if i in vector.axes)
    own = [n if i in vector.axes else "1" for i, n in zip(stack, printer.lengths(stack), strict=True)][first:]
    own += ["1", "-1"] if is_left else ["-1", "1"]
    line = f"{printer.text(vector).inside(ATOM)}.reshape({', '.join(own)})"
    whole = printer.text(array).inside(ATOM)
    if len(inner) > 1 or len(kept) > 1:
        whole += f".reshape({', '.join([*printer.lengths(stack), rows, '-1'])})"
    code = f"({line} @ {whole})" if is_left else f"({whole} @ {line})"
    summed = [k for k, i in enumerate(stack) if i in node.over]
    if summed:
        code += f".sum(axis={summed[0] if len(summed) == 1 else tuple(summed)})"
    return f"{code}.reshape({', '.join(printer.lengths(node.axes))})"
