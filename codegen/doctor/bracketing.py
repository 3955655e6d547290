"""One pair of brackets more, or less, in an expression: a * (b - 1) / 2 where a * b - 1 / 2 is written."""

import ast
from collections.abc import Iterator

from .slots import text

SIGNS: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
                          ast.MatMult: "@", ast.Pow: "**"}
MOST_OPERANDS = 12          # of an expression
OPEN = "\N{LEFT WHITE PARENTHESIS}"      # of an operation, not of a call


def bracketed(node: ast.BinOp) -> Iterator[ast.expr]:
    """Yield an expression with a pair of brackets about its own operation, or without one that is in it."""
    left, right = _operands(node.left, node, "left"), _operands(node.right, node, "right")
    words, here = [*left, SIGNS.get(type(node.op), ""), *right], len(left)
    if not 3 <= len(words) <= 2 * MOST_OPERANDS or "" in words:
        return
    more = [[*words[:a], "(", *words[a:b + 1], ")", *words[b + 1:]]
            for a in range(0, here, 2) for b in range(here + 1, len(words), 2)]
    less = [[*words[:k], word[1:-1], *words[k + 1:]] for k, word in enumerate(words) if word.startswith(OPEN)]
    found: dict[str, ast.expr] = {text(node): node}
    for some in (*less, *more):
        new = ast.parse(" ".join(some).replace(OPEN, "("), mode="eval").body
        if found.setdefault(text(new), new) is new:
            yield new


def _operands(node, owner, side) -> list[str]:
    """Return the operands and signs that an operand is written as, one word where it is in brackets."""
    whole = ast.BinOp(node, owner.op, ast.Name("_")) if side == "left" else ast.BinOp(ast.Name("_"), owner.op, node)
    said = text(node)
    if not isinstance(node, ast.BinOp) or f"({said})" in text(whole):
        return [f"{OPEN}{said})" if f"({said})" in text(whole) else said]
    return [*_operands(node.left, node, "left"), SIGNS.get(type(node.op), ""), *_operands(node.right, node, "right")]
