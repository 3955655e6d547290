"""Something else in one place of an equation, found by the numbers among all arrays and simple functions of them.

What an equation gives is linear in any factor, term or summand h of it. So from the gap of the gradients, and the reach
of the equation, follows what stands in the place of h but for a number c: an array, a function of one, or a product.
"""

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations, permutations, product
from typing import Any, NamedTuple

import numpy as np
from sympy import (
    Abs,
    Add,
    Expr,
    Float,
    Function,
    Idx,
    KroneckerDelta,
    Mul,
    Piecewise,
    Pow,
    Rational,
    S,
    Sum,
    Symbol,
    erf,
    exp,
    log,
    pi,
    sign,
    sqrt,
    tanh,
)

from derive.binders import has_binder
from derive.functions import relu, sigmoid, step
from derive.program import Equation
from derive.terms import free_indices, instantiated, read_name, reads, subterms

from .evidence import largest
from .expressions import Scope, compiled
from .influence import Influence
from .leaves import regulariser
from .mutants import Mutator, inside_branch
from .scales import constants
from .slips import FARFETCHED, Mutant
from .trials import Point

SAME = 1e-8             # of what is to be explained, that may be left
NEAR = 1e-9             # of a number, that a fraction may be from it
MOST_CELLS = 1_000_000  # of all candidates at once
LARGE, TOO_LARGE = 4_000, 40_000        # cells of one place: there arrays alone are tried, or nothing
MOST_FACTORS = 5
MOST_OPERATIONS = 12
MOST_OF_A_RATIO = 4
MOST_PLACES = 6         # of an array's axes among the indices of a place
ROOTS = {r: float(r) for r in (sqrt(2), sqrt(3), pi, sqrt(pi), sqrt(2 * pi), 1 / pi, 1 / sqrt(pi), 1 / sqrt(2 * pi))}
Z = Symbol("z", real=True)
GELU = (Z / 2 * (1 + tanh(sqrt(2 / pi) * (Z + 0.044715 * Z**3)))).diff(Z)
FUNCTIONS: tuple[Callable[[Expr], Expr], ...] = (
    lambda x: x, lambda x: 1 - x, lambda x: x * (1 - x), lambda x: 1 - x**2, lambda x: x**2, lambda x: 1 / x,
    lambda x: 1 / x**2, step, sign, Abs, lambda x: sqrt(Abs(x)), lambda x: 1 / sqrt(Abs(x)), exp, tanh, sigmoid,
    lambda x: 1 - tanh(x) ** 2, lambda x: sigmoid(x) * (1 - sigmoid(x)), lambda x: log(Abs(x)), lambda x: 1 + x,
    lambda x: 1 - step(x), lambda x: x**3, lambda x: (1 - x) ** 2,
    # the derivatives of swish, of gelu in its three forms, of elu and of leaky relus
    lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x))),
    lambda x: sigmoid(1.702 * x) * (1 + 1.702 * x * (1 - sigmoid(1.702 * x))),
    lambda x: (1 + erf(x / sqrt(2))) / 2 + x * exp(-x**2 / 2) / sqrt(2 * pi),
    lambda x: (1 + erf(x / sqrt(2))) / 2, lambda x: exp(-(x**2) / 2),
    lambda x: GELU.xreplace({Z: x}), lambda x: step(x) + (1 - step(x)) * exp(-Abs(x)),
    *(lambda x, slope=slope: step(x) + slope * (1 - step(x)) for slope in (0.01, 0.1, 0.2, 0.25)),
)  # fmt: skip


class Hole(NamedTuple):
    """A part in which a right-hand side is linear: times `weight`, and summed over the indices that are not free."""

    part: Expr
    context: tuple[Idx, ...]
    weight: Expr
    around: Callable[[Expr], Expr]      # puts something into its place


@dataclass(frozen=True)
class Gap:
    """What the mistake in one equation has to explain: reach times what is given too much is `gap`."""

    reach: np.ndarray
    gap: np.ndarray


