"""Weights that a loop multiplies by from the right, transposed, are laid out once before it.

    U_T = np.ascontiguousarray(U.T)
    for t in reversed(range(T)):
        dh[t] += dpre[t] @ U_T

A product of few rows by a transposed view takes up to 1.8 times as long as by an array that lies so.
"""

import ast
from collections.abc import Collection, Sequence


def laid_out(lines: Sequence[str], varying: Collection[str], taken: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the lines that stand before a loop, and those of the loop.

    `varying` are the names that are not the same in all turns, `taken` those that are no longer free.
    """
    names: dict[str, str] = {}
    for line in lines:
        for code, weight in _transposed(line, varying):
            if code not in names:
                names[code] = next(n for n in (f"{weight}_T", *(f"{weight}_T{k}" for k in range(2, 99)))
                                   if n not in taken and n not in names.values())
    before = [f"{name} = np.ascontiguousarray({code})" for code, name in names.items()]
    for code, name in names.items():
        lines = [line.replace(f"@ {code}", f"@ {name}") for line in lines]
    return before, list(lines)


def _transposed(line, varying):
    """Yield the transposed right operands of products in a line, as code, each with the one name in it."""
    try:
        tree = ast.parse(line.strip())
    except SyntaxError:                     # the head of a loop or of a choice
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult) and isinstance(node.right, ast.Attribute) \
                and node.right.attr == "T":
            root = node.right.value
            while isinstance(root, ast.Call | ast.Attribute):
                root = root.func if isinstance(root, ast.Call) else root.value
            names = {n.id for n in ast.walk(node.right) if isinstance(n, ast.Name)}
            if isinstance(root, ast.Name) and not names & set(varying):
                yield ast.get_source_segment(line.strip(), node.right), root.id
