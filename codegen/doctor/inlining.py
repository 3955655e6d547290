"""Equations with an adjoint written out where it is read: so a mistake may be in one reader of it only."""

from collections.abc import Iterator
from dataclasses import replace

from derive.program import Equation, Program
from derive.terms import instantiated, read_name, reads

from .mutants import FARFETCHED, Mutant, Mutator


def inlined(program: Program, mutator: Mutator, equation: Equation) -> Iterator[Mutant]:
    """Yield the mutants of an equation in which one adjoint that it reads is written out."""
    for read in reads(equation.rhs, set(program.adjoints.values())):
        lines = program.defining(read_name(read))
        if len(lines) != 1 or lines[0].implicit or read_name(read) == equation.name:
            continue
        inner = instantiated(lines[0].rhs, dict(zip(lines[0].indices, getattr(read, "indices", ()), strict=True)))
        if reads(inner, {equation.name, read_name(read)}):
            continue
        whole = equation.with_rhs(equation.rhs.xreplace({read: inner}).expand(deep=False))
        for mutant in mutator.of(whole):
            if mutant.kind in ("term", "factor", "mean", "scale", "mask", "sign") and mutant.rank < FARFETCHED:
                yield replace(mutant, rank=FARFETCHED)