def holes(rhs: Expr, context: tuple[Idx, ...]) -> Iterator[Hole]:
    """Yield the parts of a right-hand side in which it is linear, a term that it does not have first."""
    yield Hole(S.Zero, context, S.One, lambda g: rhs + g)
    yield from _holes(rhs, context, S.One, lambda g: g)


def _holes(expr, context, weight, around):
    yield Hole(expr, context, weight, around)
    if isinstance(expr, Add):
        for some in combinations(expr.args, 2) if 2 < len(expr.args) <= MOST_FACTORS else ():
            rest = Add(*(t for t in expr.args if t not in some))
            yield Hole(Add(*some), context, weight, _plus(rest, around))
        for k, term in enumerate(expr.args):
            rest = Add(*expr.args[:k], *expr.args[k + 1:])
            yield from _holes(term, context, weight, _plus(rest, around))
    elif isinstance(expr, Mul):
        factors = [f for f in expr.args if f.free_symbols][:MOST_FACTORS]
        for size in range(len(factors) - 1, 0, -1):
            for some in combinations(factors, size):
                rest = Mul(*(f for f in expr.args if f not in some))
                if size == 1:
                    yield from _holes(some[0], context, weight * rest, _times(rest, around))
                else:
                    yield Hole(Mul(*some), context, weight * rest, _times(rest, around))
        for total in (f for f in factors if isinstance(f, Sum)):
            yield from _holes_across(expr, total, context, weight, around)
    elif isinstance(expr, Piecewise):
        for k, (value, _) in enumerate(expr.args):
            if value != 0:
                cases = ((S.One if j == k else S.Zero, condition) for j, (_, condition) in enumerate(expr.args))
                there = Piecewise(*cases, evaluate=False)
                yield from _holes(value, context, weight * there, inside_branch(expr, k, around))
    elif isinstance(expr, Sum):
        limits, bound = expr.limits, tuple(limit[0] for limit in expr.limits)
        yield from _holes(expr.function, (*context, *bound), weight,
                          lambda g: around(Sum(g, *(tuple(limit) for limit in limits))))


def _holes_across(whole, total, context, weight, around):
    """Yield the products of a factor in a sum and one before it: of (x - m)/s, the 1/s that all terms have."""
    limits, bound = total.limits, tuple(limit[0] for limit in total.limits)
    outer, inner = [f for f in whole.args if f is not total], Mul.make_args(total.function)
    for a, b in product(*([f for f in fs if f.free_symbols][:MOST_FACTORS] for fs in (outer, inner))):
        before, after = Mul(*(f for f in outer if f is not a)), Mul(*(f for f in inner if f is not b))
        yield Hole(a * b, (*context, *bound), weight * before * after, _summed(limits, before, after, around))


def _summed(limits, before, after, around):
    return lambda g: around(before * Sum(g * after, *(tuple(limit) for limit in limits)))


def _moved(part: Expr, context: tuple[Idx, ...]) -> Iterator[Expr]:
    """Yield an expression with its indices replaced by some of those of a place, over the same ranges."""
    own = free_indices(part)
    for chosen in permutations(context, len(own)):
        if all((i.lower, i.upper) == (j.lower, j.upper) for i, j in zip(own, chosen, strict=True)):
            yield instantiated(part, dict(zip(own, chosen, strict=True)))


def _times(rest, around):
    return lambda g: around(rest * g)


def _plus(rest, around):
    return lambda g: around(rest + g)


def _fraction(number: float, most: int) -> Rational | None:
    """Return the fraction of a small denominator that a number is, None where it is none."""
    near = Fraction(number).limit_denominator(most)
    return Rational(near) if abs(near - number) <= NEAR * abs(number) else None


