"""One thing in somebody's code written otherwise, and what else is written around it."""

import ast
import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeGuard

from .quoting import apart, quoted
from .slots import Slot, text

FEW, SLIP, MOVED, BRACKETS, OTHER, FAR, FARTHER = range(7)       # FEW: = for +=, a statement too many, a stride
MOST_NODES = 24             # of an expression that is tried elsewhere
PARTS = (ast.Name, ast.Subscript, ast.Attribute, ast.Call, ast.BinOp)
INDEXERS = ("c_", "r_", "s_", "mgrid", "ogrid")      # of NumPy's: to be read at a place; as arrays they have no end
SIZED = ("range", "arange", "reshape", "zeros", "ones", "eye", "repeat", "tile", "split")
OBJECTS = ("self", "cls")   # whose method a function is: no number
DIGITS = "0123456789"       # that names of a kind end with


@dataclass(frozen=True)
class Edit:
    """Something else in one place of a tree, and how that is told."""

    slot: Slot
    old: Any
    new: Any
    reason: str | None
    rank: int
    line: int = 0               # of a statement in a list of them, whose place is not that of the list

    @property
    def words(self) -> str:
        """What should be written there, and why."""
        if isinstance(self.new, ast.AST):
            old, new = apart(quoted(self.old), quoted(self.new), text(self.old), text(self.new))
            return f"`{old}` should be `{new}`: {self.reason}"
        return str(self.reason)


