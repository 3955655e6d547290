"""The bracket [k = g(i, r)]: solved for a summed index where one has the coefficient 1 or -1, kept otherwise.

    [k = t - 1]             gives t = k + 1: the sum over t is gone, with a guard where t could leave its range
    Sum([k = j]*f(j), j)    is f(k): a bracket inside a term goes the same way, whoever wrote it
    [k = S*i + p], [k = y[n]]   stay as they are: the equation keeps its sum, and a Kronecker delta
"""

from dataclasses import dataclass

from sympy import Expr, Function, Idx, Indexed, KroneckerDelta, Mul, Pow, Sum, expand, floor

from .guards import guarded, proven_away, unguarded
from .ranges import Prover, index_atoms, index_range
from .terms import free_indices, fresh, index_over, rename, summed


@dataclass
class Summand:
    """A term and the indices that it is summed over, each with its lowest and highest value."""

    term: Expr
    limits: list[tuple]


def eliminated(summand: Summand, slots: tuple, positions: tuple, prover: Prover) -> Expr:
    """Return Sum(term * [slots = positions]) with every bracket solved that can be."""
    term, conditions = unguarded(summand.term)
    limits, places = list(summand.limits), list(positions)
    changes: dict[Expr, Expr] = {}
    for axis, slot in enumerate(slots):
        position = places[axis]
        solution = _solved(slot, position, limits, [*slots, *free_indices(term)])
        if solution is None:
            term *= slot_delta(slot, position)
            continue
        index, value, more = solution
        [(_, low, high)] = [limit for limit in limits if limit[0] == index]
        limits = [*(limit for limit in limits if limit[0] != index), *more]
        if index_range(value) != (low, high):
            conditions += [value - low, high - value]
        here = {index: value}
        changes = {i: v.xreplace(here) for i, v in changes.items()} | here
        places = [p.xreplace(here) for p in places]
    ranges = {slot: (slot.lower, slot.upper) for slot in slots} | {i: (low, high) for i, low, high in limits}
    term, conditions = rename(term, changes), [c.xreplace(changes) for c in conditions]
    term = guarded(term, proven_away(conditions, prover, ranges))
    return summed(term, limits)


def collapsed(total: Expr, prover: Prover) -> Expr:
    """Return a sum with every bracket inside its term solved that can be: Sum([k = j]*f(j), j) is f(k)."""
    while isinstance(total, Sum):
        term, conditions = unguarded(total.function)
        limits = [tuple(limit) for limit in total.limits]
        found = _first_solved(Mul.make_args(term), limits)
        if found is None:
            return total
        bracket, index, value, more = found
        [(_, low, high)] = [limit for limit in limits if limit[0] == index]
        limits = [*(limit for limit in limits if limit[0] != index), *more]
        rest = Mul(*(f for f in Mul.make_args(term) if f is not bracket))
        here = {index: value}
        conditions = [c.xreplace(here) for c in (*conditions, index - low, high - index)]
        ranges = {i: (low, high) for i, low, high in limits}
        term = guarded(rest.xreplace(here), proven_away(conditions, prover, ranges))
        total = summed(term, limits)
    return total


def read_where_chosen(product: Mul, prover: Prover) -> Expr:
    """Return a product that counts at one place alone with values from there: [i = j]/x[i, j] is [i = j]/x[i, i].

    What has no value elsewhere, as 1/x of a triangular x, is not asked for it, and functions are taken along one axis.
    Plain reads stay: they have values everywhere, and are read as they stand.
    """
    for bracket in (f for f in product.args if isinstance(f, KroneckerDelta)):
        for place, index in (bracket.args, bracket.args[::-1]):
            if isinstance(index, Idx) and index not in free_indices(place) and free_indices(place) \
                    and prover.within(place, index.lower, index.upper):
                rest = [f if f is bracket else _at(f, {index: place}) for f in product.args]
                if rest != list(product.args):
                    return read_where_chosen(Mul(*rest), prover)
                break
    return product


