"""Names with other numbers in all of an expression: what was copied for another layer, w[j1, f2] for w[j2, f1]."""

import ast
from collections.abc import Iterator
from itertools import permutations

from .edits import DIGITS, FAR, OTHER, Surroundings, with_names


def renumbered(node: ast.expr, around: Surroundings) -> Iterator[tuple[ast.expr, str, int]]:
    """Yield an expression of several numbered names with one number for another in all, or with two exchanged."""
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and _number(n.id)}
    if len(names) < 2 or not isinstance(node, ast.BinOp | ast.Call | ast.Subscript | ast.Tuple):
        return
    here, there = {*map(_number, names)}, {*map(_number, around.names)} - {""}
    for old, new in permutations(sorted(here | there), 2):
        for numbers in ({old: new}, {old: new, new: old}) if old in here else ():
            changes = {n: n.rstrip(DIGITS) + numbers[_number(n)] for n in names if _number(n) in numbers}
            if len(changes) > 1 and set(changes.values()) <= {*around.names}:
                rank = FAR if isinstance(node, ast.BinOp) else OTHER
                yield with_names(node, changes), "the numbers of the names are those of another place", rank


def _number(name):
    return name[len(name.rstrip(DIGITS)):]
