"""Derivatives of matrix expressions in one call: a network is made of the expression, the one rule does the rest."""

from collections.abc import Iterable

from sympy import Expr, Lambda, MatrixSymbol, Symbol

from .algebra import Algebra
from .errors import DefinitionError
from .network import Network


def matrix_gradient(loss: Expr, by: MatrixSymbol | Symbol, symmetric: Iterable[MatrixSymbol] = ()) -> Expr:
    """Return the gradient of a scalar in SymPy's matrix algebra by a matrix, a column or a scalar, in its shape.

    The matrices `symmetric` are taken to equal their transposes. The entries of `by` are independent of each other all
    the same: for a gradient along symmetric matrices alone, write by as V + V.T - HadamardProduct(V, Identity(N)).

    Raises
    ------
    DefinitionError
        What is no scalar, or has no index notation.
    DerivationError
        A gradient without a form in matrix algebra.
    """
    net, ours = network_of(loss, by)
    for matrix in symmetric:
        net.assume_symmetric(ours[matrix])
    program = net.backward()
    theirs = {new: old for old, new in ours.items() if isinstance(old, Symbol)}
    return Algebra(program).gradient(by.name).xreplace(theirs)


def network_of(loss: Expr, *parameters: MatrixSymbol | Symbol, name: str = "expression", title: str = ""):
    """Return a network whose loss is a matrix expression, and what its symbols became there.

    Sizes are the symbols that shapes are made of; every symbol that is no parameter is an input.
    """
    net = Network(name, title)
    matrices = sorted(loss.atoms(MatrixSymbol) | {p for p in parameters if isinstance(p, MatrixSymbol)}, key=str)
    sizes = {s for m in matrices for d in m.shape for s in d.free_symbols}
    ours: dict[Expr, Expr] = {s: net.size(s.name) for s in sorted(sizes, key=str)}
    bound = {limit[0] for t in loss.atoms(Expr) for limit in getattr(t, "limits", ())} | _arguments(loss)
    scalars = sorted((loss.free_symbols | set(parameters)) - sizes - set(matrices) - bound, key=str)
    for symbol in [*parameters, *(s for s in [*matrices, *scalars] if s not in parameters)]:
        if not isinstance(symbol, MatrixSymbol | Symbol):
            raise DefinitionError(f"{symbol} is no MatrixSymbol and no Symbol; expected what a gradient is taken by")
        declare = net.parameter if symbol in parameters else net.input
        given = symbol.xreplace(ours) if isinstance(symbol, MatrixSymbol) else symbol.name
        ours[symbol] = declare(given)
    net.loss = loss.xreplace({old: new for old, new in ours.items() if isinstance(old, Symbol)})
    return net, ours


def _arguments(loss):
    """Return the variables of the functions that are applied entry by entry."""
    return {v for f in loss.atoms(Lambda) for v in f.variables}
