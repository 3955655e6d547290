"""Where the code is run: sizes all different, all alike, each at its least; random arguments, some that meet kinks."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Any

import numpy as np
from sympy import Abs, Expr, Integer, Max, Min, Number, Symbol, floor, sign

from derive.binders import ArgMaximum, Maximum
from derive.explicit import with_derived
from derive.functions import at_zero, half_step, relu, step
from derive.program import Program, Variable
from derive.terms import subterms

from ..verify import assumed
from .evaluate import Evaluated

Sizes = dict[Symbol, int]
TINY = 1e-7             # the largest number that is taken for one that keeps others in range, and what it may change
KINKED = (step, half_step, at_zero, relu, ArgMaximum, Maximum, Abs, sign, Max, Min)
MOST_ENTRIES = 4000                     # of all arguments together
ONCE_MORE = "at other arguments of the same sizes"      # where a cache that is kept by shape is stale
MOST_SIZES = 40                         # that are tried until the network has a value
TRIES, LIVELY = 6, 0.4                  # draws, until so many entries of every gradient are not 0


@dataclass
class Point:
    """Arguments at which the code is run, and the values of the derived program there."""

    words: str                          # "at sizes all different"
    program: Program
    sizes: Sizes
    arguments: dict[str, Any]
    square: bool = False
    least: Symbol | None = None
    kinked: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    numbers: dict[Expr, float] = field(default_factory=dict, repr=False)    # of expressions in sizes and scalars

    @cached_property
    def ours(self) -> Evaluated:
        return Evaluated(self.program, self.sizes, self.arguments)

    @property
    def of_one(self) -> bool:
        """Whether it is there for a size of 1 that arguments show: code may drop an axis of one entry."""
        size = self.least
        return size is not None and self.program.least.get(size, 1) == 1 and is_shown(self.program, size)

    @property
    def ragged(self) -> bool:
        """Whether a size is rounded down, as of windows that leave a row over, which many a code refuses."""
        numbers = {s: Integer(n) for s, n in self.sizes.items()}
        return any(not q.args[0].xreplace(numbers).is_integer for size in self.program.derived.values()
                   for q in size.atoms(floor))

    @cached_property
    def slack(self) -> float:
        """How much the network's own small numbers change, relatively; 0 if that is much. Code may do without them."""
        small: dict[Expr, Expr] = {n: Integer(0) for e in self.program.equations for n in e.rhs.atoms(Number)
                                   if is_guard(n)}
        if not small:
            return 0.0
        try:
            bare = self.program.with_equations(e.with_rhs(e.rhs.xreplace(small)) for e in self.program.equations)
            without = Evaluated(bare, self.sizes, self.arguments)
        except (ArithmeticError, NotImplementedError):
            return 0.0
        pairs = [(ours, without.gradients()[n]) for n, ours in self.ours.gradients().items()]
        pairs.append((self.ours.values[self.program.loss], without.values[self.program.loss]))
        changes = [np.max(np.abs(np.asarray(a) - b), initial=0.0) / (np.max(np.abs(a), initial=0.0) or 1.0)
                   for a, b in pairs]
        return float(max(changes)) if max(changes) <= TINY else 0.0

    @property
    def told(self) -> str:
        """The sizes as text: N = 3, D = 4."""
        return ", ".join(f"{s} = {n}" for s, n in self.sizes.items())


def points(program: Program) -> list[Point]:
    """Return the points at which hand-written backprop of a program is tried, the most telling first.

    Raises
    ------
    ValueError
        No small sizes fit the network.
    """
    pool, first = _first(program)
    found = [first, Point(ONCE_MORE, program, first.sizes, _others(program, first.sizes, first.arguments))]

    def unlike(sizes):
        return _alike(program, sizes) - 2 * sum(sizes[k] != n for k, n in first.sizes.items()), str(sizes)

    found.append(_finite("at other sizes", program, sorted(pool, key=unlike), 1))
    squares = sorted(pool, key=lambda s: (_pairs(s), _enough(program, s)), reverse=True)
    squares = [s for s in squares if _pairs(s) > _pairs(first.sizes)]
    if squares:
        found.append(_finite("where sizes are alike", program, squares, 2, square=True))
    for size in (s for s in program.sizes if s not in program.derived):
        low = program.least.get(size, 1)
        least = sorted((s for s in pool if s[size] == low), key=lambda s: (_alike(program, s), str(s)))
        if least:
            found.append(_finite(f"at {size} = {low}", program, least, 3, least=size))
    if has_kinks(program):
        found += [_kinked(program, found[k].sizes, seed) for seed, k in enumerate((0, 2))]
    return [p for p in found if is_finite(p.ours)] or found


