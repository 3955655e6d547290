"""Weights that a loop multiplies by from the right, transposed, are laid out once before it.

    U_T = np.ascontiguousarray(U.T)                             U_blocks = np.ascontiguousarray(U.transpose(1, 0, 2))
    for t in reversed(range(T)):
        dh[t] += dpre[t] @ U_T

A product of few rows by a transposed view takes up to 1.8 times as long as by an array that lies so. Where there is a
workspace, other weights are laid out too: its arrays begin where lines of the cache do, and by 128 columns of such an
array BLAS multiplies 32 rows in 0.8 of the time that it takes elsewhere.

    U_aligned = np.positive(U, out=array("U_aligned", K, K))
"""

import ast
import re
from collections.abc import Callable, Collection, Mapping, Sequence

from sympy import Expr, Mul

COLUMN = 56                 # where the shapes stand beside the code


def laid_out(
    lines: Sequence[str], varying: Collection[str], shapes: Mapping[str, tuple[Expr, ...]], taken: Collection[str],
    put: Callable[[str, str, tuple[Expr, ...]], str], elsewhere: Collection[str] = (),
) -> tuple[list[str], list[str]]:
    """Return the lines that stand before a loop, and those of the loop.

    `varying` are the names that are not the same in all turns, `shapes` those of arrays, and `taken` the names that are
    no longer free. `put` returns the line that gives a name to what code of a shape computes, laid out; `elsewhere` are
    arrays that begin anywhere, which are laid out as they are, too.
    """
    names: dict[str, str] = {}
    before: list[str] = []
    for line in lines:
        for code, stem, shape in _weights(line, varying, shapes, elsewhere):
            if code not in names and shape:
                names[code] = next(n for n in (stem, *(f"{stem}{k}" for k in range(2, 99)))
                                   if n not in taken and n not in names.values())
                made = put(names[code], code, shape)
                before.append(f"{made.ljust(COLUMN - 6)}  # ({', '.join(map(str, shape))})")
    for code, name in names.items():
        lines = [re.sub(rf"(@ |, ){re.escape(code)}(?![\w.\[(])", rf"\g<1>{name}", line) for line in lines]
    return before, list(lines)


def _shape(shape, sizes):
    """Return the shape of a matrix, or of what becomes one by `reshape` to sizes; () where that is not clear."""
    if len(shape) == 2 and not sizes:
        return shape
    for k in range(1, len(shape)) if len(sizes) == 2 else ():
        joined = Mul(*shape[:k]), Mul(*shape[k:])
        if all(size in ("-1", str(n)) for size, n in zip(sizes, joined, strict=True)):
            return joined
    return ()


def _weights(line, varying, shapes, elsewhere):
    """Yield the right operands of products in a line that are to be laid out: code, what to call it, its shape."""
    try:
        tree = ast.parse(line.strip())
    except SyntaxError:                     # the head of a loop or of a choice
        return
    for node in ast.walk(tree):
        right = _right(node)
        if isinstance(right, ast.Attribute) and right.attr == "T":
            name, shape = _matrix(right.value, shapes)
            if name and name not in varying:
                yield ast.get_source_segment(line.strip(), right), f"{name}_T", shape[::-1]
        elif isinstance(right, ast.Call) and isinstance(right.func, ast.Attribute) and right.func.attr == "transpose":
            name, shape = ast.unparse(right.func.value), shapes.get(ast.unparse(right.func.value), ())
            if shape and name not in varying:
                places = [int(ast.unparse(a)) for a in right.args]
                yield ast.get_source_segment(line.strip(), right), f"{name}_blocks", tuple(shape[k] for k in places)
        elif right is not None and elsewhere:
            name, shape = _matrix(right, shapes)
            if name in elsewhere and name not in varying:
                yield ast.get_source_segment(line.strip(), right), f"{name}_aligned", shape


def _right(node):
    """Return the right operand of a product, None for what is no product."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        return node.right
    return node.args[1] if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.matmul" else None


def _matrix(node, shapes):
    """Return the name of an array and the shape of what is made of it: as it is, reshaped, or picked at a number."""
    if isinstance(node, ast.Name):
        return node.id, _shape(shapes.get(node.id, ()), [])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "reshape" \
            and isinstance(node.func.value, ast.Name):
        name = node.func.value.id
        return name, _shape(shapes.get(name, ()), [ast.unparse(a) for a in node.args])
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        places = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        shape = shapes.get(node.value.id, ())
        if all(isinstance(p, ast.Constant) or ast.unparse(p) == ":" for p in places) and len(places) <= len(shape):
            kept = [s for k, s in enumerate(shape) if k >= len(places) or not isinstance(places[k], ast.Constant)]
            return node.value.id, _shape(tuple(kept), [])
    return "", ()
