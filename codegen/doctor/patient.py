"""Calling somebody's function: with copies, twice, watching what it does to its arguments."""

import ast
import inspect
import linecache
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from derive.program import Program

from .given_back import without
from .own_layout import Layout
from .returned import Taker
from .trials import Point

HALF = 2.0**-11         # by which float16 rounds
REAL = 1e-9             # of the largest entry, that an imaginary part may be


@dataclass
class Answer:
    """What a function did at one point."""

    loss: float | None = None
    gradients: dict[str, Any] = field(default_factory=dict)
    failure: str = ""                       # an exception, or a result that cannot be taken apart
    modified: tuple[str, ...] = ()          # arguments that it wrote into
    aliased: tuple[str, ...] = ()           # gradients that share memory with an argument
    single: bool = False                    # computed in float32
    jump: float = 0.0                       # of float32's results, relative, where its rounding shows
    shapes: dict[str, tuple] = field(default_factory=dict)      # of gradients, as returned and as expected
    again: "Answer | None" = None           # the same call once more


class _Bag(dict):
    """The parameters as a dictionary, by attribute too."""

    __getattr__ = dict.__getitem__


class Patient:
    """Somebody's `loss_and_grads` of a known network.

    It takes the parameters and then the inputs, by position or, where its arguments have the network's names, by name
    in any order; or all parameters in one dictionary or list, and then the inputs. Sizes are given by name.
    """

    def __init__(self, program: Program, function: Callable):
        self.program, self.function = program, function
        self.parameters = [p.name for p in program.parameters]
        self.inputs = [v.name for v in program.inputs]
        self.sizes = {s.name: s for s in program.sizes}
        self.single = False         # whether it is known to compute in float32 inside, whatever it returns
        self.layout: Layout = {}
        self.prepared: Callable[[ast.Module], None] | None = None       # what is changed in its text while it is judged
        self.ways: list[Callable] = self._ways()
        self.taker = Taker(self.parameters, self.inputs, self._own())

    def answer(self, point: Point, change: Callable[[Any], Any] = np.array, twice: bool = False) -> Answer:
        """Run the function on copies of a point's arguments, each passed through `change`."""
        result = self._once(point, change)
        if twice and not result.failure:
            result.again = self._once(point, change)
        return result

    def _once(self, point, change):
        first = Answer()
        for way in list(self.ways):
            given = self._given(point, change)
            kept = {n: np.array(v) for n, v in given.items()}
            answer = self._called(way, given, point)
            if not answer.failure:
                self.ways = [way]
                answer.modified = tuple(n for n in given if np.ndim(given[n]) and not _same(given[n], kept[n]))
                answer.aliased = tuple(p for p, g in answer.gradients.items()
                                       if any(np.ndim(v) and np.shares_memory(g, v) for v in given.values()))
                return answer
            first = first if first.failure else answer
        return first

    def writing(self, point: Point) -> str:
        """Return the line of code that writes into an argument, "" where none does or it is not to be seen."""
        given = self._given(point, np.array)
        for value in given.values():
            if np.ndim(value):
                value.setflags(write=False)
        try:
            with np.errstate(all="ignore"):
                self.ways[0]({**given, **point.extra}, {n: point.sizes[s] for n, s in self.sizes.items()})
        except ValueError as error:
            frames = traceback.extract_tb(error.__traceback__)
            if "read-only" in str(error) and frames:
                return f"line {frames[-1].lineno}, {(frames[-1].line or '').strip()}"
        except (Exception, SystemExit):
            return ""
        return ""

    def _given(self, point, change):
        laid = {n: self.layout[n].given(v, point.sizes) if n in self.layout else v for n, v in point.arguments.items()}
        return {n: change(v) if np.ndim(v) else v for n, v in laid.items()}

    def _called(self, way, given, point):
        sizes = {n: point.sizes[s] for n, s in self.sizes.items()}
        try:
            returned = way({**given, **point.extra}, sizes)
        except (Exception, SystemExit) as error:
            return Answer(failure=f"{type(error).__name__}: {error}{_line(error)}")
        try:
            returned = without([given[n] for n in self.parameters], returned)
            loss, gradients = self.taker(returned, {n: np.shape(v) for n, v in given.items()})
            arrays = {n: _real(n, np.asarray(g)) for n, g in gradients.items()}
            single = self.single or any(a.dtype in (np.float32, np.float16) for a in arrays.values())
            arrays = {n: a.astype(float) if a.dtype.kind in "iub" or single else np.asarray(a, float)
                      for n, a in arrays.items()}
            jump = HALF if any(np.asarray(g).dtype == np.float16 for g in gradients.values()) else 0.0
            shapes = {n: (a.shape, np.shape(given.get(n))) for n, a in arrays.items()}
            arrays |= {n: form.taken(arrays[n]) for n, form in self.layout.items() if n in arrays}
            number = None if loss is None else float(np.asarray(loss).reshape(()))
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            return Answer(failure=str(error))
        return Answer(number, arrays, single=single, jump=jump, shapes=shapes)

    # ---- ways to call

    def _ways(self):
        try:
            found = inspect.signature(self.function).parameters.values()
        except (TypeError, ValueError):
            return [self._by_position([])]
        known = {*self.parameters, *self.inputs, *self.sizes}
        plain = [p for p in found if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        keywords = [p.name for p in plain if p.name in self.sizes]
        positional = [p for p in plain if p.kind != p.KEYWORD_ONLY and p.name not in self.sizes]
        required = [p.name for p in plain if p.default is p.empty]
        in_order = [p.name for p in plain if p.kind != p.KEYWORD_ONLY]
        whole = len(in_order) == len(self.parameters) + len(self.inputs)
        if keywords and whole and not set(self.parameters) <= set(in_order):
            return [self._by_position([])]          # an argument that happens to have the name of a size
        if any(p.kind == p.VAR_POSITIONAL for p in found):
            return [self._by_position([p.name for p in plain if p.kind == p.KEYWORD_ONLY and p.name in known])]
        named = {p.name: n for p in plain if (n := self._name(p.name)) and p.kind != p.POSITIONAL_ONLY}
        if any(p.kind == p.VAR_KEYWORD for p in found) and set(required) <= set(named):
            return [self._by_name(named, others=True), self._by_name(named, others=True, sizes=True),
                    self._by_position(keywords)]
        if plain and set(required) <= set(named) and len(set(named.values())) == len(named):
            return [self._by_name(named)]
        together = 1 + len(self.inputs)
        needed = sum(p.default is p.empty for p in positional)
        if (len(self.parameters) > 1 and needed <= together <= len(positional)) or needed == together:
            unknown = [p.name for p in positional if p.default is p.empty and p.name not in named]
            beside = set(self.inputs) <= set(named.values()) and len(unknown) == 1 and unknown[0] != positional[0].name
            ways = [partial(self._beside, named, unknown[0])] if beside else [partial(self._together, keywords)]
            return [way(kind) for kind in (_Bag, _as_tuple) for way in ways] + [self._by_position(keywords)]
        if needed == 2 and not named and min(len(self.parameters), len(self.inputs)) > 1:
            return [partial(self._both_together, kind) for kind in (_Bag, _as_tuple)] + [self._by_position(keywords)]
        usual, turned = self._by_position(keywords, len(positional)), [*self.inputs, *self.parameters]
        return [usual, self._by_position(keywords, None, turned)] if len(positional) >= len(turned) else [usual]

    def _name(self, own: str) -> str:
        """Return the network's name for an argument, of arrays in another case too; "" where it has none."""
        arrays = [*self.parameters, *self.inputs]
        alike = [n for n in arrays if n.lower() == own.lower()]
        return own if own in arrays or own in self.sizes else alike[0] if len(alike) == 1 else ""

    def _own(self):
        """Return the function's arguments that are parameters or real inputs of the network, by its names."""
        try:
            found = [self._name(n) for n in inspect.signature(self.function).parameters]
        except (TypeError, ValueError):
            return []
        return [n for n in found if n and self.program.variables.get(n) and self.program.variables[n].kind != "labels"]

    def _by_name(self, named, others=False, sizes=False):
        def way(given, numbers):
            known = {**numbers, **given}
            arguments = {own: known[n] for own, n in named.items()}
            more = {n: v for n, v in (known if sizes else given).items() if n not in named.values()} if others else {}
            return self.function(**arguments, **more)

        return way

    def _both_together(self, kind, given, sizes):
        return self.function(*(kind((n, given[n]) for n in names) for names in (self.parameters, self.inputs)))

    def _beside(self, named, unknown, kind):
        """The parameters together, not first among the arguments."""
        def way(given, sizes):
            known = {**sizes, **given}
            arguments = {own: known[n] for own, n in named.items()}
            return self.function(**arguments, **{unknown: kind((n, given[n]) for n in self.parameters)})

        return way

    def _by_position(self, keywords: Sequence[str], count: int | None = None, order: Sequence[str] = ()):
        names = [n for n in order or (*self.parameters, *self.inputs) if n not in keywords][:count]
        return lambda given, sizes: self.function(
            *(given[n] for n in names), **{n: given[n] if n in given else sizes[n] for n in keywords})

    def _together(self, keywords, kind):
        def way(given, sizes):
            parameters = kind((n, given[n]) for n in self.parameters)
            return self.function(parameters, *(given[n] for n in self.inputs), **{n: sizes[n] for n in keywords})

        return way


def _line(error):
    """Return the line of somebody's code that an error comes from, in brackets, "" where it is not to be seen."""
    own = [(f.f_code.co_filename, number) for f, number in traceback.walk_tb(error.__traceback__)]
    for file, number in reversed(own):
        if file != __file__ and "site-packages" not in file and (said := linecache.getline(file, number).strip()):
            return f" (line {number}, {said})"
    return ""


def _real(name, gradient):
    """Return a gradient whose imaginary part is 0."""
    if gradient.dtype.kind != "c":
        return gradient
    if np.any(np.abs(gradient.imag) > REAL * np.max(np.abs(gradient), initial=0.0)):
        raise ValueError(f"the gradient of {name} is complex")
    return gradient.real


def _as_tuple(pairs):
    return tuple(v for _, v in pairs)


def _same(a, b):
    return np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind == "f")
