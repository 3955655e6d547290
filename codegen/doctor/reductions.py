"""Sums, means, norms and the like: over other axes than they should be over, or another norm than is meant."""

import ast
import re
from collections.abc import Iterator
from typing import Any

from .edits import SLIP, Surroundings, of_shape, once, parsed
from .slots import text

AXES = ("None", "0", "1", "-1", "2", "(0, 1)", "(1, 2)", "(0, 2)", "(0, 2, 3)", "3", "(2, 3)")
REDUCTIONS = {"sum", "mean", "max", "min", "amax", "amin", "prod", "var", "std", "argmax", "argmin", "any", "all",
              "norm", "cumsum", "cumprod", "logsumexp", "flip", "concatenate", "stack", "repeat", "argsort",
              "sort", "softmax"}
MODULES = ("np", "numpy", "linalg", "np.linalg", "numpy.linalg", "LA", "special", "scipy.special")
KEEPING = {"sum", "mean", "max", "min", "amax", "amin", "prod", "var", "std", "any", "all", "norm", "logsumexp"}


def over_axes(node: ast.Call, name: str) -> Iterator[tuple[ast.expr, str, int]]:
    """Yield a reduction over other axes, over all, or with axes kept or not."""
    free = isinstance(node.func, ast.Attribute) and text(node.func.value) not in MODULES
    several = [text(a) for a in node.args[:1] if isinstance(a, ast.List | ast.Tuple)]
    first = 0 if free and not (several and not re.fullmatch(r"[(\d, )]+", several[0])) else 1
    arguments = node.args[:first]
    rest = [k for k in node.keywords if k.arg not in ("axis", "keepdims")]
    now = [text(k.value) for k in node.keywords if k.arg == "axis"] or [text(a) for a in node.args[first:first + 1]]
    kept = any(k.arg == "keepdims" and text(k.value) == "True" for k in node.keywords)
    for keeps in ((kept, not kept) if name in KEEPING or kept else (kept,)):
        for axis in once((*AXES, *_beside(now))):
            if [axis] == (now or ["None"]) and keeps == kept:
                continue
            more = [ast.keyword("axis", parsed(axis))] if axis != "None" else []
            more += [ast.keyword("keepdims", ast.Constant(True))] if keeps else []
            same = [axis] == (now or ["None"])
            words = "keepdims is missing" if same and keeps else "keepdims does not belong there" if same else \
                f"over axis {axis}, not over axis {(now or ['None'])[0]}"
            yield ast.Call(node.func, arguments, [*rest, *more]), words.replace("axis None", "all axes"), SLIP


def other_norms(node: ast.Call, around: Surroundings) -> Iterator[tuple[ast.expr, str, int]]:
    """Yield the sum of absolute values, or of squares, where the Euclidean norm of all entries is taken."""
    if (x := _normed(node)) is not None:
        for said in ("np.abs(x).sum()", "(x ** 2).sum()"):
            yield of_shape(parsed(said), x), "another norm is meant", SLIP


def other_slopes_of_norms(node: ast.BinOp, around: Surroundings) -> Iterator[tuple[ast.expr, str, int]]:
    """Yield the slopes of those norms where that of the Euclidean one is taken: w / norm(w), a * w / norm(w)."""
    x = _normed(node.right)
    for said in ("np.sign(x)", "2 * x") if x is not None and isinstance(node.op, ast.Div) else ():
        slope = of_shape(parsed(said), x)
        if text(node.left) == text(x):
            yield slope, "another norm is meant", SLIP
        elif isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Mult) \
                and text(node.left.right) == text(x):
            yield ast.BinOp(node.left.left, ast.Mult(), slope), "another norm is meant", SLIP


def _normed(node) -> Any:
    """Return what the Euclidean norm of all entries is taken of, None where none is."""
    one = isinstance(node, ast.Call) and text(node.func).endswith("linalg.norm") and not node.keywords
    return node.args[0] if one and len(node.args) == 1 else None


def _beside(now):
    """Return axes, as text, as more of them with one left out, or one added."""
    axes = tuple(ast.literal_eval(now[0])) if now and re.fullmatch(r"\(\d(, \d)+\)", now[0]) else ()
    near = [tuple(a for a in axes if a != out) for out in axes]
    near += [tuple(sorted((*axes, more))) for more in range(4) if axes and more not in axes]
    return [str(some[0]) if len(some) == 1 else str(some) for some in near]
