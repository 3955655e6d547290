"""Gradients of another shape than their parameter: transposed, not summed, summed over other axes, exchanged."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from sympy import Sum

from derive.program import Program

from .diagnosis import Diagnosis
from .evidence import Seen, largest, near
from .expressions import compiled

Repair = Callable[[Any], Any]


@dataclass(frozen=True)
class Shape:
    """A gradient of another shape: what makes it of the parameter's shape, and what that says."""

    words: str
    repair: Repair
    harmless: bool = False


def exchanged(names: Sequence[str], seen: Sequence[Seen]) -> dict[str, str]:
    """Return {a: b} where what is returned for a is the gradient of b, and the other way about; {} where none is."""
    found = {}
    for a in names:
        if all(near(s, s.answer.gradients[a], s.point.ours.gradients()[a]) for s in seen):
            continue
        for b in names:
            if b != a and all(near(s, s.answer.gradients[a], s.point.ours.gradients()[b]) for s in seen):
                found[a] = b
    return found if set(found) == set(found.values()) else {}


def shape_of(name: str, seen: Sequence[Seen], others: Callable[[Seen], Iterable] = lambda seen: ()) -> Shape | None:
    """Return what is the matter with a gradient's shape, None where that is right at all points."""
    wrong = [s for s in seen if s.answer.gradients[name].shape != np.shape(s.point.ours.gradients()[name])]
    if not wrong:
        return None
    first = wrong[0]
    theirs, ours = first.answer.gradients[name], first.point.ours.gradients()[name]
    returned, expected = first.answer.shapes.get(name, (theirs.shape, ours.shape))
    has = f"has shape {returned}; expected {expected}"
    if _squeezed(theirs.shape) == _squeezed(ours.shape):
        harmless = np.prod(np.broadcast_shapes(returned, expected), dtype=int) == ours.size
        more = "" if harmless else f": an update {name} - rate*d{name} would broadcast"
        return Shape(f"the gradient of {name} {has}, the same but for axes of one entry{more}", _as_it_is, harmless)
    options = list(_options(theirs, ours, name, has))
    for words, value, scale in others(first):
        if np.shape(value) == theirs.shape and largest(value - theirs) <= 1e-8 * scale:
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


def in_shape(program: Program, diagnosis: Diagnosis, seen: Sequence[Seen]) -> list[Seen]:
    """Return the answers with each gradient in its parameter's shape, having told where that was not so."""
    moved = exchanged([p.name for p in program.parameters], seen)
    if moved:
        told = ", ".join(f"what is returned for {a} is the gradient of {b}" for a, b in moved.items())
        diagnosis.find("order", f"gradients are returned in another order than the parameters: {told}", "", moved)
        for s in seen:
            s.answer.gradients |= {b: s.answer.gradients[a] for a, b in list(moved.items())}
            s.answer.shapes.clear()
    for name in [p.name for p in program.parameters]:
        seen = _without_empty(diagnosis, name, seen)
        shape = shape_of(name, seen, partial(_other_sums, program, name))
        if shape is None:
            continue
        if shape.harmless:
            diagnosis.remarks.append(shape.words)
        else:
            diagnosis.find("shape", f"{shape.words} {seen[0].point.words}", f"d{name}", (name,))
        for s in seen:
            ours = s.point.ours.gradients()[name]
            value = s.answer.gradients[name]
            other = repaired(value, shape, ours)
            fits = np.shape(value) == np.shape(ours)        # where sizes are alike it may be right or transposed
            s.answer.gradients[name] = value if fits and not near(s, other, ours) else other
    return list(seen)


def _without_empty(diagnosis, name, seen):
    """Return the answers without those at which a padding is 0 and the gradient's shape is wrong, told if so."""
    def wrong(s):
        return s.answer.gradients[name].shape != np.shape(s.point.ours.gradients()[name])

    empty = [s for s in seen if wrong(s) and any(n == 0 for n in s.point.sizes.values())]
    if not empty or any(wrong(s) for s in seen if s not in empty):
        return seen
    shape = empty[0].answer.gradients[name].shape
    words = f"the gradient of {name} has shape {shape} {empty[0].point.words} ({empty[0].point.told}), and is "
    words += "as it should be elsewhere; a slice [p:-p] is empty at p = 0: write [p:p + size]"
    diagnosis.find("padding", words, f"d{name}", (name,))
    return [s for s in seen if s not in empty]


def _other_sums(program: Program, name: str, seen: Seen) -> Iterator[tuple[str, Any, float]]:
    """Yield what a gradient would be were it summed over other indices, with words, and how large the terms are."""
    lines = program.defining(program.adjoints.get(name, ""))
    if len(lines) != 1 or not isinstance(lines[0].rhs, Sum):
        return
    total, free = lines[0].rhs, lines[0].free
    context = (*free, *(limit[0] for limit in total.limits))
    scope = seen.point.ours.scope
    scope.values = seen.point.ours.values
    body = np.asarray(compiled(total.function, context)(scope), float)
    body = np.broadcast_to(body, tuple(scope.number(i.upper) - scope.number(i.lower) + 1 for i in context))
    bound = ", ".join(i.name for i in context[len(free):])
    for size in range(1, len(context) + 1):
        for axes in combinations(range(len(context)), size):
            if axes != tuple(range(len(free), len(context))):
                other = ", ".join(context[a].name for a in axes if context[a].lower != context[a].upper)
                words = f"is summed over {other} where it should be summed over {bound}"
                yield words, body.sum(axis=axes), largest(body)
