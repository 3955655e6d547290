"""Recognising arrays, and slices of them, joined end to end: guarded reads that tile an axis are one np.concatenate."""

from sympy import Add, Idx, Indexed, expand

from derive.guards import unguarded
from derive.nodes import Axes
from derive.program import Equation
from derive.terms import free_indices

from . import stretches


def pieces(equation: Equation) -> tuple[int, list[Indexed]] | None:
    """Return the axis and the reads that an equation joins along it, first to last; None for another equation."""
    terms = [unguarded(t) for t in Add.make_args(equation.rhs)]
    if (
        len(terms) < 2
        or len(equation.free) != len(equation.indices)
        or not all(_is_piece(t, equation) for t, _ in terms)
    ):
        return None
    axes = {
        k for t, _ in terms for k, i in enumerate(t.indices) if i != equation.free[k] or t.base.shape[k] != i.upper + 1
    }
    if len(axes) != 1:
        return None
    [axis] = axes
    index = equation.free[axis]
    starts = {expand(index - t.indices[axis]): (t, conditions) for t, conditions in terms}
    if len(starts) < len(terms):                # two arrays side by side are added, not joined
        return None
    start, order = expand(index.lower), []
    while start in starts:
        read, conditions = starts.pop(start)
        end = start + read.base.shape[axis]
        needed = {expand(index - start)} - {expand(index - index.lower)} | (
            {expand(end - 1 - index)} - {expand(index.upper - index)})
        if set(map(expand, conditions)) != needed:
            return None
        order.append(read)
        start = expand(end)
    return (axis, order) if not starts and start == expand(index.upper + 1) else None


def _is_piece(term, equation):
    if not isinstance(term, Indexed) or term.is_integer or len(term.indices) != len(equation.free):
        return False
    return all((isinstance(i, Idx) and i == own) or (expand(i - own).is_integer and not expand(i - own).has(Idx))
               for i, own in zip(term.indices, equation.free, strict=True))


def slices(equation: Equation) -> tuple[int, list[tuple[Indexed, Axes]]] | None:
    """Return the axis and the slices, with their axes, that an equation joins along it; None for another equation."""
    rest, along = stretches.taken_apart(equation)
    if rest != 0 or len(along) < 2 or not stretches.are_tiled([s.positions for s in along]):
        return None
    [index] = along[0].positions
    axis = equation.free.index(index)
    found = [(_slice(s, axis, equation), stretches.axes(equation, s.positions)) for s in along]
    return (axis, [(read, axes) for read, axes in found if read is not None]) if all(r for r, _ in found) else None


def _slice(stretch, axis, equation):
    """Return the read of what stands along a stretch, of one entry too, over the stretch's own index; else None."""
    read, index = stretch.term, equation.free[axis]
    if not isinstance(read, Indexed) or read.is_integer or len(read.indices) != len(equation.free):
        return None
    [own] = free_indices(stretch.positions[index])
    place = read.indices[axis]
    if own.upper == 0 and not free_indices(place):
        place += own
    others = [i for k, i in enumerate(read.indices) if k != axis]
    if others != [i for i in equation.free if i != index] or free_indices(place) != [own] or place.coeff(own, 1) != 1:
        return None
    return read.base[tuple(place if k == axis else i for k, i in enumerate(read.indices))]
