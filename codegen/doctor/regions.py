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


def idle(regions: Sequence[Region], edit: Edit, changed: Callable[[], bool]) -> bool:
    """Tell whether some values do nothing as long as an edit is made, that all wrong gradients came from.

    What the edit takes out is not meant, and what was computed for that alone. `changed` runs the code, and tells
    whether it gives anything else than with the edit alone.
    """
    gone = _nodes(edit.old)
    freed = _names(gone) - _names(_nodes(edit.new))
    for region in regions:
        slot = region.slot
        if region.tier > FIRST or isinstance(slot.node, list) or any(n is slot.node for n in gone):
            continue
        targets = _names(_nodes(slot.owner.targets)) if isinstance(slot.owner, ast.Assign) else set()
        if slot.name == "value" and targets and not targets & freed:
            with _moved(slot):
                same = not region.unit.run() or not changed()
            region.unit.reset()
            if same:
                return True
    return False


def _nodes(part) -> list[ast.AST]:
    return [n for whole in (part if isinstance(part, list) else [part]) for n in ast.walk(whole)]


def _names(nodes):
    return {n.id for n in nodes if isinstance(n, ast.Name)}


def _of_block(unit, block, changed, wrong) -> list[Region]:
    found: list[Region] = []
    for k, statement in enumerate(block.node):
        here = Slot(block.owner, block.name, k)
        inner = [r for name in BLOCKS if getattr(statement, name, None)
                 for r in _of_block(unit, Slot(statement, name), changed, wrong)]
        within = min((r.tier for r in inner), default=None)         # a header is as likely as what is under it
        for slot in _values(statement):
            own = _tier(unit, slot, changed, wrong) if within is None else within
            inner.append(Region(unit, slot, statement.lineno, own))
        if not isinstance(statement, ast.Return | ast.FunctionDef):
            tier = min((r.tier for r in inner), default=UNLIKELY)
            inner.append(Region(unit, here, statement.lineno, tier))
        found += inner
    tier = min((r.tier for r in found), default=UNLIKELY)
    return [*found, Region(unit, block, block.node[0].lineno, tier)] if block.node else found


def _values(statement) -> Iterator[Slot]:
    """Yield the places of what a statement computes, the parts of a tuple each for itself."""
    for name in ("value", "iter", "test"):
        if isinstance(getattr(statement, name, None), ast.expr):
            yield from parts(Slot(statement, name))


def _tier(unit, slot, changed, wrong):
    with _moved(slot):
        found = changed() if unit.run() else None
    unit.reset()
    if found is None:
        return MAYBE
    if not found or found - wrong:
        return UNLIKELY
    return FIRST if found == wrong else SECOND


def _moved(slot):
    """Let a value be another one: v + v^2/100 + 1/1000."""
    node = slot.node
    if isinstance(slot.owner, ast.Expr) and isinstance(node, ast.Call) and node.args:
        slot, node = Slot(node, "args", len(node.args) - 1), node.args[-1]
    square = ast.BinOp(ast.Constant(0.01), ast.Mult(), ast.BinOp(node, ast.Pow(), ast.Constant(2)))
    moved = ast.BinOp(ast.BinOp(node, ast.Add(), square), ast.Add(), ast.Constant(0.001))
    return slot.holding(ast.fix_missing_locations(ast.copy_location(moved, node)))
