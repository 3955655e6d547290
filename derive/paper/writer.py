"""From equations to pieces: matrix notation where an equation has it, index notation elsewhere or when asked for."""

from sympy import Expr, Idx, Indexed, Symbol

from ..binders import is_binder
from ..forms import form
from ..implicit import sides
from ..notations import Notation
from ..program import Equation
from ..terms import read_name, subterms
from ..triangles import as_read
from .latex import Latex
from .matrices import Matrices
from .names import TANGENT_OF, Names
from .nodes import reduces
from .pieces import Piece
from .scalars import Scalars
from .sheet import Sheet
from .standins import StandIns
from .styles import Style


class Writer:
    """Writes the equations of one sheet in one style and notation; `stand_ins` are the symbols that it introduced."""

    def __init__(self, sheet: Sheet, style: type[Style], notation: str | Notation = "matrix"):
        notation = notation if isinstance(notation, Notation) else Notation(form=notation)
        self.sheet, self.notation = sheet, notation.form
        self.names = Names(sheet.program, {f"d{n}": n for n in sheet.active}, notation)
        self.style = style(self.names)
        self.stand_ins = StandIns(sheet, self.names, on_paper=style is Latex)
        states = [n for n, v in sheet.program.variables.items() if v.state]
        self._states = {name for n in states for name in (n, f"{TANGENT_OF}{n}")}

    def equation(self, equation: Equation, reverse: bool = False) -> tuple[Piece, Piece]:
        """Return the two sides of an equation; in the reverse pass P stands for a softmax and Y for labels.

        Raises
        ------
        DerivationError
            An expression has no notation; the message names it.
        """
        if equation.implicit:
            return self._as_a_system(equation, reverse)
        return self._as_matrices(equation, reverse) or self._with_indices(equation, reverse)

    def _as_a_system(self, equation, reverse):
        """Return the sides of an equation that defines an unknown: what has the unknown on the left, all else right."""
        left, right = (Equation(equation.lhs, side) for side in sides(as_read(equation, self.sheet.program.variables)))
        both = [self._as_matrices(e, reverse) for e in (left, right)]
        if not all(both):
            both = [self._with_indices(e, reverse) for e in (left, right)]
        return both[0][1], both[1][1]

    def sides(self, equation: Equation, reverse: bool = False) -> tuple[str, str]:
        """Return the texts of the two sides."""
        left, right = self.equation(equation, reverse)
        return left.text, right.text

    def step(self, left: Expr, right: Expr, whole: bool = True, implicit: bool = False) -> tuple[Piece, Piece]:
        """Return the two sides of a step on the way back; of one that is not `whole`, in index notation.

        A left-hand side that is no read is a scalar, and is written as a right-hand side is.
        """
        if isinstance(left, Indexed | Symbol):
            equation = Equation(left, right, implicit)
            return self.equation(equation, True) if whole else self._with_indices(equation, True)
        scalars = [Equation(Symbol("scalar", real=True), side) for side in (left, right)]
        a, b = (self.equation(e, True)[1] if whole else self._with_indices(e, True)[1] for e in scalars)
        return a, b

    def expression(self, expr: Expr) -> Piece:
        """Return an expression in index notation."""
        return Scalars(self.style).piece(self.stand_ins.put(expr, False, False, set()))

    def _as_matrices(self, equation, reverse):
        """Return the sides in matrix notation, None where the equation has none."""
        if self.notation == "index" or not _is_whole(equation):
            return None
        rhs = self._put(equation, reverse, matrix=True)
        if not self._has_matrix_parts(rhs, equation):
            return None
        try:
            node = form(rhs, equation.indices)
            if self._is_written_out(node, equation):
                return None
            printer = Matrices(self.style)
            constant = equation.indices and not node.axes and rhs != 0
            piece = printer.repeated(node, equation.indices) if constant else printer.piece(node)
        except ValueError:                      # no array form, or one of more than two axes
            return None
        self.stand_ins.remember(rhs)
        return self.style.variable(equation.name), piece

    def _has_matrix_parts(self, rhs, equation):
        """Tell whether all reads are of whole arrays (no state without its row -1), all sums over whole axes."""
        if self._states and any(read_name(t) in self._states for side in (equation.lhs, rhs) for t in subterms(side)):
            return False
        whole = all((limit[1], limit[2]) == (limit[0].lower, limit[0].upper)
                    for t in subterms(rhs) if is_binder(t) for limit in t.limits)
        return whole and bool(equation.indices or rhs.has(Indexed))

    def _with_indices(self, equation, reverse):
        rhs = self._put(equation, reverse, matrix=False)
        self.stand_ins.remember(rhs)
        printer = Scalars(self.style, equation.free)
        return printer.piece(equation.lhs), printer.piece(rhs)

    def _put(self, equation, reverse, matrix):
        return self.stand_ins.put(equation.rhs, reverse, matrix, {i.name for i in equation.free})

    def _is_written_out(self, node, equation):
        """Tell whether a scalar of the forward pass is a sum over an index: those are written with the index."""
        variable = self.sheet.program.variables.get(equation.name)
        return not equation.indices and variable is not None and variable.primal is None and reduces(node)


def _is_whole(equation):
    """Tell whether an equation holds for a whole array of at most two axes."""
    plain = all(isinstance(i, Idx) and i.lower == 0 for i in equation.indices)
    return plain and len(equation.indices) <= 2 and len(set(equation.indices)) == len(equation.indices)
