"""Loops as they may have been meant: a stride in all indices, what is added up begun anew or restored at each turn."""

import ast
import copy
from collections.abc import Iterator, Sequence

from .arrangements import replaced
from .edits import FEW, OTHER, SLIP, Surroundings
from .quoting import quoted
from .slots import text

Made = Iterator[tuple[ast.For, str, int]]


def of_loop(loop: ast.For, before: Sequence[ast.stmt], around: Surroundings) -> Made:
    """Yield what else a loop may have been meant to be, given the statements before it."""
    yield from _strided(loop, around)
    yield from _begun_again(loop, before)
    yield from _set_back(loop, around)
    yield from _taken_anew(loop, before)
    yield from _restored(loop, around)


def _strided(loop, around):
    """Yield a loop with a stride in what its indices are the places of: slices, and names that stand for them."""
    loops = [f for f in ast.walk(loop) if isinstance(f, ast.For)]
    indices = {n.id for f in loops for n in ast.walk(f.target) if isinstance(n, ast.Name)}
    factors = (n for n in ast.walk(loop) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mult))
    if any(_is_index(side, indices) for n in factors for side in (n.left, n.right)):
        return                                              # it has one
    for stride in around.strides.values():
        changed = _Strided(indices, stride)
        new = changed.visit(copy.deepcopy(loop))
        if changed.said:
            yield new, f"the stride {text(stride)} is forgotten: {' and '.join(dict.fromkeys(changed.said))}", \
                OTHER if isinstance(stride, ast.Name) else FEW


class _Strided(ast.NodeTransformer):
    """Multiplies indices in slices, and where they have another name, by a stride."""

    def __init__(self, indices: set[str], stride: ast.expr):
        self.indices, self.stride, self.said = indices, stride, list[str]()

    def visit_Assign(self, node):
        if not _is_index(node.value, self.indices):
            return self.generic_visit(node)
        new = ast.copy_location(ast.Assign(node.targets, self._far(node.value)), node)
        return self._told(node, new)

    def visit_Slice(self, node):
        new = node
        for name in sorted(self.indices):
            here = ast.Name(name, ast.Load())
            ends = [end and replaced(end, name, self._far(here)) for end in (new.lower, new.upper)]
            new = ast.Slice(ends[0], ends[1], node.step)
        return node if text(new) == text(node) else self._told(node, new)

    def _far(self, index):
        return ast.BinOp(index, ast.Mult(), self.stride)

    def _told(self, old, new):
        self.said.append(f"`{quoted(old)}` should be `{quoted(new)}`")
        return new


def _is_index(node, indices):
    return isinstance(node, ast.Name) and node.id in indices


def _begun_again(loop, before):
    """Yield a loop, or one in it, at whose every turn begins anew what is added up there."""
    first = {s.targets[0].id: s for s in before if isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Name)}
    for k, inner in enumerate(f for f in ast.walk(loop) if isinstance(f, ast.For)):
        for name in _added_up(inner):
            if name in first and (k or first[name] is not before[-1]):      # that one may be moved
                yield _beginning(loop, k, first[name]), _words(first[name]), OTHER


def _set_back(loop, around):
    """Yield a loop, or one in it, at whose every turn an object of which it calls methods is set back."""
    for k, inner in enumerate(f for f in ast.walk(loop) if isinstance(f, ast.For)):
        calls = [n for s in inner.body for n in ast.walk(s) if isinstance(n, ast.Call)]
        heads = [c.func.value for c in calls if isinstance(c.func, ast.Attribute)]
        owners, said = [h.id for h in heads if isinstance(h, ast.Name)], {text(c) for c in calls}
        for owner in dict.fromkeys(owners):
            for method in around.plain_methods:
                new = ast.parse(f"{owner}.{method}()").body[0]
                if text(new) not in said:
                    yield _beginning(loop, k, new), _words(new), OTHER


def _taken_anew(loop, before):
    """Yield a loop at whose every turn is taken the entry of that turn, where one is taken once for all before it."""
    read = {n.id for s in loop.body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    for statement in before:
        if isinstance(loop.target, ast.Name) and isinstance(statement, ast.Assign) \
                and isinstance(statement.value, ast.Subscript) and isinstance(statement.value.slice, ast.Constant) \
                and isinstance(statement.targets[0], ast.Name) and statement.targets[0].id in read:
            own = ast.Subscript(statement.value.value, ast.Name(loop.target.id, ast.Load()), ast.Load())
            new = ast.copy_location(ast.Assign(statement.targets, own), statement)
            words = f"`{quoted(statement)}` is taken once for all turns of the loop: each has its own, `{quoted(new)}`"
            yield _beginning(loop, 0, new), words, OTHER


def _restored(loop, around):
    """Yield a loop at whose every turn an object has again what another loop stored of it at that turn."""
    for kept, value in around.stored if isinstance(loop.target, ast.Name) else ():
        own = ast.Subscript(kept, ast.Name(loop.target.id, ast.Load()), ast.Load())
        new = ast.parse(f"{text(value)} = {text(own)}").body[0]
        words = f"`{quoted(new)}` is missing at the beginning of each turn of the loop: the last turn's is read in all"
        yield _beginning(loop, 0, new), words, SLIP


def _added_up(loop):
    """Return the names to which a loop adds."""
    return dict.fromkeys(n.target.id for s in loop.body for n in ast.walk(s)
                         if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name))


def _beginning(loop, k, statement):
    """Return a loop in which the loop of that number begins its turns with a statement."""
    new = copy.deepcopy(loop)
    inner = [f for f in ast.walk(new) if isinstance(f, ast.For)][k]
    inner.body = [copy.deepcopy(statement), *inner.body]
    return new


def _words(statement):
    words = "is missing at the beginning of each turn of the loop: what one adds up goes on in the next"
    return f"`{quoted(statement)}` {words}"
