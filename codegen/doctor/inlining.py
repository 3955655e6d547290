"""Equations with a variable written out where it is read: so a mistake may be in one reader of it only."""

from collections.abc import Collection, Iterator
from dataclasses import replace

from derive.program import Equation, Program
from derive.terms import apart, instantiated, read_name, reads

from .mutants import Mutator
from .slips import FARFETCHED, Mutant

MOST_TIMES = 8          # as long as it was may an equation become that is multiplied out


def written_out(program: Program, names: Collection[str], equation: Equation) -> Iterator[Equation]:
    """Yield an equation with one variable that it reads, of those named, written out."""
    for read in reads(equation.rhs, names):
        lines = program.defining(read_name(read))
        if len(lines) != 1 or lines[0].implicit or read_name(read) == equation.name:
            continue
        rhs = apart(lines[0].rhs, {i.name for i in equation.free})
        inner = instantiated(rhs, dict(zip(lines[0].indices, getattr(read, "indices", ()), strict=True)))
        if not reads(inner, {equation.name, read_name(read)}):
            yield equation.with_rhs(equation.rhs.xreplace({read: inner}))


def inlined(program: Program, mutator: Mutator, names: Collection[str], equation: Equation) -> Iterator[Mutant]:
    """Yield the mutants of an equation in which one variable that it reads, of those named, is written out."""
    for whole in written_out(program, names, equation):
        for mutant in mutator.of(whole.with_rhs(_multiplied_out(whole.rhs))):
            if mutant.kind in ("term", "factor", "mean", "scale", "mask", "sign", "array") and mutant.rank < FARFETCHED:
                yield replace(mutant, rank=FARFETCHED)


def _multiplied_out(rhs):
    """Return an expression with its products multiplied out; as it is where high powers would make it far longer."""
    found = rhs.expand(deep=False, power_exp=False)
    return found if found.count_ops() <= MOST_TIMES * rhs.count_ops() else rhs
