"""Recognising arrays joined end to end: guarded reads that tile an axis are one np.concatenate."""

from sympy import Add, Idx, Indexed, expand

from derive.guards import unguarded
from derive.program import Equation


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
