"""Running sums: Sum([j <= i]*f(j), j), all of which cost together what one sum over all j costs."""

from dataclasses import dataclass

from sympy import Expr, Idx, Indexed, Sum

from .guards import unguarded
from .ranges import index_atoms
from .terms import free_indices, subterms


@dataclass(frozen=True)
class Running:
    """The sums of `term` over the entries of `summed` up to `index`, or from it on, that entry among them or not."""

    term: Expr
    summed: Idx
    index: Idx
    onwards: bool
    included: bool


def one_sided(total: Expr) -> Running | None:
    """Return the parts of a sum over one index that counts up to another index or from it on, None for other sums."""
    if not isinstance(total, Sum) or len(total.limits) != 1:
        return None
    term, conditions = unguarded(total.function)
    summed, low, high = total.limits[0]
    if len(conditions) != 1 or (low, high) != (summed.lower, summed.upper):
        return None
    others = [i for i in index_atoms(conditions[0]) if i != summed]
    sign = conditions[0].coeff(summed)
    if len(others) != 1 or not isinstance(others[0], Idx) or abs(sign) != 1:
        return None
    [index] = others
    offset = conditions[0] - sign * (summed - index)
    return Running(term, summed, index, sign == 1, offset == 0) if offset in (0, -1) else None


def running(total: Expr) -> Running | None:
    """Return the running sum that a sum over one index is, None where it is none."""
    found = one_sided(total)
    if found is None or found.index in free_indices(found.term) or not _varies(found.term, found.summed):
        return None
    return found if _range(found.index) == _range(found.summed) else None


def _range(index):
    return index.lower, index.upper


def _varies(term, summed):
    """Tell whether a term reads something real at what is summed over: brackets alone are counted, not added."""
    return any(isinstance(t, Indexed) and not t.is_integer and summed in free_indices(t) for t in subterms(term))
