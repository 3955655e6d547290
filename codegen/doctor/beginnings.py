"""What an array is before some of its entries are written: zeros, or a copy of another array."""

import ast
import copy
from collections.abc import Iterator

from .edits import SLIP, Surroundings, parsed
from .quoting import quoted
from .slots import text

ZEROS = ("zeros", "zeros_like", "empty", "empty_like", "ones", "ones_like")


def copied(call: ast.Call, around: Surroundings) -> Iterator[tuple[ast.expr, str, int]]:
    """Yield a copy of an array in place of zeros: what is not written stays as it was, y = Q.copy(); y[i, a] = t."""
    if getattr(call.func, "attr", "") in ZEROS:
        shown = {n.id for n in ast.walk(call) if isinstance(n, ast.Name)}       # zeros_like(Q): Q is the likeliest
        for name in sorted(around.names, key=lambda n: n not in shown):
            yield parsed(f"{name}.copy()"), f"what is not written should stay as it is in {name}", SLIP


def onto_zeros(first: ast.stmt, second: ast.stmt) -> Iterator[tuple[ast.stmt, ast.stmt, str]]:
    """Yield two statements that change some entries of a copy so that the others are 0: d = Q.copy(); d[i, a] -= t."""
    if not isinstance(first, ast.Assign) or not isinstance(second, ast.AugAssign) \
            or not isinstance(second.target, ast.Subscript) or text(second.target.value) != text(first.targets[0]):
        return
    whole = _copy_of(first.value)
    if whole is None:
        return
    zeros, changed = copy.copy(first), copy.copy(second.target)
    zeros.value = parsed(f"np.zeros_like({text(whole)})")
    entry = ast.Subscript(whole, second.target.slice, ast.Load())
    written = ast.copy_location(ast.Assign([changed], ast.BinOp(entry, second.op, second.value)), second)
    told = [f"`{quoted(old)}` should be `{quoted(new)}`" for old, new in ((first, zeros), (second, written))]
    yield zeros, written, f"what is not changed should be 0: {' and '.join(told)}"


def _copy_of(value):
    """Return what a value is a copy of, None where it is none."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        if value.func.attr == "copy" and not value.args:
            return value.func.value
        if value.func.attr in ("copy", "array") and len(value.args) == 1 and isinstance(value.args[0], ast.Name):
            return value.args[0]
    return None
