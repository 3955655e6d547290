"""The same slip in several lines, none of which helps alone: another name in all, another function of each array.

    ee[0] += length[i] * np.cos(theta[i])               # theta[i] for the sum of the angles up to i, twice
    ee[1] += length[i] * np.sin(theta[i])
"""

import ast
import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, islice
from typing import Any

from .edits import OTHER, Edit, Surroundings, of_shape, once, parsed
from .lacking import FUNCTIONS
from .quoting import quoted
from .regions import MAYBE, SECOND, Region
from .rewritings import called, like, renamed
from .slots import Slot, expressions, text

SHAPES = tuple(ast.parse(s, mode="eval").body for s in ("x", "1.0", *FUNCTIONS))
READ = ast.Name | ast.Subscript | ast.Attribute
FEWEST, MOST_NODES = 3, 24      # nodes of a function of an array that is another one in several lines
MOST = 1500                     # edits of a function


def in_several_lines(regions: Sequence[Region], around: Surroundings) -> Iterator[tuple[Region, Edit]]:
    """Yield the edits of a function, whose regions are given, that change the same in several of its likely lines."""
    likely = [r for r in regions if r.tier <= SECOND and isinstance(r.slot.node, ast.expr)]
    places = [place for r in likely for place in expressions(r.slot) if not isinstance(place.owner, ast.Attribute)]
    lines = [r for r in regions if isinstance(r.slot.node, ast.Assign)]
    if likely:
        changes = chain(_added_up(lines), _other_names(places, around), _other_calls(places), _turned(places),
                        _other_functions(places))
        yield from islice(together(likely[0], changes), MOST)


def _added_up(regions):
    """Yield all lines that put something into one array, with += for =; what is overwritten seems to do nothing."""
    puts = [(text(target.value), r) for r in regions if isinstance(target := r.slot.node.targets[0], ast.Subscript)]
    likely = {said for said, r in puts if r.tier <= MAYBE}
    for said, some in _several((said, r.slot) for said, r in puts if said in likely):
        lines: list[Any] = [s.node for s in some]
        new = [ast.AugAssign(line.targets[0], ast.Add(), line.value) for line in lines]
        words = f"{said} is assigned (=) where it should be added up (+=): what was there is overwritten"
        yield some, new, words


def together(region, changes):
    """Yield the function's body with some places of it changed together."""
    body = Slot(region.unit.function, "body")
    for places, new, words in changes:
        with ExitStack() as held:
            for place, node in zip(places, new, strict=True):
                held.enter_context(place.holding(ast.copy_location(node, place.node)))
            whole = copy.deepcopy(body.node)
        lines = once(str(place.node.lineno) for place in places)
        where = f"lines {', '.join(lines[:-1])} and {lines[-1]}" if len(lines) > 1 else f"line {lines[0]}"
        yield Region(region.unit, body, region.line, region.tier), \
            Edit(body, body.node, whole, f"{words}, in {where}", OTHER, places[0].node.lineno)


def _other_names(places, around):
    """Yield all places of what is read several times, with another array, at the same index."""
    for said, some in _several((text(p.node), p) for p in places if isinstance(p.node, ast.Name | ast.Subscript)):
        node = some[0].node
        for base in (ast.Name(name, ast.Load()) for name in around.names):
            new = ast.Subscript(base, node.slice, ast.Load()) if isinstance(node, ast.Subscript) else base
            if text(new) != said:
                yield some, [copy.deepcopy(new) for _ in some], f"`{said}` should be `{text(new)}`"


def _turned(places):
    """Yield all places of what is read several times, with its transpose, or with both: each entry has two places."""
    for said, some in _several((p.node.id, p) for p in places if isinstance(p.node, ast.Name)):
        for new in (f"{said}.T", f"({said} + {said}.T)"):
            yield some, [parsed(new) for _ in some], f"`{said}` should be `{new}`"


def _other_calls(places):
    """Yield all places of what is called with something, by another function of its kind."""
    found = ((called(p.node), p) for p in places if isinstance(p.node, ast.Call))
    for name, some in _several(found):
        for other in like(name):
            calls: list[Any] = [p.node for p in some]
            yield some, [renamed(c, other) for c in calls], f"`{name}` should be `{other}`"


def _other_functions(places):
    """Yield all places of a function of one array each, with another function of it."""
    found = ((_pattern(p.node), p) for p in places if isinstance(p.node, ast.BinOp | ast.Call | ast.UnaryOp))
    for said, some in _several((pattern, p) for pattern, p in found if pattern):
        if len({text(p.node) for p in some}) > 1:
            for shape in SHAPES:
                if text(shape) != said:
                    new = [of_shape(shape, _array(p.node)) for p in some]
                    yield some, new, f"`{said}` should be `{quoted(shape)}`, for each x"


def _several(found) -> Iterator[tuple[str, list[Slot]]]:
    """Yield what is written in several places, with these."""
    by_text: dict[str, list[Slot]] = {}
    for said, place in found:
        by_text.setdefault(said, []).append(place)
    yield from ((said, some) for said, some in by_text.items() if len(some) > 1)


def _array(node):
    """Return the one thing that an expression is a function of, None where there are several."""
    if isinstance(node, READ):
        return node
    parts = [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)]
    if isinstance(node, ast.Call):
        parts = [*node.args, *(k.value for k in node.keywords)]
    found = {text(a): a for a in map(_array, parts) if a is not None}
    return next(iter(found.values())) if len(found) == 1 and all(
        isinstance(p, ast.Constant) or _array(p) is not None for p in parts) else None


def _pattern(node) -> str:
    """Return what an expression is written as, with x for the array that it is a function of; "" where it is none."""
    array = _array(node)
    if array is None or not FEWEST <= sum(1 for _ in ast.walk(node)) - sum(1 for _ in ast.walk(array)) <= MOST_NODES:
        return ""
    return text(_Blank(text(array)).visit(copy.deepcopy(node)))


class _Blank(ast.NodeTransformer):
    """Puts x wherever an array stands."""

    def __init__(self, said: str):
        self.said = said

    def visit(self, node):
        return ast.Name("x", ast.Load()) if isinstance(node, READ) and text(node) == self.said else \
            self.generic_visit(node)
