"""Constant ratios between two gradients, and what such a number is: N, 1/N, -1, 2, a scalar input."""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
from sympy import Expr, Float, Integer, Mul, Rational, S, Symbol, sqrt

from derive.program import Program

from .evidence import Evidence, largest
from .trials import Point

EXACT = 1e-9


def ratios(evidence: Evidence, name: str) -> list[float] | None:
    """Return at each point the number that the code's gradient is of ours, None where it is not one number."""
    found = []
    for k, seen in enumerate(evidence.seen):
        ratio = ratio_of(seen.answer.gradients[name], evidence.gradients(k)[name], seen.tolerance)
        if ratio is None:
            return None
        found.append(ratio)
    return found if any(not np.isnan(r) for r in found) else None


def ratio_of(theirs: Any, ours: Any, tolerance: float) -> float | None:
    """Return the one number that an array is of another, nan where both are 0, None where there is none."""
    theirs, ours = np.asarray(theirs, float), np.asarray(ours, float)
    if theirs.shape != ours.shape or not np.all(np.isfinite(theirs)):
        return None
    size = float(np.sum(ours * ours))
    if size == 0 or largest(ours) < 1e-14:
        return np.nan if largest(theirs) < 1e-13 else None
    ratio = float(np.sum(theirs * ours)) / size
    return ratio if largest(theirs - ratio * ours) <= 10 * tolerance * largest(theirs) else None


def named_ratio(
    program: Program, points: Sequence[Point], numbers: Sequence[float], exact: Sequence[float] = (),
) -> tuple[Expr, str] | None:
    """Return the expression that is the given number at each point, and what it is called; None where there is none.

    `exact` tells how near the numbers are to what they are, relatively, at each point.
    """
    exact = exact or [EXACT] * len(numbers)
    wanted = [(p, r, e) for p, r, e in zip(points, numbers, exact, strict=True) if not np.isnan(r)]
    for expr in _expressions(program):
        if all(abs(value_at(expr, p) - r) <= e * abs(r) + 1e-300 for p, r, e in wanted):
            return expr, words_of(expr)
    if not wanted:
        return None
    _, first, nearest = min(wanted, key=lambda w: w[2])
    if first != 0 and all(abs(r - first) <= e * abs(first) for _, r, e in wanted):
        simple = Fraction(first).limit_denominator(min(1000, int(0.1 / math.sqrt(nearest))))
        expr = Rational(simple) if abs(simple - first) <= nearest * abs(first) else Float(first)
        return expr, f"a constant factor {float(expr):.6g} too many"
    return None


def constants(program: Program, point: Point) -> list[tuple[Expr, float]]:
    """Return what a ratio may be, the simplest first, with its value at a point."""
    return [(e, value_at(e, point)) for e in (S.One, *_expressions(program))]


def _expressions(program: Program) -> tuple[Expr, ...]:
    """Return what a ratio is tried as, the simplest first."""
    given = tuple(Symbol(v.name, real=True) for v in program.kind("input") if not v.shape)
    computed = dict.fromkeys(e.name for e in program.forward if not e.indices and e.name != program.loss)
    loss = Symbol(program.loss, real=True)              # handed on where its derivative belongs
    return *_in_sizes(program.sizes, given, tuple(Symbol(n, real=True) for n in computed)), loss, -loss


@lru_cache(maxsize=100)
def _in_sizes(sizes, given, computed):
    return tuple(_made_of(sizes, given, computed))


def _made_of(sizes, scalars, computed):
    yield from (Integer(-1), Integer(2), Rational(1, 2))
    for s in sizes:
        yield from (s, 1 / s, -s, -1 / s, 2 * s, 2 / s, s / 2)
    for s in scalars:
        yield from (s, 1 / s, 1 - s, 1 / (1 - s), s**2, *(f for n in sizes for f in (s / n, s * n, 1 / (s * n))))
    for s in computed:                                          # how many labels are kept, what weights sum to
        for count in (0, 1, 2, 3):
            yield from (f for chosen in combinations(sizes, count) for f in (s / Mul(*chosen), Mul(*chosen) / s))
    for count in (2, 3, 4):
        for chosen in combinations(sizes, count):
            product = Mul(*chosen)
            yield from (product, 1 / product, 2 * product, 2 / product, product / 2)
    for a in sizes:
        yield from (sqrt(a), 1 / sqrt(a), a**2, a**-2, (a - 1) / a, a / (a - 1), a - 1, 1 / (a - 1))
        for b in sizes:
            if a != b:
                yield from (a / b, -a / b, sqrt(a / b))


def value_at(expr: Expr, point: Point) -> float:
    """Return the number that an expression of sizes and scalars is at a point, nan where it is none."""
    if expr not in point.numbers:
        point.numbers[expr] = _evaluated(expr, point)
    return point.numbers[expr]


def _evaluated(expr, point):
    values = {s: Integer(n) for s, n in point.sizes.items()}
    for s in expr.free_symbols - set(values):
        given = point.arguments[s.name] if s.name in point.arguments else point.ours.values[s.name]
        values[s] = Float(float(given))
    try:
        return float(expr.xreplace(values))
    except TypeError:
        return float("nan")


def words_of(expr: Expr) -> str:
    """Return what a factor too many is called."""
    if expr == -1:
        return "the sign is wrong"
    if expr.is_number:
        missing = f", or a factor {1 / expr} is missing" if expr.is_Rational and abs(expr.p) == 1 else ""
        return f"a factor {expr} too many{missing}"
    top, bottom = expr.as_numer_denom()
    if {s.name for s in expr.free_symbols} == {"loss"}:
        return f"a factor {expr} too many: the loss itself is sent back, where its derivative belongs"
    if top == 1 and bottom.free_symbols and not _is_of_sizes(bottom):
        return f"the factor {_text(bottom)} is missing, or a division by it is one too many"
    if top == 1 and bottom.free_symbols:
        return f"a division by {_text(bottom)} too many (a mean's 1/{_text(bottom)} twice, or where none belongs)"
    if bottom == 1 and top.free_symbols:
        mean = "a mean's " if all(f.is_Symbol for f in Mul.make_args(top)) and _is_of_sizes(top) else ""
        return f"a factor {_text(top)} too many ({mean}1/{_text(top)} is missing)"
    both = bool(top.free_symbols and bottom.free_symbols)
    instead = f": it is divided by {_text(bottom)}, not by {_text(top)}" if both else ""
    return f"a factor {_text(expr)} too many{instead}"


def _is_of_sizes(expr):
    """Tell whether all that a factor is made of are whole numbers, as sizes and counts are."""
    return all(s.is_integer for s in expr.free_symbols)


def _text(expr):
    return str(expr) if expr.is_Symbol or expr is S.One else f"({expr})".replace("**", "^").replace("*", " ")


def times(expr: Expr) -> str:
    """Return "N times" and the like."""
    if expr == -1:
        return "minus"
    if expr.is_Float:
        return f"{float(expr):.6g} times"
    return f"{str(expr).replace('**', '^').replace('*', ' ')} times"
