"""Two arrays that together, each times a number, stand in one place of an equation, and perhaps a constant with them.

    dz = sigmoid(z) - (y + 1)/2, the residual of a logistic loss, for that of another link

As in `substitutes` the numbers follow from the gap and the reach: of all pairs at once, at several points together.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from sympy import Add, Expr, Float, S

from derive.program import Equation
from derive.terms import reads

from .evidence import largest
from .slips import Mutant
from .substitutes import LARGE, SAME, Gap, Substitutes, holes

ALIKE = 1e-6            # the square of a sine, from which on two directions are two
NEAR = 1e-9             # of a square, that is looked at again exactly
MOST = 600              # candidates, of which all pairs are compared
MARGIN = 2              # numbers more than are solved for that must fit, so that it is no chance

Place = tuple[Substitutes, Gap]


SUMMANDS = "two summands"       # the kind of these mistakes


def of_two(places: Sequence[Place], equation: Equation, others: Sequence[Equation]) -> Iterator[Mutant]:
    """Yield the mutants of an equation with two summands in the place of a part, at points of the same sizes."""
    first = places[0][0]
    cyclic = first.cyclic(equation)
    for hole in holes(equation.rhs, equation.free):
        if time.thread_time() > first.deadline or first.cells(hole.context) > LARGE:
            return
        if hole.part != 0 and hole.context == equation.free and not reads(hole.weight * hole.part, cyclic):
            found: dict[Expr, Mutant] = {}
            for new in _sums(places, hole, equation):
                first.add(found, hole, new, equation, others)
            shortest = sorted(found, key=lambda rhs: (rhs.count_ops(), str(rhs)))
            yield from (replace(found[rhs], kind=SUMMANDS) for rhs in shortest)


def _sums(places, hole, equation) -> Iterator[Expr]:
    """Yield sums of two arrays, or of two and a constant, that fit in a place and whose numbers all have a name."""
    with np.errstate(all="ignore"):
        exprs, reached, target = _together(places, hole, equation)
        if not exprs or not largest(target) > 0:
            return
        for i, j in pairs(reached, target):
            yield from _named(places[0][0], [exprs[i], exprs[j]], reached[[i, j]], target)
        if S.One in exprs and len(target) > 3:
            one = exprs.index(S.One)
            for i, j in pairs(*_beside(reached, target, reached[one])):
                yield from _named(places[0][0], [exprs[i], exprs[j], S.One], reached[[i, j, one]], target)


def _together(places, hole, equation):
    """Return what may stand in a place, what each reaches at all points together, and what is to be reached."""
    known, targets = [], []
    for search, gap in places:
        weight, part = search.value(hole.weight, hole.context), search.value(hole.part, hole.context)
        exprs, values, _ = search.dictionary(hole.context, search.cyclic(equation))
        reached = search.all_given(weight * values, equation) @ gap.reach.T
        known.append(dict(zip(exprs, reached, strict=True)))
        targets.append(gap.gap + gap.reach @ search.given(weight * part, equation))
    shared = [e for e in known[0] if all(e in k and np.all(np.isfinite(k[e])) for k in known)]
    target = np.concatenate(targets)
    if not shared or not np.all(np.isfinite(target)):
        return [], np.empty(0), np.empty(0)
    return shared, np.stack([np.concatenate([k[e] for k in known]) for e in shared]), target


def pairs(reached: np.ndarray, target: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield which two rows give a target, each times a number; none of those that give it alone."""
    norms, size = np.sqrt(np.einsum("mr,mr->m", reached, reached)), np.sqrt(target @ target)
    told = np.flatnonzero(norms > 1e-9 * norms.max(initial=0))[:MOST]
    if len(target) < 2 + MARGIN or not size:
        return
    unit = reached[told] / norms[told, None]
    along, cosine = unit @ (target / size), unit @ unit.T
    sine = 1 - cosine**2
    with np.errstate(all="ignore"):
        left = 1 - (along[:, None] ** 2 + along**2 - 2 * cosine * along[:, None] * along) / sine
    alone = along**2 > 1 - NEAR
    fits = (left <= NEAR) & (sine > ALIKE) & ~alone & ~alone[:, None]
    for i, j in zip(*np.nonzero(np.triu(fits, 1)), strict=True):
        yield int(told[i]), int(told[j])


def _beside(reached, target, known):
    """Return rows and a target without what lies along one row."""
    unit = known / np.sqrt(known @ known)
    return reached - np.outer(reached @ unit, unit), target - (target @ unit) * unit


def _named(search, exprs, reached, target) -> Iterator[Expr]:
    """Yield the sum of some expressions, each times its number, where all of the numbers have a name."""
    numbers = np.linalg.lstsq(reached.T, target, rcond=None)[0]
    if largest(numbers @ reached - target) > SAME * largest(target):
        return
    named = [[e * n for n in search.numbers(float(x)) if not n.has(Float)] for e, x in zip(exprs, numbers, strict=True)]
    yield from (Add(*terms) for terms in product(*named))
