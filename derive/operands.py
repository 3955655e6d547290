"""Operands of matrix products that are made of several arrays: r*h in (r*h) @ W, softmax(Z) in softmax(Z) @ V."""

from collections.abc import Collection, Iterator, Mapping

from sympy import Add, Expr, Function, Idx, Indexed, KroneckerDelta, Mul, Pow, Sum

from .binders import has_binder
from .program import Variable
from .terms import free_indices, read_name, reads, subterms


def operands_of_several(total: Sum, varying: Collection[str], variables: Mapping[str, Variable]
                        ) -> Iterator[list[Expr]]:
    """Yield factors of a sum's terms that are an operand together, and have an adjoint that several would compute.

    What is one array, or a function of one as in relu(Z) @ W, is none; a slice of one is: its adjoint is a product of
    matrices as small, which a slice of the array's is made of.
    """
    factors, bound = Mul.make_args(total.function), {limit[0] for limit in total.limits}
    entries = [f for f in factors if _is_entry(f)]
    for one in entries:
        inside = set(free_indices(one))
        some = [f for f in entries if set(free_indices(f)) == inside or _home(f, entries, bound) is one]
        others = [set(free_indices(f)) for f in factors if f not in some]
        beside = [i for i in others if i & bound & inside]
        multiplied = any(i - inside for i in beside)
        several = multiplied and (_is_made_of_several(some, varying) or _is_slice(some, variables))
        if reads(Mul(*some), varying) and (several or (beside and _is_activation(some))):
            yield some


def _home(factor, entries, bound):
    """Return the smallest factor that has all indices of another and more, where a third is summed over them too."""
    inside = set(free_indices(factor))
    homes = [f for f in entries if inside < set(free_indices(f))]
    home = min(homes, key=lambda f: len(free_indices(f)), default=None)
    others = [f for f in entries if f is not factor and f is not home]
    shared = all(any(i in free_indices(f) for f in others) for i in inside & bound)
    return home if shared else None


def _is_entry(factor):
    """Tell whether a factor is an entry of an array, or made of entries: no number, label or bracket, no sum."""
    made = isinstance(factor, Indexed | Add | Pow | Function) and not isinstance(factor, KroneckerDelta | Idx)
    return made and not factor.is_integer and not has_binder(factor) and bool(free_indices(factor))


def _is_made_of_several(factors, varying):
    return len(factors) > 1 or len({read_name(r) for r in reads(factors[0], varying)}) > 1


def _is_slice(factors, variables):
    """Tell whether an operand is a slice of an array that is no state, read at one index along each axis."""
    [*others, one] = factors
    if others or not isinstance(one, Indexed) or variables[read_name(one)].state:
        return False
    axes = list(zip(one.indices, variables[read_name(one)].indices, strict=True))
    steps = [[p.coeff(i) for i in free_indices(p)] for p, _ in axes]
    return all(len(s) == 1 and s[0].is_Integer for s in steps) and any(
        p != i and not (isinstance(p, Idx) and (p.lower, p.upper) == (i.lower, i.upper)) for p, i in axes)


def _is_activation(factors):
    """Tell whether what is summed is one function of one array that adds up terms, as leaky relu and elu do."""
    [*others, one] = factors
    return not others and isinstance(one, Add) and len({t for t in subterms(one) if isinstance(t, Indexed)}) == 1
