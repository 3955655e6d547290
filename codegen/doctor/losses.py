"""Wrong gradients that change many equations at once: a small number that the backward pass has lost."""

from collections.abc import Iterator

from sympy import Expr, S

from derive.binders import has_binder
from derive.program import Equation, Program
from derive.terms import instantiated, read_name, reads

from .slips import POSSIBLE, Mutant


def lost_scalars(program: Program) -> Iterator[Mutant]:
    """Yield the mutants in which a scalar input is 0 throughout the backward pass, or 1.

    What the forward pass has kept may hold it still, or be made again without it: each is tried.
    """
    for scalar in (v for v in program.kind("input") if not v.shape):
        near = _reading(program, {scalar.name})
        far = _reading(program, near)
        for value in (S.Zero, S.One):
            for levels in ((), (near,), (far, near)):
                changed = [e.with_rhs(_lost(e.rhs, scalar, near, levels, value)) for e in program.backward]
                changed = [new for new, e in zip(changed, program.backward, strict=True) if new.rhs != e.rhs]
                if changed and all(e.rhs.is_finite is not False for e in changed):
                    words = f"{scalar.name} is taken to be {value} on the way back"
                    yield Mutant(changed[0].name, tuple(changed), words, "lost", POSSIBLE)


def _reading(program, names) -> dict[str, Equation]:
    """Return the forward equations, sums aside, that read some variables."""
    return {e.name: e for e in program.forward
            if reads(e.rhs, names) and not has_binder(e.rhs) and e.name != program.loss and e.free == e.indices}


def _lost(rhs: Expr, scalar, near, levels, value) -> Expr:
    if not reads(rhs, {scalar.name, *near}):
        return rhs
    for lines in levels:
        for read in reads(rhs, lines):
            line = lines[read_name(read)]
            here = dict(zip(line.indices, getattr(read, "indices", ()), strict=True))
            rhs = rhs.xreplace({read: instantiated(line.rhs, here)})
    return rhs.xreplace({scalar.base: value})
