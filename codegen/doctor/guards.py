"""Small numbers that keep code in range, log(p + 1e-12) or x / (norm + 1e-8): code that is right without is judged so.

They move a loss by little, or by much where a probability is as small as they are, and are no mistake.
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from .source import Unit, acts, may_not_end, units_of
from .trials import TINY

MOST = 6                # so many are taken out one by one, where all together is no help
FINFO = {"eps", "epsilon", "tiny", "smallest_normal"}       # np.finfo(float).eps


@dataclass(frozen=True)
class Guard:
    """A small number, and where it stands: in a line, in a name of the module, or as what an argument is by default."""

    file: str
    place: Any
    words: str


def guards_of(units: Sequence[Unit]) -> list[Guard]:
    """Return the small numbers of some functions."""
    found: dict[tuple, Guard] = {}
    for unit in units:
        nodes = list(ast.walk(unit.function))
        for node in nodes:
            if _number(node) is not None:
                words = f"{ast.unparse(node)} in line {node.lineno}"        # type: ignore[attr-defined]
                found.setdefault((unit.file, _at(node)), Guard(unit.file, _at(node), words))
        read = {n.id for n in nodes if isinstance(n, ast.Name)}
        for function, _ in unit.live:
            known = function.__globals__
            for name in sorted(n for n in read if _is_tiny(known.get(n))):
                found[unit.file, name] = Guard(unit.file, name, f"{name} = {known[name]}")
    return list(found.values())


@contextmanager
def lifted(call: Callable[[], Any], chosen: Sequence[Guard]) -> Iterator[Callable[[ast.Module], None] | None]:
    """Have the functions that run in a call take 0 for some guards; give what does the same to a file's tree.

    None where that cannot be done. All is set back in the end.
    """
    def prepared(module: ast.Module) -> None:
        _Zeros({g.place for g in chosen}).visit(module)

    with units_of(call, prepared) as units, ExitStack() as kept:
        for unit in units:
            for function, _ in unit.live:
                _lift_names(function, {g.place for g in chosen if g.file == unit.file}, kept)
                _lift_defaults(function, unit.function, {g.place for g in chosen}, kept)
        yield prepared if all(u.run() for u in units) else None


def _lift_names(function, places, kept):
    """Set names of a function's module to 0."""
    known = function.__globals__
    for name in [p for p in places if isinstance(p, str) and _is_tiny(known.get(p))]:
        kept.callback(known.__setitem__, name, known[name])
        known[name] = 0.0


def _lift_defaults(function, node, places, kept):
    """Set what a function's arguments are by default to 0."""
    if not isinstance(node, ast.FunctionDef) or node.name != function.__name__:
        return
    if any(_at(d) in places for d in node.args.defaults):
        kept.callback(setattr, function, "__defaults__", function.__defaults__)
        function.__defaults__ = tuple(0.0 if _is_tiny(v) else v for v in function.__defaults__)
    if any(_at(d) in places for d in node.args.kw_defaults if d):
        kept.callback(setattr, function, "__kwdefaults__", function.__kwdefaults__)
        function.__kwdefaults__ = {k: 0.0 if _is_tiny(v) else v for k, v in function.__kwdefaults__.items()}


def choices(call: Callable[[], Any]) -> list[list[Guard]]:
    """Return which guards of the functions that run in a call to lift, all of them first; [] where that may do harm."""
    with units_of(call) as units:
        found = [] if acts(units) or may_not_end(units) else guards_of(units)
    return [found, *([g] for g in found if 1 < len(found) <= MOST)] if found else []


class _Zeros(ast.NodeTransformer):
    """Puts 0 in the place of small numbers."""

    def __init__(self, places):
        self.places = places

    def generic_visit(self, node):
        if isinstance(node, ast.expr) and _at(node) in self.places and _number(node) is not None:
            return ast.copy_location(ast.Constant(0.0), node)
        return super().generic_visit(node)


def _at(node):
    return (node.lineno, node.col_offset, node.end_col_offset) if isinstance(node, ast.expr) else None


def _number(node):
    """Return the small number that an expression is, None where it is none."""
    if isinstance(node, ast.Attribute) and node.attr in FINFO and "info" in ast.dump(node.value):
        return 0.0
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        base, power = _constant(node.left), _constant(node.right)           # 10 ** -8
        known = base is not None and power is not None and base > 1 and -99 < power < 0
        return float(base) ** power if known and _is_tiny(float(base) ** power) else None
    return node.value if isinstance(node, ast.Constant) and _is_tiny(node.value) else None


def _constant(node):
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _constant(node.operand)
        return None if value is None else -value
    return node.value if isinstance(node, ast.Constant) and type(node.value) in (int, float) else None


def _is_tiny(value):
    return isinstance(value, float) and 0 < value <= TINY
