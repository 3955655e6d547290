"""When the code's loss is not the network's: by which number or constant, or which other network it is the loss of."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sympy import Add, Expr

from derive.program import Program

from ..differences import derivative_estimate
from .evaluate import Evaluated
from .evidence import FAINT, Seen, largest
from .forward_mutants import made, mutants
from .patient import Patient
from .scales import named_ratio, times
from .second_order import Judged
from .slips import RARE, Mutant
from .wording import Wording

CLOSE = 1e-9


@dataclass(frozen=True)
class Forward:
    """How the code's loss differs, and the network that it is the loss of, where that was found."""

    words: str
    mutant: Mutant | None = None
    factor: Expr | None = None
    named: bool = True          # whether it is known what it is


def difference(
    net: Judged, seen: Sequence[Seen], seconds: float, further: Callable[[], Sequence[Seen]] = list,
) -> Forward | None:
    """Say how the code's loss differs from the network's; None where it does not, or none is returned.

    At `further` points what explains it must hold, too: a branch that is never taken may be so by chance.
    """
    if not differs(seen):
        return None
    pairs = _pairs(seen)
    first = next((s, a, b) for s, a, b in pairs if not _near(a, b, s.tolerance, _usual(pairs)))
    numbers = f"theirs is {first[1]:.10g}, the network's {first[2]:.10g} {first[0].point.words} ({first[0].point.told})"
    program = net.program()
    lost = [(a, b) for _, a, b in pairs if abs(b) < 1e-12]
    if all(abs(a) < 1e-9 for a, b in lost) and len(lost) < len(pairs):
        found = named_ratio(program, [s.point for s, *_ in pairs],
                            [np.nan if abs(b) < 1e-12 else a / b for _, a, b in pairs])
        if found:
            return Forward(f"the loss is {times(found[0])} the network's: {numbers}", None, found[0])
    if max(a - b for _, a, b in pairs) - min(a - b for _, a, b in pairs) <= CLOSE * abs(first[2]):
        return Forward(f"the loss is the network's and a constant: {first[1] - first[2]:+.6g} at every point")
    mutant = _mutant(program, pairs, seconds, further)
    if mutant:
        words = f"the loss is that of another network, in which {mutant.words} ({_named(mutant)}): {numbers}"
        return Forward(words, mutant)
    if all(abs(a - b) <= 1e-5 * max(abs(a), abs(b), 1e-12) for _, a, b in pairs):
        return Forward(f"the loss is the network's but for {abs(first[1] / first[2] - 1):.1g} of it, as a small number "
                       f"added inside a logarithm or a root would make it: {numbers}")
    return Forward(f"the loss is not the network's: {numbers}", named=False)


def differs(seen: Sequence[Seen], elsewhere: float = 0.0) -> bool:
    """Tell whether a loss is returned that is not the network's; that is so large elsewhere."""
    pairs = _pairs(seen)
    return any(not _near(a, b, s.tolerance, max(elsewhere, _usual(pairs))) for s, a, b in pairs)


def out_of_range(seen: Sequence[Seen]) -> str:
    """Say where the code's loss is no finite number and the network's is; "" where there is no such point."""
    for s, theirs, ours in _all_pairs(seen):
        if _overflows(theirs, ours):
            words = f"the loss is {theirs} {s.point.words} ({s.point.told}), where the network's is {ours:.10g}"
            return f"{words}: it leaves the range of floats"
    return ""


def _pairs(seen):
    """Return answers, their losses and the network's; not those that leave the range of floats, if others do not."""
    pairs = _all_pairs(seen)
    return [p for p in pairs if not _overflows(*p[1:])] or pairs


def _all_pairs(seen):
    return [(s, s.answer.loss, float(s.point.ours.values[s.point.program.loss]))
            for s in seen if s.answer.loss is not None]


def _overflows(theirs, ours):
    return np.isfinite(ours) and not np.isfinite(theirs)


def _named(mutant):
    return f"in the equation of {mutant.name}"


def usual(seen: Sequence[Seen]) -> float:
    """Return the usual size of the network's loss: where it happens to be 0, rounding leaves a little of that."""
    losses = (abs(float(s.point.ours.values[s.point.program.loss])) for s in seen)
    return max((size for size in losses if np.isfinite(size)), default=0.0)


