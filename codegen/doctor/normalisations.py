"""Normalisations: their gradient in the textbook's compact form, and mistakes in that.

    U = (V - mean V) S, S = 1/sqrt(var V + epsilon)     dV = S (dU - mean dU - U mean(dU U))

Where the derived adjoint is equal to this, wrong versions of it are hypotheses too: a term lost, means over wrong axes.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np
from sympy import Add, Expr, Idx, Mul, Sum, Symbol

from derive.program import Equation, Program
from derive.terms import count, free_indices, fresh, instantiated, read_name, reads

from .evaluate import Evaluated
from .mutants import Mutator
from .slips import FARFETCHED, LIKELY, POSSIBLE, Mutant

CONSTANTS = "mean and variance are taken to be constants: "


def compact_forms(program: Program, mutator: Mutator, ours: Evaluated, equation: Equation) -> Iterator[Mutant]:
    """Yield the mutants of an adjoint that is the gradient of a normalisation in compact form."""
    for form, (factor, U, dU, over) in compact(program, ours, equation):
        yield Mutant(equation.name, (equation.with_rhs(factor * dU),), f"{CONSTANTS}what goes through mean and "
                     "variance is missing", "term", POSSIBLE)
        for mutant in mutator.of(form):
            if mutant.rank < FARFETCHED and mutant.kind in ("term", "mean", "scale", "factor", "sign", "array"):
                yield replace(mutant, rank=max(POSSIBLE, mutant.rank))
        yield from _other_axes(equation, factor, U, dU, over)
        yield from _scaled_after(program, equation, factor, U, dU, over)


def in_compact_form(program: Program, ours: Evaluated, other: Program) -> Program:
    """Return another network's program with the adjoints in compact form that are so in a program.

    Where the other network has a mistake in a normalisation, it is no such adjoint: but somebody's formula is.
    """
    changed = {}
    for equation in program.backward:
        for _, (_, U, dU, over) in compact(program, ours, equation):
            if not read_name(U):
                continue
            factor = Mul(*(f for line in other.defining(read_name(U)) for f in _scale(other, line)))
            changed[equation.lhs] = equation.with_rhs(_formula(factor, U, dU, over))
    return other.with_equations(changed.get(e.lhs, e) for e in other.equations)


def _scale(program, line):
    """Return the factors of a line that lack one of its indices, and read something; with sizes beside them."""
    found = [f for f in Mul.make_args(line.rhs) if len(free_indices(f)) < len(line.free) and not f.is_number]
    return found if any(reads(f, program.variables) for f in found) else []


def compact(program: Program, ours: Evaluated, equation: Equation) -> Iterator[tuple[Equation, tuple]]:
    """Yield the compact forms that are equal to an adjoint at a point, with what they are made of."""
    indices = equation.free
    if len(indices) < 2 or equation.indices != indices or ours.values.get(equation.name) is None:
        return
    for factor, U, dU in (*_named(program, equation), *_centred(program, equation)):
        known = free_indices(factor)
        over = [i for i in indices if i not in known]
        if not over or set(free_indices(U)) != set(indices):
            continue
        form = equation.with_rhs(_formula(factor, U, dU, over))
        values = ours.changed([form])
        if values is not None and np.allclose(values[equation.name], ours.values[equation.name], rtol=1e-9, atol=1e-13):
            yield form, (factor, U, dU, over)


def _named(program, equation):
    """Yield what a normalised variable U = R S, and its adjoint, may be made of."""
    for forward in program.forward:
        adjoint = program.adjoints.get(forward.name)
        if adjoint is None or {i.name for i in forward.free} != {i.name for i in equation.free} \
                or adjoint == equation.name:
            continue
        if scale := _scale(program, forward):
            yield Mul(*scale), forward.lhs, program.variables[adjoint].at(*forward.indices)


def _centred(program, equation):
    """Yield the same where U has no name: dR = dU S + ..., R what has the mean taken off."""
    computed = {e.name for e in program.forward}
    for read in reads(equation.rhs, set(program.adjoints.values())):
        primal = program.variables[read_name(read)].primal
        for line in program.defining(read_name(read)) if primal else ():
            if len(line.indices) == len(equation.indices) and line.free == line.indices:
                here = instantiated(line.rhs, dict(zip(line.indices, equation.indices, strict=True)))
                for term in Add.make_args(here):
                    scale = [f for f in Mul.make_args(term) if reads(f, computed)
                             and set(free_indices(f)) < set(equation.free)]
                    factor = Mul(*scale)
                    if scale:
                        yield factor, program.variables[primal].at(*equation.indices) * factor, term / factor


def _formula(factor: Expr, U: Expr, dU: Expr, over: list[Idx]) -> Expr:
    return factor * (dU - _mean(dU, over) - U * _mean(dU * U, over))


def _mean(body, over):
    names = {i.name for i in free_indices(body)}
    changes = {i: fresh(Idx(Symbol(f"{i.name}2", integer=True), (i.lower, i.upper)), names) for i in over}
    limits = [(changes[i], i.lower, i.upper) for i in over]
    return Sum(body.xreplace(changes), *limits) / count([(i, i.lower, i.upper) for i in over])


def _other_axes(equation, factor, U, dU, over):
    """Means over other axes than those that are normalised over."""
    indices = list(equation.free)
    for size in range(1, len(indices) + 1):
        for other in combinations(indices, size):
            if list(other) == over:
                continue
            told = f"means are over the wrong axis: over {_names(other)} where they should be over {_names(over)}"
            for first, second in ((other, other), (over, other), (other, over)):
                rhs = factor * (dU - _mean(dU, list(first)) - U * _mean(dU * U, list(second)))
                yield Mutant(equation.name, (equation.with_rhs(rhs),), told, "axis", LIKELY)
            counted = _count(other) / _count(over)
            rhs = factor * (dU - counted * (_mean(dU, list(other)) + U * _mean(dU * U, list(other))))
            told = f"sums are over the wrong axis: over {_names(other)} where they should be over {_names(over)}"
            yield Mutant(equation.name, (equation.with_rhs(rhs),), told, "axis", LIKELY)


def _scaled_after(program, equation, factor, U, dU, over):
    """The scale of what comes from above, applied outside the means."""
    lines = program.defining(read_name(dU)) if read_name(dU) else []
    for inner in [instantiated(e.rhs, dict(zip(e.indices, dU.indices, strict=True))) for e in lines] or [dU]:
        for scale in (f for f in Mul.make_args(inner) if reads(f, {p.name for p in program.parameters})):
            rhs = scale * _formula(factor, U, dU / scale, over)
            words = f"the factor {read_name(scale) or scale} is applied after the means are taken off, not before"
            yield Mutant(equation.name, (equation.with_rhs(rhs),), words, "factor", POSSIBLE)


def _count(indices):
    return count([(i, i.lower, i.upper) for i in indices])


def _names(indices):
    return ", ".join(read_name(i) or str(i.name) for i in indices)
