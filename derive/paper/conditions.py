"""Conditions in brackets and cases: comparisons of values, and of indices in the form 0 <= i + p < N."""

from sympy import Add, Expr, S
from sympy.core.relational import Relational
from sympy.logic.boolalg import And, Not, Or

from ..errors import DerivationError
from ..functions import at_zero, half_step
from ..ranges import conjuncts
from ..terms import free_indices
from .constants import is_negative
from .pieces import Piece, Term
from .styles import Style

SYMBOLS = {"Equality": "=", "Unequality": "!=", "StrictGreaterThan": ">", "StrictLessThan": "<", "GreaterThan": ">=",
           "LessThan": "<="}
FLIPPED = {">": "<", "<": ">", ">=": "<=", "<=": ">="}
OPPOSITE = {">": "<=", "<": ">=", ">=": "<", "<=": ">", "=": "!=", "!=": "="}


class Conditions:
    """Prints conditions; `piece` is the printer of what is compared."""

    def __init__(self, style: Style, piece):
        self.style, self.piece = style, piece

    def bracket(self, *conditions) -> Piece:
        """Return [conditions], all of which hold."""
        together = And(*conditions, evaluate=False) if len(conditions) > 1 else conditions[0]
        return self.style.bracket(self.condition(together))

    def condition(self, expr) -> Piece:
        """Return a condition without brackets.

        Raises
        ------
        DerivationError
            The condition is no comparison.
        """
        bounds = self._bounds(expr)
        if bounds:
            return bounds[0] if len(bounds) == 1 else self.style.logic("and", bounds)
        if isinstance(expr, And | Or):
            word = "and" if isinstance(expr, And) else "or"
            return self.style.logic(word, [self.condition(a) for a in sorted(expr.args, key=str)])
        if isinstance(expr, Not):
            return self.style.logic("not", [self.condition(expr.args[0])])
        if not isinstance(expr, Relational):
            raise DerivationError(f"the condition {expr} has no notation; expected comparisons")
        symbol, left, right = _upright(expr)
        return self.style.relation(symbol, self.piece(left), self.piece(right))

    def opposite(self, expr) -> Piece:
        """Return the negation of a condition."""
        if isinstance(expr, Relational) and not self._bounds(expr):
            symbol, left, right = _upright(expr)
            return self.style.relation(OPPOSITE[symbol], self.piece(left), self.piece(right))
        return self.style.logic("not", [self.condition(expr)])

    # ---- bounds of indices

    def _bounds(self, expr):
        """Return conditions on indices, lower and upper bounds of one position joined; [] for other conditions."""
        try:
            rest = conjuncts(expr)
        except ValueError:
            return []
        if not all(e.is_integer for e in rest):
            return []
        pieces = []
        while rest:
            e = rest.pop(0)
            partner = next((o for o in rest if free_indices(e) and not free_indices(e + o)), None)
            if partner is None:
                pieces.append(self._bound(e))
            else:
                rest.remove(partner)
                pieces.append(self._between(*((partner, e) if _is_mostly_negative(e) else (e, partner))))
        return pieces

    def _between(self, lower, upper):
        """Print lower >= 0 and upper >= 0, whose sum is free of indices, as 0 <= lower < lower + upper + 1."""
        high = self.piece((lower + upper + 1).expand())
        return self.style.relation("<=", self.style.number("0"), self.piece(lower), ("<", high))

    def _bound(self, e):
        """Print e >= 0 with the indices apart from the rest: i >= 1, t < T - 1, t >= s."""
        inside = [t for t in Add.make_args(e) if free_indices(t)]
        left = Add(*(t for t in inside if not is_negative(t)))
        right = Add(*(-t for t in inside if is_negative(t)))
        rest = (e - left + right).expand()
        if left == 0:
            return self.style.relation("<", self.piece(right), self.piece((rest + 1).expand()))
        if right != 0 and rest == -1:
            return self.style.relation(">", self.piece(left), self.piece(right))
        return self.style.relation(">=", self.piece(left), self.piece((right - rest).expand()))


def indicator(style: Style, head: type, left: Expr, right: Expr, piece) -> Piece:
    """Return [left > right], [left = right] for at_zero, [left > right] + 1/2 [left = right] for half_step."""
    symbol = "=" if head is at_zero else ">"
    if left.is_number and not right.is_number:
        left, right, symbol = right, left, FLIPPED.get(symbol, symbol)
    bracket = style.bracket(style.relation(symbol, piece(left), piece(right)))
    if head is not half_step:
        return bracket
    half = style.fraction(style.number("1"), style.number("2"), small=True)
    tie = style.bracket(style.relation("=", piece(left), piece(right)))
    return style.add([Term(False, bracket), Term(False, style.scalar_times([half, tie]))])


def sides(x: Expr) -> tuple[Expr, Expr]:
    """Split x so that x > 0 reads left > right: r and 1 for r - 1, 0 where nothing is there."""
    right = Add(*(-t for t in Add.make_args(x) if is_negative(t)))
    left = Add(*(t for t in Add.make_args(x) if not is_negative(t)))
    return (left, right) if left != 0 or not isinstance(x, Add) else (x, S.Zero)


def _is_mostly_negative(e):
    signs = [is_negative(t) for t in Add.make_args(e) if free_indices(t)]
    return 2 * sum(signs) > len(signs)


def _upright(relation):
    """Return (symbol, left, right) with a number on the right."""
    left, right = relation.args
    symbol = SYMBOLS[type(relation).__name__]
    if left.is_number and not right.is_number:
        return FLIPPED.get(symbol, symbol), right, left
    return symbol, left, right
