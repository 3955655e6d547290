"""Sums of three arrays over one index that they share: the two whose product is smallest are multiplied first.

    J[m, k, l] = Sum(Omega[m, n]*V[n, k]*V[n, l], n)        pair_V[n, k, l] = V[n, k]*V[n, l],  J = Omega pair_V

However they are paired, one matrix product is left, of the same work. Sizes are symbols here: that of the first axis of
an input, along which data lie, counts as LARGE, any other as SMALL.
"""

from itertools import combinations
from math import prod

from sympy import Expr, Indexed, Mul, Sum

from derive.program import Equation, Program, Variable
from derive.terms import bottom_up, free_indices, read_name

from .products_named import introduced, is_whole

LARGE, SMALL = 1000, 100


def with_pairs(program: Program) -> Program:
    """Name the product of two of three factors where the order in which they stand would make a larger one."""
    large = {v.shape[0] for v in program.inputs if v.shape}
    variables, lines = dict(program.variables), []
    for e in program.equations:
        variable = program.variables[e.name]
        if not (e.implicit or variable.state or variable.primal or variable.multiplier):
            def change(term):
                pair = _smallest_pair(term, large)
                if pair is None:
                    return term
                read = _introduced(pair, variables)
                lines.append(Equation(read, Mul(*pair)))
                rest = [f for f in Mul.make_args(term.function) if f not in pair]
                return Sum(Mul(read, *rest), *term.limits)

            e = e.with_rhs(bottom_up(e.rhs, change))
        lines.append(e)
    return program.with_equations(lines, variables=variables)


def _smallest_pair(term: Expr, large: set) -> tuple[Indexed, Indexed] | None:
    """Return the two factors of a sum of three to multiply first, None where those that come first are as good."""
    if not isinstance(term, Sum) or len(term.limits) != 1:
        return None
    factors = [f for f in Mul.make_args(term.function) if free_indices(f)]
    if len(factors) != 3 or not all(is_whole(f) and term.limits[0][0] in f.indices for f in factors):
        return None
    if any(set(a.indices) <= set(b.indices) for a in factors for b in factors if a is not b):
        return None                                     # one that scales another
    pairs = list(combinations(factors, 2))
    first = min(pairs, key=lambda p: len(_axes(p)))
    best = min(pairs, key=lambda p: _entries(p, large))
    return best if _entries(best, large) < _entries(first, large) else None


def _axes(pair):
    return tuple(dict.fromkeys(i for f in pair for i in f.indices))


def _entries(pair, large):
    """Return how many entries the product of two factors has, sizes that are symbols taken as they mostly are."""
    sizes = (i.upper + 1 for i in _axes(pair))
    return prod(int(s) if s.is_Integer else LARGE if s in large else SMALL for s in sizes)


def _introduced(pair, variables: dict[str, Variable]) -> Expr:
    """Return the read of a new variable, the product of a pair."""
    axes = _axes(pair)
    return introduced("pair_" + "_".join(dict.fromkeys(map(read_name, pair))), axes, variables).at(*axes)
