"""What a user hands over, as SymPy has it. Text is refused: SymPy would evaluate it as Python."""

from sympy import Basic, sympify

from .errors import DefinitionError


def symbolic(value: object) -> Basic:
    """Return a number, an expression or an array as SymPy has it.

    Raises
    ------
    DefinitionError
        Text, which is never evaluated, or an object that SymPy does not know.
    """
    try:
        return sympify(value, strict=True)
    except Exception:       # an object's own conversion may raise anything
        shown = f"the text {value[:40]!r}" if isinstance(value, str) else f"a {type(value).__name__}"
        raise DefinitionError(f"{shown} stands where an expression is needed; expected an array, a SymPy expression "
                              "or a number") from None
