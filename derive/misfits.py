"""What may be meant where arrays do not fit: a new axis, a matrix product, an array in the place of a matrix."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

from sympy import Basic, Expr, Ge, Gt, MatrixBase, MatrixSymbol
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanFunction

from .errors import DefinitionError


@dataclass(frozen=True)
class Side:
    """One of two arrays: its text and shape, whether it may be read in brackets, and the sum that lost its axis."""

    text: str
    shape: tuple[Expr, ...]
    is_read: bool
    reduced: str = ""


def new_axis(sides: Sequence[Side]) -> str:
    """Return how the one of two arrays that has fewer axes gets those of the other, after a semicolon; or ""."""
    less, more = sorted(sides, key=lambda side: len(side.shape))
    missing = len(more.shape) - len(less.shape)
    fits = [k for k in range(missing) if all(s in (1, t) for s, t in zip(less.shape, more.shape[k:], strict=False))]
    if not fits:
        return ""
    if missing == 1 and less.reduced:
        return f"; {less.reduced} keeps its axis by keepdims=True"
    name, told = (less.text, "") if less.is_read else ("A", f', A = net.define("A", {less.text})')
    axes = [":"] * len(less.shape) + ["None"] * (missing - fits[0])
    return f"; {name}[{', '.join(axes)}] has the axes of {more.text}{told}"


def matrix_product(sides: Sequence[Side]) -> str:
    """Return the matrix product that a product of entries may be meant for, after a semicolon; or ""."""
    for left, right in permutations(sides):
        if len(left.shape) == len(right.shape) == 2 and left.shape[1] == right.shape[0]:
            return f"; a matrix product is {left.text} @ {right.text}"
    return ""


def number(factor: object, text: str) -> object:
    """Return a factor of an array; refuse a comparison, which SymPy does not take for 0 or 1.

    Raises
    ------
    DefinitionError
    """
    if not isinstance(factor, Relational | BooleanFunction):
        return factor
    same = isinstance(factor, Gt | Ge) and str(factor.lhs) == text and factor.rhs == 0
    raise DefinitionError(f"({factor})*{text}: a comparison is no number; write "
                          f"{f'relu({text}), or ' if same else ''}Piecewise(({text}, {factor}), (0, True))")


def of_matrices(args: Sequence[Basic]) -> str:
    """Return what to write for a matrix of SymPy's where an array should be, after a semicolon; or ""."""
    found = next((a for a in args if isinstance(a, MatrixBase | MatrixSymbol)), None)
    if found is None:
        return ""
    shape = ", ".join(map(str, found.shape))
    if isinstance(found, MatrixSymbol):
        return (f"; a MatrixSymbol is for matrix algebra, A*X; as an array declare {found} = "
                f'net.input("{found}", {shape})')
    if found.free_symbols:
        return "; a Matrix of entries is written out, X[:, 0] * cos(a) + X[:, 1] * sin(a) for the first column"
    return f'; numbers are handed over later: declare A = net.input("A", {shape}) in the place of the Matrix'