def _usual(pairs):
    return usual([s for s, *_ in pairs])


def _near(theirs, ours, tolerance, usual):
    if not (np.isfinite(theirs) and np.isfinite(ours)):
        return not np.isfinite(theirs) and not np.isfinite(ours)
    return abs(theirs - ours) <= tolerance * max(abs(theirs), abs(ours), FAINT * usual, 1e-9)


def _mutant(program: Program, pairs, seconds: float, further) -> Mutant | None:
    """Return the changed forward equation whose loss the code computes."""
    deadline = time.thread_time() + seconds
    points, more = _evaluated(program, pairs), None
    usual = _usual(pairs)
    anywhere = any(not s.point.square and s.point.least is None for *_, s in points)
    for mutant in mutants(program):
        if time.thread_time() > deadline:
            return None
        if mutant.square and anywhere:      # the code's loss has a value where that network's has none
            continue
        fit = [(e, a, s) for e, a, s in points if s.point.square or not mutant.square]
        if any(not _near(a, float(e.values[program.loss]), s.tolerance, usual) for e, a, s in fit) and all(
                _gives(e, mutant, a, s, usual) for e, a, s in fit):
            more = _evaluated(program, _pairs(further())) if more is None else more
            if all(_gives(e, mutant, a, s, usual) for e, a, s in more if s.point.square or not mutant.square):
                return mutant
    return _weighted(program, points)


def _evaluated(program, pairs):
    return [(Evaluated(program, s.point.sizes, s.point.arguments), a, s) for s, a, _ in pairs]


def _weighted(program, points):
    """Return the loss with one of its terms times a number, where the code computes that."""
    for equation in program.defining(program.loss):
        for term in Add.make_args(equation.rhs) if equation.rhs.is_Add else ():
            without = equation.with_rhs(equation.rhs - term)
            numbers = []
            for evaluated, loss, _ in points:
                rest, whole = float(evaluated.changed([without])[program.loss]), float(evaluated.values[program.loss])
                numbers.append((loss - rest) / (whole - rest) if abs(whole - rest) > 1e-12 else np.nan)
            named = named_ratio(program, [s.point for *_, s in points], numbers)
            if named is not None:
                words = f"the term {Wording(program).text(term)} is {times(named[0])} what it should be"
                return made(equation, equation.rhs - term + named[0] * term, words, RARE)
    return None


def _gives(evaluated, mutant, loss, seen, usual):
    try:
        values = evaluated.changed(mutant.equations)
    except NotImplementedError:
        return False
    return values is not None and _near(loss, float(values[evaluated.program.loss]), seen.tolerance, usual)


def with_mutant(net: Judged, forward: Forward) -> Program | None:
    """Return the derived program of the network whose loss the code computes; None where that cannot be derived."""
    from derive.pipeline import derived

    program = net.program()
    if forward.mutant is not None:
        changed = {e.lhs: e for e in forward.mutant.equations}
        equations = [changed.get(e.lhs, e) for e in program.equations]
    elif forward.factor is not None:
        equations = [replace(e, rhs=forward.factor * e.rhs) if e.name == program.loss else e for e in program.equations]
    else:
        return None
    try:
        return derived(program.with_equations(equations))
    except Exception:
        return None


def own_gradient(patient: Patient, seen: Seen, name: str) -> float:
    """Return how far the code's gradient is from differences of its own loss, relative to its largest entry."""
    def loss(value):
        moved = replace(seen.point, arguments={**seen.point.arguments, name: value})
        answer = patient.answer(moved)
        if answer.failure or answer.loss is None:
            raise ValueError(answer.failure or "no loss")
        return answer.loss

    try:
        estimate = derivative_estimate(loss, seen.point.arguments[name])
    except (ValueError, ArithmeticError):
        return np.nan
    theirs: Any = seen.answer.gradients[name]
    if np.shape(theirs) != np.shape(estimate.value):
        return np.inf
    scale = max(largest(theirs), largest(estimate.value)) or 1.0
    beyond = np.maximum(np.abs(theirs - estimate.value) - estimate.error, 0)
    return largest(beyond) / scale
