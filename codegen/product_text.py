"""The code of a product of matrices taken apart, so that it can be computed into an array that is there."""

import ast
from dataclasses import dataclass


@dataclass(frozen=True)
class Multiplied:
    """The code `(left @ right).reshape(sizes).transpose(...)`; `sizes`, and `turn` with its dot, may be empty."""

    left: str
    right: str
    sizes: str
    turn: str


def taken_apart(code: str) -> Multiplied | None:
    """Return the parts of such code, None of other code."""
    whole = ast.parse(code, mode="eval").body
    inner, _ = _under(whole, "T", "mT", "transpose")
    turn = "." + code[inner.end_col_offset or 0:].partition(".")[2] if inner is not whole else ""
    inner, sizes = _under(inner, "reshape")
    if not isinstance(inner, ast.BinOp) or not isinstance(inner.op, ast.MatMult):
        return None
    left, right, *shown = (code[part.col_offset:part.end_col_offset] for part in (inner.left, inner.right, *sizes))
    return Multiplied(left, right, ", ".join(shown), turn)


def _under(node: ast.expr, *names: str) -> tuple[ast.expr, list[ast.expr]]:
    """Return what stands before one of these attributes, and what it is called with; the node where it has none."""
    arguments = node.args if isinstance(node, ast.Call) else []
    inner = node.func if isinstance(node, ast.Call) else node
    return (inner.value, arguments) if isinstance(inner, ast.Attribute) and inner.attr in names else (node, [])
