"""A bracket that closes too late in a sum: (a + b) s for a s + b, as where what is carried stands before a slope."""

from collections.abc import Iterator

from sympy import Add, Expr, Mul, Piecewise

from derive.functions import step
from derive.program import Equation, Program
from derive.terms import free_indices, reads

from .slips import RARE, Mutant, instead
from .wording import Wording


def shared_factors(program: Program, wording: Wording, equation: Equation) -> Iterator[Mutant]:
    """Yield the mutants of a sum in which a factor of one term multiplies another one, or all the others, too."""
    terms, adjoints = Add.make_args(equation.rhs), set(program.adjoints.values())
    for term in terms if len(terms) > 1 else ():
        rest = [t for t in terms if t is not term]
        for factor in _factors(term, program, adjoints):
            if not set(free_indices(factor)) <= set(equation.indices):
                continue
            for some in [[t] for t in rest] + ([rest] if len(rest) > 1 else []):
                whole = Add(*(_times(t, factor) if t in some else t for t in terms))
                told = "all other terms" if len(some) > 1 else wording.term(some[0], equation.rhs)
                verb = "are" if len(some) > 1 else "is"
                words = f"{told} {verb} multiplied by {wording.text(factor)}, a factor of {wording.text(term)} alone"
                yield Mutant(equation.name, instead(program, equation, whole), words, "factor", RARE)


def _factors(term: Expr, program: Program, adjoints: set[str]) -> list[Expr]:
    """Return the factors of a term, or of its only case that is not 0, that are no gradient from above."""
    if isinstance(term, Piecewise):
        cases = [value for value, _ in term.args if value != 0]
        term = cases[0] if len(cases) == 1 else term
    return [f for f in Mul.make_args(term) if term.is_Mul and reads(f, program.variables)
            and not reads(f, adjoints) and not f.has(step)]


def _times(term: Expr, factor: Expr) -> Expr:
    """Return a term times a factor, its only case that is not 0 where it has cases."""
    if isinstance(term, Piecewise):
        return Piecewise(*((value * factor if value != 0 else value, c) for value, c in term.args), evaluate=False)
    return term * factor
