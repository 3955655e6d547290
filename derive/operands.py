"""Operands of matrix products that are made of several arrays: r*h in (r*h) @ W, softmax(Z) in softmax(Z) @ V."""

from collections.abc import Collection, Iterator

from sympy import Add, Expr, Function, Idx, Indexed, KroneckerDelta, Mul, Pow, Sum

from .binders import has_binder
from .terms import free_indices, read_name, reads, subterms


def operands_of_several(total: Sum, varying: Collection[str]) -> Iterator[list[Expr]]:
    """Yield factors of a sum's terms that are an operand together, and have an adjoint that several would compute.

    What is one array, or a function of one as in relu(Z) @ W, is none.
    """
    factors, bound = Mul.make_args(total.function), {limit[0] for limit in total.limits}
    for one in (f for f in factors if _is_entry(f)):
        inside = set(free_indices(one))
        some = [f for f in factors if _is_entry(f) and set(free_indices(f)) == inside]
        others = [set(free_indices(f)) for f in factors if f not in some]
        beside = [i for i in others if i & bound & inside]
        several = any(i - inside for i in beside) and _is_made_of_several(some, varying)
        if reads(Mul(*some), varying) and (several or (beside and _is_activation(some))):
            yield some


def _is_entry(factor):
    """Tell whether a factor is an entry of an array, or made of entries: no number, label or bracket, no sum."""
    made = isinstance(factor, Indexed | Add | Pow | Function) and not isinstance(factor, KroneckerDelta | Idx)
    return made and not factor.is_integer and not has_binder(factor) and bool(free_indices(factor))


def _is_made_of_several(factors, varying):
    return len(factors) > 1 or len({read_name(r) for r in reads(factors[0], varying)}) > 1


def _is_activation(factors):
    """Tell whether what is summed is one function of one array that adds up terms, as leaky relu and elu do."""
    [*others, one] = factors
    return not others and isinstance(one, Add) and len({t for t in subterms(one) if isinstance(t, Indexed)}) == 1