def _at(expr, here):
    """Return an expression whose brackets, functions and quotients are those at other indices."""
    if isinstance(expr, Idx | Indexed) or not expr.args:
        return expr
    if isinstance(expr, KroneckerDelta):            # of two indices; that of a place is solved where it is read
        return expr.xreplace(here) if all(isinstance(i, Idx) for i in expr.args) else expr
    if isinstance(expr, Function) or (isinstance(expr, Pow) and not (expr.exp.is_integer and expr.exp.is_positive)):
        return expr.xreplace(here)
    args = [_at(a, here) if isinstance(a, Expr) else a for a in expr.args]
    return expr if all(a is b for a, b in zip(args, expr.args, strict=True)) else expr.func(*args)


def at_the_end(total: Expr, prover: Prover) -> Expr:
    """Return a sum of what counts at the first or the last place of an index alone as its value there.

    Sum([j <= 0]*f(j), (j, 0, T - 1)) is f(0): no index is less than 0.
    """
    if not isinstance(total, Sum):
        return total
    term, conditions = unguarded(total.function)
    for index, low, high in total.limits if conditions else ():
        for end, condition in ((low, low - index), (high, index - high)):
            if expand(condition) in map(expand, conditions) and prover.nonnegative(high - low, {}):
                rest = [c.xreplace({index: end}) for c in conditions]
                limits = [tuple(limit) for limit in total.limits if limit[0] != index]
                ranges = {i: (first, last) for i, first, last in limits}
                term = guarded(term.xreplace({index: end}), proven_away(rest, prover, ranges))
                return at_the_end(summed(term, limits), prover)
    return total


def _first_solved(factors, limits):
    """Return a bracket among factors and its solution, None where there is none."""
    for bracket in factors:
        if isinstance(bracket, KroneckerDelta):
            rest = [f for f in factors if f is not bracket]
            for left, right in (bracket.args, bracket.args[::-1]):
                solution = _solved(right, left, limits, free_indices(Mul(*factors)))
                if solution is not None and not _is_bound_elsewhere(solution, rest):
                    return bracket, *solution
    return None


def _is_bound_elsewhere(solution, rest):
    """Tell whether a label would be put into another bracket: those stay side by side."""
    index, value, _ = solution
    labels = any(isinstance(a, Indexed) for a in index_atoms(value))
    return labels and any(f.has(index) for f in rest if isinstance(f, KroneckerDelta))


def _solved(slot, position, limits, taken):
    """Return (index, value, limits) with all values that solve slot = position, None where the bracket stays.

    Of slot = floor((i + c)/b) these are b*slot - c + r for all r < b, a new index; of others it is one.
    """
    if isinstance(position, floor):
        above, below = position.args[0].together().as_numer_denom()
        able = [i for i, *_ in limits if above.coeff(i, 1) == 1 and index_atoms(above) == {i}]
        if not able or not below.is_positive:
            return None
        r = fresh(index_over("r", below), {i.name for i in (*taken, *(i for i, *_ in limits))})
        return able[0], (below * slot - (above - able[0]) + r).expand(), [(r, r.lower, r.upper)]
    if isinstance(position, Idx):
        return (position, slot, []) if any(limit[0] == position for limit in limits) else None
    if any(isinstance(a, Indexed) for a in index_atoms(position)):
        return None
    inside = [i for i in index_atoms(position) if isinstance(i, Idx)]
    if any(abs(position.coeff(i, 1)) != 1 for i in inside):
        return None
    for index, _, _ in limits:
        if index in inside:
            slope = position.coeff(index, 1)
            value = ((slot - (position - slope * index)) * slope).expand()
            return None if value.has(index) else (index, value, [])
    return None


def slot_delta(slot, position):
    """Return the bracket that stays."""
    return KroneckerDelta(slot, position)
