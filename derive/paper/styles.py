"""What a style of setting formulas can do. `latex` is for paper, `text` for the terminal and for docstrings."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from .names import TANGENT_OF, Names
from .pieces import ADD, ADJOINT, BIG, FUNCTION, HADAMARD, READ, TANGENT, TIMES, Piece, Term

Range = str | tuple[str, str, str]  # an index over its whole axis, or j <= i; or its name, its first and its last value


class Style(ABC):
    """The verbs of setting formulas: each takes pieces and returns one."""

    break_mark = ""                 # where a long formula may be broken
    transpose_mark = ""             # what every transpose in a piece is seen by
    reaches_over_sums = False       # does the body of a sum extend over what is added after it?

    def __init__(self, names: Names):
        self.names, self.notation = names, names.notation

    @property
    def in_columns(self) -> bool:
        """Whether the examples of a batch are columns: each matrix is the transpose of the array in the code."""
        return self.notation.batch == "columns"

    def rank(self, name: str) -> int:
        """Return where a variable stands in a product."""
        return TANGENT if name.startswith(TANGENT_OF) else ADJOINT if self.names.is_adjoint(name) else READ

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

    def negated(self, piece: Piece) -> Piece:
        """Return a piece with a minus sign."""
        return self.add([Term(True, piece)])

    def scaled(self, coefficient: Piece, x: Piece) -> Piece:
        """Put a coefficient before a product of any kind."""
        if x.level == HADAMARD:
            return x.but(text=f"{coefficient.text} {x.text}")
        return self.times([coefficient, x])

    # ---- names and numbers

    @abstractmethod
    def variable(self, name: str) -> Piece:
        """Return the symbol of a whole variable."""

    @abstractmethod
    def entry(self, name: str, indices: Sequence[Piece]) -> Piece:
        """Return one entry of a variable."""

    @abstractmethod
    def position(self, x: Piece) -> Piece:
        """Return an expression as the position of a read."""

    @abstractmethod
    def index(self, name: str) -> Piece:
        """Return the symbol of an index."""

    @abstractmethod
    def size(self, name: str) -> Piece:
        """Return the symbol of a size."""

    @abstractmethod
    def constant(self, name: str) -> Piece:
        """Return "pi", "e" or "inf"."""

    @abstractmethod
    def number(self, digits: str) -> Piece:
        """Return a number without a sign, given as Python writes it: 3, 0.5, 1e-5."""

    # ---- joining

    @abstractmethod
    def enclosed(self, piece: Piece) -> str:
        """Return a piece's text in parentheses."""

    @abstractmethod
    def times(self, factors: Sequence[Piece]) -> Piece:
        """Join matrices, or a coefficient and what it multiplies."""

    @abstractmethod
    def scalar_times(self, factors: Sequence[Piece]) -> Piece:
        """Join scalars."""

    @abstractmethod
    def hadamard(self, factors: Sequence[Piece]) -> Piece:
        """Join arrays elementwise."""

    @abstractmethod
    def divided(self, top: Piece, bottom: Piece) -> Piece:
        """Return an elementwise quotient of arrays."""

    @abstractmethod
    def fraction(self, top: Piece, bottom: Piece, small: bool = False) -> Piece:
        """Return a quotient of scalars; a small one for coefficients."""

    @abstractmethod
    def solidus(self, top: Piece, bottom: Piece) -> Piece:
        """Return a quotient in one line."""

    @abstractmethod
    def power(self, base: Piece, exponent: Piece) -> Piece:
        """Return a power."""

    # ---- functions

    @abstractmethod
    def root(self, x: Piece) -> Piece:
        """Return a square root."""

    @abstractmethod
    def exponential(self, x: Piece) -> Piece:
        """Return e to the x."""

    @abstractmethod
    def call(self, name: str, args: Sequence[Piece]) -> Piece:
        """Return a function of its arguments."""

    @abstractmethod
    def prefix(self, name: str, x: Piece) -> Piece:
        """Return a function written before its argument: log sum_c ..., log p."""

    @abstractmethod
    def absolute(self, x: Piece) -> Piece:
        """Return |x|."""

    @abstractmethod
    def floor(self, x: Piece, word: str = "floor") -> Piece:
        """Return x rounded down, or up for the word "ceil"."""

    # ---- binders, brackets, cases

    @abstractmethod
    def total(self, word: str, ranges: Sequence[Range], body: Piece) -> Piece:
        """Return a "sum", "max" or "argmax" over indices."""

    @abstractmethod
    def relation(self, symbol: str, left: Piece, right: Piece, *more: tuple[str, Piece]) -> Piece:
        """Return a comparison: left symbol right, and so on."""

    @abstractmethod
    def logic(self, word: str, conditions: Sequence[Piece]) -> Piece:
        """Return conditions joined by "and" or "or", or "not" one of them."""

    @abstractmethod
    def bracket(self, condition: Piece) -> Piece:
        """Return [condition]: 1 where it holds, 0 elsewhere."""

    @abstractmethod
    def fits_in_cases(self, branches: Sequence[tuple[Piece, Piece | None]]) -> bool:
        """Tell whether a choice is narrow enough to be written as cases."""

    @abstractmethod
    def cases(self, branches: Sequence[tuple[Piece, Piece | None]]) -> Piece:
        """Return a choice by conditions; None is `otherwise`."""

    # ---- matrices

    @abstractmethod
    def transposed(self, x: Piece) -> Piece:
        """Return the transpose."""

    @abstractmethod
    def ones(self, size: Piece) -> Piece:
        """Return the column of ones."""

    @abstractmethod
    def identity(self, size: Piece) -> Piece:
        """Return the identity matrix."""

    @property
    def symbol_of_identity(self) -> str:
        """What the identity matrix is called, which nothing else is."""
        return self.names.unused("I", r"\mathbb I")

    @abstractmethod
    def inner(self, x: Piece, y: Piece) -> Piece:
        """Return the inner product."""

    def diagonal(self, x: Piece) -> Piece:
        """Return the diagonal matrix of a vector."""
        return self.call("diag", [x])
