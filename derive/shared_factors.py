"""Products that share a factor are one product: K'X + K X is (K + K')X, one contraction where there were two."""

from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Add, Expr, Idx, Indexed, Mul, Piecewise, S, Sum
from sympy.logic.boolalg import Boolean

from .guards import is_guard
from .program import Program
from .terms import bottom_up, free_indices, holds, index_over, rename

ANY = "_any"                # what a summed index is called where its name does not matter


def with_shared_factors(program: Program) -> Program:
    """Bring products that share a factor together in what was derived; forward lines stay as they were written."""
    made = {v.name for v in program.variables.values() if v.primal or v.tangent_of} | set(program.results.values())
    return program.with_equations(e.with_rhs(_factored_inside(e.rhs)) if e.name in made and not e.implicit else e
                                  for e in program.equations)


def _factored_inside(rhs: Expr) -> Expr:
    return bottom_up(rhs, lambda term: _factored(term) if isinstance(term, Add) and holds(term, Sum) else term)


@dataclass(frozen=True)
class _Contraction:
    """A term `outside*number*Sum(shared*other, limit)`, whose summand counts under a condition, if there is one."""

    term: Expr
    outside: Expr
    number: Expr
    shared: Expr
    other: Expr
    limit: tuple
    condition: Boolean = S.true

    @property
    def key(self) -> tuple:
        """What it has in common with those that it may be added to, whatever the summed index is called."""
        index, low, high = self.limit
        shared = rename(self.shared, {index: index_over(ANY, high + 1, low)})
        return self.outside, shared, frozenset(free_indices(self.other)) - {index}, low, high, self.condition


def _factored(total: Add) -> Expr:
    """Return a sum with contractions of two factors, one of them shared, brought together.

    Sum(K[j, i]*X[j, d], j) + Sum(K[i, k]*X[k, d], k) is Sum((K[j, i] + K[i, j])*X[j, d], j): what is added has the axes
    of each of the two, so nothing larger is made.
    """
    groups: dict[tuple, list[_Contraction]] = {}
    for term in total.args:
        for contraction in _contractions(term):
            groups.setdefault(contraction.key, []).append(contraction)
    together = next((g for g in groups.values() if len({c.term for c in g}) > 1), None)
    if together is None:
        return total
    first = min(together, key=lambda c: abs(c.number))
    others = Add(*(c.number / first.number * rename(c.other, {c.limit[0]: first.limit[0]}) for c in together))
    inside = first.shared * others
    if first.condition != True:
        inside = Piecewise((inside, first.condition), (S.Zero, True), evaluate=False)
    joined = first.outside * first.number * Sum(inside, first.limit) if others != 0 else S.Zero
    rest = Add(joined, *(t for t in total.args if t not in {c.term for c in together}))
    return _factored(rest) if isinstance(rest, Add) else rest


def _contractions(term: Expr) -> Iterator[_Contraction]:
    """Yield a term as a contraction over one index of two factors, each as the shared one if it has an axis of its own.

    Were it a vector, adding up the matrices that it is multiplied by would take as long as the products.
    """
    number, rest = term.as_coeff_Mul()
    factors = Mul.make_args(rest)
    sums = [f for f in factors if isinstance(f, Sum)]
    if len(sums) != 1 or len(sums[0].limits) != 1:
        return
    limit, summand, condition = sums[0].limits[0], sums[0].function, S.true
    outside, index = Mul(*(f for f in factors if f is not sums[0])), limit[0]
    if is_guard(summand) and index not in free_indices(summand.args[0][1]):
        summand, condition = summand.args[0]
    inside = Mul.make_args(summand)
    if len(inside) != 2 or not all(_is_plain(f, index) for f in inside):
        return
    for shared, other in (inside, inside[::-1]):
        axes, own = (set(free_indices(f)) - {index} for f in (shared, other))
        if axes - own and all(index in free_indices(f) for f in inside):
            yield _Contraction(term, outside, number, shared, other, tuple(limit), condition)


def _is_plain(factor, index):
    """Tell whether a factor is read at the summed index as it is, or is a sum of such terms."""
    reads = factor.atoms(Indexed)
    return isinstance(factor, Indexed | Add) and bool(reads) and not holds(factor, Sum) and all(
        isinstance(i, Idx) or index not in free_indices(i) for r in reads for i in r.indices)
