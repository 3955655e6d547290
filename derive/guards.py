"""Guards: a term that is 0, and is not evaluated, where an index leaves its range.

A guard is stock SymPy, `Piecewise((term, conditions), (0, True))`; here it is built, taken apart and, where the
conditions are proven, removed.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

from sympy import And, Expr, Ge, Mul, Piecewise, S, Sum, expand

from .ranges import Prover, conjuncts, is_conjunction
from .terms import bottom_up, free_indices

MOST_CASES = 64             # how many cases are told apart before it is left open whether a branch is ever taken


def guarded(term: Expr, nonnegative: Iterable[Expr]) -> Expr:
    """Return `term` where all the given integer expressions are >= 0, and 0 elsewhere."""
    conditions = strongest(nonnegative)
    if not conditions or term == 0:
        return term
    return Piecewise((term, And(*(Ge(e, 0, evaluate=False) for e in conditions))), (S.Zero, True), evaluate=False)


def strongest(nonnegative: Iterable[Expr]) -> list[Expr]:
    """Return expressions that must be >= 0 without those that another implies: a - 1 >= 0 says a >= 0 too."""
    conditions = list(dict.fromkeys(map(expand, nonnegative)))
    return [c for c in conditions if not any((c - other).is_positive and (c - other).is_Integer
                                             for other in conditions)]


def unguarded(expr: Expr) -> tuple[Expr, list[Expr]]:
    """Split a product into its term and the expressions that must be >= 0 for it to count."""
    factors: list[Expr] = []
    conditions: list[Expr] = []
    if not any(map(is_guard, Mul.make_args(expr))):
        return expr, conditions
    for factor in Mul.make_args(expr):
        if is_guard(factor):
            inner, more = unguarded(factor.args[0][0])
            factors.append(inner)
            conditions += conjuncts(factor.args[0][1]) + more
        else:
            factors.append(factor)
    return Mul(*factors), conditions


def drawn_out(expr: Expr) -> tuple[Expr, list[Expr]]:
    """Split a product as `unguarded` does, out of its sums too; a condition on what is summed stays inside the sum."""
    term, conditions = unguarded(expr)
    factors = []
    for factor in Mul.make_args(term):
        if isinstance(factor, Sum):
            inner, inside = drawn_out(factor.function)
            bound = {limit[0] for limit in factor.limits}
            kept = [c for c in inside if bound & set(free_indices(c))]
            out = [c for c in inside if c not in kept]
            factor = factor.func(guarded(inner, kept), *factor.limits) if out else factor
            conditions += out
        factors.append(factor)
    return Mul(*factors), conditions


def is_guard(expr: Expr) -> bool:
    """Tell whether `expr` is a term guarded by conditions on indices."""
    if not isinstance(expr, Piecewise) or len(expr.args) != 2 or expr.args[1] != (S.Zero, S.true):
        return False
    try:
        return all(e.is_integer for e in conjuncts(expr.args[0][1]))
    except ValueError:
        return False


def disjoint(choice: Piecewise) -> Iterator[tuple[Expr, list[Expr]]]:
    """Yield the branches of a choice by inequalities between indices, and what must be >= 0 for each alone to count.

    Where no branch before one holds may take several cases: not (a >= 0 and b >= 0) is a < 0, or a >= 0 and b < 0.
    """
    left: list[list[Expr]] = [[]]
    for branch, condition in choice.args:
        own = conjuncts(condition)
        yield from ((branch, [*before, *own]) for before in left if not _exclude_each_other([*before, *own]))
        left = [[*before, *own[:k], -own[k] - 1] for before in left for k in range(len(own))]
        left = [before for before in left if not _exclude_each_other(before)]


def with_possible_cases(choice: Piecewise, prover: Prover) -> Expr:
    """Return a choice without branches whose conditions on indices never hold where none before them does.

    Nor has it branches after one that always holds. What is left for the end where that is never reached is 0: the
    conditions before it say which reads are in range.
    """
    kept: list[tuple] = []
    before: list[list[Expr]] = []
    many = len(choice.args) > 2
    for branch, condition in choice.args:
        own = conjuncts(condition) if is_conjunction(condition) else None
        if own is not None and (_is_impossible(own, prover) or (many and _is_taken(own, before, prover))):
            if condition != True:
                continue
            branch = S.Zero
        if own and many:
            condition = _shortest(condition, prover)
        before += [own] if own else []
        kept.append((branch, S.true if own is not None and all(map(prover.nonnegative, own)) else condition))
        if kept[-1][1] == True:
            break
    if kept == [tuple(case) for case in choice.args]:
        return choice
    return kept[0][0] if kept[0][1] == True else Piecewise(*kept, evaluate=False)


def with_possible_choices(expr: Expr, prover: Prover) -> Expr:
    """Return an expression in which choices have no branches that are never taken."""
    return bottom_up(expr, lambda e: with_possible_cases(e, prover) if isinstance(e, Piecewise) else e)


def _is_impossible(conditions, prover):
    """Tell whether expressions are never all >= 0: one is always less, or two of them are together."""
    return any(prover.nonnegative(-c - 1) for c in conditions) or _exclude_each_other(conditions)


def _exclude_each_other(conditions):
    """Tell whether two expressions are never both >= 0, whatever their indices are."""
    return any(expand(a + b).is_negative for a, b in combinations(conditions, 2))


def _shortest(condition, prover):
    """Return a conjunction without parts that always hold, or where another of its parts does."""
    parts = {part: conjuncts(part)[0] for part in sorted(And.make_args(condition), key=str)}
    kept = {part: e for part, e in parts.items() if not prover.nonnegative(e)}
    for part, e in list(kept.items()):
        if any((e - other).expand().is_nonnegative and (e - other).is_number for p, other in kept.items() if p != part):
            del kept[part]
    return condition if len(kept) == len(parts) else And(*kept, evaluate=False)


def _is_taken(conditions, before, prover):
    """Tell whether, wherever these conditions hold, all of one of the lists of conditions in `before` do."""
    left = [conditions]
    for earlier in before:
        left = [[*some, -c - 1] for some in left for c in earlier if not _is_impossible([*some, -c - 1], prover)]
        if not left or len(left) > MOST_CASES:
            break
    return not left


def proven_away(conditions: Iterable[Expr], prover: Prover, ranges: Mapping) -> list[Expr]:
    """Return the conditions that are not proven."""
    return [e for e in dict.fromkeys(map(expand, conditions)) if not prover.nonnegative(e, ranges)]
