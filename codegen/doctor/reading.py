"""What else may be read of an array: other places, the whole, and of each row its own."""

import ast
from collections.abc import Iterator
from itertools import combinations

from .edits import OTHER, PARTS, SLIP, Surroundings, is_indexer, parsed
from .quoting import quoted
from .slots import text


def subscripts(node: ast.Subscript, around: Surroundings) -> Iterator[tuple[ast.expr, str, int]]:
    """Yield what is read at other places, or as a whole."""
    if not is_indexer(node.value):
        yield node.value, f"[{quoted(node.slice)}] does not belong there", SLIP
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for a, b in combinations(range(len(parts)), 2):
        other = list(parts)
        other[a], other[b] = other[b], other[a]
        yield _at(node, other), "indices are exchanged", SLIP
    for k, part in enumerate(parts):
        for new in _other_places(part, around):
            yield _at(node, [*parts[:k], new, *parts[k + 1:]]), "another place should be read", SLIP
        yield from _before_the_first(node, part, around)
        if k and isinstance(parts[0], ast.Slice) and text(parts[0]) == ":" and isinstance(part, PARTS):
            rows = parsed(f"np.arange(len({text(node.value)}))")
            yield _at(node, [rows, *parts[1:]]), "whole columns are taken, where each row has its own", SLIP


def _before_the_first(node, part, around):
    """Yield what may stand in the place of h[t - 1] at t = 0, where that reads the last one."""
    if isinstance(node.ctx, ast.Load) and isinstance(part, ast.BinOp) and isinstance(part.op, ast.Sub) and \
            isinstance(part.left, ast.Name) and part.left.id in around.loops and text(part.right) == "1":
        first = ast.Compare(part.left, [ast.Eq()], [ast.Constant(0)])
        initial = [parsed("0"), *map(parsed, around.names), *(parsed(f"self.{name}") for name in around.kept)]
        for value in initial:
            yield ast.IfExp(first, value, node), f"at {part.left.id} = 0 the last one is read", OTHER


def moved(node: ast.expr, by: int) -> ast.expr:
    """Return an integer expression plus or minus 1."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return ast.Constant(node.value + by)
    if isinstance(node, ast.BinOp) and text(node.right) == "1" and isinstance(node.op, ast.Sub if by > 0 else ast.Add):
        return node.left
    return ast.BinOp(node, ast.Add() if by > 0 else ast.Sub(), ast.Constant(abs(by)))


def _at(node, parts):
    where = parts[0] if len(parts) == 1 else ast.Tuple(parts, ast.Load())
    return ast.Subscript(node.value, where, ast.Load())


def _other_places(part, around):
    if isinstance(part, ast.Slice):
        for low in (None, *(moved(part.lower, b) for b in (1, -1) if part.lower), ast.Constant(1)):
            yield ast.Slice(low, part.upper, part.step)
        for high in (None, *(moved(part.upper, b) for b in (1, -1) if part.upper), parsed("-1")):
            yield ast.Slice(part.lower, high, part.step)
        yield ast.Slice(part.lower, part.upper, None if part.step else parsed("-1"))
        yield from (ast.Slice(parsed(i), parsed(f"{i} + 1"), None) for i in around.loops)
    elif not isinstance(part, ast.Constant):
        yield from (moved(part, by) for by in (1, -1))
