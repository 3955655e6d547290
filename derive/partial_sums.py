"""Running sums: Sum([j <= i]*f(j), j), all of which cost together what one sum over all j costs."""

from collections.abc import Sequence
from dataclasses import dataclass

from sympy import (
    Abs,
    Add,
    Expr,
    Idx,
    Indexed,
    KroneckerDelta,
    Mul,
    Piecewise,
    Pow,
    Sum,
    Symbol,
    atan,
    cos,
    erf,
    sign,
    sin,
    tanh,
)

from .functions import at_zero, half_step, relu, sigmoid, softplus, step
from .guards import guarded, unguarded
from .ranges import index_atoms
from .terms import free_indices, runs_over, subterms, summed

FINITE = (Abs, Add, Mul, at_zero, atan, cos, erf, half_step, relu, sigmoid, sign, sin, softplus, step, tanh)


@dataclass(frozen=True)
class Running:
    """What is made of `term` for the entries of `summed` up to `index`, or from it on, that entry among them or not."""

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
    return on_one_side(term, conditions, total.limits[0])


def on_one_side(term: Expr, conditions: Sequence[Expr], limit: Sequence[Expr]) -> Running | None:
    """Return what counts up to an index or from it on, where one expression has to be >= 0; None for anything else."""
    summed, low, high = limit
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


def running_inside(total: Sum) -> Expr:
    """Return a sum over several indices by the running sum in it: of [i <= t]*a[i]*b[t] over i and t, b[t]*sum_i.

    What stands before the running sum counts wherever it is read.
    """
    term, conditions = unguarded(total.function)
    if len(conditions) != 1 or len(total.limits) < 2:
        return total
    for limit in total.limits:
        before = [f for f in Mul.make_args(term) if limit[0] not in free_indices(f)]
        inside = [f for f in Mul.make_args(term) if limit[0] in free_indices(f)]
        told = {*free_indices(Mul(*before)), *index_atoms(conditions[0])} - {limit[0]}
        alone = [other for other in total.limits if other[0] not in told and other is not limit]
        found = Sum(guarded(summed(Mul(*inside), alone), conditions), limit)
        if inside and running(found) is not None and all(map(is_whole, before)):
            others = [other for other in total.limits if other[0] in told]
            return Sum(Mul(*before, found), *others) if others else Mul(*before, found)
    return total


def is_whole(factor: Expr) -> bool:
    """Tell whether a factor is a number, or a read or a power of one, in its range whatever its indices are."""
    base, power = factor.as_base_exp()
    if base.is_number or not power.is_Integer or power < 1:
        return base.is_number
    return isinstance(base, Symbol) or (
        isinstance(base, Indexed) and all(map(runs_over, base.indices, base.base.shape)))


def is_always_finite(factor: Expr) -> bool:
    """Tell whether a factor is a number for all values of what it reads, at whole indices alone."""
    if is_whole(factor) or (isinstance(factor, KroneckerDelta) and not factor.has(Indexed)):
        return True
    if isinstance(factor, Piecewise):
        return not factor.has(Indexed) and all(value.is_number for value, _ in factor.args)
    if isinstance(factor, Pow):
        return factor.exp.is_Integer and factor.exp > 0 and is_always_finite(factor.base)
    return isinstance(factor, FINITE) and all(map(is_always_finite, factor.args))


def _range(index):
    return index.lower, index.upper


def _varies(term, summed):
    """Tell whether a term reads something real at what is summed over: brackets alone are counted, not added."""
    return any(isinstance(t, Indexed) and not t.is_integer and summed in free_indices(t) for t in subterms(term))
