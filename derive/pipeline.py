"""The way of a program through `derive`: recognised, differentiated, simplified."""

from collections.abc import Collection

from .consequences import with_assumptions
from .masked_exponentials import with_masked_exponentials
from .program import Program
from .rule import backward
from .simplify import simplified, tidied
from .textbook import recognised


def differentiated(program: Program, kept: Collection[str] = ()) -> Program:
    """Return the forward and adjoint equations of a forward program, a term for each reader of a variable.

    What reads a variable that is `kept` goes on reading it: log(p[n]) is not taken for what p is made of.
    """
    return backward(tidied(with_masked_exponentials(recognised(program, kept))))


def derived(program: Program, kept: Collection[str] = ()) -> Program:
    """Return the forward and adjoint equations of a forward program, in their simplest form."""
    return simplified(differentiated(program, kept))


def finished(program: Program) -> Program:
    """Return a derived program, shortened by what is assumed of parameters too: it is not differentiated again."""
    shorter = with_assumptions(program, tidied, of_parameters=True)
    return simplified(shorter) if shorter.since != program.since else program
