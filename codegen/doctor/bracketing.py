"""Brackets elsewhere in an expression: a * (b - 1) / 2 where a * b - 1 / 2 is written, or two pairs elsewhere."""

import ast
from collections.abc import Iterator
from itertools import chain, combinations

from .edits import BRACKETS, Edit, made
from .slots import Slot, expressions, text

SIGNS: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
                          ast.MatMult: "@", ast.Pow: "**"}
MOST_OPERANDS = 12          # of an expression
MOVED = 2                   # pairs of brackets, that are taken away and put elsewhere
MOST = 4000                 # ways of an expression to be bracketed
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


def rebracketed(slot: Slot) -> Iterator[Edit]:
    """Yield the longest expressions in a place with up to two pairs of brackets taken away and put elsewhere."""
    inner = {id(side) for place in expressions(slot) if isinstance(place.node, ast.BinOp)
             for side in (place.node.left, place.node.right)}
    for place in expressions(slot):
        if isinstance(place.node, ast.BinOp) and id(place.node) not in inner:
            for new in _moved(place.node):
                yield made(place, new, "brackets are in the wrong place", BRACKETS)


def _moved(node: ast.BinOp) -> Iterator[ast.expr]:
    """Yield an expression with its brackets elsewhere, the fewest moved first."""
    words: list[str] = []
    pairs = sorted(_pairs(node, words))
    if not 3 <= (count := len(words) // 2 + 1) <= MOST_OPERANDS:
        return
    whole = (0, count - 1)
    places = [p for p in combinations(range(count), 2) if p != whole]
    ways = ((kept, more) for changed in range(1, MOVED + 1) for kept in _kept(pairs, changed)
            for many in sorted({changed, len(pairs) - len(kept)}) for more in combinations(places, many))
    found = {text(node)}
    for tried, (kept, more) in enumerate(ways):
        if tried == MOST:
            return
        brackets = [*kept, *more]
        if any(a < c <= b < d or c < a <= d < b for (a, b), (c, d) in combinations(brackets, 2)):
            continue
        new = ast.parse(_written(words, brackets), mode="eval").body
        if (said := text(new)) not in found:
            found.add(said)
            yield new


def _kept(pairs, changed):
    """Return what is left of pairs of brackets where up to so many are taken away, all but one of those first."""
    return list(chain.from_iterable(combinations(pairs, len(pairs) - gone)
                                    for gone in range(min(changed, len(pairs)), -1, -1)))


def _written(words, brackets):
    """Return the text of operands and signs, with brackets from operand to operand."""
    said = list(words)
    for a, b in sorted(brackets, key=lambda pair: pair[1] - pair[0]):
        said[2 * a], said[2 * b] = f"({said[2 * a]}", f"{said[2 * b]})"
    return " ".join(said)


def _pairs(node, words) -> Iterator[tuple[int, int]]:
    """Add the operands and signs of an expression to some words, and yield which operands stand in brackets."""
    if not isinstance(node, ast.BinOp) or type(node.op) not in SIGNS or isinstance(node.op, ast.Pow):
        said = text(node)
        words.append(said if isinstance(node, ast.Name | ast.Constant | ast.Call | ast.Subscript | ast.Attribute)
                     else f"({said})")
        return
    for side in ("left", "right"):
        part, first = getattr(node, side), len(words) // 2
        whole = ast.BinOp(part, node.op, ast.Name("_")) if side == "left" else \
            ast.BinOp(ast.Name("_"), node.op, part)
        yield from _pairs(part, words)
        if isinstance(part, ast.BinOp) and len(words) // 2 > first and f"({text(part)})" in text(whole):
            yield first, len(words) // 2
        if side == "left":
            words.append(SIGNS[type(node.op)])


def _operands(node, owner, side) -> list[str]:
    """Return the operands and signs that an operand is written as, one word where it is in brackets."""
    whole = ast.BinOp(node, owner.op, ast.Name("_")) if side == "left" else ast.BinOp(ast.Name("_"), owner.op, node)
    said = text(node)
    if not isinstance(node, ast.BinOp) or f"({said})" in text(whole):
        return [f"{OPEN}{said})" if f"({said})" in text(whole) else said]
    return [*_operands(node.left, node, "left"), SIGNS.get(type(node.op), ""), *_operands(node.right, node, "right")]
