"""Factors that a loop of the backward pass need not wait for, computed for all of its turns at once.

    dz[t, n, k] = dh[t, n, k]*(1 - h[t, n, k]**2)           slope_z[t, n, k] = 1 - h[t, n, k]**2, before the loop
"""

from dataclasses import replace

from sympy import Expr, Idx, Indexed, Mul, Sum

from derive.binders import Binder
from derive.guards import is_guard
from derive.program import Equation, Variable, base_of, is_cyclic, ordered
from derive.terms import free_indices, reads, subterms

from .lowering import Lowered


def with_known_factors_ahead(low: Lowered) -> Lowered:
    """Return a lowered program in which such factors, where they take an operation, are variables."""
    program = low.program
    variables, lines, added = dict(program.variables), [], []
    for group in ordered(program.equations):
        loops = is_cyclic(group) and group[0].name in low.backward and not any(e.implicit for e in group)
        for e in group:
            found = _factors(e, {q.name for q in group}, program.variables) if loops else []
            for f in found:
                new = _variable(e, program.variables[e.name].primal or e.name, variables)
                variables[new.name] = new
                added.append(new.name)
                lines.append(Equation(new.at(*e.free), f))
            lines.append(e.with_rhs(e.rhs.xreplace({f: variables[n].at(*e.free) for f, n in zip(
                found, added[len(added) - len(found):], strict=True)})))
    return replace(low, program=program.with_equations(lines, variables=variables),
                   backward=low.backward | frozenset(added))


def _factors(e: Equation, group: set[str], variables) -> list[Expr]:
    """Return the factors of products with what the loop computes that read nothing which it computes."""
    if e.free != e.indices or any(i.lower != 0 for i in e.free):
        return []
    products = [t for t in subterms(e.rhs) if isinstance(t, Mul) and reads(t, group)]
    found = dict.fromkeys(f for t in products for f in t.args if _is_known(f, e, group, variables))
    return [f for f in found if not any(g is not f and g.has(f) for g in found)]


def _is_known(f: Expr, e: Equation, group: set[str], variables) -> bool:
    """Tell whether a factor takes an operation on arrays that are there, at the indices as they are."""
    own = reads(f, variables)
    if isinstance(f, Indexed) or not own or reads(f, group) or is_guard(f) or f.has(Sum, Binder):
        return False
    plain = all(isinstance(i, Idx) for r in own for i in getattr(r, "indices", ()))
    return plain and set(free_indices(f)) == set(e.free)


def _variable(e: Equation, stem: str, taken) -> Variable:
    name = next(n for n in (f"slope_{stem}", *(f"slope_{stem}{k}" for k in range(2, len(taken) + 3)))
                if n not in taken)
    shape = tuple(i.upper + 1 for i in e.free)
    return Variable(name, base_of(name, shape), shape, index_names=tuple(i.name for i in e.free))
