"""What the value of one line of somebody's code does to the gradients.

The value is caught where it is computed, with the names that its function has then, and something is added to it. Where
the results are linear in it, its reach tells whether a value can make them right at all, and an edit of the line is
judged by what the line gives: the code need not run for it.
"""

import ast
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType, FunctionType, GeneratorType, ModuleType
from typing import Any

import numpy as np

from .evidence import largest
from .limits import time_limited
from .slots import Slot
from .source import Unit, value_code

CATCH = "__caught_by_the_doctor__"
SECONDS = 1.0               # that an edited line may take, all times together
NOTHING = 1e-12             # of a line's values, that rounding leaves of what is 0
FITS = 1e-7                 # of a result's largest entry, that an edit may leave
MOST_ENTRIES = 400          # of a line's values, all times that it runs together
MOST_TIMES = 64             # that a line runs
DEPTH = 3                   # of what is copied of lists in lists
PLAIN = (int, float, complex, str, bytes, type(None), np.generic, FunctionType, ModuleType, type)
NUMBERS = (np.ndarray, np.generic, int, float, complex)
WRITING = {                 # functions, methods and arguments by which an array or a list is written into
    "append", "at", "clear", "copyto", "extend", "fill", "fill_diagonal", "insert", "out", "pop", "popitem", "put",
    "put_along_axis", "remove", "resize", "reverse", "setdefault", "setfield", "shuffle", "sort", "update"}
Results = Mapping[str, np.ndarray]


@dataclass
class Catcher:
    """Stands around a value: keeps it and the names of its function, and gives it on with something added."""

    added: np.ndarray | None = None
    values: list[list[np.ndarray]] = field(default_factory=list)
    names: list[dict[str, Any]] = field(default_factory=list)
    own: list[dict[str, Any]] = field(default_factory=list)     # of these names, the function's own
    taken: int = 0
    local: frozenset[str] = frozenset()                         # names that the function sets

    def __call__(self, value: Any) -> Any:
        value = tuple(value) if isinstance(value, GeneratorType) else value
        frame = sys._getframe(1)
        self.local = frozenset(frame.f_code.co_varnames)
        self.own.append({n: _copied(v) for n, v in frame.f_locals.items()})
        self.names.append({**frame.f_globals, **self.own[-1]})
        self.values.append([np.array(a) for a in _leaves(value)])
        return value if self.added is None else self._moved(value)

    def _moved(self, value):
        if isinstance(value, tuple | list):
            return type(value)(self._moved(v) for v in value)
        assert self.added is not None
        part = self.added[self.taken:self.taken + np.size(value)].reshape(np.shape(value))
        self.taken += np.size(value)
        return value + part if np.ndim(value) else float(value) + float(part)