def _first(program):
    """Return the sizes that are tried, and the point that tells most; more sizes where the network has no value."""
    pool = small_sizes(program)
    first = _finite("at sizes all different", program, sorted(pool, key=lambda s: _alike(program, s)), 0)
    if program.derived or is_finite(first.ours):
        return pool, first
    random = Random(1)
    wider = _fitting(program, [{s: random.randint(program.least.get(s, 1), 5) for s in program.sizes}
                               for _ in range(200)])
    return wider, _finite(first.words, program, sorted(wider, key=lambda s: _alike(program, s)), 0)


def _finite(words, program, ranked, seed, **more):
    """Return a point of the first sizes at which the network has a value: not where no path is as long as a target."""
    tried = (Point(words, program, sizes, drawn(program, sizes, seed), **more) for sizes in ranked[:MOST_SIZES])
    first = next(tried)
    return first if is_finite(first.ours) else next((p for p in tried if is_finite(p.ours)), first)


def has_kinks(program: Program) -> bool:
    """Tell whether a program has kinks: a relu, a maximum, |x|."""
    return any(isinstance(t, KINKED) for e in program.equations for t in subterms(e.rhs))


def _kinked(program, sizes, seed):
    return Point("at kinks and ties", program, sizes, drawn(program, sizes, seed, "integers"), kinked=True)


def small_sizes(program: Program) -> list[Sizes]:
    """Return sizes that fit the network."""
    free = [s for s in program.sizes if s not in program.derived]
    random = Random(0)
    numbers = [3, 4, 2, 5, 6, 7, 8]
    chosen = [{s: numbers[(k + shift) % min(7, max(4, len(free)))] for k, s in enumerate(free)} for shift in range(3)]
    chosen += [dict.fromkeys(free, n) for n in (3, 2, 4)]
    chosen += [{**chosen[0], s: program.least.get(s, 1)} for s in free]
    if program.derived:
        chosen += [{s: random.randint(program.least.get(s, 1), 5) for s in free} for _ in range(500)]
        chosen += [{s: random.randint(program.least.get(s, 1), 3) for s in free} for _ in range(200)]
    found = _fitting(program, chosen)
    if program.derived and all(_count_least(program, s) for s in found):     # (U - 2)//2 is 1 for small U
        wider = [{s: random.randint(program.least.get(s, 1), 9) for s in free} for _ in range(500)]
        found = list({str(s): s for s in (*found, *_fitting(program, wider))}.values())
    if not found:
        raise ValueError(f"{program.name}: no sizes up to 9 fit {', '.join(map(str, program.derived))}")
    return found


def _fitting(program, chosen):
    """Return the sizes that fit the network, those that follow from others too, each once."""
    shapes = Counter(v.shape for v in program.variables.values())
    found = [sizes for c in {tuple(c.values()): c for c in chosen}.values()
             if (sizes := with_derived(program, c)) is not None and _entries(shapes, sizes)]
    return list({str(s): s for s in found}.values())


def _count_least(program, sizes):
    """Count the sizes that are at their least, or 1."""
    return sum(n <= max(1, program.least.get(s, 1)) for s, n in sizes.items())


def _entries(shapes, sizes):
    """Tell whether all arrays together, so many of each shape, are small."""
    return sum(count * math.prod(_numbers(shape, sizes)) for shape, count in shapes.items()) <= MOST_ENTRIES


def shape_at(variable: Variable, sizes: Mapping[Symbol, int]) -> tuple[int, ...]:
    """Return the shape of a variable at given sizes."""
    return _numbers(variable.shape, sizes)


def _numbers(shape, sizes):
    numbers = {s: Integer(n) for s, n in sizes.items()}
    return tuple(sizes[s] if s in sizes else int(s.xreplace(numbers)) for s in shape)


def _alike(program, sizes):
    """Tell how little sizes show: those at their least, or 1, are the worst, then those that are alike, then work.

    Of two numbers the deviations from their mean are opposite, and so are the gradients of two scores.
    """
    low = _count_least(program, sizes)
    two = sum(n == 2 for n in sizes.values())
    return 8 * low + 3 * (len(sizes) - len(set(sizes.values()))) + two / 2 + sum(sizes.values()) / 8


