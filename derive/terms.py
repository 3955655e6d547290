"""Looking into right-hand sides: reads, free indices, fresh names, renaming. Everything in order of appearance."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache

from sympy import (
    ITE,
    And,
    Dummy,
    Expr,
    Function,
    Idx,
    Indexed,
    IndexedBase,
    Integer,
    Not,
    Or,
    Piecewise,
    Sum,
    Symbol,
    Tuple,
    expand,
    floor,
    preorder_traversal,
)
from sympy.core.relational import Relational
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.logic.boolalg import BooleanFunction

from .binders import is_binder

MANY = 1 << 17          # terms that caches know: as many as a network of thousands of layers has


def subterms(expr: Expr) -> Iterator[Expr]:
    """Yield `expr` and all that it is made of, a parent before its children; bases and ranges are not entered."""
    todo = [expr]
    while todo:
        term = todo.pop()
        yield term
        if isinstance(term, Indexed):
            todo.extend(term.args[:0:-1])
        elif not isinstance(term, Idx | IndexedBase):
            todo.extend(term.args[::-1])


def innermost_first(expr: Expr, children: Callable[[Expr], Sequence[Expr]]) -> Iterator[Expr]:
    """Yield an expression and all that `children` leads to, each term once and after its own children."""
    todo, seen = [(expr, False)], set()
    while todo:
        term, is_ready = todo.pop()
        if is_ready:
            yield term
        elif term not in seen:
            seen.add(term)
            todo.append((term, True))
            todo.extend((child, False) for child in reversed(children(term)))


def values(expr: Expr) -> list[Expr]:
    """Return what an expression is computed from: its arguments, branches without their conditions, no ranges."""
    if _is_leaf(expr):
        return []
    return [a.expr if isinstance(a, ExprCondPair) else a for a in expr.args
            if isinstance(a, ExprCondPair) or not isinstance(a, Tuple)]


@lru_cache(maxsize=MANY)
def _kinds(expr):
    return frozenset(map(type, subterms(expr)))


def holds(expr: Expr, *kinds: type) -> bool:
    """Tell whether terms of some kinds stand in an expression; bases and ranges are not entered."""
    return any(issubclass(k, kinds) for k in _kinds(expr))


def read_name(term: Expr) -> str:
    """Return the name of the variable that a term reads, "" for a term that is no read."""
    if isinstance(term, Indexed):
        return term.base.name
    return term.name if isinstance(term, Symbol) and not isinstance(term, Idx) else ""


def reads(expr: Expr, names: Collection[str]) -> list[Expr]:
    """Return the distinct reads of the variables called `names`."""
    return [t for name, t in _all_reads(expr) if name in names]


@lru_cache(maxsize=MANY)
def _all_reads(expr):
    """Return whatever may be a read, with the name that it reads: every pass over a program asks for some of them."""
    return tuple((name, t) for t in dict.fromkeys(subterms(expr)) if (name := read_name(t)))


def free_indices(expr: Expr, bound: frozenset = frozenset()) -> list[Idx]:
    """Return the distinct indices that no binder inside `expr` binds."""
    return list(_distinct_free(expr, bound))


@lru_cache(maxsize=MANY)
def _distinct_free(expr, bound):
    return tuple(dict.fromkeys(_free(expr, bound)))


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


def index_names(expr: Expr) -> set[str]:
    """Return the names of all indices in `expr`, free or bound."""
    return {t.name for t in subterms(expr) if isinstance(t, Idx)}


def rename(expr: Expr, changes: dict[Expr, Expr]) -> Expr:
    """Return `expr` with indices replaced, all at once; binders rename theirs along with their ranges."""
    changes = {old: new for old, new in changes.items() if old != new}
    if changes and all(isinstance(i, Idx) for pair in changes.items() for i in pair):
        return _renamed(expr, changes)
    return expr.xreplace(changes) if changes else expr


def _renamed(expr, changes):
    """Return `expr` with indices by other names: what holds a binder together is not looked at again."""
    if expr in changes:
        return changes[expr]
    if not expr.args or isinstance(expr, IndexedBase):
        return expr
    if isinstance(expr, Idx):
        return expr.xreplace(changes)
    args = [_renamed(a, changes) for a in expr.args]
    if all(a is b for a, b in zip(args, expr.args, strict=True)):
        return expr
    if isinstance(expr, Indexed):
        return read_at(*args)
    return _binding(type(expr), *args) if is_binder(expr) else expr.func(*args)


@lru_cache(maxsize=MANY)
def read_at(base: Expr, *indices: Expr) -> Indexed:
    """Return the read of an array at some indices, one object wherever it is read."""
    made = Expr.__new__(Indexed, base, *indices)
    made._assumptions = _known_of_entries(base)
    return made


@lru_cache(maxsize=MANY)
def _known_of_entries(base):
    """Return what SymPy knows of any entry of an array, which it would deduce anew for each."""
    return Indexed(base, Integer(0))._assumptions


def summed(term: Expr, limits: Sequence[tuple]) -> Expr:
    """Return Sum(term, *limits), with no search for a Piecewise where there is none."""
    if not limits or term == 0:
        return term
    if isinstance(term, Sum) or holds(term, Piecewise):
        return Sum(term, *limits)
    return _binding(Sum, term, *(Tuple(*limit) for limit in limits))


def _binding(kind, term, *limits):
    """Return a binder made as SymPy makes it, but for its checks of the limits and the search for a Piecewise."""
    made = Expr.__new__(kind, term, *limits)
    made.is_commutative = term.is_commutative
    return made


def fresh(index: Idx, taken: Collection[str]) -> Idx:
    """Return an index of the same range whose name is not taken: i, then i2, i3, ..."""
    stem = index.name.rstrip("0123456789") or index.name
    names = [index.name, *(f"{stem}{k}" for k in range(2, len(taken) + 3))]
    return like(index, next(name for name in names if name not in taken))


@lru_cache(maxsize=MANY)
def like(index: Idx, name: str) -> Idx:
    """Return an index of the same range by another name."""
    return Idx(Symbol(name, integer=True), (index.lower, index.upper))


def divides_an_index(position: Expr) -> bool:
    """Tell whether a position rounds a part of an index down, as h // 2 does; floors of sizes alone are sizes."""
    symbols = {i: i.label for i in free_indices(position)}              # without their ranges
    return any(f.free_symbols & set(symbols.values()) for f in position.xreplace(symbols).atoms(floor))


