"""Sums of a stack of matrices times a vector for each of them: BLAS takes them, and no product of the whole is made.

    a[n, t] X[n, t, d]      over t      (a[:, None, :] @ X)[:, 0]
    c[n, d] X[n, t, d]      over d      (X @ c[:, :, None])[:, :, 0]
    a[n, t] X[t, n, d]      over t      np.einsum("nt,tnd->nd", a, X)
"""

from sympy import Mul, Sum

from derive.nodes import Apply, Axes, Node, Reduction, Spread, Transpose

from .contractions import einsum
from .nodes import is_mask
from .places_text import indexed
from .precedence import SIGN, TERM


def by_vectors(node: Node, printer, axes: Axes = ()) -> str:
    """Return the code of a sum of an array times a vector for each of its matrices, "" for another node.

    `axes` is another order than the sum's, which np.einsum gives as well as any; "" where it is not used.
    """
    found = _vector_and_array(node)
    if found is None:
        return ""
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
        return einsum(printer.code(vector), printer.code(array), vector.axes, array.axes, axes or node.axes)
    return "" if axes else code


def _vector_and_array(node):
    """Return the two, the axes that both keep, the one that is summed, the one that the vector lacks; else None."""
    if not (isinstance(node, Reduction) and node.binder is Sum and len(node.over) == 1):
        return None
    body = node.body
    pair = body.args if isinstance(body, Apply) and body.head is Mul and len(body.args) == 2 else ()
    for spread, array in (pair, pair[::-1]) if pair else ():
        if isinstance(spread, Spread) and array.axes == body.axes and not (is_mask(spread) or is_mask(array)):
            batch = tuple(i for i in spread.body.axes if i not in node.over)
            kept = tuple(i for i in array.axes if i not in spread.body.axes)
            if len(kept) == 1 and batch and node.over[0] in spread.body.axes:
                return spread.body, array, batch, node.over[0], kept
    return None
