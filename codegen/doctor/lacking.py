"""What an expression may lack, of all that its function has names for: a factor, a term, a function, a norm, a sum.

Of so many edits none is run that the line's reach refuses: what stands in each place is put together of values that are
computed once.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from .edits import FARTHER, Edit, Surroundings, made, of_shape
from .lines import Line
from .quoting import quoted
from .slots import Slot, expressions, text

FUNCTIONS = (
    "np.exp(x)", "np.log(x)", "np.sqrt(x)", "np.abs(x)", "np.sign(x)", "x ** 2", "1 / x", "1 - x", "(x > 0)", "(x < 0)",
    "np.tanh(x)", "1 - np.tanh(x) ** 2", "1 - x ** 2", "x * (1 - x)", "1 / (1 + np.exp(-x))", "np.cos(x)", "np.sin(x)",
    "np.exp(-x) / (1 + np.exp(-x)) ** 2", "np.maximum(x, 0)", "1 / np.sqrt(x)", "1 / (1 + x ** 2)", "x ** 3", "2 * x",
    "(x != 0)", "(x == 0)",
)  # fmt: skip
REDUCED = (
    "np.linalg.norm(x)", *(f"np.linalg.norm(x, axis={a}, keepdims=True)" for a in (0, 1, -1)),
    *(f"x.{f}(axis={a}, keepdims=True)" for f in ("sum", "mean") for a in (0, 1, -1)), "x.sum()", "len(x)", "x.size",
)  # fmt: skip
WIDER = ("x", "x.T", "x[:, None]", "x[..., None]", "x[:, None, None]", "x[0]", "x[-1]")
SHAPES = tuple(ast.parse(s, mode="eval").body for s in (*FUNCTIONS, *REDUCED, *WIDER))
ALONE, PAIRED = 1500, 60        # parts that are tried as they are, and two by two
BATCH = 500
PLACE = "__the_place__"
OPERATORS: dict[type, Callable] = {ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Add: operator.add,
                                   ast.Sub: operator.sub}


@dataclass(frozen=True)
class Part:
    """An expression and its values, each time that the line ran."""

    node: ast.expr
    values: Sequence[Any]


def fitting(line: Line, slot: Slot, around: Surroundings) -> Iterator[Edit]:
    """Yield the edits of a value that make all right, as far as its line tells."""
    with np.errstate(all="ignore"):
        short = [p for p in around.parts.values() if isinstance(p, ast.Name | ast.Subscript | ast.Attribute)]
        short += [ast.Name(n, ast.Load()) for n in around.names if n not in around.parts]       # what nothing reads
        short += [ast.Subscript(ast.Name(n, ast.Load()), s.slice, ast.Load()) for s in ast.walk(slot.node)
                  if isinstance(s, ast.Subscript) and isinstance(s.value, ast.Name) for n in around.names]
        made = (of_shape(shape, p) for shape in SHAPES[::-1] for p in short)
        atoms = list(_different(line, (*around.terms.values(), *made)))[:ALONE]
        plain = list(_different(line, short))[:PAIRED]
        here = [s for s in expressions(slot) if not _is_called(s)
                and not isinstance(s.node, ast.Slice | ast.Tuple | ast.Constant | ast.Lambda | ast.GeneratorExp)]
        for parts in (_alone, _in_pairs):
            for place in here:
                yield from _at(line, slot, place, parts(line, place, atoms, plain))
        yield from _at(line, slot, slot, _by_size(line, slot, atoms, plain))


def _at(line, slot, place, candidates) -> Iterator[Edit]:
    """Yield those of some candidates for a place with which the line makes all right."""
    name = ast.copy_location(ast.Name(PLACE, ast.Load()), place.node)
    with place.holding(name):
        code = line.code(slot.node)
    batch: list[tuple[Part, str, np.ndarray]] = []
    for part, words in candidates:
        if (added := _given(line, code, part)) is not None:
            batch.append((part, words, added))
        if len(batch) == BATCH:
            yield from _right(line, place, batch)
            batch = []
    yield from _right(line, place, batch)


def _given(line, code, part):
    try:
        return line.given(code, [{PLACE: v} for v in part.values])
    except (Exception, SystemExit):
        return None


def _right(line, place, batch):
    if batch:
        for k in np.flatnonzero(line.right(np.stack([added for *_, added in batch], axis=1))):
            part, words, _ = batch[k]
            yield made(place, part.node, words, FARTHER)


def _alone(line, place, atoms, plain):
    """Yield what may stand in a place: a function of what does, that and another part, or another part alone."""
    old = _valued(line, place.node)
    if old is None:
        return
    for shape in SHAPES[:len(FUNCTIONS)]:
        if part := _valued(line, of_shape(shape, old.node)):
            yield part, f"{quoted(shape)} is missing, of x = {quoted(old.node)}"
    for atom in atoms:
        for op in _operators(place):
            if part := _joined(old, op, atom):
                whole = ast.BinOp(ast.Name("_", ast.Load()), op(), atom.node)     # with the brackets it needs
                yield part, f"`{quoted(whole).removeprefix('_ ')}` is missing"
    for atom in atoms:
        yield atom, "another value belongs there"
    if isinstance(old.node, ast.BinOp) and (left := _valued(line, old.node.left)):
        for atom in atoms:
            for op in OPERATORS:
                if part := _joined(left, op, atom):
                    yield part, "another operation, with another value"


def _in_pairs(line, place, atoms, plain):
    """Yield products, quotients, sums and differences of two parts."""
    old = _valued(line, place.node)
    for a, b in product(plain, repeat=2) if old else ():
        for op in OPERATORS:
            if part := _joined(a, op, b):
                yield part, "it is made of other values"


def _by_size(line, place, atoms, plain):
    """Yield the whole times or by another part, and a number with a name besides: / (N * s[:, None])."""
    old = _valued(line, place.node)
    sizes = [p for p in plain if all(np.ndim(v) == 0 for v in p.values)]
    for size, atom, op, also in product(sizes, atoms, (ast.Div, ast.Mult), (ast.Div, ast.Mult)) if old else ():
        if (part := _joined(old, op, atom)) and (both := _joined(part, also, size)):
            yield both, f"{quoted(atom.node)} and {quoted(size.node)} are missing"


def _joined(a, op, b):
    """Return an operation of two parts, None where their shapes do not allow it."""
    try:
        values = [OPERATORS[op](v, w) for v, w in zip(a.values, b.values, strict=True)]
    except (TypeError, ValueError, ArithmeticError):
        return None
    return Part(ast.BinOp(a.node, op(), b.node), values)


def _different(line, nodes) -> Iterator[Part]:
    """Yield the parts that are numbers, of those with the same values the shortest."""
    found: dict[Any, Part] = {}
    for node in nodes:
        if part := _valued(line, node):
            key = tuple((v.shape, v.astype(float).tobytes()) for v in map(np.asarray, part.values))
            if key not in found or len(text(node)) <= len(text(found[key].node)):
                found[key] = part
    yield from found.values()


def _valued(line, node):
    try:
        values = line.valued(node)
        arrays = [np.asarray(v) for v in values]
    except (Exception, SystemExit):
        return None
    return Part(node, values) if all(a.dtype.kind in "fiub" and np.all(np.isfinite(a)) for a in arrays) else None


def _operators(place):
    """Return the operations that give another value here than a place further out."""
    owner = getattr(place.owner, "op", None)
    found = [] if isinstance(owner, ast.Mult | ast.Div) else [ast.Mult, ast.Div]
    return found if isinstance(owner, ast.Add | ast.Sub) else [*found, ast.Add, ast.Sub]


def _is_called(place):
    """Tell whether a place is a function's, a module's or an attribute's name."""
    return isinstance(place.owner, ast.Attribute) or (isinstance(place.owner, ast.Call) and place.name == "func")
