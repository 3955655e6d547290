"""The same slip in twin lines, each with names of its own, neither of which helps alone.

    gu = gu / 2 * W                                     # W - 1 for W
    gv = gv / 2 * H                                     # H - 1 for H

What they give together is their sum where neither reads what the other gives; elsewhere they are run together.
"""

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from .edits import OTHER, SLIP, Edit
from .judge import LOSS, Judge
from .pairs import MOST_PAIRS, adding_up
from .regions import MAYBE, Region
from .several_lines import together
from .slots import text
from .two_edits import Tried, end_to_end, located


def in_two_twins(judge: Judge, tried: Sequence[Tried], regions: Sequence[Region]) -> Iterator[tuple[Region, Edit]]:
    """Yield edits of two lines that are the same but for names, and that by their numbers make all right together."""
    names, k = sorted(judge.wrong - {LOSS}), judge.order[0]
    some = [t for t in tried if t.edit.rank <= SLIP and isinstance(t.edit.new, ast.expr)]
    if not names or not some or judge.answer(k).failure:
        return
    right, before, *rows = (end_to_end(g, names) for g in (
        judge.evidence.gradients(k), judge.answer(k).gradients, *(t.gradients for t in some)))
    if any(np.shape(row) != right.shape for row in (before, *rows)):
        return
    for a, b in islice(adding_up(np.stack(rows) - before, right - before), MOST_PAIRS):
        first, second = some[a], some[b]
        if first.line != second.line and first.unit is second.unit and \
                _pattern(first.edit.old, first.edit.new) == _pattern(second.edit.old, second.edit.new):
            yield _told(next(r for r in regions if r.unit is first.unit), [first.edit, second.edit])


def in_all_twins(regions: Sequence[Region], made: Callable[[Region], Sequence[Edit]]) -> Iterator[tuple[Region, Edit]]:
    """Yield the same edit of all likely lines of a function that are the same but for names; the likely edits first."""
    lines = _simple_lines(regions[0].unit)
    at = [(lines.get(getattr(r.slot.node, "lineno", None)), r) for r in regions if r.tier <= MAYBE]
    patterns = {line: _pattern(line) for line, _ in at if line is not None}
    counts = Counter(patterns.values())
    groups: dict[tuple, dict[ast.stmt, Edit]] = {}
    for line, region in at:
        if line is not None and counts[patterns[line]] > 1:
            for edit in made(region):
                if edit.rank <= OTHER and isinstance(edit.new, ast.expr):
                    with edit.slot.holding(located(edit)):
                        key = edit.rank, _pattern(line, edit.new)
                    groups.setdefault((patterns[line], *key), {}).setdefault(line, edit)
    found = [list(twins.values()) for twins in groups.values() if len(twins) > 1]
    yield from (_told(regions[0], edits) for edits in sorted(found, key=_far_fetched))


def _far_fetched(edits):
    return edits[0].rank, max(len(text(e.new)) for e in edits)


def _told(region, edits):
    """Return edits as one, with the words of each, and those that all have."""
    words = " and ".join(f"`{text(e.old)}` should be `{text(e.new)}`" for e in edits)
    reasons = {e.reason for e in edits}
    words = f"{words}: {reasons.pop()}" if len(reasons) == 1 else words
    return next(together(region, [([e.slot for e in edits], [located(e) for e in edits], words)]))


def _simple_lines(unit):
    """Return the statements of a function that have no others in them, by the number of their line."""
    return {n.lineno: n for n in ast.walk(unit.function) if isinstance(n, ast.stmt) and not hasattr(n, "body")}


def _pattern(*nodes: ast.AST) -> str:
    """Return what nodes say, with names and places in arrays as numbers, in the order in which they come."""
    numbered = _Numbered()
    return "\n".join(text(numbered.visit(copy.deepcopy(n))) for n in nodes)


class _Numbered(ast.NodeTransformer):
    """Gives names their numbers, and the numbers of places in arrays, too."""

    def __init__(self):
        self.numbers: dict[Any, str] = {}
        self.placing = False

    def visit_Name(self, node):
        return self._numbered(node.id)

    def visit_Constant(self, node):
        return self._numbered(node.value) if self.placing else node

    def visit_Subscript(self, node):
        value, before = self.visit(node.value), self.placing
        self.placing = True
        where = self.visit(node.slice)
        self.placing = before
        return ast.Subscript(value, where, ast.Load())

    def _numbered(self, what):
        return ast.Name(self.numbers.setdefault(what, f"x{len(self.numbers)}"), ast.Load())
