"""The gradients of a program: SymPy's equations, shown in the notation that the network's notes are written in."""

from typing import TYPE_CHECKING

from sympy import Eq, Expr

if TYPE_CHECKING:
    from .program import Program


class Gradient(Eq):
    """An equation like any other of SymPy's, equal to it too; in a notebook it looks as it does in the note."""

    program: "Program | None"

    def __new__(cls, lhs: Expr, rhs: Expr, program: "Program | None" = None) -> "Gradient":
        made = super().__new__(cls, lhs, rhs, evaluate=False)
        made.program = program
        return made

    @property
    def func(self) -> type[Eq]:
        """What is made of its parts is SymPy's own."""
        return Eq

    def __eq__(self, other: object) -> bool:
        return self._plain() == (other._plain() if isinstance(other, Gradient) else other)

    def __hash__(self) -> int:
        return hash(self._plain())

    def _plain(self):
        return Eq(self.lhs, self.rhs, evaluate=False)

    def _repr_latex_(self) -> str:
        """Return the equation as the note has it, SymPy's own form where no program is known."""
        if self.program is None:
            return super()._repr_latex_()
        from .paper.display import gradient_latex

        return gradient_latex(self.program, str(getattr(self.lhs, "base", self.lhs)))