def _pairs(sizes):
    """Count the pairs of sizes that are alike and more than 1."""
    values = list(sizes.values())
    return sum(a == b > 1 for k, a in enumerate(values) for b in values[:k])


def _enough(program, sizes):
    """Tell how much sizes show that are alike: two numbers less their mean are 1 and -1 once they are normalised."""
    return -_count_least(program, sizes) - sum(n == 2 for n in sizes.values()) - sum(sizes.values()) / 20


# ---- arguments


def _others(program, sizes, arguments):
    """Return other arguments of the same sizes; near by, where iterations may end at another solution further off."""
    others = drawn(program, sizes, 6)
    if not any(e.implicit for e in program.equations):
        return others
    real = [v.name for v in (*program.parameters, *program.inputs) if v.kind != "labels"]
    near = {**arguments, **{n: 0.8 * np.asarray(arguments[n]) + 0.2 * np.asarray(others[n]) for n in real}}
    return near | assumed(program, near, sizes)


def drawn(program: Program, sizes: Sizes, seed: int, kind: str = "normal") -> dict[str, Any]:
    """Return random arguments at which the loss and the gradients are finite, if there are such.

    Parameters
    ----------
    kind : "normal", or "integers" from -2 to 2 for parameters and inputs, so that kinks and ties are met.
    """
    found: list[tuple[float, dict[str, Any]]] = []
    for way in ("integers",) if kind == "integers" else ("normal", "positive"):
        for again in range(TRIES):
            random = np.random.default_rng((seed, again))
            arguments = {v.name: _value(v, sizes, random, way) for v in (*program.parameters, *program.inputs)}
            arguments |= assumed(program, arguments, sizes)
            ours = Evaluated(program, sizes, arguments)
            if is_finite(ours):
                gradients = ours.gradients().values()
                found.append((min((float(np.mean(g != 0)) for g in gradients), default=1.0), arguments))
                if found[-1][0] > LIVELY:
                    return arguments
            elif again == 1 and not program.kind("labels"):
                break
        if found:
            break
    return max(found, key=lambda f: f[0])[1] if found else arguments


def is_finite(ours: Evaluated) -> bool:
    """Tell whether the loss and the gradients are; not a mean over what is kept of the labels, where none is."""
    return all(np.all(np.isfinite(v)) for v in (ours.values[ours.program.loss], *ours.gradients().values()))


def is_shown(program: Program, size: Symbol) -> bool:
    """Tell whether arguments show a size; a stride or a dilation they do not."""
    return any(size in n.free_symbols for v in (*program.parameters, *program.inputs) for n in v.shape)


def is_guard(number: Number) -> bool:
    """Tell whether a number of the network's is one that keeps others in range: 1e-8 beside a root."""
    return bool(0 < abs(number) <= TINY)


def is_bit(note: str) -> bool:
    """Tell whether an input's note says that it is 0 or 1."""
    return any(said in note for said in ("0 or 1", "1 or 0", "else 0"))


def is_sign(note: str) -> bool:
    """Tell whether an input's note says that it is 1 or -1, as labels of two classes and spins are."""
    return any(said in note for said in ("1 or -1", "-1 or 1", "-1 or +1", "±1", "1 and -1", "-1 and 1"))


def _value(variable, sizes, random, way):
    shape = shape_at(variable, sizes)
    if variable.kind == "input" and not shape:          # a temperature, a weight, a margin
        return float(random.uniform(0.2, 0.9)) if way != "integers" else float(random.integers(1, 3))
    if variable.kind == "labels":
        return random.integers(0, int(variable.classes.xreplace({s: Integer(n) for s, n in sizes.items()})), shape)
    note = variable.note.lower()
    given = note if variable.kind == "input" else ""
    if is_bit(given):
        value = random.integers(0, 2, shape).astype(float)
    elif is_sign(given):
        value = random.choice([1.0, -1.0], shape)
    elif "positive" in note or any(said in given for said in ("probab", "variance", "weight of")):
        value = random.uniform(0.2, 0.9, shape)
    elif way == "integers":
        value = random.integers(-2, 3, shape).astype(float)
    elif way == "positive":
        value = random.uniform(0.2, 1.0, shape)
    else:
        value = random.normal(size=shape)
    if "symmetric" in given:
        value = np.abs(value + np.swapaxes(value, -1, -2)) / 2
    return value if shape else float(value)
