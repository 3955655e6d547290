"""What a user hands over, as SymPy has it. Text is refused: SymPy would evaluate it as Python."""

import sympy
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
        shown = f"the text {value[:40]!r}" if isinstance(value, str) else f"a value of type {type(value).__name__}"
        raise DefinitionError(f"{shown} stands where an expression is needed; expected an array, a SymPy expression "
                              f"or a number{_remedy(value)}") from None


def _remedy(value):
    if hasattr(value, "__array__"):
        return "; arrays of numbers are handed over later: declare it by net.input(...)"
    own = next((name for name in sympy.__all__ if getattr(sympy, name, None) is value), None)
    if own:
        return f"; {own} is SymPy's own, until you declare or define it"
    if callable(value) and hasattr(value, "__name__"):
        return f"; a function is written with what it is of, {value.__name__}(Z)"
    return ""
