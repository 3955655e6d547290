"""The same slip in twin lines, each with names of its own, neither of which helps alone.

    gu = gu / 2 * W                                     # W - 1 for W
    gv = gv / 2 * H                                     # H - 1 for H
"""

import ast
import copy
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from .edits import SLIP, Edit
from .judge import LOSS, Judge
from .pairs import MOST_PAIRS, adding_up
from .regions import Region
from .several_lines import together
from .slots import text
from .two_edits import Tried, end_to_end, located


def in_twin_lines(judge: Judge, tried: Sequence[Tried], regions: Sequence[Region]) -> Iterator[tuple[Region, Edit]]:
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
        if first.line != second.line and first.unit is second.unit and _pattern(first) == _pattern(second):
            region = next(r for r in regions if r.unit is first.unit)
            edits = [t.edit for t in (first, second)]
            words = " and ".join(f"`{text(e.old)}` should be `{text(e.new)}`" for e in edits)
            yield from together(region, [([e.slot for e in edits], [located(e) for e in edits], words)])


def _pattern(tried) -> str:
    """Return what is edited to what, with names as numbers, in the order in which they come."""
    both = ast.Tuple([copy.deepcopy(tried.edit.old), copy.deepcopy(tried.edit.new)], ast.Load())
    return text(_Numbered().visit(both))


class _Numbered(ast.NodeTransformer):
    """Gives names their numbers."""

    def __init__(self):
        self.numbers: dict[str, str] = {}

    def visit_Name(self, node):
        return ast.Name(self.numbers.setdefault(node.id, f"x{len(self.numbers)}"), ast.Load())
