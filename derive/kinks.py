"""The conventions at kinks that a program touches, told once each."""

from sympy import Abs, Mod, S, sign

from .binders import LogSumExp
from .program import Program
from .terms import holds, reads, subterms

KINKS_OF_SYMPY = {
    Abs: "sign(0) = 0 for |x|", sign: "sign(0) = 0 for |x|", Mod: "a remainder has its slope where it jumps, too",
}


def conventions(program: Program) -> list[str]:
    """Return a sentence for each kink in the program's equations, in order of appearance."""
    found: dict[str, None] = {}
    masked = {e.name for e in program.equations if holds(e.rhs, type(S.NegativeInfinity))}
    for e in program.equations:
        if isinstance(e.rhs, LogSumExp) and (e.name in masked or reads(e.rhs, masked)):
            found.setdefault("a softmax whose terms are all masked is 0")
        for term in subterms(e.rhs):
            told = getattr(type(term), "kink", None) or KINKS_OF_SYMPY.get(type(term))
            if told and not term.args[0].is_integer:
                found.setdefault(told)
    return list(found)
