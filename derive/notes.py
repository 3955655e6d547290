"""The note of a derived program: its derivation as a document, and as LaTeX that stands in lecture notes as it is."""

from .notations import Notation
from .paper.composing import composed
from .paper.document import Document
from .paper.tex import latex
from .program import Program, checked_program


def note(program: Program, notation: str | Notation | None = None, standalone: bool = False, **changes) -> str:
    """Return the LaTeX note of a derived program; `standalone` makes it a document of its own.

    Further arguments change single options of the notation: `note(program, level="every-step", language="ko")`.

    Raises
    ------
    DerivationError
        An option of the notation that is not known, or an expression without a notation.
    """
    return latex(document(program, notation, **changes), standalone)


def document(program: Program, notation: str | Notation | None = None, **changes) -> Document:
    """Return the note as data, for a printer of one's own: sections of sentences, tables and lines of formulas."""
    base = checked_program(program).notation if notation is None else notation
    chosen = program.notation.but(form=base) if isinstance(base, str) else base
    return composed(program, chosen.but(**changes))
