"""How networks, programs and equations show themselves in notebooks."""

import re

from sympy import Expr, Idx, Indexed, Symbol

from ..program import Equation, Program, Variable
from ..terms import subterms
from .composing import composed
from .latex import Latex, plain
from .md import Printer, equations
from .names import Names
from .scalars import Scalars
from .sheet import Sheet, name_of
from .writer import Writer

ADJOINT = re.compile(r"d[A-Z]\w*|d[a-z]\d*")


def program_markdown(program: Program) -> str:
    """Return the equations of a program, forward and back, in its notation."""
    return equations(composed(program, program.notation))


def program_latex(program: Program) -> str:
    """Return the same as displayed formulas, one after another."""
    document = composed(program, program.notation)
    return "\n\n".join(map(Printer(document).formulas, document.displays))


def network_markdown(title: str, program: Program | None) -> str:
    """Return a network's title and, once it has a loss, its forward equations."""
    if program is None:
        return f"**{title}** has no loss yet"
    document = composed(program, program.notation)
    return f"**{Printer.free(title)}**\n\n{Printer(document).formulas(document.displays[0])}"


def equation_latex(equation: Equation) -> str:
    """Return one equation in index notation; `dV` is written as the adjoint of V, for which networks keep the name."""
    found = [t for side in (equation.lhs, equation.rhs) for t in subterms(side) if _is_variable(t)]
    variables = {name_of(t): Variable(name_of(t), getattr(t, "base", t), getattr(t, "shape", ())) for t in found}
    adjoints = {n: n[1:] for n in variables if ADJOINT.fullmatch(n)}
    program = Program("equation", "", variables, (equation,))
    style = Latex(Names(program, adjoints))
    left, right = (Scalars(style, equation.free).piece(side) for side in (equation.lhs, equation.rhs))
    return f"$$\n{plain(left.text)} = {plain(right.text)}\n$$"


def gradient_latex(program: Program, adjoint: str) -> str:
    """Return the line of an adjoint in the program's notation."""
    [equation] = program.defining(adjoint)
    left, right = Writer(Sheet(program), Latex, program.notation).sides(equation, True)
    return f"$$\n{plain(left)} = {plain(right)}\n$$"


def _is_variable(term: Expr) -> bool:
    """Tell whether a term reads a variable, not a size or an index."""
    return isinstance(term, Indexed) or (isinstance(term, Symbol) and not isinstance(term, Idx) and not term.is_integer)
