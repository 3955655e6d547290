"""Like terms: sums that differ only in the names and the order of what they are taken over are added up."""

from collections import Counter

from sympy import Add, Expr, Idx, Mul, Sum, Symbol

from .terms import holds, index_over, read_name, rename, subterms


def gathered(total: Add) -> Expr:
    """Return a sum with its like terms added: Sum(A[i, k]*B[k, j], k) + Sum(A[i, l]*B[l, j], l) is twice the first."""
    groups: dict[tuple, list[tuple[Expr, Expr]]] = {}
    for term in total.args:
        groups.setdefault(_outline(term), []).append(term.as_coeff_Mul())
    if all(len(g) == 1 or not holds(g[0][1], Sum) for g in groups.values()):
        return total
    return Add(*(t for group in groups.values() for t in _merged(group)))


def _outline(term):
    """Return what like terms have in common at a glance: how often each variable is read, and what sums run over."""
    _, rest = term.as_coeff_Mul()
    names = Counter(read_name(t) for t in subterms(rest) if read_name(t))
    sizes = Counter(str(limit[1:]) for t in subterms(rest) if isinstance(t, Sum) for limit in t.limits)
    return tuple(sorted(names.items())), tuple(sorted(sizes.items()))


def _merged(group):
    """Add up the terms of a group that are the same but for names."""
    if len(group) == 1:
        return [Mul(*group[0])]
    found: dict[Expr, list[Expr]] = {}
    first: dict[Expr, Expr] = {}
    for number, rest in group:
        key = Mul(*(_in_order(f) if isinstance(f, Sum) else f for f in Mul.make_args(rest)))
        first.setdefault(key, rest)
        found.setdefault(key, []).append(number)
    return [Add(*numbers) * first[key] for key, numbers in found.items()]


def _in_order(total: Sum) -> Sum:
    """Return a sum over indices that are named after their place in its terms."""
    bound = [limit[0] for limit in total.limits]
    factors = Mul.make_args(total.function)
    colours = {i: str(i.upper) for i in bound}
    while True:
        for _ in bound:
            colours = _refined(colours, factors)
        tied = [i for i in bound if sum(c == colours[i] for c in colours.values()) > 1]
        if not tied:
            break
        least = min(colours[i] for i in tied)
        colours[next(i for i in tied if colours[i] == least)] += "-"
    order = sorted(bound, key=colours.__getitem__)
    names = {i: index_over(f"_bound{k}", i.upper + 1, i.lower) for k, i in enumerate(order)}
    return rename(Sum(total.function, *order), names)


def _refined(colours, factors):
    """Tell indices apart by the factors that they stand in, and by those that stand there with them."""
    shown = {i: Idx(Symbol(f"_{c}", integer=True)) for i, c in colours.items()}
    told = {}
    for i in colours:
        own = {**shown, i: Idx(Symbol("_own", integer=True))}
        told[i] = colours[i], sorted(str(f.xreplace(own)) for f in factors if f.has(i))
    ranks = {text: f"{k:03}" for k, text in enumerate(sorted({str(t) for t in told.values()}))}
    return {i: ranks[str(t)] for i, t in told.items()}
