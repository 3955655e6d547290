"""Counting scalar operations and reads of one right-hand side, as expressions in the sizes.

Counted as written: a sum over d of products is 2 D operations, whatever BLAS makes of it. A bracket [u = S i + p] costs
nothing and lets one term in: it takes the range of an index that it determines out of the count, so that a scatter
counts what is added, not the zeros around it. A guarded term is counted as if it counted everywhere, but a running sum
takes one addition for each of its entries. A sum inside another is computed once for each value of the indices that it
has.

Whatever is counted is a `Count`: how often each product of extents (N, D, H) occurs. It is an expression in the end.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from functools import lru_cache

from sympy import Add, Expr, Function, Idx, Indexed, IndexedBase, KroneckerDelta, Mul, Piecewise, Pow, Symbol, expand

from .binders import is_binder
from .guards import unguarded
from .partial_sums import running
from .program import Equation
from .terms import MANY, count, free_indices, reads

LEAVES = (Idx, Indexed, IndexedBase, KroneckerDelta)
Count = Counter[tuple[Expr, ...]]


def amount(counts: Iterable[Count], unit: int = 1) -> Expr:
    """Return what some counts are together, in so many of a unit each, as a sum of products of sizes."""
    products = (unit * times * _product(extents) for extents, times in _together(*counts).items() if times)
    return expanded(Add(*products))


def expanded(number: Expr) -> Expr:
    """Return a number as a sum of products of sizes, which it mostly is."""
    products = [f for term in Add.make_args(number) for f in Mul.make_args(term)]
    return number if all(f.is_Symbol or f.is_Number for f in products) else expand(number)


@lru_cache(maxsize=MANY)
def _product(extents):
    return Mul(*extents)


def operations_of(equation: Equation) -> Expr:
    """Return how many operations all entries of an equation take together."""
    return amount([counted(equation)])


def counted(equation: Equation) -> Count:
    """Return the operations that all entries of an equation take together."""
    return _of(equation.rhs, {i: _range(i) for i in equation.free})


def _of(expr, around) -> Count:
    """Return the operations of an expression for all values of the indices around it, given with their ranges."""
    if isinstance(expr, LEAVES) or not expr.args:
        return Counter()
    if is_binder(expr):
        mine = free_indices(expr)
        around = {i: n for i, n in around.items() if i in mine}
        around |= {i: count([(i, low, high)]) for i, low, high in expr.limits}
        if (found := running(expr)) is not None:
            around.pop(found.index, None)               # one pass makes the sums at all places
        factors, brackets = _split(expr.function)
        around = _determined(brackets, around)
        return _together(_of_product(factors, around), _times(1, around))
    if isinstance(expr, Add):
        terms = [_of(a, around) for a in expr.args if not _is_constant(a)]
        return _together(*terms, _times(len(expr.args) - 1, _common(expr.args, around)))
    if isinstance(expr, Pow):
        return _together(_of(expr.base, around), _times(0 if expr.exp == -1 else 1, around))
    if isinstance(expr, Mul | Piecewise):
        factors, brackets = _split(expr)
        if isinstance(expr, Mul) or factors != [expr]:
            return _of_product(factors, _determined(brackets, around))
        return _together(*(_of(branch, around) for branch, _ in expr.args))
    inside = (_of(a, around) for a in expr.args)
    return _together(*inside, _times(1 if isinstance(expr, Function) else 0, around))


def _of_product(factors, around):
    """Return the operations of a product; all that is constant in it is one factor."""
    inside = [a for a in factors if not _is_constant(a)]
    multiplied = len(inside) + (len(inside) < len(factors)) - 1
    return _together(*(_of(a, around) for a in inside), _times(max(multiplied, 0), around))


def _together(*counts):
    total: Count = Counter()
    for some in counts:
        total.update(some)
    return total


def _times(times, around):
    """Return so many operations for each value of the indices around."""
    return Counter({tuple(around.values()): times})


def _split(term):
    """Return the factors of a term, out of its guards, and its brackets."""
    factors = list(Mul.make_args(unguarded(term)[0]))
    brackets = [f for f in factors if isinstance(f, KroneckerDelta)]
    return [f for f in factors if f not in brackets], brackets


@lru_cache(maxsize=4096)
def _range(index):
    return count([(index, index.lower, index.upper)])


def _common(terms, around):
    """Return the indices that an addition runs over: where all terms but one are scattered, as many as are added."""
    shapes = [_determined(_split(t)[1], around) for t in terms]
    whole = [s for s in shapes if len(s) == len(around)]
    return around if len(whole) > 1 or len(terms) == 1 else min(shapes, key=len)


def _determined(brackets, around):
    """Return the indices around a term without those that its brackets determine."""
    around = dict(around)
    for bracket in brackets:
        for index in _solved(bracket, around):
            del around[index]
    return around


def _solved(bracket, around):
    """Return the indices that a bracket determines: one of coefficient ±1, all of a place h E + e that data tell.

    An index of the equation itself (the place that is scattered to) is preferred to one that is summed over.
    """
    sides = [(a, b) for a, b in (bracket.args, bracket.args[::-1]) if not a.has(Indexed)]
    for place, value in sides:
        inside = [i for i in free_indices(place) if i in around]
        if value.has(Indexed) and inside:
            return inside
    difference = (bracket.args[0] - bracket.args[1]).expand()
    able = [i for i in around if difference.coeff(i) in (1, -1)]
    return able[:1]


def _is_constant(expr):
    if isinstance(expr, Indexed | Function):
        return False
    if isinstance(expr, Symbol):
        return bool(expr.is_integer)
    return all(map(_is_constant, expr.args))


def touched(equation: Equation, shapes: dict[str, tuple]) -> Count:
    """Return how many numbers an equation moves: what it reads of each array, once, and what it writes, once."""
    parts: dict[tuple, tuple[Expr, ...]] = {}
    for read in reads(equation.rhs, shapes):
        name = read.base.name if isinstance(read, Indexed) else read.name
        indices = read.indices if isinstance(read, Indexed) else ()
        parts[name, tuple(i if i.is_Integer else None for i in indices)] = _extent(indices, shapes[name])
    return Counter([*parts.values(), tuple(map(_range, equation.free))])


def _extent(indices, shape):
    """Return how many entries a read goes to: Z[n, y[n]] to one a row, x[i + p] to all that there are."""
    single: dict[Idx, None] = {}
    extents = []
    for index, size in zip(indices, shape, strict=True):
        if isinstance(index, Idx) or index.has(Indexed):
            single |= dict.fromkeys(free_indices(index))
        elif not index.is_Integer:
            extents.append(size)
    return (*extents, *map(_range, single))


def numbers(names: Collection[str], shapes: dict[str, tuple]) -> Count:
    """Return how many numbers some arrays hold."""
    return Counter(shapes[n] for n in names)
