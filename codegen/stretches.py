"""Terms that count along a stretch of an axis alone, and are added to that slice.

    dX[n] = 2*X[n] + Piecewise((Y[n - 1], n >= 1), (0, True))           dX = 2 * X
                                                                        dX[1:] += Y[:-1]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sympy import Add, Expr, Idx, Indexed, KroneckerDelta, Mul, Piecewise, Sum, default_sort_key

from derive.binders import ArgMaximum, Maximum, is_binder
from derive.guards import unguarded
from derive.program import Equation
from derive.ranges import Prover
from derive.terms import free_indices, index_over, instantiated, subterms

Positions = dict[Idx, Expr]        # of axes, where a stretch stands: an index of its own and where that begins


@dataclass(frozen=True)
class Stretch:
    """A term that is added along stretches of axes, over their own indices."""

    positions: Positions
    term: Expr


def terms(equation: Equation) -> dict[Expr, Stretch]:
    """Return the terms of a sum that count along stretches, and these."""
    summands = Add.make_args(equation.rhs)
    if len(summands) < 2 or equation.free != equation.indices:
        return {}
    found = {t: s for t in summands if (s := _stretch(t, equation) or _strided(t, equation))}
    rest = Add(*(t for t in summands if t not in found))
    real = any(not r.is_integer for r in rest.atoms(Indexed))
    return found if real or not free_indices(rest) else {}         # brackets alone make no array of numbers to add to


def taken_apart(equation: Equation) -> tuple[Expr, list[Stretch]]:
    """Split a sum into what counts everywhere, or needs other means, and what counts along stretches, in order."""
    found = terms(equation)
    if not found:
        return equation.rhs, []
    along = sorted(_one_a_place(found.values()), key=lambda s: [default_sort_key(p) for p in s.positions.values()])
    chain = _chained([s.positions for s in along])
    rest = Add(*(t for t in Add.make_args(equation.rhs) if t not in found))
    return rest, [along[k] for k in chain] if chain else along


def _one_a_place(along):
    """Add up first what is added along the same stretch."""
    together: dict[tuple, Stretch] = {}
    for s in along:
        key = tuple(s.positions.items())
        together[key] = replace(s, term=together[key].term + s.term) if key in together else s
    return together.values()


def _stretch(term: Expr, equation: Equation) -> Stretch | None:
    """Return the stretch that a guarded term counts along, None where it is not one or may have a length below 0."""
    inner, conditions = unguarded(term)
    ends: dict[Idx, list[Expr]] = {}
    for condition in conditions:
        inside = free_indices(condition)
        if len(inside) != 1 or inside[0] not in equation.free:
            return None
        [index] = inside
        side = condition.coeff(index, 1)
        if side not in (1, -1) or condition.has(Indexed):
            return None
        low, high = ends.setdefault(index, [index.lower, index.upper])
        edge = (index - side * condition).expand()
        if (low, high)[side == -1] != (index.lower, index.upper)[side == -1]:
            return None
        ends[index][side == -1] = edge
    positions = {}
    for index, (low, high) in ends.items():
        length = (high - low + 1).expand()
        if not all(e.expand().is_nonnegative for e in (length, low - index.lower, index.upper - high)):
            return None
        positions[index] = low + index_over(index.name, length)
    moved = instantiated(inner, positions)
    return Stretch(positions, moved) if positions and is_plain(moved, _is_slice) else None


def _strided(term: Expr, equation: Equation) -> Stretch | None:
    """Return the entries, one a step, that a sum over an index picks, Sum([d = 2*i + 1]*Y[i], i); None elsewhere."""
    factors = Mul.make_args(term)
    sums = [f for f in factors if isinstance(f, Sum) and len(f.limits) == 1]
    if len(sums) != 1:
        return None
    [(own, low, high)] = sums[0].limits
    inside = Mul.make_args(sums[0].function)
    brackets = [f for f in inside if isinstance(f, KroneckerDelta)]
    if (own.lower, own.upper) != (low, high) or low != 0 or len(brackets) != 1:
        return None
    pairs = [(i, p) for i, p in (brackets[0].args, brackets[0].args[::-1]) if i in equation.free and p.has(own)]
    if len(pairs) != 1 or own in equation.free or not _is_slice(pairs[0][1]):
        return None
    [(index, place)] = pairs
    if not Prover().within(place, index.lower, index.upper, {own: (low, high)}):
        return None
    rest = Mul(*(f for f in factors if f is not sums[0]), *(f for f in inside if f is not brackets[0]))
    moved = instantiated(rest, {index: place})
    return Stretch({index: place}, moved) if is_plain(moved, _is_slice) else None


def axes(equation: Equation, positions: Positions) -> tuple[Idx, ...]:
    """Return the indices of an equation's left-hand side along stretches."""
    return tuple(_own(positions[i]) if i in positions else i for i in equation.free)


def are_tiled(placed: Sequence[Positions]) -> bool:
    """Tell whether stretches tile an axis: each of its entries is in one of them."""
    return _chained(placed) is not None


def _chained(placed):
    """Return in which order stretches tile an axis, None where they do not."""
    indices = {i for positions in placed for i in positions}
    if len(indices) != 1:
        return None
    [index] = indices
    if any(p[index].coeff(_own(p[index]), 1) != 1 for p in placed):
        return None
    starts = {(p[index] - _own(p[index])).expand(): k for k, p in enumerate(placed)}
    start, order = index.lower, []
    while start in starts:
        order.append(starts.pop(start))
        start = (start + _own(placed[order[-1]][index]).upper + 1).expand()
    return order if len(order) == len(placed) and start == (index.upper + 1).expand() else None


def _own(position):
    [index] = free_indices(position)
    return index


def is_plain(expr: Expr, is_place: Callable[[Expr], bool]) -> bool:
    """Tell whether all reads are at places of a kind, all binders over whole ranges, and nothing is chosen or put."""
    for t in subterms(expr):
        if isinstance(t, Piecewise | KroneckerDelta | Maximum | ArgMaximum):
            return False
        if isinstance(t, Indexed) and not all(map(is_place, t.indices)):
            return False
        if is_binder(t) and any((i.lower, i.upper) != (low, high) for i, low, high in t.limits):
            return False
    return True


def _is_slice(position):
    inside = free_indices(position)
    return not position.has(Indexed) and (
        not inside or (len(inside) == 1 and (step := position.coeff(inside[0], 1)).is_Integer and step > 0
                       and not free_indices((position - step * inside[0]).expand())))
