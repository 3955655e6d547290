"""What backward equations add without an adjoint: all that is sent back begins there, and is scaled there."""

from collections.abc import Iterable

from sympy import Add, Expr, S

from derive.program import Equation, Program
from derive.terms import reads

from .scales import words_of
from .slips import LIKELY, Mutant


class Sources:
    """The beginnings of one program's backward pass: with all of them times a number, all gradients are."""

    def __init__(self, program: Program):
        self.adjoints = set(program.adjoints.values())
        names = dict.fromkeys(e.name for e in program.backward if e.name in self.adjoints and self._of(e.rhs) != 0)
        self.names = tuple(names)
        self.equations = tuple(line for name in names for line in program.defining(name))

    def __bool__(self) -> bool:
        """Tell whether it takes more than one equation to scale everything."""
        return len(self.names) > 1

    def scaled(self, equations: Iterable[Equation], factor: Expr) -> tuple[Equation, ...]:
        """Return equations with what begins in them times a factor."""
        return tuple(e.with_rhs(Add(*(self._times(t, factor) for t in Add.make_args(e.rhs)))) for e in equations)

    def mutant(self, factor: Expr) -> Mutant:
        """Return the mutant that has all gradients times a factor."""
        told = "all signs are turned" if factor == -1 else f"{words_of(factor)}, in all that is sent back"
        kind = "sign" if factor == -1 else "mean" if factor.free_symbols else "scale"
        return Mutant(self.names[0], self.scaled(self.equations, factor),
                      f"{told}: it is so in {_listed(self.names[1:])}, too", kind, LIKELY, throughout=factor)

    def _times(self, term: Expr, factor: Expr) -> Expr:
        return term + (factor - 1) * self._of(term) if reads(term, self.adjoints) else factor * term

    def _of(self, rhs: Expr) -> Expr:
        """Return what is left of a right-hand side where no adjoint comes from above."""
        own = reads(rhs, self.adjoints)
        return rhs.xreplace(dict.fromkeys(own, S.Zero)) if own else rhs


def _listed(names):
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
