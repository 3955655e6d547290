"""The way of a program through `derive`: recognised, differentiated, simplified."""

from .program import Program
from .rule import backward
from .simplify import simplified, tidied
from .textbook import recognised


def derived(program: Program) -> Program:
    """Return the forward and adjoint equations of a forward program, in their simplest form."""
    return simplified(backward(tidied(recognised(program))))
