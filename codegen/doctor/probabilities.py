"""What somebody may have made of a softmax exp(z - lse z): not normalised, or over another axis, keepdims hiding it."""

from collections.abc import Iterator

from sympy import Expr, Idx, Indexed, Sum, exp

from derive.binders import LogSumExp, Maximum
from derive.program import Program
from derive.terms import instantiated, read_name, reads

from .axes import away, renamed


def other_probabilities(program: Program, p: Expr) -> Iterator[tuple[Expr, str]]:
    """Yield what could stand for a softmax, with words; nothing where the expression is none."""
    found = logits_of(program, p)
    if found is None:
        return
    z, here, inner, limit = found
    k = limit[0]
    less = exp(z - Maximum(inner, limit))
    yield less, "exp(z - max) is not divided by its sum"
    yield p**2 / less, "exp(z - max) is divided by its sum twice"
    yield less**2 / p, "exp(z - max) is multiplied by its sum"
    for t in (i for i in z.indices if isinstance(i, Idx) and i != here):
        other = renamed(t, z)
        along = (other, t.lower, t.upper)
        down = Maximum(away(inner, t, other), along)                # for each k the maximum over t
        yield exp(z - down.xreplace({k: here})) / Sum(exp(inner - down), limit), \
            f"the maximum over {t.name} is taken off, not that over {here.name}, so that it does not cancel"
        for own in (less, exp(z)):
            there = own.xreplace({t: other})
            words = f"the sum that divides is over {t.name}"
            yield own / Sum(there, along), f"{words}, where it should be over {here.name}"
            yield own / Sum(instantiated(there, {here: k}), limit, along), f"{words} too, not over {here.name} alone"


def logits_of(program: Program, p: Expr) -> tuple[Indexed, Idx, Indexed, tuple[Idx, Expr, Expr]] | None:
    """Return the read z of exp(z - lse z), its index that is summed over, and z and the limits inside the sum."""
    for read in reads(p, program.variables) if isinstance(p, exp) else ():
        lines = program.defining(read_name(read))
        if len(lines) != 1 or not isinstance(lines[0].rhs, LogSumExp) or len(lines[0].rhs.limits) != 1:
            continue
        lse = instantiated(lines[0].rhs, dict(zip(lines[0].indices, getattr(read, "indices", ()), strict=True)))
        z, [(k, low, high)] = p.args[0] + read, lse.limits
        if isinstance(z, Indexed) and isinstance(lse.function, Indexed) and k in lse.function.indices:
            fresh = renamed(k, z)
            return z, z.indices[lse.function.indices.index(k)], lse.function.xreplace({k: fresh}), (fresh, low, high)
    return None
