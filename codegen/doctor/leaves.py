"""What can be seen of one gradient by itself: its shape, another parameter's gradient, clipping, a regulariser."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .evidence import Evidence, Seen, largest

Repair = Callable[[Any], Any]


@dataclass(frozen=True)
class Shape:
    """A gradient of another shape: what makes it of the parameter's shape, and what that says."""

    words: str
    repair: Repair
    harmless: bool = False


def exchanged(names: Sequence[str], seen: Sequence[Seen]) -> dict[str, str]:
    """Return {a: b} where what is returned for a is the gradient of b, whose shape is another; {} where none is."""
    found = {}
    for a in names:
        if all(np.shape(s.answer.gradients[a]) == np.shape(s.point.ours.gradients()[a]) for s in seen):
            continue
        for b in names:
            if b != a and all(_near(s, s.answer.gradients[a], s.point.ours.gradients()[b]) for s in seen):
                found[a] = b
    return found if set(found) == set(found.values()) else {}


def shape_of(name: str, seen: Sequence[Seen], others: Callable[[Seen], Iterable] = lambda seen: ()) -> Shape | None:
    """Return what is the matter with a gradient's shape, None where that is right at all points."""
    wrong = [s for s in seen if s.answer.gradients[name].shape != np.shape(s.point.ours.gradients()[name])]
    if not wrong:
        return None
    first = wrong[0]
    theirs, ours = first.answer.gradients[name], first.point.ours.gradients()[name]
    has = f"has shape {theirs.shape}; expected {ours.shape}"
    if _squeezed(theirs.shape) == _squeezed(ours.shape):
        harmless = np.prod(np.broadcast_shapes(theirs.shape, ours.shape), dtype=int) == ours.size
        more = "" if harmless else f": an update {name} - rate*d{name} would broadcast"
        return Shape(f"the gradient of {name} {has}, the same but for axes of one entry{more}", _as_it_is, harmless)
    options = list(_options(theirs, ours, name, has))
    for words, value in others(first):
        if np.shape(value) == theirs.shape and largest(value - theirs) <= 1e-8 * largest(value):
            return Shape(f"the gradient of {name} {words}: it {has}", _unknown)
    fitting = [o for o in options if all(_fits(o, s, name) for s in seen)]
    return next((o for o in fitting if _matches(o, first, name)), fitting[0] if fitting else None) or \
        Shape(f"the gradient of {name} {has}", _unknown)


def _unknown(gradient):
    return np.full(1, np.nan)


def _as_it_is(gradient):
    return gradient


def _squeezed(shape):
    return tuple(n for n in shape if n != 1)


def _options(theirs, ours, name, has):
    if theirs.ndim == ours.ndim == 2:
        yield Shape(f"the gradient of {name} is transposed: it {has}", lambda g: g.T)
    for k in range(theirs.ndim):
        yield Shape(f"the gradient of {name} is not summed over its axis {k}: it {has}", partial(np.sum, axis=k))
    if theirs.ndim == ours.ndim + 2:
        yield Shape(f"the gradient of {name} is not summed over its first two axes: it {has}",
                    lambda g: g.sum(axis=(0, 1)))
    if ours.size == 1:
        yield Shape(f"the gradient of {name} is not summed: it {has}", lambda g: np.reshape(g.sum(), ours.shape))
    if theirs.size == ours.size:
        yield Shape(f"the gradient of {name} {has}, with as many entries", _as_it_is)


def _fits(option, seen, name):
    ours = seen.point.ours.gradients()[name]
    try:
        return np.size(option.repair(seen.answer.gradients[name])) == np.size(ours)
    except (ValueError, IndexError):
        return False


def _matches(option, seen, name):
    ours = seen.point.ours.gradients()[name]
    value = np.reshape(option.repair(seen.answer.gradients[name]), ours.shape)
    return largest(value - ours) <= 1e-8 * largest(ours)


def repaired(value: Any, shape: Shape, like: Any) -> Any:
    """Return a gradient in the parameter's shape; nan where it cannot be brought there."""
    try:
        return np.reshape(shape.repair(value), np.shape(like))
    except (ValueError, IndexError):
        return np.full(np.shape(like), np.nan)


