"""Binders whose limits have indices in them: Sum(x[j], (j, 0, i)) is a sum over all j of what counts where j <= i.

A binder then has the range that its index carries, and all that its terms vary with stands in its terms.
"""

from sympy import And, Expr, Ge, Piecewise, S, Tuple, expand

from .binders import is_binder
from .errors import DefinitionError
from .ranges import Prover, index_range
from .terms import bottom_up, free_indices


def with_whole_ranges(expr: Expr, prover: Prover, name: str) -> Expr:
    """Return a right-hand side in which no limit of a binder has an index in it.

    Raises
    ------
    DefinitionError
        An index has limits outside of the range that it was declared with, or was declared with none.
    """
    return bottom_up(expr, lambda term: _whole(term, prover, name) if is_binder(term) else term)


def _whole(binder, prover, name):
    varying = [limit for limit in binder.limits if any(free_indices(end) for end in limit[1:])]
    if not varying:
        return binder
    conditions = [c for limit in varying for c in _conditions(limit, binder, prover, name)]
    own = {limit[0]: Tuple(limit[0], *index_range(limit[0])) for limit in varying}
    body = binder.function
    if conditions:
        where = And(*(Ge(c, 0, evaluate=False) for c in conditions))
        body = Piecewise((body, where), (getattr(binder, "empty", S.Zero), True), evaluate=False)
    return binder.func(body, *(own.get(limit[0], limit) for limit in binder.limits))


def _conditions(limit, binder, prover, name):
    """Return what is >= 0 where an index is between its limits; the range that it was declared with holds anyway."""
    index, low, high = limit
    first, last = index_range(index)
    ranges = {i: (a, b) for i, a, b in binder.limits if i != index and not free_indices(a) and not free_indices(b)}
    inside = first is not None and prover.nonnegative(low - first, ranges) and prover.nonnegative(last - high, ranges)
    if not inside:
        declared = f"from {first} to {last}" if first is not None else "without a range"
        raise DefinitionError(
            f"{name} takes {index} from {low} to {high}, and {index} was declared {declared}; expected limits inside "
            "of the range of an index from net.indices(...)"
        )
    return [expand(c) for c in (index - low, high - index) if not prover.nonnegative(c)]
