"""Proving that an index stays in its range, for all sizes at once.

An index expression is affine in the indices with coefficients in the sizes (`S*i + L*p - P`). To prove e >= 0, every
index is set to the end of its range where e is smallest; what remains is a polynomial in the sizes, which is
nonnegative if all its coefficients are after each size has been written as its least value plus something nonnegative.
Facts about derived sizes (`(U - K)//S + 1 = I` means `U - K - S*(I - 1) >= 0`) may be subtracted on the way.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations_with_replacement

from sympy import And, Expr, Ge, Gt, Idx, Indexed, Integer, Le, Lt, Poly, Symbol, expand

Range = tuple[Expr, Expr]


class Prover:
    """Proves inequalities from the least values of sizes, from facts (expressions that are >= 0) and label classes."""

    def __init__(
        self,
        least: Mapping[Symbol, int] | None = None,
        facts: Iterable[Expr] = (),
        classes: Mapping[str, Expr] | None = None,
    ):
        self.least, self.facts, self.classes = dict(least or {}), tuple(facts), dict(classes or {})

    def nonnegative(self, e: Expr, ranges: Mapping[Expr, Range] | None = None) -> bool:
        """Tell whether `e >= 0` is proven for every index in its range; False means not proven."""
        e, ranges = expand(e), dict(ranges or {})
        return self._plainly(e, ranges) or any(
            self._plainly(expand(e - sum(chosen)), ranges)
            for count in (1, 2) for chosen in combinations_with_replacement(self.facts, count)
        )

    def _plainly(self, e, ranges):
        """Tell whether `e >= 0` is proven without the facts."""
        smallest = self._smallest(e, ranges)
        return smallest is not None and self._positive_coefficients(smallest)

    def within(self, e: Expr, low: Expr, high: Expr, ranges: Mapping[Expr, Range] | None = None) -> bool:
        """Tell whether `low <= e <= high` is proven."""
        own = ranges.get(e) if isinstance(e, Idx) and ranges else None
        if (own or index_range(e)) == (low, high):
            return True
        return self.nonnegative(e - low, ranges) and self.nonnegative(high - e, ranges)

    def _smallest(self, e, ranges):
        """Return a bound from below that is free of indices, or None where `e` is not affine with known signs.

        An index with limits of its own goes first: they may have other indices in them.
        """
        while atoms := [*sorted(index_atoms(e), key=str), *self._scalar_labels(e)]:
            atom = min(atoms, key=lambda a: a not in ranges)
            low, high = ranges.get(atom) or self._range(atom)
            slope = e.coeff(atom, 1)
            if low is None or slope.has(atom) or (e - slope * atom).expand().has(atom):
                return None
            if self._plainly(slope, ranges):
                e = expand(e.xreplace({atom: low}))
            elif self._plainly(expand(-slope), ranges):
                e = expand(e.xreplace({atom: high}))
            else:
                return None
        return e

    def _scalar_labels(self, e):
        return sorted((s for s in e.atoms(Symbol) if s.name in self.classes and not isinstance(s, Idx)), key=str)

    def _range(self, atom):
        if isinstance(atom, Idx):
            return index_range(atom)
        classes = self.classes.get(atom.base.name if isinstance(atom, Indexed) else atom.name)
        return (Integer(0), classes - 1) if classes is not None else (None, None)

    def _positive_coefficients(self, e):
        if e.is_number:
            return bool(e >= 0)
        sizes = sorted(e.free_symbols, key=str)
        if not all(s.is_nonnegative for s in sizes):
            return False
        shifted = expand(e.xreplace({s: s + self.least.get(s, 1 if s.is_positive else 0) for s in sizes}))
        return shifted.is_polynomial(*sizes) and all(c >= 0 for c in Poly(shifted, *sizes).coeffs())


def index_range(e: Expr) -> tuple:
    """Return the lowest and the highest value of an index that carries its range, else (None, None)."""
    return (e.lower, e.upper) if isinstance(e, Idx) and e.lower is not None else (None, None)


def index_atoms(e: Expr) -> set:
    """Return the indices in an index expression; a read of integer data counts as one and is not looked into."""
    if isinstance(e, Idx | Indexed):
        return {e}
    return set().union(*(index_atoms(a) for a in e.args)) if e.args else set()


def conjuncts(condition) -> list[Expr]:
    """Return the expressions that must be >= 0 for an integer condition (a conjunction of inequalities) to hold.

    Raises
    ------
    ValueError
        The condition is something else.
    """
    if condition == True:  # noqa: E712  SymPy's true
        return []
    if isinstance(condition, And):
        return [e for part in sorted(condition.args, key=str) for e in conjuncts(part)]
    left, right = condition.args if isinstance(condition, Ge | Gt | Le | Lt) else (None, None)
    if left is None:
        raise ValueError(f"the condition {condition} is not an inequality between indices")
    difference = left - right if isinstance(condition, Ge | Gt) else right - left
    return [expand(difference - (1 if isinstance(condition, Gt | Lt) else 0))]
