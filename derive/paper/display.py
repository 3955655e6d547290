r"""Derivations as notebooks and web pages show them: MathJax's LaTeX between dollars, equations numbered in place.

What a note's `align` numbers, and `\eqref` refers to, has its number written out here: `(3)`.
"""

import re

from sympy import Expr, Idx, Indexed, Symbol

from ..program import Equation, Program, Variable
from ..terms import subterms
from .composing import composed
from .displays import display
from .document import Display
from .latex import Latex, plain
from .names import Names
from .scalars import Scalars
from .sheet import name_of

SECTIONS = ("forward", "backward", "gradients", "gradient")
LABEL = re.compile(r"\s*\\label\{([^}]*)\}")
REFERENCE = re.compile(r"\\eqref\{([^}]*)\}")
ADJOINT = re.compile(r"d[A-Z]\w*|d[a-z]\d*")
NOISE = re.compile(r"\\(begin|end)group(\\allowdisplaybreaks)?\n?|\s*\\notag")


def sections(program: Program, notation: str = "matrix") -> list[tuple[str, str]]:
    """Return (heading, formula) of a program: its forward equations, the way back, and the gradients.

    Raises
    ------
    DerivationError
        A notation other than "matrix" and "index", or an expression without a notation.
    """
    document = composed(program, program.notation.but(form=notation))
    found = [(s.heading, [line for b in s.blocks if isinstance(b, Display) for line in display(b)])
             for s in document.sections if s.key in SECTIONS]
    numbers = {label: str(k) for k, label in enumerate(LABEL.findall("\n".join(found[0][1])), 1)}
    headings = ["".join(getattr(span, "text", "") for span in heading) for heading, _ in found]
    return [(h, displayed("\n".join(lines), numbers)) for h, (_, lines) in zip(headings, found, strict=True)]


def displayed(tex: str, numbers: dict[str, str]) -> str:
    """Return an `align` as an `aligned`, which stands in a formula, with the numbers of its equations written out."""
    tex = LABEL.sub(lambda m: rf" &&({numbers[m[1]]})", NOISE.sub("", tex))
    tex = REFERENCE.sub(lambda m: f"({numbers[m[1]]})", tex)
    return re.sub(r"\\(begin|end)\{align\*?\}", r"\\\1{aligned}", tex)


def markdown(program: Program, notation: str = "matrix") -> str:
    """Return the equations of a program as Markdown with formulas between dollars."""
    return "\n\n".join(f"**{heading}**\n\n$$\n{formula}\n$$" for heading, formula in sections(program, notation))


def latex(program: Program, notation: str = "matrix") -> str:
    """Return the equations of a program as one displayed formula after another."""
    return "\n".join(f"$$\n{formula}\n$$" for _, formula in sections(program, notation))


def network_markdown(title: str, program: Program | None) -> str:
    """Return a network's title and, once it has a loss, its forward equations as Markdown."""
    if program is None:
        return f"**{title}** has no loss yet"
    _, formula = sections(program)[0]
    return f"**{title}**\n\n$$\n{formula}\n$$"


def equation_latex(equation: Equation) -> str:
    """Return one equation in index notation; `dV` is written as the adjoint of V, for which networks keep the name."""
    found = [t for side in (equation.lhs, equation.rhs) for t in subterms(side) if is_variable(t)]
    variables = {name_of(t): Variable(name_of(t), getattr(t, "base", t), getattr(t, "shape", ())) for t in found}
    adjoints = {n: n[1:] for n in variables if ADJOINT.fullmatch(n)}
    program = Program("equation", "", variables, (equation,))
    style = Latex(Names(program, adjoints))
    left, right = (Scalars(style, equation.free).piece(side) for side in (equation.lhs, equation.rhs))
    return f"$$\n{plain(left.text)} = {plain(right.text)}\n$$"


def is_variable(term: Expr) -> bool:
    """Tell whether a term reads a variable, not a size or an index."""
    return isinstance(term, Indexed) or (isinstance(term, Symbol) and not isinstance(term, Idx) and not term.is_integer)