@dataclass
class Line:
    """The value of a line, each time that it ran at one point, and what it does to the results there."""

    names: Sequence[dict[str, Any]]     # that the line's function has, each time
    values: Sequence[np.ndarray]        # flat, each time
    shapes: Sequence[tuple[int, ...]]
    reach: np.ndarray                   # of the results by the values, both end to end
    missing: np.ndarray                 # what is to be added to the results, 0 where they are right
    rows: Mapping[str, slice]
    wrong: frozenset[str]
    moving: frozenset[str]              # names with other values later, where the line gave another one before
    local: frozenset[str]               # names of the line's own function, which fails where one has no value yet
    home: str = ""                      # the class that the line is in

    def __post_init__(self) -> None:
        self.spans: dict[frozenset[str], tuple[np.ndarray, np.ndarray]] = {}
        self.first = self.values[0].size
        self.touched = frozenset(n for n in self.wrong if np.any(self.reach[self.rows[n]]))

    def code(self, new: ast.expr) -> CodeType:
        """Return the code of an expression in the line's place."""
        return value_code(new, self.home)

    def mends(self, new: ast.expr) -> frozenset[str] | None:
        """Return which results may be right if the line is `new`, None where it has another shape or new names.

        Where the line reads what it gave before, only what it gives the first time is known.
        """
        try:
            added = self.given(self.code(new))
        except NameError as error:      # perhaps of the function around this one, which it has not read until now
            unset = error.name in self.local or any(error.name in names for names in self.names)
            return frozenset() if unset else None
        except (Exception, SystemExit):
            return frozenset()
        if added is None:
            return None
        known = not self.moving & {n.id for n in ast.walk(new) if isinstance(n, ast.Name)}
        return frozenset(n for n in self.wrong if self._within(added, frozenset({n}), known))

    def change(self, new: ast.expr) -> np.ndarray | None:
        """Return what is added to the results if the line is `new`, None where that is not known."""
        try:
            added = self.given(self.code(new))
        except (Exception, SystemExit):
            return None
        known = not self.moving & {n.id for n in ast.walk(new) if isinstance(n, ast.Name)}
        with np.errstate(all="ignore"):
            return self.reach @ added if known and added is not None else None

    def vanishes(self, new: ast.expr) -> bool:
        """Tell whether nothing is left of the line if it is `new`, as of a sum of deviations from a mean."""
        try:
            code = self.code(new)
            with np.errstate(all="ignore"), time_limited(SECONDS):
                given = [_flat(_leaves(eval(code, _fresh(names, code)))) for names in self.names]
            return max(map(largest, given)) <= NOTHING * max(map(largest, self.values))
        except (Exception, SystemExit):
            return False

    def right(self, added: np.ndarray) -> np.ndarray:
        """Tell which additions to the values, a column each, make right all they touch, as the first time tells."""
        return self._within(added, self.touched, not self.moving)

    def may(self) -> bool:
        """Tell whether some value makes right all that it touches."""
        reach, missing = self._span(self.touched, known=True)
        step = np.linalg.lstsq(reach, missing, rcond=1e-10)[0]
        return largest(reach @ step - missing) <= 10 * FITS

    def given(self, code: CodeType, more: Sequence[dict[str, Any]] = ()) -> np.ndarray | None:
        """Return what some code gives more than the line does, None where that has another shape."""
        found = []
        with np.errstate(all="ignore"), time_limited(SECONDS):
            for k, (names, old) in enumerate(zip(self.names, self.values, strict=True)):
                value = eval(code, {**_fresh(names, code), **(more[k] if more else {})})
                leaves = [value] if isinstance(value, np.ndarray | float) else list(_leaves(
                    tuple(value) if isinstance(value, GeneratorType) else value))
                if [np.shape(a) for a in leaves] != self.shapes:
                    return None
                found.append(_flat(leaves) - old)
        return np.concatenate(found)

    def valued(self, node: ast.expr) -> list[Any]:
        """Return the value of an expression, each time."""
        code = self.code(node)
        return [eval(code, _fresh(names, code)) for names in self.names]

    def _within(self, added, some, known):
        """Tell whether some of what is wrong is right with what is added, and at later times anything if not known."""
        reach, missing = self._span(some, known)
        with np.errstate(all="ignore"):
            left = reach @ (added if known else added[:self.first]) - (missing[:, None] if added.ndim > 1 else missing)
        return np.max(np.abs(left), axis=0, initial=0.0) <= 10 * FITS

    def _span(self, some, known):
        """Return the reach of some results and the right ones, and what they lack, but for what later times may do."""
        key = some if known else some | {""}
        if key not in self.spans:
            rows = np.concatenate([np.arange(r.start, r.stop) for n, r in self.rows.items()
                                   if n in some or n not in self.wrong])
            reach, missing = self.reach[rows], self.missing[rows]
            if not known:
                u, s, _ = np.linalg.svd(reach[:, self.first:], full_matrices=False)
                u = u[:, s > 1e-10 * max(1.0, largest(s))]
                reach, missing = reach[:, :self.first], missing - u @ (u.T @ missing)
                reach = reach - u @ (u.T @ reach)
            self.spans[key] = reach, missing
        return self.spans[key]


def line(unit: Unit, slot: Slot, run: Callable[[], Results | None], missing: Results, seconds: float) -> Line | None:
    """Return the reach of a value at the point at which `run` runs the code, None where results are not linear in it.

    `missing` has what is to be added to each result, 0 where it is right. Results are in units of what they may be.
    """
    deadline = time.thread_time() + seconds
    node = ast.Call(ast.Name(CATCH, ast.Load()), [slot.node], [])           # type: ignore[list-item]
    found = None
    with slot.holding(ast.fix_missing_locations(ast.copy_location(node, slot.node))):
        if unit.run():
            found = _line(_caught_by(unit, run, list(missing)), missing, deadline, unit.home)
    unit.reset()
    return found if found and _repeatable(found, slot.node) else None


