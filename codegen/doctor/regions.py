"""Which lines of somebody's code a mistake may be in: those that change the wrong gradients, and not the right ones.

A value that a line computes is moved a little, and the code is run: so it shows what depends on it.
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .edits import Edit
from .slots import Slot, parts
from .source import Unit

FIRST, SECOND, MAYBE, UNLIKELY = 0, 1, 2, 3
BLOCKS = ("body", "orelse")


@dataclass(frozen=True)
class Region:
    """A statement, a value in it, or a list of statements; `tier` tells how likely a mistake is there."""

    unit: Unit
    slot: Slot
    line: int
    tier: int


def likely(units: Sequence[Unit], changed: Callable[[], frozenset[str] | None], wrong: frozenset[str]) -> list[Region]:
    """Return the regions of some functions, the likeliest first.

    `changed` runs the code as it is now, and tells which results are other ones than before, None where it fails.
    """
    found = [r for unit in units if isinstance(unit.function, ast.FunctionDef)
             for r in _of_block(unit, Slot(unit.function, "body"), changed, wrong)]
    return sorted(found, key=lambda r: r.tier)


def alive(regions: Sequence[Region], changed: Callable[[], bool]) -> list[Region]:
    """Return the regions of the first tier whose values the results vary with; from one that is 0 they do not.

    `changed` runs the code, and tells whether it gives anything else than as it is.
    """
    found = []
    for region in regions:
        if region.tier == FIRST and isinstance(region.slot.owner, ast.Assign) and region.slot.name == "value":
            with _moved(region.slot, 0.0):
                if region.unit.run() and changed():
                    found.append(region)
            region.unit.reset()
    return found


def beside(regions: Sequence[Region], edit: Edit) -> list[Region]:
    """Return the regions that an edit leaves as they are, but for what is computed for what it takes out."""
    gone = _nodes(edit.old)
    freed = {*(_names(gone) - _names(_nodes(edit.new))), ""}
    return [r for r in regions if not any(n is r.slot.node for n in gone)
            and not freed & set(map(_root, getattr(r.slot.owner, "targets", ())))]


def _nodes(part) -> list[ast.AST]:
    return [n for whole in (part if isinstance(part, list) else [part]) for n in ast.walk(whole)]


def _root(target):
    """Return the name of what is set, or of what an entry of is set; "" where there are several."""
    while isinstance(target, ast.Subscript | ast.Attribute):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""


def _names(nodes):
    return {n.id for n in nodes if isinstance(n, ast.Name)}


def _of_block(unit, block, changed, wrong) -> list[Region]:
    found: list[Region] = []
    for k, statement in enumerate(block.node):
        here = Slot(block.owner, block.name, k)
        inner = [r for name in BLOCKS if getattr(statement, name, None)
                 for r in _of_block(unit, Slot(statement, name), changed, wrong)]
        within = min((r.tier for r in inner), default=None)         # a header is as likely as what is under it
        elsewhere = UNLIKELY
        for slot in _values(statement):
            reached = _reached(unit, slot, changed) if within is None else frozenset()
            inner.append(Region(unit, slot, statement.lineno, _tier(reached, wrong) if within is None else within))
            if reached and reached > wrong and _puts(statement):        # sums are right, wherever it is put
                elsewhere = SECOND
        if not isinstance(statement, ast.Return | ast.FunctionDef):
            tier = min((elsewhere, *(r.tier for r in inner)))
            inner.append(Region(unit, here, statement.lineno, tier))
        found += inner
    tier = min((r.tier for r in found), default=UNLIKELY)
    return [*found, Region(unit, block, block.node[0].lineno, tier)] if block.node else found


def _values(statement) -> Iterator[Slot]:
    """Yield the places of what a statement computes, the parts of a tuple each for itself."""
    for name in ("value", "iter", "test"):
        if isinstance(getattr(statement, name, None), ast.expr):
            yield from parts(Slot(statement, name))


def _puts(statement):
    """Tell whether a statement puts what it computes into places of an array."""
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return any(isinstance(t, ast.Subscript) for t in targets)


def _reached(unit, slot, changed):
    """Return which results are other ones with a value moved, None where the code fails so."""
    with _moved(slot):
        found = changed() if unit.run() else None
    unit.reset()
    return found


def _tier(reached, wrong):
    """Tell how likely a mistake is in a value that reaches these results."""
    if reached is None:
        return MAYBE
    if not reached or reached - wrong:
        return UNLIKELY
    return FIRST if reached == wrong else SECOND


def _moved(slot, constant=0.001):
    """Let a value be another one: v + v^2/100 + a constant."""
    node = slot.node
    if isinstance(slot.owner, ast.Expr) and isinstance(node, ast.Call) and node.args:
        slot, node = Slot(node, "args", len(node.args) - 1), node.args[-1]
    square = ast.BinOp(ast.Constant(0.01), ast.Mult(), ast.BinOp(node, ast.Pow(), ast.Constant(2)))
    moved = ast.BinOp(ast.BinOp(node, ast.Add(), square), ast.Add(), ast.Constant(constant))
    return slot.holding(ast.fix_missing_locations(ast.copy_location(moved, node)))
