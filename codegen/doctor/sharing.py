"""Arrays that are one where they should be several: no copy is made, or what is done in place is seen elsewhere."""

import ast
import copy
from collections.abc import Iterator, Sequence

from .edits import FEW, OTHER, SLIP, Edit, made
from .quoting import quoted
from .slots import Slot, parts

REPEATED = "where an index is repeated, each must be added: += adds one of them, = keeps one"
STORING = {"append", "insert", "extend", "appendleft", "add"}
Made = Iterator[tuple[ast.AST, str, int]]


def unshared(slot: Slot) -> Iterator[Edit]:
    """Yield a statement with a copy where a name is bound to an array, or where one is kept; or not done in place."""
    node = slot.node
    for new, words, rank in (*_out_of_place(node), *_one_each(node)):
        yield made(slot, new, words, rank)
    for place in _kept(slot):
        copied = ast.Call(ast.Attribute(place.node, "copy", ast.Load()), [], [])
        rank = FEW if place.node is getattr(node, "value", None) else SLIP          # a name for what has one already
        yield made(place, copied, "no copy is made, and what is there is changed later", rank)


def added_up(node: ast.AST) -> Made:
    """Yield additions at indices that may be repeated, which += makes once."""
    if _adds_at(node):
        yield _each_added(node), REPEATED, SLIP
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        yield _at(node.targets[0], node.value, "add"), REPEATED, OTHER
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and len(node.value.args) == 3 \
            and ast.unparse(node.value.func).endswith("add.at"):
        array, where, value = node.value.args
        yield ast.Assign([ast.Subscript(array, where, ast.Store())], value), "added up where one is to be kept", SLIP


def all_added_up(block: Sequence[ast.stmt]) -> Iterator[tuple[list[ast.stmt], str]]:
    """Yield a list of statements in which all additions at indices that may be repeated are made one by one."""
    lines = [n for s in block for n in ast.walk(s) if _adds_at(n)]
    if len(lines) > 1:
        told = f"`{quoted(lines[0])}` and the like should be `{quoted(_each_added(lines[0]))}`, in {len(lines)} lines"
        yield [_Adding().visit(copy.deepcopy(s)) for s in block], f"{told}: {REPEATED}"


class _Adding(ast.NodeTransformer):
    """Makes all additions at indices one by one."""

    def visit_AugAssign(self, node):
        return ast.copy_location(_each_added(node), node) if _adds_at(node) else node


def _adds_at(node):
    return isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Subscript) \
        and isinstance(node.op, ast.Add | ast.Sub)


def _each_added(node):
    return _at(node.target, node.value, "add" if isinstance(node.op, ast.Add) else "subtract")


def _at(target, value, name):
    function = ast.parse(f"np.{name}.at", mode="eval").body
    where = target.slice
    if isinstance(where, ast.Slice | ast.Tuple) and any(isinstance(n, ast.Slice) for n in ast.walk(where)):
        parts = where.elts if isinstance(where, ast.Tuple) else [where]
        where = ast.Tuple([_as_index(p) for p in parts], ast.Load())
    return ast.Expr(ast.Call(function, [target.value, where, value], []))


def _as_index(part):
    """Return what an index is outside brackets: slice(a, b) for a:b."""
    if not isinstance(part, ast.Slice):
        return part
    ends = [e or ast.Constant(None) for e in (part.lower, part.upper, part.step)]
    return ast.Call(ast.Name("slice", ast.Load()), ends, [])


def _out_of_place(node):
    """Yield an assignment for what is done in place to an array that has other names."""
    words = "done in place, it changes the array under its other names too"
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        old = ast.Name(node.target.id, ast.Load())
        yield ast.Assign([node.target], ast.BinOp(old, node.op, node.value)), words, SLIP
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript) \
            and isinstance(node.targets[0].value, ast.Name) and ast.unparse(node.targets[0].slice) in (":", "..."):
        yield ast.Assign([ast.Name(node.targets[0].value.id, ast.Store())], node.value), words, SLIP


def _one_each(node):
    """Yield an array for each name or place of several that are one."""
    words = "one array under several names, which all change together"
    if isinstance(node, ast.Assign) and len(node.targets) > 1:
        several = ast.Tuple([node.value] * len(node.targets), ast.Load())
        yield ast.Assign([ast.Tuple(node.targets, ast.Store())], several), words, SLIP
    value = getattr(node, "value", None)
    if isinstance(node, ast.Assign) and isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult) \
            and isinstance(value.left, ast.List) and len(value.left.elts) == 1:
        turns = ast.Call(ast.Name("range", ast.Load()), [value.right], [])
        each = ast.ListComp(value.left.elts[0], [ast.comprehension(ast.Name("_", ast.Store()), turns, [], 0)])
        yield ast.Assign(node.targets, each), words, SLIP


def _kept(slot):
    """Yield the places in a statement of what a name is bound to, or what is kept: in a list, in a dictionary."""
    node = slot.node
    if isinstance(node, ast.Assign):
        yield from _arrays(Slot(node, "value"))
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) \
            and isinstance(node.value.func, ast.Attribute) and node.value.func.attr in STORING:
        for k in range(len(node.value.args)):
            yield from _arrays(Slot(node.value, "args", k))


def _arrays(slot):
    for part in parts(slot):
        node = part.node
        if isinstance(node, ast.Name | ast.Subscript | ast.Attribute) or (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            yield part
