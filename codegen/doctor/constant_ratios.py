"""Gradients that are so many times what they should be: the equation where the number was lost, or came in."""

from collections.abc import Sequence
from dataclasses import replace

from sympy import Add, Expr, Mul, S

from derive.program import Equation

from .evidence import Evidence
from .mutants import Mutator
from .scales import named_ratio, ratios
from .slips import LIKELY, RARE, Mutant

PLAIN = (-1, 2, -2, S.Half, -S.Half)                                # numbers that people lose or add


def multiples(evidence: Evidence, mutator: Mutator, places: Sequence[str]) -> list[Mutant]:
    """Return mutants that have an equation times what the code's gradients are of ours.

    The equations that have a number which is missing come first.
    """
    found: dict[Expr, str] = {}
    for name in evidence.wrong():
        numbers = ratios(evidence, name)
        named = numbers and named_ratio(mutator.program, [s.point for s in evidence.seen], numbers, evidence.exact)
        if named:
            found.setdefault(*named)
    lines = {e.name: e for e in mutator.program.backward}
    made = []
    for expr in sorted(found, key=lambda e: e.count_ops()):
        lost = [n for n in places if _has_factor(lines[n], 1 / expr)]
        told = [*((n, f"the factor {1 / expr} is missing") for n in lost),
                *((n, found[expr]) for n in places if n not in lost)]
        kind = "sign" if expr == -1 else "mean" if expr.free_symbols else "scale"
        made += [replace(mutator.scaled(lines[n], expr, words, _likely(expr)), kind=kind) for n, words in told]
    sources = mutator.sources
    return [*made, *(sources.mutant(expr) for expr in found if sources and not evidence.made)]


def _has_factor(line: Equation, number: Expr) -> bool:
    """Tell whether a number stands in an equation, in all terms."""
    return bool(number.is_number) and number != -1 and all(
        {number, -number} & set(Mul.make_args(t)) for t in Add.make_args(line.rhs))


def _likely(ratio: Expr) -> int:
    """Return how likely it is that a gradient is so many times what it should be: by N, by 2, or by any number."""
    return LIKELY if ratio.free_symbols or ratio in PLAIN else RARE
