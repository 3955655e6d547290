"""The conventions at kinks that a program touches, told once each."""

from sympy import Abs, sign

from .program import Program
from .terms import subterms

KINKS_OF_SYMPY = {Abs: "sign(0) = 0 for |x|", sign: "sign(0) = 0 for |x|"}


def conventions(program: Program) -> list[str]:
    """Return a sentence for each kink in the program's equations, in order of appearance."""
    found = {}
    for e in program.equations:
        for term in subterms(e.rhs):
            told = getattr(type(term), "kink", None) or KINKS_OF_SYMPY.get(type(term))
            if told:
                found.setdefault(told)
    return list(found)
