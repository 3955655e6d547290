"""Right backward equations on a wrong value of the forward pass, as where it is computed anew for them.

The mistake then is in all gradients that read it, not in those of the parameters alone that it is computed from.
"""

from collections.abc import Iterator
from dataclasses import replace

from derive.program import Program

from .mutants import Mutator
from .slips import FARFETCHED, POSSIBLE, Mutant

KINDS = ("term", "factor", "sign", "scale", "mean", "power", "mask", "lost")


def mistaken_values(program: Program, mutator: Mutator) -> Iterator[Mutant]:
    """Yield the mutants of forward equations, the loss's aside, with the backward ones as they are."""
    for line in program.forward:
        if line.name != program.loss and not line.implicit:
            for mutant in mutator.of(line):
                if mutant.kind in KINDS and mutant.rank <= POSSIBLE:
                    words = f"{mutant.words} in the value that the gradients are computed from"
                    yield replace(mutant, words=words, kind="anew", rank=FARFETCHED)
