"""Arrays laid out in another way than the network's: columns for examples, biases as columns, labels one-hot.

A layout gives each parameter and input a form. Code that runs in one layout alone is judged in that layout.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, permutations, product
from typing import Any

import numpy as np
from sympy import Expr, Integer, Symbol

from derive.program import Program, Variable

MOST = 20_000               # layouts tried
MOST_APART = 64             # layouts of arrays of a kind, each in its own way
IMAGES = ((0, 2, 3, 1), (1, 2, 3, 0), (2, 3, 1, 0), (2, 3, 0, 1), (1, 0, 2, 3))     # channels last, examples last, ...


@dataclass(frozen=True)
class Form:
    """How an array of the network is laid out in somebody's code.

    `axes` are the network's axes in their order, -1 for one of a single entry; labels may be `onehot` first, which adds
    an axis for the classes.
    """

    axes: tuple[int, ...]
    onehot: Expr | None = None      # how many classes

    def given(self, value: Any, sizes: Mapping[Symbol, int]) -> np.ndarray:
        """Return an array of the network as the code has it."""
        if self.onehot is not None:
            value = np.eye(int(self.onehot.xreplace({s: Integer(n) for s, n in sizes.items()})))[value]
        moved = np.transpose(value, [a for a in self.axes if a >= 0])
        return np.ascontiguousarray(np.expand_dims(moved, [k for k, a in enumerate(self.axes) if a < 0]))

    def taken(self, gradient: np.ndarray) -> np.ndarray:
        """Return what the code gives as the network has it, as near as can be where it is not in this form."""
        single = [k for k, a in enumerate(self.axes) if a < 0]
        if gradient.ndim != len(self.axes):
            return gradient[..., None] if single and gradient.ndim == 1 else gradient
        order = [a for a in self.axes if a >= 0]
        if any(gradient.shape[k] != 1 for k in single):         # not summed over what should be one entry
            return np.moveaxis(gradient, single, range(len(single)))
        return np.transpose(np.squeeze(gradient, tuple(single)), np.argsort(order))

    def told(self, variable: Variable) -> str:
        """Return the shape in the network's sizes: W1 (H, D)."""
        sizes = [*map(str, variable.shape), str(self.onehot)]
        shape = ", ".join("1" if a < 0 else sizes[a] for a in self.axes)
        return f"{variable.name}{'' if self.onehot is None else ' one-hot'} ({shape})"


Layout = Mapping[str, Form]


def told(program: Program, layout: Layout) -> str:
    """Return what is laid out in another way than in the network, with its shapes."""
    return ", ".join(form.told(program.variables[n]) for n, form in layout.items())


def other_layouts(program: Program) -> Iterator[Layout]:
    """Yield layouts of a network's arrays, the simplest first; only what differs is in them.

    Arrays of a kind (matrices that are parameters, vectors that are inputs, ...) are laid out alike; a few also each in
    its own way, but not one of two of the same axes, as what comes from above has them, (N, C, H, W).
    """
    kinds: dict[tuple, list[Variable]] = {}
    for v in (*program.parameters, *program.inputs):
        if v.shape:
            kinds.setdefault((v.kind, len(v.shape)), []).append(v)
    choices = [list(_of_kind(variables)) for variables in kinds.values()]
    same: dict[tuple, list[str]] = {}
    for v in (*program.parameters, *program.inputs):
        if len(v.shape) > 2:
            same.setdefault(tuple(v.shape), []).append(v.name)
    for place in islice(_places([len(c) for c in choices]), MOST):
        layout = {n: f for c, k in zip(choices, place, strict=True) for n, f in c[k].items()}
        if all(len({layout.get(n) for n in names}) == 1 for names in same.values()):
            yield layout


def _places(lengths: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield a place in each of some lists: those with fewest that are not the first come first, then by their sum."""
    for changed in range(1, len(lengths) + 1):
        for total in range(changed, sum(lengths) - len(lengths) + 1):
            yield from _with_sum(lengths, changed, total)


def _with_sum(lengths, changed, total):
    """Yield the places of which so many are not 0 and whose sum is so much."""
    if not lengths:
        yield ()
        return
    first, *rest = lengths
    for k in range(first):
        left, more = changed - bool(k), total - k
        if left <= more <= sum(rest) - len(rest) and (0 < left <= len(rest) if more else left == 0):
            yield from ((k, *place) for place in _with_sum(rest, left, more))


def _of_kind(variables) -> Iterator[dict[str, Form]]:
    """Yield layouts of arrays of one kind, the network's own first."""
    forms = [_forms(v) for v in variables]
    yield {}
    for alike in zip(*forms, strict=True):
        yield {v.name: form for v, form in zip(variables, alike, strict=True)}
    if len(variables) > 1 and (1 + len(forms[0])) ** len(variables) <= MOST_APART:
        for each in product(*((None, *f) for f in forms)):
            if len(set(each)) > 1:
                yield {v.name: form for v, form in zip(variables, each, strict=True) if form}


def _forms(variable) -> Sequence[Form]:
    """Return the forms of an array other than the network's own."""
    rank, classes = len(variable.shape), variable.classes
    turned = [Form(axes) for axes in (IMAGES if rank == 4 else permutations(range(rank)) if rank < 4 else ())]
    turned = [f for f in turned if f.axes != tuple(range(rank))]
    if classes is not None:
        last = [Form((*range(rank + 1),), classes), Form((rank, *range(rank)), classes)]
        turned = [*last, *([Form((1, 0, 2), classes)] if rank == 2 else []), *turned]
    return [*turned, Form((0, -1)), Form((-1, 0)), Form((-1, -1, -1, 0))] if rank == 1 else turned