def _caught_by(unit, run, wanted):
    """Return a function that runs the code with a catcher around the value, and returns it and some results, flat."""
    spaces = [function.__globals__ for function, _ in unit.live]

    def caught(added=None):
        catcher = Catcher(added)
        for space in spaces:
            space[CATCH] = catcher
        try:
            results = run()
        finally:
            for space in spaces:
                space.pop(CATCH, None)
        return catcher, None if results is None else _flat(results[n] for n in wanted)

    return caught


def _repeatable(found, node):
    """Tell whether a line gives the same when it is computed again, with the names that it had."""
    try:
        again = [found.given(found.code(node)) for _ in range(2)]
    except (Exception, SystemExit):
        return False
    return all(a is not None and np.all(a == 0) for a in again)


def _line(caught, missing, deadline, home) -> Line | None:
    start = time.thread_time()
    first, base = caught()
    cost = time.thread_time() - start
    if base is None or not 0 < len(first.values) <= MOST_TIMES or not np.all(np.isfinite(base)):
        return None
    if not all(first.values) or not all(a.dtype.kind == "f" for leaves in first.values for a in leaves):
        return None                                     # a list that nothing is in yet, or integers
    values = [_flat(leaves) for leaves in first.values]
    count = sum(v.size for v in values)
    size = largest(np.concatenate(values)) or 1.0
    if not 0 < count <= MOST_ENTRIES or cost * count > deadline - time.thread_time():
        return None

    def change(added):
        catcher, results = caught(added)
        if results is None or len(catcher.values) != len(values) or results.shape != base.shape:
            raise ValueError("another course with another value")
        return catcher, results - base

    try:
        _, none = change(np.zeros(count))
        step = np.random.default_rng(0).uniform(0.5, 1.0, count) * size
        moved, whole = change(step)
        if largest(none) > FITS:                        # what it is another name of is changed with it
            return None
        reach = np.stack([change(e)[1] / size for e in np.eye(count) * size], axis=1)
    except ValueError:
        return None
    if not np.all(np.isfinite(reach)) or not largest(reach @ step - whole) <= FITS * max(1.0, largest(whole)):
        return None
    moving = frozenset(n for before, after in zip(first.own[1:], moved.own[1:], strict=True)
                       for n in before if not _alike(before[n], after.get(n)))
    rows, end = {}, 0
    for name, value in missing.items():
        rows[name] = slice(end, end := end + np.size(value))
    wrong = frozenset(n for n, value in missing.items() if np.any(value))
    shapes = [a.shape for a in first.values[0]]
    return Line(first.names, values, shapes, reach, _flat(missing.values()), rows, wrong, moving,
                first.local, home)


def _leaves(value) -> Iterator[Any]:
    if isinstance(value, tuple | list):
        for inner in value:
            yield from _leaves(inner)
    else:                                   # what has entries, and no length, would give them for ever: np.c_
        yield np.asarray(value if isinstance(value, NUMBERS) else None)


def _flat(values) -> np.ndarray:
    return np.concatenate([np.ravel(v) for v in values]).astype(float)


def _fresh(names, code):
    """Return names for some code to read, with copies of their values where it may write into one."""
    return {n: _copied(v) for n, v in names.items()} if WRITING & _names(code) else dict(names)


def _names(code):
    """Return the names, methods and keywords of some code."""
    words = (w for c in code.co_consts if isinstance(c, tuple) for w in c if isinstance(w, str))
    return {*code.co_names, *words}.union(*(_names(c) for c in code.co_consts if isinstance(c, CodeType)))


def _copied(value, depth=DEPTH):
    """Return a value as it is now, whatever is done to it later."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if type(value) in (list, tuple) and depth:
        return type(value)(_copied(v, depth - 1) for v in value)
    if type(value) is dict and depth:
        return {k: _copied(v, depth - 1) for k, v in value.items()}
    return value


def _alike(a, b):
    """Tell whether two values are the same; of what is more than arrays and numbers nothing is known."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_alike, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_alike(a[k], b[k]) for k in a)
    return isinstance(a, PLAIN) and (a is b or a == b)
