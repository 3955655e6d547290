"""What a hypothesis is: an equation in the place of another, what the mistake is called, and how likely it is."""

from dataclasses import dataclass

from sympy import Expr

from derive.program import Equation, Program

LIKELY, POSSIBLE, RARE, FARFETCHED = 1, 2, 3, 4


@dataclass(frozen=True)
class Mutant:
    """One hypothesis: an equation in place of another, and what the mistake is called.

    `kind` is the class of the mistake, `rank` how far-fetched it is; `square` tells that it only makes sense where
    sizes are alike. `throughout` is the number that all gradients are multiplied by, where that is the mistake.
    """

    name: str
    equations: tuple[Equation, ...]
    words: str
    kind: str
    rank: int
    square: bool = False
    throughout: Expr | None = None


@dataclass(frozen=True)
class Found:
    """A changed expression, and what was changed in it."""

    expr: Expr
    words: str
    kind: str
    rank: int
    square: bool = False


def instead(program: Program, equation: Equation, rhs: Expr) -> tuple[Equation, ...]:
    """Return the equations of a variable with another right-hand side of one of them."""
    return *(e for e in program.defining(equation.name) if e.lhs != equation.lhs), equation.with_rhs(rhs)
