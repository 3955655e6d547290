"""Data of a narrower kind than the network asks for: small parameters, 0 or 1, one-hot rows, rows that sum to one.

Code that is right for such data only (P - Y for a softmax, say, where the rows of Y sum to one; log(1 - p) where p is
not 1 but for rounding) is judged on such data.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sympy import Add, Expr, Mul, Sum

from derive.program import Program, Variable
from derive.terms import read_name, reads, subterms

from .trials import Point, is_bit, is_sign


def _one_hot(value, axis):
    result = np.zeros_like(value)
    np.put_along_axis(result, np.expand_dims(np.argmax(value, axis=axis), axis), 1.0, axis=axis)
    return result


def _sums_to_one(value):
    e = np.exp(value)
    return e / e.sum(axis=-1, keepdims=True)


IN_RANGE = "parameters are small"
ABOVE_ZERO = "parameters are positive"
POSITIVE = "is positive"
SMALL = 0.2             # times the parameters, where code leaves its range at larger ones
FEW, LEFT = 3, 0.4      # points, and of the entries of a gradient that are not 0, how many have to stay so
KINDS: dict[str, Callable[[Any], Any]] = {
    "is 0 or 1": lambda v: (v > 0).astype(float),
    "is one-hot in each row": lambda v: _one_hot(v, -1),
    "is one-hot in each column": lambda v: _one_hot(v, 0),
    "is 1 or -1": lambda v: np.where(v > 0, 1.0, -1.0),
    "sums to one in each row": _sums_to_one,
    POSITIVE: lambda v: np.abs(v) + 0.1,
}


def is_declared(variable: Variable) -> bool:
    """Tell whether a note says already that an input is 0 or 1, or 1 or -1, so that it is drawn so."""
    note = variable.note.lower()
    return is_bit(note) or is_sign(note)


def is_predicted(program: Program, variable: Variable) -> bool:
    """Tell whether an input is compared with a computed value, y - f: any number may stand there, not 0 or 1 alone."""
    computed = {n for n, v in program.variables.items() if v.kind in ("variable", "parameter")}
    return any(
        any(read_name(t.as_coeff_Mul()[1]) == variable.name for t in total.args)
        and any(reads(t, computed) for t in total.args)
        for e in program.forward for total in subterms(e.rhs) if isinstance(total, Add)
    )


def is_weighed(program: Program, variable: Variable) -> bool:
    """Tell whether an input is multiplied by a parameter, X W: any number may stand there."""
    names = {p.name for p in program.parameters}
    return any(
        variable.name in (found := {read_name(f) for f in term.args}) and found & names
        for e in program.forward for term in subterms(e.rhs) if isinstance(term, Mul)
    )


def is_upstream(program: Program, variable: Variable) -> bool:
    """Tell whether an input is the gradient from above of a layer, whose loss is Sum(dout * Y): any number is in it."""
    lines = program.defining(program.loss)
    if len(lines) != 1 or not isinstance(lines[0].rhs, Sum):
        return False
    total = lines[0].rhs
    factors = Mul.make_args(total.function)
    own = [f for f in factors if read_name(f) == variable.name]
    return len(own) == 1 and len(factors) > 1 and all(reads(f, program.variables) for f in factors) \
        and set(getattr(own[0], "indices", ())) == {limit[0] for limit in total.limits}


def narrower(
    program: Program, points: Sequence[Point], loss_differs: bool, lost: bool = False,
) -> Iterator[tuple[str, list[Point]]]:
    """Yield the points with small parameters, or with one input of a narrower kind, and what that is.

    For what is multiplied by a parameter, or below 0, only code is narrow whose loss is another one elsewhere; for
    parameters below 0 that whose numbers are `lost` there: roots of two, where the network has one of their product.
    """
    yield IN_RANGE, with_small(program, points)
    if lost:
        yield ABOVE_ZERO, _with_parameters(program, points, KINDS[POSITIVE])
    last = {read_name(r) for e in program.defining(program.loss) for r in reads(e.rhs, program.variables)}
    for v in program.kind("input"):
        mask = "mask" in v.name.lower()
        if v.shape and (v.name in last or mask) and not is_declared(v) and not is_predicted(program, v) \
                and (mask or not is_upstream(program, v)) and (mask or loss_differs or not is_weighed(program, v)):
            for words, change in list(KINDS.items())[:1] if mask else KINDS.items():
                moved = [_with(p, v.name, change) for p in points]
                if _says_something(words, v.shape) and (loss_differs or words != POSITIVE) and _varies(moved, v.name) \
                        and _is_alive(points, moved):
                    yield f"{v.name} {words}", moved


def _says_something(words: str, shape: Sequence[Expr]) -> bool:
    """Tell whether an array of that shape may be of a kind in two ways: one-hot rows of one entry are all 1."""
    along = -1 if "row" in words else 0 if "column" in words else None
    return along is None or (len(shape) > 1 and shape[along] != 1)


def _varies(points, name):
    """Tell whether an input has different entries anywhere: all are 1 where what must be positive is made 0 or 1."""
    return any(np.ptp(p.arguments[name]) > 0 for p in points)


def _is_alive(points, moved):
    """Tell whether the gradients are not 0 in far fewer entries: where spins are one-hot, all products of two are 0."""
    def alive(some):
        found = [p.ours.gradients() for p in some[:FEW]]
        return {n: np.mean([np.mean(np.asarray(g[n]) != 0) for g in found]) for n in found[0]}

    before, after = alive(points), alive(moved)
    return all(after[n] >= LEFT * before[n] for n in before)


def with_small(program: Program, points: Sequence[Point]) -> list[Point]:
    """Return the points with parameters a fifth as large."""
    return _with_parameters(program, points, lambda v: SMALL * v)


def _with_parameters(program, points, change):
    names = {p.name for p in program.parameters}
    return [replace(p, arguments={n: change(v) if n in names else v for n, v in p.arguments.items()}) for p in points]


def _with(point, name, change):
    return replace(point, arguments={**point.arguments, name: change(np.asarray(point.arguments[name], float))})
