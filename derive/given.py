"""What a user hands over, as definitions have it."""

from dataclasses import replace

import sympy
from sympy import Expr

from .binders import Product
from .conversion import symbolic
from .errors import DefinitionError


def as_tuple(over) -> tuple:
    """Return one index, or a sequence of them, as a tuple."""
    return tuple(over) if isinstance(over, tuple | list) else (over,)


def sympified(value, name):
    """Return what defines a variable as a SymPy expression with real values; raise DefinitionError for another."""
    try:
        value = symbolic(value)
    except DefinitionError:
        kind = type(value).__name__
        raise DefinitionError(f"{name} is defined as a {kind}; expected a SymPy expression or an array") from None
    if isinstance(value, Expr):
        value = value.replace(sympy.Product, Product)
        value = value.xreplace({sympy.Float(number): sympy.Integer(number) for number in (1, -1)})      # no 1.0 x
    if not isinstance(value, Expr) or value.is_Matrix:
        raise DefinitionError(f"{name} is defined as {value}; expected a SymPy expression with real values")
    return value


def renamed(variable, indices):
    """Return a variable whose axes have the names of the given indices."""
    return replace(variable, index_names=tuple(i.name for i in indices))
