"""What a style of setting formulas can do; `latex` and `text` are the two there are."""

from collections.abc import Sequence

from .names import TANGENT_OF, Names
from .pieces import ADD, ADJOINT, BIG, FUNCTION, HADAMARD, READ, TANGENT, TIMES, Piece, Term


class Style:
    """What the two styles share: parentheses by level, signs, and where a variable stands in a product."""

    break_mark = ""                 # where a long formula may be broken
    reaches_over_sums = False       # does the body of a sum extend over what is added after it?

    def __init__(self, names: Names):
        self.names = names

    def rank(self, name: str) -> int:
        """Return where a variable stands in a product."""
        return TANGENT if name.startswith(TANGENT_OF) else ADJOINT if self.names.is_adjoint(name) else READ

    def enclosed(self, piece: Piece) -> str:
        """Return a piece's text in parentheses."""
        raise NotImplementedError

    def inside(self, piece: Piece, level: int, last: bool = True) -> str:
        """Return a piece's text, in parentheses where it binds less tightly than `level` or reaches too far."""
        if piece.level == BIG and level in (HADAMARD, TIMES):
            return piece.text if last else self.enclosed(piece)
        return piece.text if piece.level >= level else self.enclosed(piece)

    def add(self, terms: Sequence[Term]) -> Piece:
        """Join summands in the order given."""
        if len(terms) == 1 and not terms[0].negative:
            return terms[0].piece
        text = ""
        for k, term in enumerate(terms):
            ends = k == len(terms) - 1 or not self.reaches_over_sums
            body = self.inside(term.piece, HADAMARD, last=ends)
            sign = "-" if term.negative else "+"
            text += f"{self.break_mark} {sign} {body}" if k else f"-{body}" if term.negative else body
        return Piece(text, ADD, FUNCTION, deep=any(t.piece.deep for t in terms))
