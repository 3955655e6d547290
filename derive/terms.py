"""Looking into right-hand sides: reads, free indices, fresh names, renaming. Everything in order of appearance."""

from collections.abc import Callable, Collection, Iterator

from sympy import Expr, Idx, Indexed, IndexedBase, Integer, Symbol, Tuple

from .binders import is_binder


def subterms(expr: Expr) -> Iterator[Expr]:
    """Yield `expr` and all that it is made of, a parent before its children; bases and ranges are not entered."""
    yield expr
    if isinstance(expr, Indexed):
        children = expr.indices
    elif isinstance(expr, Idx | IndexedBase):
        children = ()
    else:
        children = expr.args
    for child in children:
        yield from subterms(child)


def read_name(term: Expr) -> str | None:
    """Return the name of the variable that a term reads, None for a term that is no read."""
    if isinstance(term, Indexed):
        return term.base.name
    return term.name if isinstance(term, Symbol) and not isinstance(term, Idx) else None


def reads(expr: Expr, names: Collection[str]) -> list[Expr]:
    """Return the distinct reads of the variables called `names`."""
    return list(dict.fromkeys(t for t in subterms(expr) if read_name(t) in names))


def free_indices(expr: Expr, bound: frozenset = frozenset()) -> list[Idx]:
    """Return the distinct indices that no binder inside `expr` binds."""
    return list(dict.fromkeys(_free(expr, bound)))


def _free(expr, bound):
    if isinstance(expr, Idx):
        if expr not in bound:
            yield expr
    elif isinstance(expr, Indexed):
        for index in expr.indices:
            yield from _free(index, bound)
    elif is_binder(expr):
        yield from _free(expr.function, bound | {limit[0] for limit in expr.limits})
    elif not isinstance(expr, IndexedBase):
        for child in expr.args:
            yield from _free(child, bound)


def bound_indices(expr: Expr) -> list[Idx]:
    """Return every index that some binder in `expr` binds."""
    return list(dict.fromkeys(limit[0] for t in subterms(expr) if is_binder(t) for limit in t.limits))


def rename(expr: Expr, changes: dict[Expr, Expr]) -> Expr:
    """Return `expr` with indices replaced, all at once; binders rename theirs along with their ranges."""
    changes = {old: new for old, new in changes.items() if old != new}
    return expr.xreplace(changes) if changes else expr


def fresh(index: Idx, taken: Collection[str]) -> Idx:
    """Return an index of the same range whose name is not taken: i, then i2, i3, ..."""
    stem = index.name.rstrip("0123456789") or index.name
    names = [index.name, *(f"{stem}{k}" for k in range(2, len(taken) + 3))]
    return like(index, next(name for name in names if name not in taken))


def like(index: Idx, name: str) -> Idx:
    """Return an index of the same range by another name."""
    return Idx(Symbol(name, integer=True), (index.lower, index.upper))


def index_over(name: str, size: Expr, first: int = 0) -> Idx:
    """Return an index that runs from `first` to size - 1."""
    return Idx(Symbol(name, integer=True), (Integer(first), size - 1))


def count(limits: Tuple) -> Expr:
    """Return how many values the bound indices take together."""
    product = Integer(1)
    for _, low, high in limits:
        product *= high - low + 1
    return product


def bottom_up(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """Return `expr` rebuilt from its leaves, each node passed through `change`; indices and bases are left alone."""
    if not expr.args or isinstance(expr, Idx | Indexed | IndexedBase | Tuple):
        return change(expr)
    args = tuple(a if isinstance(a, Tuple) else bottom_up(a, change) for a in expr.args)
    return change(expr if args == expr.args else expr.func(*args))


def apart(expr: Expr, taken: Collection[str]) -> Expr:
    """Return `expr` with every bound index renamed whose name is taken, outside it or by a binder around it."""
    if not expr.args or isinstance(expr, Idx | Indexed | IndexedBase | Tuple):
        return expr
    if is_binder(expr):
        names, changes = set(taken), {}
        inside = {i.name for i in free_indices(expr.function)}
        for index, *_ in expr.limits:
            if index.name in names:
                changes[index] = fresh(index, names | inside)
            names.add(changes.get(index, index).name)
        expr = rename(expr, changes)
        body = apart(expr.function, names)
        return expr if body is expr.function else expr.func(body, *expr.limits)
    args = [a if isinstance(a, Tuple) else apart(a, taken) for a in expr.args]
    return expr if all(a is b for a, b in zip(args, expr.args, strict=True)) else expr.func(*args)


def instantiated(expr: Expr, changes: dict[Expr, Expr]) -> Expr:
    """Return `expr` with free indices replaced by index expressions, no binder capturing what comes in."""
    coming = {i.name for value in changes.values() for i in free_indices(value)}
    return rename(apart(expr, coming | {i.name for i in changes}), changes)
