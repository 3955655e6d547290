"""The bracket [k = g(i, r)]: solved for a summed index where one has the coefficient 1 or -1, kept otherwise.

    [k = t - 1]             gives t = k + 1: the sum over t is gone, with a guard where t could leave its range
    [k = S*i + p], [k = y[n]]   stay as they are: the equation keeps its sum, and a Kronecker delta
"""

from dataclasses import dataclass

from sympy import Expr, Idx, Indexed, KroneckerDelta, Sum

from .guards import guarded, proven_away, unguarded
from .ranges import Prover, index_atoms


@dataclass
class Summand:
    """A term and the indices that it is summed over, each with its lowest and highest value."""

    term: Expr
    limits: list[tuple]


def eliminated(summand: Summand, slots: tuple, positions: tuple, prover: Prover) -> Expr:
    """Return Sum(term * [slots = positions]) with every bracket solved that can be."""
    term, conditions = unguarded(summand.term)
    limits, places = list(summand.limits), list(positions)
    for axis, slot in enumerate(slots):
        position = places[axis]
        solution = _solved(slot, position, limits)
        if solution is None:
            term *= slot_delta(slot, position)
            continue
        index, value = solution
        [(_, low, high)] = [limit for limit in limits if limit[0] == index]
        limits = [limit for limit in limits if limit[0] != index]
        conditions += [value - low, high - value]
        here = {index: value}
        term, conditions = term.xreplace(here), [c.xreplace(here) for c in conditions]
        places = [p.xreplace(here) for p in places]
    ranges = {slot: (slot.lower, slot.upper) for slot in slots} | {i: (low, high) for i, low, high in limits}
    term = guarded(term, proven_away(conditions, prover, ranges))
    return Sum(term, *limits) if limits and term != 0 else term


def _solved(slot, position, limits):
    """Return (index, value) with value solving slot = position, None where the bracket stays."""
    if any(isinstance(a, Indexed) for a in index_atoms(position)):
        return None
    inside = [i for i in index_atoms(position) if isinstance(i, Idx)]
    if any(abs(position.coeff(i, 1)) != 1 for i in inside):
        return None
    for index, _, _ in limits:
        if index in inside:
            slope = position.coeff(index, 1)
            return index, ((slot - (position - slope * index)) * slope).expand()
    return None


def slot_delta(slot, position):
    """Return the bracket that stays."""
    return KroneckerDelta(slot, position)
