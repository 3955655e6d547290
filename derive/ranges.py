"""Proving that an index stays in its range, for all sizes at once.

An index expression is affine in the indices with coefficients in the sizes (`S*i + L*p - P`). To prove e >= 0, every
index is set to the end of its range where e is smallest; what remains is a polynomial in the sizes, which is
nonnegative if all its coefficients are after each size has been written as its least value plus something nonnegative.
Facts about derived sizes (`(U - K)//S + 1 = I` means `U - K - S*(I - 1) >= 0`) may be subtracted on the way.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property, lru_cache
from itertools import combinations_with_replacement

from sympy import Add, And, Expr, Ge, Gt, Idx, Indexed, Integer, Le, Lt, Symbol, expand, floor

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
        self._known = (tuple(self.least.items()), self.facts, tuple(self.classes.items()))
        self._hash = hash(self._known)

    def __eq__(self, other):
        return self is other or (isinstance(other, Prover) and self._known == other._known)

    def __hash__(self):
        return self._hash

    def knowing(self, facts: Iterable[Expr]) -> "Prover":
        """Return the prover that knows some more facts."""
        more = tuple(_without_floor(expand(f)) for f in facts)
        return Prover(self.least, (*self.facts, *more), self.classes) if more else self

    def nonnegative(self, e: Expr, ranges: Mapping[Expr, Range] | None = None) -> bool:
        """Tell whether `e >= 0` is proven for every index in its range; False means not proven."""
        return _proven(self, _without_floor(expand(e)), tuple((ranges or {}).items()))

    def _with_facts(self, e, ranges):
        """Tell whether `e >= 0` is proven with the help of up to two facts, those about indices first."""
        about_indices = [f for f in self.facts if self._atoms(f)]
        return any(
            self._in_sizes(self._smallest(expand(e - sum(chosen)), ranges), 2 - count)
            for count in (0, 1, 2) for chosen in combinations_with_replacement(about_indices, count)
        )

    def _plainly(self, e, ranges):
        """Tell whether `e >= 0` is proven without the facts."""
        return self._in_sizes(self._smallest(e, ranges), 0)

    def _in_sizes(self, e, helpers):
        """Tell whether `e >= 0` is proven for an expression in sizes, up to so many facts about sizes subtracted."""
        own = self._coefficients(e)
        return own is not None and any(
            all(own.get(m, 0) >= sum(f.get(m, 0) for f in chosen) for m in set(own).union(*chosen))
            for count in range(helpers + 1) for chosen in combinations_with_replacement(self._facts_about_sizes, count)
        )

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
        while atoms := self._atoms(e):
            atom = min(atoms, key=lambda a: a not in ranges)
            low, high = ranges.get(atom) or self.extent(atom)
            slope = e.coeff(atom, 1)
            if low is None or slope.has(atom) or (e - slope * atom).expand().has(atom):
                return None
            if self._plainly(slope, ranges):
                e = expand(e.xreplace({atom: low}))
            elif self._plainly(expand(-slope), ranges):
                e = expand(e.xreplace({atom: high}))
            else:
                return None
        return self._without_floors(e)

    def _without_floors(self, e):
        """Return a bound from below of an expression in sizes without their quotients: a/b - 1 < floor(a/b) <= a/b."""
        for part in sorted((t for t in e.atoms(floor) if not index_atoms(t)), key=str):
            above, below = part.args[0].together().as_numer_denom()
            slope = e.coeff(part, 1)
            rest = (e - slope * part).expand()
            if rest.has(part) or not below.is_positive:
                return e
            if self._in_sizes(expand(-slope), 0):
                e = expand(rest + slope * above / below)
            elif self._in_sizes(slope, 0):
                e = expand(rest + slope * (above - below + 1) / below)
        return e

    def _atoms(self, e):
        """Return the indices and labels in an index expression."""
        return sorted(index_atoms(e, self.classes), key=str)

    def extent(self, atom: Expr) -> tuple:
        """Return the least and the largest value of an index, a label or a place; (None, None) where nobody knows."""
        if isinstance(atom, Idx):
            return index_range(atom)
        classes = self.classes.get(atom.base.name if isinstance(atom, Indexed) else atom.name)
        return (Integer(0), classes - 1) if classes is not None else (None, None)

    def _coefficients(self, e):
        """Return the coefficients of a polynomial in sizes, each size written as its least value plus something."""
        if e is None or not all(s.is_nonnegative for s in e.free_symbols):
            return None
        shifted = expand(e.xreplace({s: s + self.least.get(s, 1 if s.is_positive else 0) for s in e.free_symbols}))
        return shifted.as_coefficients_dict() if shifted.is_polynomial(*e.free_symbols) else None

    @cached_property
    def _facts_about_sizes(self):
        found = (self._coefficients(f) for f in self.facts if not self._atoms(f))
        return [c for c in found if c is not None]


def _without_floor(e):
    """Return what is >= 0 just where an integer expression with one floor(a/b) in it is: a/b - x for floor(a/b) - x."""
    floors = [t for t in Add.make_args(e) if isinstance(t.as_coeff_Mul()[1], floor)]
    if len(floors) != 1:
        return e
    [(sign, inside)] = [t.as_coeff_Mul() for t in floors]
    above, below = inside.args[0].together().as_numer_denom()
    if abs(sign) != 1 or not below.is_positive:
        return e
    rest = e - floors[0]
    return expand(above + below * rest if sign == 1 else below * (rest + 1) - 1 - above)


@lru_cache(maxsize=1 << 14)
def _proven(prover: Prover, e: Expr, ranges: tuple) -> bool:
    """Remember what has been proven: the passes of a derivation ask the same again and again."""
    return prover._with_facts(e, dict(ranges))


@lru_cache(maxsize=256)
def shared_prover(least: tuple, facts: tuple, classes: tuple) -> Prover:
    """Return the prover that knows some pairs, facts and pairs: one for all the programs of a derivation."""
    return Prover(dict(least), facts, dict(classes))


def index_range(e: Expr) -> tuple:
    """Return the lowest and the highest value of an index that carries its range, else (None, None)."""
    return (e.lower, e.upper) if isinstance(e, Idx) and e.lower is not None else (None, None)


def index_atoms(e: Expr, labels: Collection[str] = ()) -> set:
    """Return the indices in an index expression; a read of integer data counts as one and is not looked into."""
    if isinstance(e, Idx | Indexed) or (isinstance(e, Symbol) and e.name in labels):
        return {e}
    return set().union(*(index_atoms(a, labels) for a in e.args)) if e.args else set()


def is_conjunction(condition) -> bool:
    """Tell whether a condition is one on indices that `conjuncts` takes apart: of real values, < is no <= of 1 less."""
    parts = condition.args if isinstance(condition, And) else (condition,)
    return all(part == True or (isinstance(part, Ge | Gt | Le | Lt) and all(side.is_integer for side in part.args))
               for part in parts)


def conjuncts(condition) -> list[Expr]:
    """Return the expressions that must be >= 0 for an integer condition (a conjunction of inequalities) to hold.

    Raises
    ------
    ValueError
        The condition is something else.
    """
    if condition == True:
        return []
    if isinstance(condition, And):
        return [e for part in sorted(condition.args, key=str) for e in conjuncts(part)]
    if not isinstance(condition, Ge | Gt | Le | Lt):
        raise ValueError(f"the condition {condition} is not an inequality between indices")
    return [_excess(condition)]


@lru_cache(maxsize=1 << 14)
def _excess(inequality) -> Expr:
    """Return the expression that must be >= 0 for an inequality between integers to hold."""
    left, right = inequality.args
    difference = left - right if isinstance(inequality, Ge | Gt) else right - left
    above, below = difference.together().as_numer_denom()       # m/2 < K is m < 2 K
    if below.is_positive:
        difference = above
    return expand(difference - (1 if isinstance(inequality, Gt | Lt) else 0))
