"""Differences only where a function has a kink or a maximum is attained twice: another convention, or a mistake."""

from collections.abc import Iterator, Sequence
from functools import partial

from sympy import Abs, Expr, sign

from derive.functions import half_step, relu, step
from derive.program import Equation, Program
from derive.terms import instantiated, read_name, reads

from .evidence import Evidence
from .places import ties

Lines = tuple[Equation, ...]


def conventions(program: Program) -> Iterator[tuple[str, bool, Lines]]:
    """Yield other treatments of kinks: words, whether that is a subgradient still, the equations that it changes."""
    masks = [e for e in program.backward if e.rhs.has(step)]
    for value, change in (("1", lambda z: 1 - step(-z)), ("1/2", half_step)):
        words = f"relu'(0) is taken to be {value}"
        changed = [e.with_rhs(_masks(program, e.rhs, change)) for e in masks]
        yield from ((words, True, lines) for lines in _together(changed))
    signs = [e for e in program.backward if e.rhs.has(sign, Abs)]
    for side in (1, -1):
        words = f"|x|'(0) is taken to be {side}"
        changed = [e.with_rhs(e.rhs.replace(sign, partial(_sign, side))) for e in signs]
        yield from ((words, True, lines) for lines in _together(changed))
    for e in program.backward:
        for words, rhs in ties(program, e).items():
            yield words, "share" in words, (e.with_rhs(rhs),)
        counts = [r for r in reads(e.rhs, program.variables) if read_name(r).startswith("ties_")]
        if counts:
            yield ("every entry that attains a maximum gets the whole gradient", False,
                   (e.with_rhs(e.rhs.xreplace(dict.fromkeys(counts, 1))),))


def _sign(at_zero, x):
    return sign(x) + at_zero * (1 - sign(x) ** 2)


def _together(changed: Sequence[Equation]) -> list[Lines]:
    """Return all changed equations together, then each alone."""
    return [tuple(changed), *((e,) for e in changed if len(changed) > 1)] if changed else []


def _masks(program: Program, rhs: Expr, change) -> Expr:
    """Return an expression with its masks changed where they are at their kink: those of relu(z) are masks of z."""
    found = {}
    for mask in rhs.atoms(step):
        z = mask.args[0]
        lines = program.defining(read_name(z)) if read_name(z) else []
        if len(lines) == 1 and isinstance(lines[0].rhs, relu):
            here = dict(zip(lines[0].indices, getattr(z, "indices", ()), strict=True))
            z = instantiated(lines[0].rhs.args[0], here)
        found[mask] = change(z)
    return rhs.xreplace(found)


def at_kinks(program: Program, evidence: Evidence) -> tuple[str, bool, list[str]] | None:
    """Say how the code treats kinks: words, whether that is a subgradient, and the parameters; None where as derived.

    `evidence` is of points with kinks, with the mistakes made that were found elsewhere.
    """
    wrong = evidence.wrong()
    if not wrong:
        return None
    for words, harmless, lines in conventions(program):
        if all(_explains(evidence, k, lines, wrong) for k in range(len(evidence.seen))):
            return words, harmless, wrong
    return "", False, wrong


def _explains(evidence, k, lines, wrong):
    values = evidence.changed(k, lines)
    gradients = evidence.seen[k].point.ours.gradients(values)
    return all(evidence.close(k, n, gradients[n]) for n in evidence.usual)