def relation(evidence: Evidence, name: str) -> str:
    """Say what a gradient is that no changed equation gives, "" where nothing is known."""
    tests = (_zero, _constant, _another, _regulariser, _clipped, _rows)
    return next((words for test in tests if (words := test(evidence, name))), "")


def _all(evidence, name, test):
    return all(test(s, s.answer.gradients[name], evidence.gradients(k)[name]) for k, s in enumerate(evidence.seen))


def _zero(evidence, name):
    if _all(evidence, name, lambda s, g, o: largest(g) == 0):
        return ("is zero everywhere: it was made, and never filled (a view or a copy was written to instead, or a name "
                "was bound anew)")
    return ""


def _constant(evidence, name):
    if _all(evidence, name, lambda s, g, o: np.size(g) > 1 and np.ptp(g) <= s.tolerance * largest(g)):
        mean = _all(evidence, name, lambda s, g, o: abs(np.mean(g) - np.mean(o)) <= s.tolerance * largest(g))
        total = _all(evidence, name, lambda s, g, o: abs(np.mean(g) - np.sum(o)) <= s.tolerance * largest(g))
        what = "the mean of the derived one" if mean else "the sum of the derived one" if total else "one number"
        return f"has the same number in all entries, {what}: it was summed or averaged over an axis too many"
    return ""


def _another(evidence, name):
    for other in evidence.usual:
        if other != name and _all(evidence, name, lambda s, g, o, other=other: _near(
                s, g, s.point.ours.gradients()[other])):
            return f"is the derived gradient of {other}: gradients are returned in another order, or under another name"
    return ""


def _near(seen, a, b):
    return np.shape(a) == np.shape(b) and largest(a - b) <= seen.tolerance * max(largest(a), largest(b))


def _regulariser(evidence, name):
    found = []
    for k, s in enumerate(evidence.seen):
        value = np.asarray(s.point.arguments[name], float)
        more = s.answer.gradients[name] - evidence.gradients(k)[name]
        size = float(np.sum(value * value))
        rate = float(np.sum(more * value)) / size if size else 0.0
        if not np.all(np.isfinite(more)) or largest(more - rate * value) > s.tolerance * 10 * largest(more) or not rate:
            return ""
        found.append(rate)
    if max(found) - min(found) <= 1e-6 * abs(found[0]):
        return f"has {found[0]:.6g} {name} added: a regulariser that the network's loss does not have"
    return f"has a multiple of {name} added: a regulariser that the network's loss does not have"


def _clipped(evidence, name):
    def test(s, g, o):
        top = largest(g)
        free = np.abs(g) < top * (1 - 1e-12)
        return largest((g - o)[free]) <= s.tolerance * largest(o) and np.all(np.sign(g) == np.sign(o))

    if _all(evidence, name, test):
        return "is clipped: its largest entries are cut off, the others are as derived"
    return ""


def _rows(evidence, name):
    """Say which entries differ, where these are some rows or columns only."""
    for axis in range(evidence.seen[0].answer.gradients[name].ndim):
        found = []
        for k, s in enumerate(evidence.seen):
            g, o = s.answer.gradients[name], evidence.gradients(k)[name]
            apart = np.abs(g - o) > s.tolerance * max(largest(o), largest(g))
            other = tuple(a for a in range(apart.ndim) if a != axis)
            found.append((np.flatnonzero(apart.any(axis=other)), apart.shape[axis]))
        found = [(rows, count) for rows, count in found if count > 1 and len(rows)]
        if not found:
            return ""
        for words, place in (("first", 0), ("last", -1)):
            if all(list(rows) == [place % n] for rows, n in found):
                return f"differs in the {words} entry of axis {axis} only"
        if all(0 < len(rows) < n for rows, n in found):
            rows, n = found[0]
            return f"differs in some entries of axis {axis} only ({', '.join(map(str, rows[:6]))} of {n})"
    return ""


PLAIN = (_zero, _another)
