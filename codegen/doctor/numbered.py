"""Names of another place in all of an expression: what was copied for another layer, w[j1, f2], or gate, X_r + H_r."""

import ast
import copy
from collections.abc import Iterator
from itertools import permutations

from .edits import DIGITS, FAR, OTHER, Surroundings, with_names

FIELDS: dict[type, str] = {ast.Name: "id", ast.Attribute: "attr", ast.Constant: "value"}


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


def relabelled(node: ast.expr, around: Surroundings) -> Iterator[tuple[ast.expr, str, int]]:
    """Yield a sum or product of several names of one kind, X_r + H_r, with those of another in all: X_u + H_u."""
    if not isinstance(node, ast.BinOp):
        return
    here = [kind for n in ast.walk(node) if (kind := _kind(_said(n)))]
    known = {*around.names, *around.attributes, *around.kept, *around.strings}
    there = sorted({kind for n in known if (kind := _kind(n))})
    for old in sorted({k for k in here if here.count(k) > 1}):
        for new in (n for n in there if n != old):
            whole = copy.deepcopy(node)
            named = [n for n in ast.walk(whole) if _kind(_said(n)) == old]
            if len({_said(n) for n in named}) > 1 and all(_of_kind(_said(n), new) in known for n in named):
                for n in named:
                    setattr(n, FIELDS[type(n)], _of_kind(_said(n), new))
                yield whole, f"the names are those of another place: _{old} for _{new}", OTHER


def _said(node):
    """Return the name, attribute or key that a node is, "" for anything else."""
    said = getattr(node, FIELDS[type(node)]) if type(node) in FIELDS else ""
    return said if isinstance(said, str) else ""


def _kind(name):
    """Return what a name ends with after its last underscore, "" where it has none."""
    return name.rpartition("_")[2] if "_" in name.strip("_") else ""


def _of_kind(name, kind):
    return f"{name.rpartition('_')[0]}_{kind}"


def _number(name):
    return name[len(name.rstrip(DIGITS)):]
