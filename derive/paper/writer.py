"""From equations to pieces: matrix notation where an equation has it, index notation elsewhere or when asked for."""

from dataclasses import dataclass

from sympy import Expr, Idx, Indexed, S, Sum, exp

from ..binders import has_binder, is_binder
from ..errors import DerivationError
from ..forms import Node, Reduction, form
from ..program import Equation
from ..terms import bottom_up, free_indices, like, read_name, reads, rename
from .latex import Latex
from .matrices import Matrices, NotMatrix
from .names import Names
from .pieces import Piece
from .scalars import Scalars
from .sheet import Sheet, is_label_bracket, pseudo_array
from .styles import Style

NOTATIONS = ("matrix", "index")


@dataclass(frozen=True)
class StandIn:
    """A symbol that stands for an expression: class probabilities, one-hot labels."""

    read: Expr
    top: Expr
    bottom: Expr = S.One


class Writer:
    """Writes the equations of one sheet in one style and notation; remembers the symbols that it introduced."""

    def __init__(self, sheet: Sheet, style: type[Style], notation: str = "matrix"):
        if notation not in NOTATIONS:
            raise DerivationError(f"the notation {notation!r} is not known; expected one of {', '.join(NOTATIONS)}")
        self.sheet, self.notation = sheet, notation
        self.names = Names(sheet.program, {f"d{n}": n for n in sheet.active})
        self.style = style(self.names)
        self.stand_ins: dict[str, StandIn] = {}
        self.used: dict[str, StandIn] = {}
        self._outer: set[str] = set()

    # ---- equations

    def equation(self, equation: Equation, reverse: bool = False) -> tuple[Piece, Piece]:
        """Return the two sides of an equation; in the reverse pass P stands for a softmax and Y for labels."""
        self._outer = {i.name for i in equation.free}
        return self._as_matrices(equation, reverse) or self._with_indices(equation, reverse)

    def expression(self, expr: Expr, indices: tuple = ()) -> Piece:
        """Return an expression in index notation."""
        return Scalars(self.style, indices).piece(self._prepared(expr, False, False))

    def _as_matrices(self, equation, reverse):
        if self.notation == "index" or not _fits(equation):
            return None
        rhs = self._prepared(equation.rhs, reverse, True)
        if not any(isinstance(side, Indexed) or side.has(Indexed) for side in (equation.lhs, rhs)):
            return None
        printer = Matrices(self.style)
        try:
            node = form(rhs, equation.indices)
            if not equation.indices and self._is_total(node, equation):
                return None
            scalar = equation.indices and not node.axes and rhs != 0
            piece = printer.repeated(node, equation.indices) if scalar else printer.piece(node)
        except (NotMatrix, ValueError):
            return None
        self._remember(rhs)
        return self.style.variable(equation.name), piece

    def _is_total(self, node, equation):
        """Tell whether a scalar of the forward pass is a sum over an index: those are written out."""
        variable = self.sheet.program.variables.get(equation.name)
        return variable is not None and variable.primal is None and _reduces(node)

    def _with_indices(self, equation, reverse):
        rhs = self._prepared(equation.rhs, reverse, False)
        self._remember(rhs)
        printer = Scalars(self.style, equation.free)
        return printer.piece(equation.lhs), printer.piece(rhs)

    # ---- what stands for what

    def _prepared(self, expr, reverse, matrix):
        """Return an expression with the reads that are written: softmax, one-hot labels, [Z > 0] for [relu(Z) > 0]."""
        def change(term):
            found = self.sheet.softmax_of(term)
            if found:
                return self._softmax(*found, reverse, matrix)
            return self._one_hot(term) if matrix and is_label_bracket(term) else term
        expr = bottom_up(self.sheet.through_relu(expr), change)
        return self._calm(self.sheet.inlined(expr, self.sheet.hidden))

    def _calm(self, expr, taken=None):
        """Give bound indices the first free name of their kind: h' rather than h''."""
        if not has_binder(expr):
            return expr
        taken = {i.name for i in free_indices(expr)} | self._outer if taken is None else taken
        if is_binder(expr):
            changes, names = {}, set(taken)
            for index, *_ in expr.limits:
                changes[index] = self._calmer(index, names)
                names.add(changes[index].name)
            return expr.func(self._calm(rename(expr.function, changes), names), *(rename(lim, changes) for lim in expr.limits))
        args = [self._calm(a, taken) for a in expr.args]
        return expr if all(a is b for a, b in zip(args, expr.args, strict=True)) else expr.func(*args)

    def _calmer(self, index, taken):
        stem = index.name.rstrip("0123456789")
        if stem == index.name or (index.upper + 1,) != self.names.ranges.get(stem):
            return index
        return next(like(index, n) for n in (stem, *(f"{stem}{k}" for k in range(2, len(taken) + 3))) if n not in taken)

    def _softmax(self, name, lse, exponent, reverse, matrix):
        plain = isinstance(exponent, Indexed) and exponent == lse.function.xreplace({lse.limits[0][0]: exponent.indices[-1]})
        latex = isinstance(self.style, Latex)
        if not (plain or latex) or (not reverse and not (plain and (matrix or not latex))):
            return exp(exponent) / self._apart(lse, exponent)
        indices = _order(exponent)
        key = f"softmax {name}" if reverse or not latex else f"softmax of {name}"
        if key not in self.stand_ins:
            self.names.introduce(key, *self._softmax_symbols(name, exponent, reverse))
        read = pseudo_array(key, indices)
        self.stand_ins.setdefault(key, StandIn(read, exp(exponent), self._apart(lse, exponent)))
        return read

    def _apart(self, lse, exponent):
        """Return the sum of the exponentials over an index that stands apart from those of the exponent."""
        [(index, low, high)] = lse.limits
        letters = [c for c in "kjilm" if c not in self.names.ranges and c not in self.names.used_letters]
        taken = {i.name for i in free_indices(exponent)}
        name = next(n for n in (*letters, *(f"{index.name}{k}" for k in range(2, 9))) if n not in taken)
        other = like(index, name)
        return Sum(exp(lse.function.xreplace({index: other})), (other, low, high))

    def _softmax_symbols(self, name, exponent, reverse):
        of = read_name(exponent) or name.removeprefix("lse_")
        if not reverse:
            return rf"\operatorname{{softmax}}({self.names.variable(of)})", f"softmax({of})"
        alone = len(self.sheet.hidden) == 1
        ways = ["P", "Q", r"\hat P", r"\hat Q"] if alone else [f"P_{{{self.names.variable(of)}}}"]
        return self.names.unused(*ways), f"softmax({of})"

    def _one_hot(self, bracket):
        labels = next(a for a in bracket.args if a.is_Indexed)
        index = next(a for a in bracket.args if isinstance(a, Idx))
        name = labels.base.name
        key = f"one-hot {name} {index.upper}"
        if key not in self.stand_ins:
            ways = [name.upper()] if len(name) == 1 and name.islower() else []
            self.names.introduce(key, self.names.unused(*ways, "Y", r"\hat Y", "E"), f"onehot({name})")
        read = pseudo_array(key, (*labels.indices, index))
        self.stand_ins.setdefault(key, StandIn(read, bracket))
        return read

    def _remember(self, expr):
        for read in reads(expr, self.stand_ins):
            self.used.setdefault(read_name(read), self.stand_ins[read_name(read)])

    # ---- whole lines

    def sides(self, equation: Equation, reverse: bool = False) -> tuple[str, str]:
        """Return the texts of the two sides."""
        left, right = self.equation(equation, reverse)
        return left.text, right.text


def _order(exponent):
    whole = [r for r in exponent.atoms(Indexed) if set(free_indices(r)) == set(free_indices(exponent))]
    whole.sort(key=str)
    return tuple(free_indices(whole[0] if whole else exponent))


def _fits(equation):
    """Tell whether an equation holds for a whole array of at most two axes."""
    return len(equation.indices) <= 2 and all(
        isinstance(i, Idx) and i.lower == 0 for i in equation.indices) and len(set(equation.indices)) == len(equation.indices)


def _reduces(node: Node) -> bool:
    if isinstance(node, Reduction):
        return True
    children = [*getattr(node, "args", ()), *(c for c in (getattr(node, k, None) for k in ("body", "left", "right")) if c)]
    return any(_reduces(c) for c in children if isinstance(c, Node))