class Substitutes:
    """Looks for what stands in one place of one equation, at one point."""

    def __init__(self, mutator: Mutator, influence: Influence, point: Point, deadline: float):
        self.deadline = deadline
        self.mutator, self.program, self.influence, self.point = mutator, mutator.program, influence, point
        scope = influence.point.scope
        self.scope = Scope(dict(influence.values), scope.states, scope.sizes, scope.numbers)
        self.dictionaries: dict[Any, tuple[list[Expr], np.ndarray, int]] = {}

    @cached_property
    def parts(self) -> list[Expr]:
        """What the forward equations are made of, entry by entry, and has no name."""
        found = (t for e in self.program.forward if not e.implicit for t in subterms(e.rhs)
                 if isinstance(t, Add | Mul | Pow | Function) and len(reads(t, self.program.variables)) > 1
                 and not has_binder(t) and t.count_ops() <= MOST_OPERATIONS)
        return list(dict.fromkeys(found))

    def of(self, equation: Equation, others: Sequence[Equation], gap: Gap) -> Iterator[Mutant]:
        """Yield the mutants of an equation that explain a gap at this point, the simplest first."""
        cyclic = self.cyclic(equation)
        found: dict[Expr, Mutant] = {}
        for hole in holes(equation.rhs, equation.free):
            if time.thread_time() > self.deadline:
                break
            if not reads(hole.weight * hole.part, cyclic) and self.cells(hole.context) <= TOO_LARGE:
                for new in self._fitting(hole, equation, gap, cyclic):
                    self.add(found, hole, new, equation, others)
        yield from (found[rhs] for rhs in sorted(found, key=lambda r: (r.count_ops(), str(r))))

    def cyclic(self, equation: Equation) -> set[str]:
        """Return the adjoints that an equation cannot read, as they are computed from it."""
        place = self.mutator.places
        return {n for n in self.influence.linear if place.get(n, 0) >= place[equation.name]}

    def near(self, equation: Equation, others: Sequence[Equation]) -> Iterator[Mutant]:
        """Yield mutants of an equation of a recurrence with functions of what it reads, whose numbers are not known."""
        arrays = [r for r in reads(equation.rhs, self.program.variables) if read_name(r) not in self.influence.linear
                  and self.program.variables[read_name(r)].kind != "labels"]
        arrays += [r for a in arrays for r in self._arguments(a)]
        for hole in holes(equation.rhs, equation.free):
            own = reads(hole.part, self.program.variables)
            if own and not reads(hole.part, self.influence.linear):
                for a in dict.fromkeys(arrays):
                    for new in (f(a) for f in FUNCTIONS if set(free_indices(a)) <= set(hole.context)):
                        found: dict[Expr, Mutant] = {}
                        self.add(found, hole, new, equation, others)
                        yield from found.values()

    def _arguments(self, read):
        """Return what a value is a function of."""
        lines = self.program.defining(read_name(read))
        if len(lines) != 1 or lines[0].implicit or lines[0].free != lines[0].indices:
            return []
        whole = instantiated(lines[0].rhs, dict(zip(lines[0].indices, getattr(read, "indices", ()), strict=True)))
        found = reads(whole, self.program.variables)
        return found if len(found) == 1 and free_indices(found[0]) == free_indices(read) else []

    def add(self, found: dict[Expr, Mutant], hole: Hole, new: Expr, equation: Equation,
            others: Sequence[Equation]) -> None:
        """Put an equation with something else in a place among those found."""
        rhs = hole.around(new)
        if rhs not in found and rhs != equation.rhs:
            found[rhs] = Mutant(equation.name, (*others, equation.with_rhs(rhs)),
                                self._words(hole.part, new, equation), "substitute", FARFETCHED)

    def _words(self, old, new, equation):
        text = self.mutator.wording.text
        if new == 0:
            return f"{text(old)} is missing"
        if old == 0:
            own = self.influence.parameters.get(equation.name, "")
            penalty = {read_name(r) for r in reads(new, self.program.variables)} == {own}
            more = regulariser(self.program, own) if penalty else ""
            return f"{text(new)} is added{more}"
        if new.has(Abs) and (side := new / Abs(old)) in (1, -1):
            part = "it" if old == equation.rhs else text(old)
            return f"{part} has the wrong sign where it is {'negative' if side == 1 else 'positive'}"
        ratio = new / old
        shared = {f for f in Mul.make_args(old) if f in Mul.make_args(new) or (old == f and new.has(f))}
        if shared and ratio.count_ops() <= MOST_OF_A_RATIO and not ratio.is_number:
            part = "it" if old == equation.rhs else text(old)
            if Mul.make_args(ratio)[0].is_Pow and (1 / ratio).count_ops() < ratio.count_ops():
                return f"{part} is divided by {text(1 / ratio)}: a factor is missing, or it divides where it should not"
            return f"{part} is {text(ratio)} times what it should be"
        if old == equation.rhs:
            return f"it is {text(new)} where it should be {text(old)}"
        return f"{text(new)} stands where {text(old)} should"

    def _fitting(self, hole, equation, gap, cyclic) -> Iterator[Expr]:
        """Yield what fits in a place, with its number."""
        with np.errstate(all="ignore"):
            weight = self.value(hole.weight, hole.context)
            if not np.all(np.isfinite(weight)):
                return
            old = self.given(weight * self.value(hole.part, hole.context), equation)
            target = gap.gap + gap.reach @ old
            if not largest(target) > SAME * max(1.0, largest(gap.gap)):
                yield S.Zero
                return
            exprs, values, single = self.dictionary(hole.context, cyclic)
            yield from self._matching(exprs, values, weight, equation, gap, target)
            if hole.part != 0:
                part = self.value(hole.part, hole.context)
                yield from self._matching([hole.part * e for e in exprs], part * values, weight, equation, gap, target)
                own = [f(hole.part) for f in (relu, Abs, sign)]
                yield from self._matching(own, np.stack([self.value(e, hole.context) for e in own]), weight, equation,
                                          gap, target)
            if (isinstance(hole.part, Mul) or hole.part == 0) and self.cells(hole.context) <= LARGE:
                for k in range(single):
                    more = exprs[k:single]
                    yield from self._matching([exprs[k] * e for e in more], values[k:single] * values[k], weight,
                                              equation, gap, target)

    def _matching(self, exprs, values, weight, equation, gap, target):
        cells = int(np.prod(values.shape[1:], dtype=int)) or 1
        size = max(1, MOST_CELLS // cells)
        for start in range(0, len(exprs), size):
            given = self.all_given(weight * values[start:start + size], equation)
            reached = given @ gap.reach.T
            numbers = np.einsum("mr,r->m", reached, target) / np.einsum("mr,mr->m", reached, reached)
            left = np.max(np.abs(target - numbers[:, None] * reached), axis=1)
            for k in np.flatnonzero(left <= SAME * largest(target)):
                for number in self.numbers(float(numbers[k])):
                    if len(target) > 1 or not number.has(Float):        # any number gives one number
                        yield number * exprs[start + k]

    def numbers(self, number: float) -> list[Expr]:
        """Return what a number may be at this point: 1, N, 1/N, ..."""
        named = [e for e, value in constants(self.program, self.point) if abs(value - number) <= 1e-7 * abs(number)][:3]
        if named:
            return named
        if (simple := _fraction(number, 10000)) is not None:
            return [simple]
        parts = ((_fraction(number / value, 100), root) for root, value in ROOTS.items())
        return [next((part * root for part, root in parts if part is not None and abs(part.p) <= 100), Float(number))]

    # ---- values

    def value(self, expr: Expr, context: tuple[Idx, ...]) -> np.ndarray:
        """Return an expression's value, nan where there is none: 1/0, too large."""
        counts = [self.scope.number(i.upper) - self.scope.number(i.lower) + 1 for i in context]
        try:
            value = compiled(expr, context)(self.scope)
        except NotImplementedError:
            value = np.nan
        return np.broadcast_to(np.asarray(value, float), counts)

    def cells(self, context: tuple[Idx, ...]) -> int:
        """Return how many values the indices of a place have together."""
        return math.prod(self.scope.number(i.upper) - self.scope.number(i.lower) + 1 for i in context)

    def given(self, value: np.ndarray, equation: Equation) -> np.ndarray:
        """Return what an equation gives, flat, for a summand over its free and bound indices."""
        return self.all_given(value[None], equation)[0]

    def all_given(self, values: np.ndarray, equation: Equation) -> np.ndarray:
        """Return what an equation gives, flat, for each of several summands over its free and bound indices."""
        free = len(equation.free)
        values = values.sum(axis=tuple(range(1 + free, values.ndim)))
        full = np.zeros((len(values), *np.shape(self.influence.values[equation.name])))
        full[(slice(None), *self.influence.where(equation))] = values
        return full.reshape(len(values), -1)

    def dictionary(self, context: tuple[Idx, ...], cyclic: Collection[str]) -> tuple[list[Expr], np.ndarray, int]:
        """Return all that may stand in a place of some indices, with its values; so many of the first are arrays."""
        key = context, frozenset(cyclic)
        if key not in self.dictionaries:
            arrays = list(dict.fromkeys(self._arrays(context, cyclic)))
            parts = list(dict.fromkeys(p for part in self.parts for p in _moved(part, context)))
            plain = [a for a in arrays if read_name(a) not in self.influence.linear] + parts
            functions = FUNCTIONS[1:] if self.cells(context) <= LARGE else ()
            exprs = list(dict.fromkeys([*arrays, *parts, *(f(a) for a in plain for f in functions), S.One]))
            values = [self.value(e, context) for e in exprs]
            kept = [k for k, v in enumerate(values) if np.all(np.isfinite(v)) and largest(v) > 0]
            single = sum(k < len(arrays) for k in kept)
            self.dictionaries[key] = ([exprs[k] for k in kept], np.stack([values[k] for k in kept]), single)
        return self.dictionaries[key]

    def _arrays(self, context, cyclic) -> Iterator[Expr]:
        """Yield the reads that fit among some indices."""
        for v in self.program.variables.values():
            if v.name in cyclic or v.name == self.program.loss or v.name not in self.influence.values:
                continue
            if v.kind == "labels":
                yield from self._brackets(v, context)
            elif v.shape:
                for indices in self._placed(v.shape, context):
                    yield v.at(*indices)
                    if v.state:
                        yield v.at(indices[0] - 1, *indices[1:])

    def _placed(self, shape, context):
        fitting = [p for p in permutations(context, len(shape))
                   if all(i.lower == 0 and i.upper + 1 == s for i, s in zip(p, shape, strict=True))]
        return fitting[:MOST_PLACES]

    def _brackets(self, v, context):
        for indices in self._placed(v.shape, context):
            for i in context:
                if i not in indices and i.upper + 1 == v.classes:
                    yield KroneckerDelta(i, v.at(*indices))


def gap_of(influence: Influence, name: str, explained: frozenset[str], gaps: Mapping[str, Any],
           scales: Mapping[str, float]) -> Gap:
    """Return what a mistake in the equation of a variable has to explain, in as few numbers as its entries are."""
    wrong = {n for n in influence.rows if largest(gaps[n]) > 0}
    names = [n for n in influence.rows if n in explained or n not in wrong]
    reach = np.concatenate([influence.reach[name][influence.rows[n]] / scales[n] for n in names])
    gap = np.concatenate([np.ravel(gaps[n]) / scales[n] for n in names])
    told = np.any(reach, axis=1)
    q, r = np.linalg.qr(reach[told])
    return Gap(r, q.T @ gap[told])
