"""Mistakes in adding up what several windows, or several look-ups, send back to one entry; and at ties of a maximum."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
from sympy import Add, Expr, Gt, Idx, KroneckerDelta, Mul, Ne, Piecewise, S, Sum

from derive.binders import Binder, FirstMaximum
from derive.functions import at_zero
from derive.guards import unguarded
from derive.program import Equation, Program
from derive.terms import instantiated, read_name, reads, subterms

from .slips import POSSIBLE, RARE, Mutant

OVERWRITTEN = "what overlaps is overwritten (=) instead of added up (+=, np.add.at)"


class Last(Binder):
    """The last of the terms that is a number, 0 where none is: what an assignment leaves where a sum should be."""

    word = "last"

    @staticmethod
    def reduced(value, axes):
        """Return the last term that is no nan, over all axes together, the last of them the fastest."""
        outer = value.shape[:value.ndim - len(axes)]
        flat = value.reshape(*outer, -1)
        counts = ~np.isnan(flat)
        last = flat.shape[-1] - 1 - counts[..., ::-1].argmax(axis=-1)
        found = np.take_along_axis(flat, last[..., None], axis=-1)[..., 0]
        return np.where(counts.any(axis=-1), found, 0.0)


def overwritten(program: Program, equation: Equation) -> Iterator[Mutant]:
    """Yield the mutants in which what overlaps is assigned, so that the last one stands, instead of being added up."""
    for total in (t for t in subterms(equation.rhs) if isinstance(t, Sum)):
        brackets = [f for f in Mul.make_args(unguarded(total.function)[0]) if isinstance(f, KroneckerDelta)]
        placed = [b for b in brackets if not any(read_name(r).startswith("first_") for r in _arrays(b))]
        chosen = {i for b in placed for i in b.atoms(Idx)} & {limit[0] for limit in total.limits}
        if not placed:
            continue
        limits = [tuple(limit) for limit in total.limits]
        for size in range(1, len(limits) + 1):
            for outer in combinations(limits, size):
                if not {i for i, *_ in outer} & chosen:
                    continue
                inner = [limit for limit in limits if limit not in outer]
                words = f"{OVERWRITTEN}: only the last of {', '.join(str(i.name) for i, *_ in outer)} stands"
                rank = POSSIBLE if size <= 2 else RARE
                for order in (outer, outer[::-1]):
                    last = _last(total.function, placed, order, inner)
                    yield _mutant(equation, {total: last}, words, rank)
                if inner:
                    each = Sum(_last(total.function, placed, outer, []), *inner)
                    yield _mutant(equation, {total: each}, words, RARE)
    yield from _one_after_another(equation)
    yield from _last_that_counts(equation)


def averaged(program: Program, equation: Equation) -> Iterator[Mutant]:
    """Yield the mutants in which what goes to one entry is divided by how many do, in the place of all, or besides."""
    for total in (t for t in subterms(equation.rhs) if isinstance(t, Sum)):
        placed = [f for f in Mul.make_args(unguarded(total.function)[0]) if isinstance(f, KroneckerDelta)]
        chosen = {i for b in placed for i in b.atoms(Idx)}
        limits = [tuple(limit) for limit in total.limits if limit[0] in chosen]
        if not placed or not limits or any(read_name(r).startswith("first_") for b in placed for r in _arrays(b)):
            continue
        some = Sum(Mul(*placed), *limits)
        mean = total / Piecewise((some, Gt(some, 0, evaluate=False)), (S.One, True), evaluate=False)
        names, number = ", ".join(str(i.name) for i, *_ in limits), Mul(*(high - low + 1 for _, low, high in limits))
        words = f"the sum over {names} is divided by how many of these go to the same entry"
        for value, told in ((mean * number, f"{words}, not by {number}"), (mean, words)):
            yield replace(_mutant(equation, {total: value}, told, RARE), kind="mean")


def _last_that_counts(equation):
    """A sum whose terms are often 0, as a mask makes them: where one is not, it is assigned."""
    for total in (t for t in subterms(equation.rhs) if isinstance(t, Sum) and not t.has(KroneckerDelta)):
        counts = Piecewise((total.function, Ne(total.function, 0, evaluate=False)), (S.NaN, True), evaluate=False)
        names = ", ".join(str(limit[0].name) for limit in total.limits)
        yield _mutant(equation, {total: Last(counts, *total.limits)}, f"only the last {names} that is not masked "
                      "stands: assigned (=) where it should be added up (+=)", RARE)


def _last(body, placed, outer, inner):
    """Return the last of the terms along `outer`, each of them summed over `inner`."""
    covers = Sum(Mul(*placed), *inner) if inner else Mul(*placed)
    brought = Sum(body, *inner) if inner else body
    return Last(Piecewise((brought, Gt(covers, 0, evaluate=False)), (S.NaN, True), evaluate=False), *outer)


def _one_after_another(equation):
    """Sums that go to places by look-up, each assigned: the later ones overwrite the earlier, or what is dense."""
    for whole in (t for t in subterms(equation.rhs) if isinstance(t, Add) and len(t.args) in (2, 3)):
        parts = [(t, _placed(t)) for t in whole.args]
        if sum(not placed for _, placed in parts) > 1 or not any(placed for _, placed in parts):
            continue
        for order in (o for o in permutations(parts) if all(placed for _, placed in o[1:])):
            for way in (1, -1):
                value = S.Zero if order[0][1] else order[0][0]
                for (rest, total), placed in ((_parted(t), p) for t, p in order if p):
                    chosen = {i for b in placed for i in b.atoms(Idx)}
                    outer = [tuple(limit) for limit in total.limits if limit[0] in chosen][::way]
                    inner = [tuple(limit) for limit in total.limits if limit[0] not in chosen]
                    there = Gt(Sum(Mul(*placed), *outer), 0, evaluate=False)
                    value = Piecewise((rest * _last(total.function, placed, outer, inner), there), (value, True),
                                      evaluate=False)
                yield _mutant(equation, {whole: value}, f"{OVERWRITTEN}: only what is assigned last stands", RARE)


def _parted(term):
    """Return a term's other factors and its sum."""
    total = next(f for f in Mul.make_args(term) if isinstance(f, Sum))
    return Mul(*(f for f in Mul.make_args(term) if f is not total)), total