@lru_cache(maxsize=MANY)
def index_over(name: str, size: Expr, first: int = 0) -> Idx:
    """Return an index that runs from `first` to size - 1."""
    return Idx(Symbol(name, integer=True), (Integer(first), size - 1))


@lru_cache(maxsize=MANY)
def runs_over(index: Expr, size: Expr) -> bool:
    """Tell whether an index runs over the whole of an axis of this size."""
    if not isinstance(index, Idx) or index.lower != 0:
        return False
    length = index.upper + 1
    return length == size or (length - size).expand() == 0


def count(limits: Tuple) -> Expr:
    """Return how many values the bound indices take together."""
    product = Integer(1)
    for _, low, high in limits:
        product *= high - low + 1
    return product


def divided(terms: Sequence[Expr], number: Expr) -> list[Expr]:
    """Return terms by a number that is the coefficient of all, or its opposite: exactly, where it is a float."""
    parts = [t.as_coeff_Mul() for t in terms]
    return [rest if coefficient == number else -rest for coefficient, rest in parts]


def multiplied_out(expr: Expr) -> Expr:
    """Return a sum of products, with the functions in it as they are; SymPy would make exp(a)*exp(-b) of exp(a - b)."""
    functions = {f: Dummy(real=True) for f in expr.atoms(Function, Piecewise) if not f.is_integer}
    return expand(expr.xreplace(functions)).xreplace({name: f for f, name in functions.items()})


def bottom_up(expr: Expr, change: Callable[[Expr], Expr], branches: bool = True,
              enters: Callable[[Expr], bool] = lambda term: True) -> Expr:
    """Return `expr` rebuilt from its leaves, each node passed through `change`; indices and bases are left alone.

    Without `branches`, what stands under a condition is left alone too; so is what `enters` does not hold for.
    """
    def changed(term):
        if not enters(term):
            return term
        if _is_leaf(term) or (isinstance(term, Piecewise) and not branches):
            return change(term)
        return change(_rebuilt(term, [_in_branch(a, changed) for a in term.args]))

    return changed(expr)


def without_choices(expr: Expr) -> Expr:
    """Return `expr` with no condition that is a choice, as SymPy makes of a case of cases: by and, or and not."""
    return expr.replace(ITE, lambda c, a, b: Or(And(c, a), And(Not(c), b))) if holds(expr, ITE) else expr


def without_idle(expr: Expr) -> Expr:
    """Return `expr` with no binder left over an index that its terms do not have: a maximum of equal terms is one."""
    def change(term):
        if not hasattr(term, "of_equal"):
            return term
        inside = free_indices(Tuple(term.function, *(Tuple(low, high) for _, low, high in term.limits)))
        idle = [limit for limit in term.limits if limit[0] not in inside]
        rest = [limit for limit in term.limits if limit not in idle]
        if not idle:
            return term
        return term.of_equal(term.func(term.function, *rest) if rest else term.function, count(idle))

    return bottom_up(expr, change)


