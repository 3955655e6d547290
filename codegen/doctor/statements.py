"""Statements as they may have been meant: += for =, another target, a line in the wrong place or one too many."""

import ast
import copy
from collections.abc import Iterator, Sequence
from itertools import combinations, product

from .arrangements import cut, other_slices
from .beginnings import onto_zeros
from .edits import FAR, FEW, MOVED, OTHER, SLIP, Edit, Surroundings, made, with_names
from .loops import of_loop
from .quoting import quoted
from .reading import moved, subscripts
from .rewritings import OPERATORS, everywhere, names
from .sharing import added_up, all_added_up, unshared
from .slots import Slot, places, text

MOST_STATEMENTS = 15        # of a block in which each is moved to any other place
NEAR = 3                    # statements further on: with these, values are exchanged
TOO_MANY = (ast.Assign, ast.AugAssign, ast.Expr, ast.Break, ast.Continue)   # of which one may be
INDEX = (ast.Name, ast.Load, ast.BinOp, ast.Add, ast.Sub, ast.IfExp, ast.Compare, ast.cmpop)     # what it is made of


def of_statement(slot: Slot, around: Surroundings) -> Iterator[Edit]:
    """Yield what else a statement may have been meant to be, its expressions aside."""
    node = slot.node
    if isinstance(node, ast.AugAssign):
        yield made(slot, ast.Assign([node.target], node.value), "added up where it should be assigned (=)", FEW)
        for other in OPERATORS.get(type(node.op), ()):
            if other is not ast.MatMult:
                yield made(slot, ast.AugAssign(node.target, other(), node.value), "another operation", SLIP)
    elif isinstance(node, ast.Assign):
        target = node.targets[-1]
        if isinstance(target, ast.Name | ast.Subscript | ast.Attribute) and text(node.value) != "0":
            words = "assigned (=) where it should be added up (+=): what was there is overwritten"
            yield made(slot, ast.AugAssign(target, ast.Add(), node.value), words, FEW)
    yield from unshared(slot)
    for added, words, rank in added_up(node):
        yield made(slot, added, words, rank)
    for new, words in _sliced_alike(node, around):
        yield made(slot, new, words, OTHER)
    for new in _split(node, around):
        yield made(slot, new, "it is split at another place, and the parts are exchanged", OTHER)
    for place in places(node):
        if place.name in ("target", "targets"):
            for new, words, rank in _targets(place.node, around):
                yield made(place, new, words, rank)
    if isinstance(node, ast.If):
        test, said = Slot(node, "test"), f"`if {quoted(node.test)}`"
        yield Edit(test, node.test, ast.Constant(True), f"{said} does not belong there", SLIP)
        yield Edit(test, node.test, ast.Constant(False), f"what {said} does is wrong", SLIP)
        yield Edit(test, node.test, ast.UnaryOp(ast.Not(), node.test), f"{said} is the wrong way round", SLIP)


def _sliced_alike(node, around):
    """Yield an assignment with a slice that stands in it several times, w[1:] += v[1:], at another place in all."""
    slices = [n for n in ast.walk(node) if isinstance(n, ast.Slice)] if isinstance(node, ast.Assign | ast.AugAssign) \
        else []
    said = [text(s) for s in slices]
    for k, old in enumerate(said):
        if said.count(old) < 2 or old in said[:k] or not (slices[k].lower or slices[k].upper):
            continue
        for new in other_slices(slices[k], [*around.sizes.values(), ast.Constant(2), ast.Constant(1)]):
            if text(new) != old:
                other = copy.deepcopy(node)
                for inner in ast.walk(other):
                    if isinstance(inner, ast.Slice) and text(inner) == old:
                        inner.lower, inner.upper = new.lower, new.upper
                yield other, f"[{old}] where [{text(new)}] should be, all along the line"