def _placed(term):
    """Return the brackets in the sum that a term is, [] where it is none or has none."""
    total = next((f for f in Mul.make_args(term) if isinstance(f, Sum)), None)
    if total is None:
        return []
    return [f for f in Mul.make_args(unguarded(total.function)[0]) if isinstance(f, KroneckerDelta)]


def _mutant(equation, changes, words, rank):
    return Mutant(equation.name, (equation.with_rhs(equation.rhs.xreplace(changes)),), words, "overwritten", rank)


def _arrays(bracket):
    return [t for t in subterms(bracket) if read_name(t)]


def ties(program: Program, equation: Equation) -> dict[str, Expr]:
    """Return what the right-hand side is when ties of a first maximum are treated another way, by words for it."""
    everyone, shared = {}, {}
    for bracket in sorted(equation.rhs.atoms(KroneckerDelta), key=str):
        for read in reads(bracket, [n for n in program.variables if n.startswith("first_")]):
            attains = _attains(program, bracket, read)
            if attains is not None:
                everyone[bracket], shared[bracket] = attains[0], attains[0] / attains[1]
    if not everyone:
        return {}
    return {"every entry that attains a maximum gets the whole gradient": equation.rhs.xreplace(everyone),
            "entries that attain a maximum share its gradient": equation.rhs.xreplace(shared)}


def _attains(program, bracket, read):
    """Return [the entry is the largest] for [its place is the first largest], and the number of such entries."""
    name = read_name(read).removeprefix("first_")
    lines = [e for e in program.defining(name) if isinstance(e.rhs, FirstMaximum)]
    if not lines:
        return None
    [forward] = lines
    binder = forward.rhs
    place = next(a for a in bracket.args[:2] if not reads(a, {read_name(read)}))
    indices = {i: place_index for i, *_ in binder.limits
               for place_index in place.atoms(Idx) if place.coeff(place_index) == binder.place.coeff(i)}
    if len(indices) != len(binder.limits):
        return None
    here = dict(zip(forward.indices, getattr(read, "indices", ()), strict=True))
    value = instantiated(forward.lhs, here)
    term = instantiated(binder.function, {**here, **indices})
    whole = instantiated(Sum(at_zero(binder.function - forward.lhs), *binder.limits), here)
    return at_zero(term - value), whole