def _is_leaf(expr):
    return not expr.args or isinstance(expr, Idx | Indexed | IndexedBase | Relational | BooleanFunction)


def _in_branch(arg, change):
    """Change an argument, a branch of a Piecewise in its value only; ranges of binders stay."""
    if isinstance(arg, ExprCondPair):
        value = change(arg.expr)
        return arg if value is arg.expr else ExprCondPair(value, arg.cond)
    return arg if isinstance(arg, Tuple) else change(arg)


def _rebuilt(expr, args):
    """Return the same kind of expression on other arguments; SymPy does not reason about conditions on the way."""
    if all(a is b or a == b for a, b in zip(args, expr.args, strict=True)):
        return expr
    return expr.func(*args, evaluate=False) if isinstance(expr, Piecewise) else expr.func(*args)


@lru_cache(maxsize=MANY)
def canonical(expr: Expr, depth: int = 0) -> Expr:
    """Return `expr` with bound indices named after how deep they are bound: equal where only bound names differ."""
    if _is_leaf(expr):
        return expr
    if is_binder(expr):
        names = {limit[0]: like(limit[0], f"_bound{depth + k}") for k, limit in enumerate(expr.limits)}
        expr, depth = rename(expr, names), depth + len(names)
    return _rebuilt(expr, [_in_branch(a, lambda term: canonical(term, depth)) for a in expr.args])


def anonymous(expr: Expr) -> Expr:
    """Return `expr` with all indices named after their places: equal where only names of indices differ."""
    return canonical(rename(expr, {i: like(i, f"_free{k}") for k, i in enumerate(free_indices(expr))}))


def apart(expr: Expr, taken: Collection[str]) -> Expr:
    """Return `expr` with every bound index renamed whose name is taken, outside it or by a binder around it."""
    if _is_leaf(expr):
        return expr
    if is_binder(expr):
        expr = _without_captures(_without_repeats(expr))
        names, changes = set(taken), {}
        inside = index_names(expr.function)
        for index, *_ in expr.limits:
            if index.name in names:
                changes[index] = fresh(index, names | inside)
            names.add(changes.get(index, index).name)
        expr = rename(expr, changes)
        body = apart(expr.function, names)
        return expr if body is expr.function else expr.func(body, *expr.limits)
    args = [_in_branch(a, lambda term: apart(term, taken)) for a in expr.args]
    return _rebuilt(expr, [_compared_apart(a, taken) if isinstance(a, ExprCondPair) else a for a in args])


def _compared_apart(branch, taken):
    """Return a branch of a Piecewise with the binders of its condition renamed as those of its value are."""
    changes, every = {}, preorder_traversal(branch.cond)
    for term in every:
        if is_binder(term):
            every.skip()
            changes[term] = apart(term, taken)
    changes = {old: new for old, new in changes.items() if old != new}
    return ExprCondPair(branch.expr, branch.cond.xreplace(changes)) if changes else branch


def _without_captures(binder):
    """Give an index a name of its own where limits further out have another of its name in them.

    In Sum(f(i), (i, 0, N - 1), (j, i, N - 1)) the first i is bound, the second is not.
    """
    limits, function = list(binder.limits), binder.function
    for k, (index, low, high) in enumerate(limits):
        outside = {i for limit in limits[k + 1:] for end in limit[1:] for i in free_indices(end)}
        if index in outside:
            new = fresh(index, index_names(binder) | {i.name for i in outside})
            function = rename(function, {index: new})
            inner = [Tuple(i, *(end.xreplace({index: new}) for end in ends)) for i, *ends in limits[:k]]
            limits = [*inner, Tuple(new, low, high), *limits[k + 1:]]
    return binder if tuple(limits) == binder.limits else binder.func(function, *limits)


def _without_repeats(binder):
    """Where one index is bound twice (a sum over n inside a sum over n), give the outer ones names of their own."""
    bound = [limit[0] for limit in binder.limits]
    if len(set(bound)) == len(bound):
        return binder
    limits: list[Tuple] = []
    names = index_names(binder)
    for index, low, high in binder.limits:
        if any(index == inner[0] for inner in limits):
            index = fresh(index, names)
        names.add(index.name)
        limits.append(Tuple(index, low, high))
    return binder.func(binder.function, *limits)


def instantiated(expr: Expr, changes: dict[Expr, Expr]) -> Expr:
    """Return `expr` with free indices replaced by index expressions, no binder capturing what comes in."""
    coming = {i.name for value in changes.values() for i in free_indices(value)}
    return rename(apart(expr, coming | {i.name for i in changes}), changes)