def _split(node, around):
    """Yield two parts of an array exchanged, cut at another place."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Call) \
            and text(node.value.func).endswith("split") and len(node.value.args) > 1:
        for size in around.sizes.values():
            array, _, *rest = node.value.args
            value = ast.Call(node.value.func, [array, ast.List([size], ast.Load()), *rest], node.value.keywords)
            yield ast.Assign([ast.Tuple(node.targets[0].elts[::-1], ast.Store())], value)


def _targets(node, around):
    """Where something is assigned to: another index, another name."""
    store = ast.Store()
    if isinstance(node, ast.Subscript):
        for new, words, rank in (*subscripts(node, around), *cut(node, around), *_other_indices(node, around)):
            if isinstance(new, ast.Subscript):
                yield ast.Subscript(new.value, new.slice, store), words, rank
        for new, words, _ in names(node.value, around) if isinstance(node.value, ast.Name) else ():
            yield ast.Subscript(new, node.slice, store), words, FAR
    elif isinstance(node, ast.Attribute):
        for name in around.attributes:
            yield ast.Attribute(node.value, name, store), f"{node.attr} is written where {name} should be", FAR
    elif isinstance(node, ast.Tuple):
        for a, b in combinations(range(len(node.elts)), 2):
            order = list(node.elts)
            order[a], order[b] = order[b], order[a]
            yield ast.Tuple(order, store), "what is assigned to what is exchanged", SLIP
        for k, part in enumerate(node.elts):
            for new, words, rank in _targets(part, around) if isinstance(part, ast.Tuple) else ():
                yield ast.Tuple([*node.elts[:k], new, *node.elts[k + 1:]], store), words, rank
    elif isinstance(node, ast.Name):
        for name in around.names:
            yield ast.Name(name, store), f"{node.id} is written where {name} should be", FAR


def _other_indices(node, around):
    """What else the index of a target may have been meant to be."""
    for edit in everywhere(Slot(node, "slice"), around):
        with edit.slot.holding(edit.new):
            whole = copy.deepcopy(node)
        yield whole, edit.reason, edit.rank


def of_block(slot: Slot, block: Sequence[ast.stmt], around: Surroundings) -> Iterator[Edit]:
    """Yield the edits of a list of statements: one left out, two exchanged, one into a loop or out of it."""
    def made(new, words, rank, line=None):
        return Edit(slot, block, new, words, rank, (line or statement).lineno)

    for whole, words in all_added_up(block):
        yield made(whole, words, SLIP, block[0])
    for k, statement in enumerate(block):
        said, before, after = f"`{quoted(statement)}`", block[:k], block[k + 1:]
        if isinstance(statement, TOO_MANY) and not _is_text(statement):
            yield made([*before, ast.Pass(), *after], f"{said} does not belong there", FEW)
        if after:
            words = f"{said} should come after `{quoted(after[0])}`"
            yield made([*before, after[0], statement, *after[1:]], words, SLIP)
        for later in range(1, len(after) if len(block) <= MOST_STATEMENTS else 0):
            words = f"{said} should come after `{quoted(after[later])}`"
            yield made([*before, *after[:later + 1], statement, *after[later + 1:]], words, MOVED)
        for earlier in range(k - 1 if len(block) <= MOST_STATEMENTS else 0):
            words = f"{said} should come before `{quoted(before[earlier])}`"
            yield made([*before[:earlier], statement, *before[earlier:], *after], words, MOVED)
        for new in _alike(statement, block):
            yield made([*before, statement, new, *after], f"`{quoted(new)}` is missing: there is {said} alone", OTHER)
        for new in _masks(statement, before):
            yield made([*before, new, statement, *after], f"`{quoted(new)}` is missing before {said}", OTHER)
        if isinstance(statement, ast.For):
            for new, inner, words in _across(before, statement, after):
                yield made(new, f"`{quoted(inner)}` should {words}", MOVED, inner)
            for loop, words, rank in of_loop(statement, before, around):
                yield made([*before, loop, *after], words, rank)
        for pair, words in _both_off(statement, after[0]) if after else ():
            yield made([*before, *pair, *after[1:]], words, OTHER)
        for j, other in enumerate(after[:NEAR]):
            for first, second, words in (*_values_exchanged(statement, other), *onto_zeros(statement, other)):
                yield made([*before, first, *after[:j], second, *after[j + 1:]], words, OTHER)


def _both_off(first, second):
    """Yield two indices that are set one after the other, both of them others."""
    values = [_other_indices_than(s.value) if isinstance(s, ast.Assign) else [] for s in (first, second)]
    for pair in product(*values):
        new = [ast.copy_location(ast.Assign(s.targets, v), s) for s, v in zip((first, second), pair, strict=True)]
        said = [f"`{quoted(s)}` should be `{quoted(n)}`" for s, n in zip((first, second), new, strict=True)]
        yield new, f"two indices are off: {' and '.join(said)}"


def _values_exchanged(first, second):
    """Yield two statements with each other's values, where these are made alike: of gates, each by the other's."""
    if isinstance(first, ast.Assign | ast.AugAssign) and type(first) is type(second) \
            and _made_of(first.value) == _made_of(second.value) and text(first.value) != text(second.value):
        new = [copy.copy(first), copy.copy(second)]
        new[0].value, new[1].value = second.value, first.value
        said = [f"`{quoted(s)}` should be `{quoted(n)}`" for s, n in zip((first, second), new, strict=True)]
        yield *new, f"two values are exchanged: {' and '.join(said)}"


def _made_of(node):
    """Return the operations that a value is made by, without what they are applied to, and where that is read."""
    parts = [p for n in ast.iter_child_nodes(node) if not isinstance(node, ast.Subscript) for p in _made_of(n)]
    return [type(node), *parts] if isinstance(node, ast.BinOp | ast.UnaryOp | ast.Call | ast.operator) else parts


def _other_indices_than(value):
    """Return what else an index may be, one more or less or one of its cases; nothing of what is none."""
    if all(isinstance(n, INDEX) or isinstance(getattr(n, "value", None), int) for n in ast.walk(value)) \
            and any(isinstance(n, ast.Name) for n in ast.walk(value)):
        cases = [value.body, value.orelse] if isinstance(value, ast.IfExp) else []
        return [moved(value, -1), moved(value, 1), *cases]
    return []


def _masks(statement, before):
    """Yield what makes a mask of an array that a statement reads, or takes its negative entries away."""
    set_here = {n.id for s in before for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    read = (n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
    for name in dict.fromkeys(n for n in read if n in set_here):
        for mask in (f"{name}[{name} > 0] = 1", f"{name}[{name} < 0] = 0"):
            yield ast.parse(mask).body[0]


def _alike(statement, block):
    """Yield what a statement does to one name, done to another that the block has: db is to be divided as dW is."""
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        others = {n.id for s in block for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        for name in sorted(others - {statement.target.id}):
            yield ast.AugAssign(ast.Name(name, ast.Store()), statement.op, statement.value)


def _across(before, loop, after):
    """Yield a block with a statement taken out of a loop, or into it."""
    for j, inner in enumerate(loop.body if len(loop.body) > 1 else ()):
        rest = _with_body(loop, [*loop.body[:j], *loop.body[j + 1:]])
        yield [*before, inner, rest, *after], inner, "come before the loop"
        yield [*before, rest, inner, *after], inner, "come after the loop"
    yield from _of_all(before, loop, after)
    if before:
        yield [*before[:-1], _with_body(loop, [before[-1], *loop.body]), *after], before[-1], "be inside the loop"
    if after:
        yield [*before, _with_body(loop, [*loop.body, after[0]]), *after[1:]], after[0], "be inside the loop"


def _of_all(before, loop, after):
    """Yield what is done to each row before it is kept, done to all that is kept: p /= p.sum() before P[i] = p."""
    kept = [(s.value.id, s.targets[0].value.id) for s in loop.body if isinstance(s, ast.Assign)
            and isinstance(s.value, ast.Name) and isinstance(s.targets[0], ast.Subscript)
            and isinstance(s.targets[0].value, ast.Name)]
    for j, inner in enumerate(loop.body):
        for row, whole in kept:
            if isinstance(inner, ast.AugAssign) and text(inner.target) == row:
                rest = _with_body(loop, [*loop.body[:j], *loop.body[j + 1:]])
                yield [*before, rest, with_names(inner, {row: whole}), *after], inner, \
                    f"come after the loop, for all of {whole}"


def _with_body(loop, body):
    other = copy.copy(loop)
    other.body = body
    return other


def _is_text(statement):
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
