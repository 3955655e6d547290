"""NumPy's functions that write or read beside an array where arguments do not fit: in edited code they raise instead.

`ufunc.at` takes values of more axes than places have, as_strided any shape; an edit may hand over either, or put
what is no number into a list that becomes an array, of objects then: where two of these have no product, `@` counts
references wrongly (NumPy 2.4), and Python ends.
"""

import ast
import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from .rewritings import called

HERE = f"__import__({__name__!r}, fromlist=['at'])"


def at(ufunc: Any, array: Any, where: Any, *values: Any) -> None:
    """Call `ufunc.at`, where values are broadcast to the places.

    Raises
    ------
    ValueError
        Values of another shape.
    """
    places = np.shape(array[where])
    for given in map(np.shape, values):
        if len(given) > len(places) or any(n not in (1, m) for n, m in zip(given[::-1], places[::-1], strict=False)):
            raise ValueError(f"values of shape {given} for places of shape {places}")
    ufunc.at(array, where, *values)


def as_strided(x: Any, shape: Sequence[int] | None = None, strides: Sequence[int] | None = None, **options: Any) -> Any:
    """Return a view of an array that stays in its memory.

    Raises
    ------
    ValueError
        A shape and strides that lead out of it.
    """
    x = np.asarray(x)
    sizes, steps = x.shape if shape is None else tuple(shape), x.strides if strides is None else tuple(strides)
    ends = [(n - 1) * s for n, s in zip(sizes, steps, strict=True)]
    low, high = np.lib.array_utils.byte_bounds(x)
    start = x.__array_interface__["data"][0]
    first, last = start + sum(min(e, 0) for e in ends), start + sum(max(e, 0) for e in ends) + x.itemsize
    if min(sizes, default=1) > 0 and not (low <= first and last <= high):
        raise ValueError(f"a view of shape {sizes} and strides {steps} leads out of an array of shape {x.shape}")
    return np.lib.stride_tricks.as_strided(x, shape, strides, **options)


def matmul(a: Any, b: Any) -> Any:
    """Return a @ b, of numbers.

    Raises
    ------
    TypeError
        An array of objects.
    """
    if any(isinstance(x, np.ndarray) and x.dtype.hasobject for x in (a, b)):
        raise TypeError("a matrix product of objects")
    return a @ b


def checked(tree: Any) -> Any:
    """Return code that calls these in the place of NumPy's own; the same tree where it calls none."""
    nodes = list(ast.walk(tree))
    listed = any(isinstance(n, ast.Call) and called(n) == "array" and n.args and isinstance(n.args[0], ast.List)
                 for n in nodes)
    if not any(_is_careless(n) or (listed and _is_product(n)) for n in nodes):
        return tree
    return ast.fix_missing_locations(_Careful(listed).visit(copy.deepcopy(tree)))


def _is_careless(node):
    name = called(node) if isinstance(node, ast.Call) else ""
    return name == "as_strided" or (name == "at" and isinstance(node.func, ast.Attribute) and len(node.args) in (2, 3)
                                    and not node.keywords)


def _is_product(node):
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult)


class _Careful(ast.NodeTransformer):
    def __init__(self, products: bool):
        self.products = products

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if self.products and _is_product(node):
            function = ast.parse(f"{HERE}.matmul", mode="eval").body
            return ast.copy_location(ast.Call(function, [node.left, node.right], []), node)
        return node

    def visit_Call(self, node):
        self.generic_visit(node)
        if _is_careless(node):
            name = called(node)
            if name == "at":
                node.args.insert(0, node.func.value)
            node.func = ast.copy_location(ast.parse(f"{HERE}.{name}", mode="eval").body, node)
        return node
