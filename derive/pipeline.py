"""The way of a program through `derive`: recognised, differentiated, simplified."""

from .program import Program
from .rule import backward
from .simplify import simplified, tidied
from .textbook import recognised


def differentiated(program: Program) -> Program:
    """Return the forward and adjoint equations of a forward program, a term for each reader of a variable."""
    return backward(tidied(recognised(program)))


def derived(program: Program) -> Program:
    """Return the forward and adjoint equations of a forward program, in their simplest form."""
    return simplified(differentiated(program))
