"""The order of the axes of what has no name yet."""

from collections.abc import Mapping, Sequence

from sympy import Add, Expr, Idx, Mul, Sum

from .partial_sums import running
from .program import Variable
from .terms import bound_indices, free_indices, read_name, reads, rename


def as_stored(expr: Expr, variables: Mapping[str, Variable], around: Sequence[Idx]) -> Sequence[Idx]:
    """Return the indices of an expression as NumPy's result has them; `around` are those of the equation it is in.

    That is as an array in it has them all, or as @ has them: those of the left array, then the right one's. A running
    sum has the axes of what it adds up.
    """
    sums = running(expr)
    expr = rename(sums.term, {sums.summed: sums.index}) if sums else expr
    free, found = set(free_indices(expr)), [r for r in reads(expr, variables) if r.is_Indexed]
    orders = [[i for p in r.indices for i in free_indices(p)] for r in found]
    whole = next((o for r, o in zip(found, orders, strict=True) if free <= set(o) and len(o) == len(r.indices)), ())
    total = next((f for t in Add.make_args(expr) for f in Mul.make_args(t) if isinstance(f, Sum)), None)
    if whole or total is None:
        return whole
    found, bound = [r for r in found if r in reads(total, variables)], set(bound_indices(total))
    if not all(isinstance(i, Idx) for r in found for i in r.indices):
        return ()
    found.sort(key=lambda r: (r.indices[-1] not in bound, not set(around) & set(free_indices(r)),
                              variables[read_name(r)].kind == "parameter"))
    return [i for r in found for i in r.indices]
