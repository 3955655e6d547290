"""Sums over another axis than they should be over, or over all, or not made at all: a keepdims that hides it.

A reduced array r[t] = Sum(f[t, s], s) that is read beside arrays of both axes, g[t, s] r[t], broadcasts as well where
it was summed over t (r[s]), over both, or over neither.
"""

from collections.abc import Iterator
from itertools import combinations

from sympy import Expr, Idx, Indexed, Mul, Sum, Symbol

from derive.binders import LogSumExp, Maximum
from derive.program import Equation, Program
from derive.terms import free_indices, fresh, instantiated, read_name, reads, subterms

from .slips import POSSIBLE, RARE, Mutant, instead
from .wording import Wording


def other_axes(program: Program, equation: Equation) -> Iterator[Mutant]:
    """Yield the mutants of an equation in which a sum that it reads is over another axis."""
    for read in reads(equation.rhs, program.variables):
        lines = program.defining(read_name(read))
        if len(lines) != 1 or lines[0].implicit or lines[0].free != lines[0].indices:
            continue
        if read_name(read) == equation.name:
            continue
        inner = instantiated(lines[0].rhs, dict(zip(lines[0].indices, getattr(read, "indices", ()), strict=True)))
        for total in (t for t in Mul.make_args(inner) if isinstance(t, Sum) and len(t.limits) == 1):
            for words, value in _summed_otherwise(total, equation, free_indices(read)):
                rhs = equation.rhs.xreplace({read: inner.xreplace({total: value})})
                told = f"{read_name(read)} is {words}"
                yield Mutant(equation.name, (equation.with_rhs(rhs),), told, "axis", RARE)


def _summed_otherwise(total, equation, outer):
    [(s, low, high)] = total.limits
    for here in (i for i in equation.free if i not in outer and (i.lower, i.upper) == (low, high)):
        alone = total.function.xreplace({s: here})
        yield f"not summed over {here.name}", alone
        for t in (i for i in outer if isinstance(i, Idx)):
            other = renamed(t, total.function)
            limit = (other, t.lower, t.upper)
            yield f"summed over {t.name} where it should be over {here.name}", Sum(alone.xreplace({t: other}), limit)
            yield f"summed over {t.name} too", Sum(total.function.xreplace({t: other}), (s, low, high), limit)


def summed_too(program: Program, wording: Wording, equation: Equation) -> Iterator[Mutant]:
    """Yield the mutants of an equation that is summed, or averaged, over one or two of its own indices as well.

    What is left of them, an axis of length 1, is broadcast back.
    """
    rhs, steps = equation.rhs, {v.shape[0] for v in program.variables.values() if v.state}
    free = [i for i in equation.free if i.lower == 0 and i.upper + 1 not in steps]
    for own in (some for size in (1, 2) for some in combinations(free, size)):
        sums = [t for t in subterms(rhs) if isinstance(t, Sum) and t != rhs and set(own) <= set(free_indices(t))]
        for part in dict.fromkeys((rhs, *sums)):
            others = {i: renamed(i, rhs) for i in own}
            total = Sum(part.xreplace(others), *((o, i.lower, i.upper) for i, o in others.items()))
            name = "it" if part is rhs else wording.text(part)
            over = f"over {' and '.join(i.name for i in own)} too, and broadcast back"
            for value, how in ((total, "summed"), (total / Mul(*(i.upper + 1 for i in own)), "averaged")):
                changed = instead(program, equation, rhs.xreplace({part: value}))
                yield Mutant(equation.name, changed, f"{name} is {how} {over}", "axis", RARE)


def renamed(index: Idx, body: Expr) -> Idx:
    """Return an index of the same range that an expression does not have."""
    return fresh(Idx(Symbol(f"{index.name}2", integer=True), (index.lower, index.upper)),
                 {i.name for i in body.atoms(Idx)})


def softmax_axes(equation: Equation) -> Iterator[Mutant]:
    """Yield the mutants of a forward equation in which a softmax, or its logarithm, is over another axis."""
    for lse in sorted((t for t in set(subterms(equation.rhs)) if isinstance(t, LogSumExp)), key=str):
        if isinstance(lse.function, Indexed) and len(lse.limits) == 1 and lse.limits[0][0] in lse.function.indices:
            yield from _other_softmaxes(equation, lse, lse.function)


def _other_softmaxes(equation, lse, read):
    [(k, low, high)] = lse.limits
    place, top = read.indices.index(k), Maximum(read, (k, low, high))
    same = [r for r in reads(equation.rhs, {read_name(read)}) if r != read]
    for t in (i for i in read.indices if isinstance(i, Idx) and i != k):
        other = renamed(t, equation.rhs)
        limit = (other, t.lower, t.upper)
        both, words = away(read, t, other), f"the softmax is over {t.name} too"
        yield _mutant(equation, lse, LogSumExp(both, (k, low, high), limit), words)
        less = both - top.xreplace({t: other})
        yield _mutant(equation, lse, top + LogSumExp(less, (k, low, high), limit), f"{words}, less each row's maximum")
        for stand in dict.fromkeys(r.indices[place] for r in same if t in r.indices):
            moved = away(read.base[tuple(stand if i == k else i for i in read.indices)], t, other)
            words = f"the softmax is over {t.name} where it should be over {k.name}"
            yield _mutant(equation, lse, LogSumExp(moved, limit), words)
            less = moved - top.xreplace({t: other})
            yield _mutant(equation, lse, top + LogSumExp(less, limit), f"{words}, less each row's maximum")


def away(read: Indexed, old: Idx, new: Idx) -> Expr:
    """Return a read with an index replaced where it is a place by itself, not inside a label."""
    return read.base[tuple(new if i == old else i for i in read.indices)]


def _mutant(equation, old, new, words):
    return Mutant(equation.name, (equation.with_rhs(equation.rhs.xreplace({old: new})),), words, "axis", POSSIBLE)