@dataclass(frozen=True)
class Surroundings:
    """What else is written in a function: names, attributes and short expressions."""

    names: tuple[str, ...]
    functions: tuple[str, ...]
    attributes: tuple[str, ...]
    strings: tuple[str, ...]
    loops: tuple[str, ...]
    sizes: dict[str, ast.expr]          # what ranges, slices and shapes are written with
    strides: dict[str, ast.expr]        # what an index may be multiplied by
    plain_methods: tuple[str, ...]      # that are called without arguments, for what they do
    parts: dict[str, ast.expr]
    turns: dict[str, list[ast.expr]] = field(default_factory=dict)      # by name, where loops keep its values
    terms: dict[str, ast.expr] = field(default_factory=dict)            # of other functions, in names of this one
    slices: dict[str, ast.Slice] = field(default_factory=dict)          # from somewhere, or to somewhere
    kept: tuple[str, ...] = ()          # attributes of `self` that others set
    lengths: tuple[tuple[str, ...], ...] = ()       # names of the axes of one array: N, C, H, W = x.shape
    stored: tuple[tuple[ast.expr, ast.Attribute], ...] = ()     # lists of `self`, what others append to each of its own

    @cached_property
    def slopes(self) -> dict[str, dict[str, ast.expr]]:
        """By name, slopes that a factor of it may be: of a sigmoid, a hyperbolic tangent and a relu."""
        return {n: {said: parsed(said) for said in (f"{n} * (1 - {n})", f"(1 - {n}**2)", f"({n} > 0)")}
                for n in self.names}

    @cached_property
    def operands(self) -> dict[str, ast.expr]:
        """The short expressions that are one value, by their texts; those that may be a vector as a column too."""
        found = dict[str, ast.expr]()
        for said, part in self.parts.items():
            if isinstance(part, ast.Name | ast.Subscript | ast.Attribute):
                found[said] = part
                if isinstance(part, ast.Name) and part.id not in self.loops:
                    column = ast.Tuple([ast.Slice(None, None, None), ast.Constant(None)], ast.Load())
                    wide = ast.Subscript(part, column, ast.Load())
                    found.setdefault(text(wide), wide)
        return found

    @classmethod
    def of(cls, function: ast.AST, others: Iterable[ast.AST] = ()) -> "Surroundings":
        """Return what is written in a function, and which methods others call too."""
        decorators = {id(n) for d in getattr(function, "decorator_list", ()) for n in ast.walk(d)}
        nodes = [n for n in ast.walk(function) if id(n) not in decorators]
        names = [n.arg for n in nodes if isinstance(n, ast.arg)]
        names += [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        called = [n.func.id for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
        loops = [n.target for n in nodes if isinstance(n, ast.For | ast.comprehension)]
        modules = {n.value.id for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
                   and n.value.id not in names}
        parts = {text(n): n for n in nodes if isinstance(n, PARTS) and sum(1 for _ in ast.walk(n)) <= MOST_NODES
                 and isinstance(getattr(n, "ctx", ast.Load()), ast.Load) and not is_indexer(n)}
        attributes = _attributes(nodes, modules)
        stems = {a.rstrip(DIGITS) for a in attributes}
        attributes += [a for o in others for a in _attributes(ast.walk(o), modules) if a.rstrip(DIGITS) in stems]
        return cls(once(n for n in names if n not in OBJECTS), once(called), once(attributes),
                   once(n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)),
                   turned := once(n.id for t in loops for n in ast.walk(t) if isinstance(n, ast.Name)),
                   sizes := {text(n): copy.deepcopy(n) for n in _sizes(nodes)},
                   _strides(nodes, names, sizes), once(n for o in (function, *others) for n in _plain_methods(o)),
                   {t: copy.deepcopy(n) for t, n in parts.items() if t not in modules and t not in called},
                   _turns(nodes, turned), _terms(others, {*names, *modules}, parts),
                   {text(n): copy.deepcopy(n) for n in (*_slices(nodes), *_steps(others, names))},
                   once(n.attr for o in others for n in ast.walk(o) if is_own(n) and isinstance(n.ctx, ast.Store)),
                   tuple(dict.fromkeys(_lengths(nodes))),
                   tuple(k for o in others for n in ast.walk(o) for k in _appended(n) if text(k[0]) not in parts))


def is_own(node: ast.AST) -> TypeGuard[ast.Attribute]:
    """Tell whether a node is an attribute of the object whose method it is in."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


def _appended(node):
    """Yield a list and what is appended to it, both attributes of the object whose method it is in."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append" \
            and len(node.args) == 1 and isinstance(node.args[0], ast.Attribute) \
            and text(node.func.value).startswith("self.") and text(node.args[0]).startswith("self."):
        yield node.func.value, node.args[0]


def _lengths(nodes):
    """Yield the names that the axes of one array are given together."""
    for node in nodes:
        axes = node.targets[0] if isinstance(node, ast.Assign) and text(node.value).endswith(".shape") else None
        if isinstance(axes, ast.Tuple):
            yield tuple(n.id for n in axes.elts if isinstance(n, ast.Name) and n.id != "_")


def _slices(nodes):
    return [n for n in nodes if isinstance(n, ast.Slice) and (n.lower or n.upper)]


def _steps(functions, names):
    """Return the slices with a step that other functions have, in names of this one."""
    slices = [n for f in functions for n in ast.walk(f) if isinstance(n, ast.Slice) and n.step]
    return [s for s in slices if {m.id for m in ast.walk(s) if isinstance(m, ast.Name)} <= set(names)]


def _attributes(nodes, modules):
    return [n.attr for n in nodes if isinstance(n, ast.Attribute)
            and not (isinstance(n.value, ast.Name) and n.value.id in modules)]


def _terms(functions, known, own):
    """Return the products and calls of other functions that name nothing but what is known here, by their texts."""
    nodes = [n for f in functions for n in ast.walk(f) if isinstance(n, ast.BinOp | ast.Call)]
    return {said: copy.deepcopy(n) for n in nodes if sum(1 for _ in ast.walk(n)) <= MOST_NODES
            and {m.id for m in ast.walk(n) if isinstance(m, ast.Name)} <= known and (said := text(n)) not in own}


def _turns(nodes, loops: Sequence[str]) -> dict[str, list[ast.expr]]:
    """Return by name where a loop keeps the value of each turn: layers[t] of layer, after layers.append(layer)."""
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append" \
                and len(node.args) == 1:
            for loop in loops:
                place = ast.Subscript(node.func.value, ast.Name(loop, ast.Load()), ast.Load())
                for name, part in _named(node.args[0], place):
                    found.setdefault(name, []).append(part)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            place = ast.Subscript(node.targets[0].value, node.targets[0].slice, ast.Load())
            for name, part in _named(node.value, place):
                found.setdefault(name, []).append(part)
    return copy.deepcopy(found)


def _named(kept: ast.expr, place: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that are kept in a place, one or a tuple of them, and the place of each."""
    if isinstance(kept, ast.Name):
        yield kept.id, place
    for k, part in enumerate(kept.elts if isinstance(kept, ast.Tuple) else ()):
        yield from _named(part, ast.Subscript(place, ast.Constant(k), ast.Load()))


def _strides(nodes, names, sizes):
    """Return what whole numbers are multiplied by here, sizes, 2, 3 and all names."""
    factors = [side for n in nodes if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mult)
               for side in (n.left, n.right) if isinstance(side, ast.Attribute) and isinstance(side.value, ast.Name)]
    found = [*factors, *sizes.values(), ast.Constant(2), ast.Constant(3), *(ast.Name(n, ast.Load()) for n in names)]
    return {text(n): copy.deepcopy(n) for n in found}


def _plain_methods(function):
    """Yield the names of methods that are called without arguments, as statements."""
    for node in ast.walk(function):
        call = node.value if isinstance(node, ast.Expr) else None
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and not (call.args or call.keywords):
            yield call.func.attr


def _sizes(nodes):
    """Yield the names, attributes and entries of shapes that ranges, slices and shapes are written with."""
    for node in nodes:
        here: list[ast.AST | None] = []
        if isinstance(node, ast.Slice):
            here = [node.lower, node.upper]
        elif isinstance(node, ast.Call) and text(node.func).split(".")[-1] in SIZED:
            here = list(node.args)
        elif isinstance(node, ast.Assign) and text(node.value).endswith(".shape"):
            here = list(node.targets)
        for h in here:
            yield from _sizes_in(h) if h is not None else ()


def _sizes_in(node):
    if isinstance(node, ast.Name):
        yield ast.Name(node.id, ast.Load())
    elif isinstance(node, ast.Attribute) or (isinstance(node, ast.Subscript) and text(node.value).endswith("shape")):
        if isinstance(node.ctx, ast.Load):
            yield node
    else:
        for inner in ast.iter_child_nodes(node):
            yield from _sizes_in(inner)


def is_indexer(node: ast.AST) -> bool:
    """Tell whether an expression is one of NumPy's that only make sense with brackets after them: np.c_."""
    return isinstance(node, ast.Attribute) and node.attr in INDEXERS


def made(slot: Slot, new: ast.AST, words: str, rank: int) -> Edit:
    """Return the edit that puts something else into a place."""
    return Edit(slot, slot.node, new, words, rank)


def with_names(node: ast.AST, names: Mapping[str, str]) -> Any:
    """Return a copy of a node in which some names are others."""
    other = copy.deepcopy(node)
    for n in ast.walk(other):
        if isinstance(n, ast.Name):
            n.id = names.get(n.id, n.id)
    return other


def of_shape(shape: ast.AST, inner: ast.AST) -> Any:
    """Return a shape with something in the place of its x."""
    if isinstance(shape, ast.Name):
        return inner if shape.id == "x" else shape
    new = copy.copy(shape)
    for name, value in ast.iter_fields(shape):
        if isinstance(value, ast.AST):
            setattr(new, name, of_shape(value, inner))
        elif isinstance(value, list):
            setattr(new, name, [of_shape(v, inner) if isinstance(v, ast.AST) else v for v in value])
    return new


def parsed(source: str) -> Any:
    """Return an expression from its text."""
    return ast.parse(source, mode="eval").body


def once(found: Iterable[str]) -> tuple[str, ...]:
    """Return what is found without repetition, in its order."""
    return tuple(dict.fromkeys(found))
