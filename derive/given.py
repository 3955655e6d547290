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
        value = value.xreplace({f: _decimal(f) for f in value.atoms(sympy.Float)})
    if not isinstance(value, Expr) or value.is_Matrix:
        raise DefinitionError(f"{name} is defined as {value}; expected a SymPy expression with real values")
    return value


def _decimal(number):
    """Return a float as the decimal fraction that it is written as: three times 0.1 is 0.3, and 1.0 x is x."""
    return sympy.Rational(repr(float(number)) if number._prec <= 53 else str(number))


def renamed(variable, indices):
    """Return a variable whose axes have the names of the given indices."""
    return replace(variable, index_names=tuple(i.name for i in indices))
