"""Positions at which arrays are read: sums of indices, mixed radix numbers, labels."""

from collections.abc import Iterable

from sympy import Add, Expr, Idx, Indexed, S, Sum, expand

from derive.binders import is_binder
from derive.guards import guarded
from derive.ranges import index_atoms
from derive.terms import free_indices, rename


def has_contraction(expr: Expr) -> bool:
    """Tell whether computing `expr` takes more than elementwise operations."""
    return any(map(is_binder, expr.atoms(Sum))) or expr.has(Sum)


def boxed(binder: Expr) -> Expr:
    """Return a sum, a maximum, ... whose indices run over their own ranges: other ends become ranges or conditions."""
    body, limits, conditions, changes = binder.function, [], [], {}
    for index, low, high in binder.limits:
        if (index.lower, index.upper) != (low, high):
            if free_indices(low + high):
                conditions += [index - low, high - index]
            else:
                changes[index] = Idx(index.label, (low, high))
        limits.append(changes.get(index, index))
    conditions = [c for c in conditions if c != 0 and not (c.is_number and c >= 0)]
    return binder.func(rename(guarded(body, conditions), changes), *limits) if conditions or changes else binder


def is_label(position):
    """Tell whether a position reads integer data."""
    return any(isinstance(a, Indexed) for a in index_atoms(position))


def canonical(position):
    """Return the indices of a position in an order that does not depend on their names, and the pattern they make."""
    if is_label(position):
        return [], ((str(position),), "")
    inside = free_indices(position)
    known = sorted(((str(position.coeff(i, 1)), str(i.lower), str(i.upper)), i.name, i) for i in inside)
    offset = expand(position - Add(*(position.coeff(i, 1) * i for i in inside)))
    return [i for *_, i in known], (tuple(k for k, *_ in known), str(offset))


def radix_number(digits):
    """Return h*E + e for the digits h, e."""
    number = S.Zero
    for i in digits:
        number = number * (i.upper + 1) + i
    return expand(number)


def mixed_radix(position: Expr) -> tuple[Idx, ...]:
    """Return the indices of a mixed radix number, the slowest first; () where the position is none."""
    rest, place = expand(position), S.One
    digits: list[Idx] = []
    waiting: Iterable[Idx] = free_indices(position)
    waiting = list(waiting)
    while waiting:
        digit = next((i for i in waiting if expand(rest.coeff(i, 1) - place) == 0 and i.lower == 0), None)
        if digit is None:
            return ()
        waiting.remove(digit)
        digits.insert(0, digit)
        rest = expand(rest - place * digit)
        place = expand(place * (digit.upper + 1))
    return tuple(digits) if rest == 0 else ()
