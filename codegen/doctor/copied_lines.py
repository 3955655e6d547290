"""A line that one loop has and another should have too: what is added up at a step, forgotten at the earlier ones.

    for t in reversed(range(T)):
        db += delta[t]
        for j in reversed(range(t)):
            delta[j] = ...                  # and db += delta[j], which is missing
"""

import ast
from collections.abc import Iterator, Sequence
from itertools import islice

from .edits import OTHER, Edit, with_names
from .quoting import quoted
from .regions import SECOND, Region
from .slots import text

MOST = 600              # edits of a function
LINES = ast.AugAssign | ast.Assign | ast.Expr


def in_other_loops(regions: Sequence[Region]) -> Iterator[tuple[Region, Edit]]:
    """Yield the edits of one function, whose regions are given, that put a line of one loop into another one too."""
    yield from islice(_copied(regions), MOST)


def _copied(regions):
    lines = [r.slot.node for r in regions if r.tier <= SECOND and isinstance(r.slot.node, LINES) and _puts(r.slot.node)]
    for loop in (r for r in regions if isinstance(r.slot.node, list) and isinstance(r.slot.owner, ast.For)):
        block, written = loop.slot.node, {text(s) for s in loop.slot.node}
        for line in (s for s in lines if not any(s is here for here in block)):
            for new in _with_other_indices(line, _indices(block)):
                if text(new) not in written:
                    words = f"`{quoted(new)}` is missing: `{quoted(line)}` stands in line {line.lineno} alone"
                    yield loop, Edit(loop.slot, block, [*block, new], words, OTHER, block[-1].lineno)


def _puts(line):
    """Tell whether a line changes an array: adds to it, puts something into it, or calls something that may."""
    return not isinstance(line, ast.Assign) or isinstance(line.targets[0], ast.Subscript)


def _with_other_indices(line, places) -> Iterator[ast.stmt]:
    """Yield a line, as it is and with one of its indices another."""
    yield with_names(line, {})
    for old in _indices([line]):
        yield from (with_names(line, {old: new}) for new in places if new != old)


def _indices(lines) -> list[str]:
    """Return the names that stand in indices."""
    within = [s.slice for line in lines for s in ast.walk(line) if isinstance(s, ast.Subscript)]
    return list(dict.fromkeys(n.id for w in within for n in ast.walk(w) if isinstance(n, ast.Name)))
