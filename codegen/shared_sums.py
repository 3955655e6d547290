"""Sums that several lines need are named and computed once: a product of matrices, a reduction, a running sum.

    dg[h] = Sum(dY[n, h]*Z[n, h], n)/s[h]               sum_dg[h] = Sum(dY[n, h]*Z[n, h], n)
    ds[h] = -g[h]*Sum(dY[n, h]*Z[n, h], n)/s[h]**2      dg[h] = sum_dg[h]/s[h],  ds[h] = -g[h]*sum_dg[h]/s[h]**2
"""

from collections import Counter

from sympy import Expr, Indexed, Sum

from derive.program import Equation, Program, Variable
from derive.terms import anonymous, bottom_up, free_indices, reads, subterms

from .products_named import introduced, is_whole
from .running_sums import RunningSum


def with_shared_sums(program: Program) -> Program:
    """Name every sum that stands in several places, but for those in loops, whose values are those of a turn."""
    loops = program.looped()
    sums = {e: _sums(e.rhs, program) for e in program.equations
            if e.name not in loops and not e.implicit and e.free == e.indices}
    alike = Counter(_outline(t) for found in sums.values() for t in found)
    times = Counter(anonymous(t) for found in sums.values() for t in found if alike[_outline(t)] > 1)
    shared = {key for key, number in times.items() if number > 1}
    if not shared:
        return program
    plain = [e for e, found in sums.items() if any(alike[_outline(t)] > 1 for t in found)]
    variables, lines = dict(program.variables), []
    known: dict[Expr, tuple[Variable, list[int]]] = {}          # a sum -> its variable, which indices its axes are
    for e in plain:
        if _is_sum(e.rhs, program) and set(free_indices(e.rhs)) == set(e.indices):
            known.setdefault(anonymous(e.rhs), (program.variables[e.name], _places(e.rhs, e.indices)))
    changed = set(plain)
    for e in program.equations:
        if e not in changed:
            lines.append(e)
            continue

        def change(term, e=e):
            key = anonymous(term) if _is_sum(term, program) else None
            if key not in shared or (key in known and known[key][0] is program.variables[e.name]):
                return term
            if key not in known or (known[key][0].primal and not program.variables[e.name].primal):     # read too early
                free = free_indices(term)
                axes = [i for i in dict.fromkeys((*e.indices, *free)) if i in free]
                known[key] = introduced(f"sum_{e.name}", axes, variables), _places(term, axes)
                lines.append(Equation(known[key][0].at(*axes), term))
            variable, places = known[key]
            return variable.at(*(free_indices(term)[k] for k in places))

        lines.append(e.with_rhs(bottom_up(e.rhs, change)))
    return program.with_equations(lines, variables=variables)


def _sums(rhs: Expr, program: Program) -> list[Expr]:
    return [t for t in subterms(rhs) if _is_sum(t, program)]


def _is_sum(term: Expr, program: Program) -> bool:
    """Tell whether a term is a sum of reads at indices as they are, which has the same value wherever it stands."""
    if not isinstance(term, Sum | RunningSum):
        return False
    found = reads(term, program.variables)
    return bool(found) and all(is_whole(r) for r in found if isinstance(r, Indexed))


def _outline(term):
    """Return what sums that are the same have in common, quick to tell: what they read, over how many indices."""
    return frozenset(t.base for t in subterms(term) if isinstance(t, Indexed)), len(term.limits)


def _places(term, axes):
    """Return which of a sum's free indices each axis is."""
    return [free_indices(term).index(i) for i in axes]
