"""A name read wherever what it names stands: by itself, among the terms of a sum, or among the factors of a product."""

from functools import lru_cache

from sympy import Add, Indexed, Mul, S, Symbol

from .terms import MANY, bottom_up, bound_indices, canonical, free_indices, rename, subterms


def places(expr, term, index):
    """Return the places at which arrays are read in `expr` that an index of a term may stand for, its own first."""
    found = [index, *(p for t in subterms(expr) if isinstance(t, Indexed) for p in t.indices)]
    inside = set(bound_indices(term))
    return [p for p in dict.fromkeys(found) if not inside & set(free_indices(p))]


def with_reads(expr, term, read, index):
    """Return `expr` with reads wherever a term stands in it, at any place that its index stands for there."""
    for place in places(expr, term, index):
        expr = with_read(expr, rename(term, {index: place}), rename(read, {index: place}))
    return expr


def with_read(expr, term, read):
    """Return `expr` with a read wherever a term stands in it: by itself, or among the terms of a sum or a product."""
    def change(t):
        if _is_same(t, term):
            return read
        if isinstance(t, Add | Mul) and isinstance(term, type(t)):
            for number in _multiples(t, term):
                rest = _without(t.args, [number * a for a in term.args])
                if rest is not None:
                    return t.func(*rest, number * read)
        return t

    weight = _weight(term)
    return bottom_up(expr, change, enters=lambda t: _weight(t) >= weight)


def _multiples(total, term):
    """Return how many times a sum may stand among the terms of another: SymPy multiplies sums by numbers out."""
    if isinstance(total, Mul):
        return (S.One,)
    number, first = term.args[0].as_coeff_Mul()
    found = ((c / number, t) for c, t in (a.as_coeff_Mul() for a in total.args))
    return dict.fromkeys(c for c, t in found if _is_same(t, first))


def _is_same(one, other):
    """Tell whether two expressions differ in the names of bound indices alone."""
    return type(one) is type(other) and _weight(one) == _weight(other) and canonical(one) == canonical(other)


@lru_cache(maxsize=MANY)
def _weight(expr):
    """Return how many symbols stand in an expression, the same of it and of its opposite."""
    return sum(map(_weight, expr.args)) if expr.args else int(isinstance(expr, Symbol))


def _without(args, dropped):
    """Return the arguments that remain when others are dropped, None where one of those is not there."""
    rest = list(args)
    for d in dropped:
        place = next((k for k, a in enumerate(rest) if _is_same(a, d)), None)
        if place is None:
            return None
        del rest[place]
    return rest
