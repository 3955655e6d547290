"""Weights that a loop multiplies by from the right, transposed, are laid out once before it.

    U_T = np.ascontiguousarray(U.T)
    for t in reversed(range(T)):
        dh[t] += dpre[t] @ U_T

A product of few rows by a transposed view takes up to 1.8 times as long as by an array that lies so.
"""

import ast
import re
from collections.abc import Collection, Mapping, Sequence

from sympy import Expr, Mul

COLUMN = 56                 # where the shapes stand beside the code


def laid_out(
    lines: Sequence[str], varying: Collection[str], shapes: Mapping[str, tuple[Expr, ...]], taken: Collection[str],
) -> tuple[list[str], list[str]]:
    """Return the lines that stand before a loop, and those of the loop.

    `varying` are the names that are not the same in all turns, `shapes` those of arrays, and `taken` the names that are
    no longer free.
    """
    names: dict[str, str] = {}
    before: list[str] = []
    for line in lines:
        for code, weight, sizes in _transposed(line, varying):
            shape = _shape(shapes.get(weight, ()), sizes)
            if code not in names and shape:
                names[code] = next(n for n in (f"{weight}_T", *(f"{weight}_T{k}" for k in range(2, 99)))
                                   if n not in taken and n not in names.values())
                made = f"{names[code]} = np.ascontiguousarray({code})"
                before.append(f"{made.ljust(COLUMN - 6)}  # ({', '.join(map(str, shape[::-1]))})")
    for code, name in names.items():
        lines = [re.sub(rf"@ {re.escape(code)}(?![\w.\[(])", f"@ {name}", line) for line in lines]
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


def _transposed(line, varying):
    """Yield the transposed right operands of products in a line: code, name of the array, sizes of its reshape."""
    try:
        tree = ast.parse(line.strip())
    except SyntaxError:                     # the head of a loop or of a choice
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult) and isinstance(node.right, ast.Attribute) \
                and node.right.attr == "T":
            root: ast.expr = node.right.value
            sizes: list[str] = []
            if isinstance(root, ast.Call) and isinstance(root.func, ast.Attribute) and root.func.attr == "reshape":
                sizes = [ast.unparse(a) for a in root.args]
                root = root.func.value
            if isinstance(root, ast.Name) and root.id not in varying:
                yield ast.get_source_segment(line.strip(), node.right), root.id, sizes
