"""What follows from a program's assumptions: each is applied where it makes a right-hand side shorter.

An equation `left = right` is found in a product, or in a sum of one, wherever the reads of `left` stand in it at
indices of their own. A symmetric matrix is read in the order of its indices that needs the fewest terms and transposes.
What is known of parameters and of computed variables is used last of all, in adjoints only: a program so shortened is
right where it holds, and is not differentiated again.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

from sympy import Expr, Idx, Indexed, Mul, Pow, Sum

from .forms import form
from .matrices import summed
from .nodes import Apply, Node, Outer, Product, Read, Reduction, Spread, Transpose
from .program import Assumption, Equation, Program
from .terms import apart, bottom_up, index_names, read_name, reads, rename, subterms

SYMMETRIC = ("symmetric", "positive definite")
MOST_READS = 6              # of symmetric matrices in one equation, all orders of which are tried


def with_assumptions(program: Program, tidied: Callable[[Program], Program], of_parameters: bool = False) -> Program:
    """Return the program with its assumptions used, and in `since` by which fact each variable became shorter."""
    known = [a for a in program.assumptions if all(n in program.variables for n in a.about)
             and is_of_what_moves(a, program) is of_parameters]
    if not known:
        return program
    since = dict(program.since)
    lines = []
    for e in program.equations:
        for assumption in known:
            if e.name in program.adjoints.values() or not of_parameters:
                e, shorter = applied(e, assumption, program, tidied)
                if shorter:
                    since[e.name] = tuple(dict.fromkeys([*since.get(e.name, ()), assumption.fact]))
        lines.append(e)
    return program.with_equations(lines, since=since)


def is_of_what_moves(assumption: Assumption, program: Program) -> bool:
    """Tell whether an assumption is about what moves: a parameter, or a variable that is computed from parameters."""
    return any(program.variables[n].kind in ("parameter", "variable") for n in assumption.about)


def applied(equation: Equation, assumption: Assumption, program: Program, tidied) -> tuple[Equation, bool]:
    """Return the equation in the shortest form that an assumption gives it, and whether that is shorter."""
    if not reads(equation.rhs, assumption.about):
        return equation, False
    best, least = equation, _length(equation)
    for rhs in _candidates(equation, assumption):
        [candidate] = tidied(program.with_equations([equation.with_rhs(rhs)])).equations
        if (found := _length(candidate)) < least:
            best, least = candidate, found
    return best, best is not equation


def _candidates(equation: Equation, assumption: Assumption) -> Iterator[Expr]:
    rhs = equation.rhs
    if assumption.kind in SYMMETRIC:
        found = [r for r in reads(rhs, assumption.about) if r.indices[0] != r.indices[1]][:MOST_READS]
        for turned in product((False, True), repeat=len(found)):
            yield rhs.xreplace({
                r: r.base[r.indices[1], r.indices[0]] for r, turn in zip(found, turned, strict=True) if turn
            })
        return
    changed = rhs
    for left, right in assumption.equalities:
        changed = bottom_up(changed, partial(_rewritten, left=left, right=right))
        yield changed


def _length(equation: Equation) -> tuple[int, int]:
    """Return how many terms a right-hand side is made of, and how many transposes its matrix products need."""
    terms = sum(1 for t in subterms(equation.rhs) if not isinstance(t, Idx))
    axes = equation.free
    return terms, _transposes(form(equation.rhs, axes), axes)


def _transposes(node: Node, axes: tuple) -> int:
    """Return how many arrays are turned where a node stands with these axes down and across."""
    match node:
        case Read():
            return int(len(axes) == 2 and node.axes == axes[::-1])
        case Transpose() | Spread():
            return _transposes(node.body, axes)
        case Product() | Outer():
            return _transposes_of_product(node, axes)
        case Reduction():
            return _transposes(node.body, node.body.axes)
        case Apply():
            return sum(_transposes(a, axes if len(a.axes) == len(axes) else a.axes) for a in node.args)
    return 0


def _transposes_of_product(node, axes):
    over = getattr(node, "over", ())
    left, right = node.left, node.right
    if axes and axes[0] not in left.axes:
        left, right = right, left
    rows = tuple(i for i in axes if i in left.axes and i not in over)
    columns = tuple(i for i in axes if i in right.axes and i not in over)
    return _transposes(left, (*rows, *over)) + _transposes(right, (*over, *columns))


# ---- finding the left side of an equation in a term


def _rewritten(term: Expr, left: Expr, right: Expr) -> Expr:
    """Return a term with `left` replaced by `right` wherever it is found in it as a product."""
    if isinstance(left, Sum) != isinstance(term, Sum):
        return term
    if not isinstance(term, Sum | Mul | Indexed | Pow):
        return term
    names = index_names(term)
    left, right = apart(left, names), apart(right, names)
    bound = [limit[0] for limit in term.limits] if isinstance(term, Sum) else []
    mine = [limit[0] for limit in left.limits] if isinstance(left, Sum) else []
    factors = _factors(term.function if isinstance(term, Sum) else term)
    pattern = _factors(left.function if isinstance(left, Sum) else left)
    for rest, at in _matches(pattern, factors, {}):
        gone = [at[i] for i in mine]
        if not _is_whole(mine, gone, bound) or any(f.has(i) for f in rest for i in gone):
            continue
        result = Mul(*rest, rename(right, at))
        others = [i for i in bound if i not in gone]
        return _rewritten(summed(result, others), left, right) if others else result
    return term


def _factors(product):
    """Return the factors of a product, powers written out."""
    found = []
    for f in Mul.make_args(product):
        times = int(f.exp) if f.is_Pow and f.exp.is_Integer and f.exp > 1 else 1
        found += [f.base if times > 1 else f] * times
    return found


def _matches(pattern, factors, at):
    """Yield the other factors and the indices, for each way to find all reads of a pattern among the factors."""
    if not pattern:
        yield factors, at
        return
    first, *others = pattern
    for k, f in enumerate(factors):
        found = _unified(first, f, at)
        if found is not None:
            yield from _matches(others, factors[:k] + factors[k + 1 :], found)


def _unified(pattern, factor, at):
    """Return the indices at which a pattern's read is a factor, None where it is another."""
    if not isinstance(factor, Indexed) or not isinstance(pattern, Indexed) or read_name(pattern) != read_name(factor):
        return None
    for index, place in zip(pattern.indices, factor.indices, strict=True):
        if at.get(index, place) != place or (not isinstance(index, Idx) and index != place):
            return None
        at = {**at, index: place} if isinstance(index, Idx) else at
    return at


def _is_whole(mine, gone, bound):
    """Tell whether the indices that a pattern sums over are distinct ones that the term sums over, all the way."""
    return len(set(gone)) == len(gone) and all(
        g in bound and (g.lower, g.upper) == (i.lower, i.upper) for i, g in zip(mine, gone, strict=True))
