"""Derivatives of matrix expressions in one call: a network is made of the expression, the one rule does the rest."""

from collections.abc import Callable, Iterable, Mapping

from sympy import Expr, HadamardProduct, Identity, Lambda, MatrixExpr, MatrixSymbol, Symbol, Trace

from .algebra import Algebra
from .errors import DefinitionError
from .matrix_length import shortest, with_symmetric
from .network import Network

STRUCTURES: dict[str, Callable[[MatrixExpr], MatrixExpr]] = {
    "symmetric": lambda free: free + free.T - HadamardProduct(free, Identity(free.rows)),
    "diagonal": lambda free: HadamardProduct(free, Identity(free.rows)),
}


def matrix_gradient(
    loss: Expr, by: MatrixSymbol | Symbol, symmetric: Iterable[MatrixSymbol] = (), structure: str = ""
) -> Expr:
    """Return the gradient of a scalar in SymPy's matrix algebra by a matrix, a column or a scalar, in its shape.

    Parameters
    ----------
    symmetric : matrices that are taken to equal their transposes. The entries of `by` are independent of each other all
        the same.
    structure : "symmetric" or "diagonal", where `by` is one of those matrices only: an entry of the gradient is then
        what the loss gains as that entry moves together with those that the structure ties to it (Matrix Cookbook,
        section 2.8).

    Raises
    ------
    DefinitionError
        What is no scalar, or has no index notation; another structure.
    DerivationError
        A gradient without a form in matrix algebra.
    """
    if structure:
        return _along(structure, loss, by, symmetric)
    found = _Derived(loss, [by], symmetric)
    gradient = Algebra(found.net.backward(), known=found.rows).gradient(by.name)
    return shortest(gradient.T if _is_row(by) else gradient).xreplace(found.back)


def _along(structure, loss, by, symmetric):
    """Return the gradient by what a structured matrix is made of freely, in terms of the matrix."""
    if structure not in STRUCTURES:
        raise DefinitionError(f"{by} has the structure {structure!r}; expected {' or '.join(STRUCTURES)}")
    free = MatrixSymbol(f"free_{by.name}", *by.shape)
    found = _Derived(loss, [free], symmetric, {by: STRUCTURES[structure](free)})
    program = found.net.backward()
    whole = Algebra(program).symbol(by.name)
    gradient = Algebra(program, known=found.rows | {by.name: whole}).gradient(free.name)
    return shortest(with_symmetric(gradient, frozenset([whole]))).xreplace(found.back)


def matrix_hessian(loss: Expr, by: MatrixSymbol | Symbol, symmetric: Iterable[MatrixSymbol] = ()) -> Expr:
    """Return the second derivatives of a scalar by a column or a scalar, rows and columns in its order.

    Raises as `matrix_gradient` does.
    """
    found = _Derived(loss, [by], symmetric)
    program = found.net.hessian(by.name)
    return Algebra(program, known=found.rows).variable(f"H_{by.name}_{by.name}").xreplace(found.back)


def matrix_jacobian(value: Expr, by: MatrixSymbol | Symbol, symmetric: Iterable[MatrixSymbol] = ()) -> Expr:
    """Return the derivative of a column by a column, J[i, k] of entry i by entry k, or of a matrix by a scalar.

    It is the second derivative of <weights, value> by the weights, which are in no place of it, and by `by`. Raises as
    `matrix_gradient` does.
    """
    weights = MatrixSymbol("weights", *value.shape)
    found = _Derived(Trace(weights.T * value), [weights, by], symmetric)
    program = found.net.hessian("weights", by.name)
    return Algebra(program, known=found.rows).variable(f"H_weights_{by.name}").xreplace(found.back)


class _Derived:
    """The network of a loss, its rows as transposed columns, and what its sizes and scalars are for the caller."""

    def __init__(self, loss, parameters, symmetric, defined=None):
        self.net, ours = network_of(loss, *parameters, defined=defined)
        for matrix in symmetric:
            self.net.assume_symmetric(ours[matrix])
        self.rows = {new.name: new.T for new in ours.values() if _is_row(new)}
        self.back = {new: old for old, new in ours.items() if isinstance(old, Symbol)}


def _is_row(symbol):
    return isinstance(symbol, MatrixSymbol) and symbol.rows == 1 != symbol.cols


def network_of(
    loss: Expr, *parameters: MatrixSymbol | Symbol, name: str = "expression", title: str = "",
    defined: Mapping[MatrixSymbol, MatrixExpr] | None = None,
) -> tuple[Network, dict[Expr, Expr]]:
    """Return a network whose loss is a matrix expression, and what its symbols became there.

    Sizes are the symbols that shapes are made of; every symbol that is no parameter, and that `defined` does not
    define, is an input.
    """
    net, defined = Network(name, title), dict(defined or {})
    found = {m for e in (loss, *defined.values()) for m in e.atoms(MatrixSymbol)} - set(defined)
    matrices = sorted(found | {p for p in parameters if isinstance(p, MatrixSymbol)}, key=str)
    sizes = {s for m in matrices for d in m.shape for s in d.free_symbols}
    ours: dict[Expr, Expr] = {s: net.size(s.name) for s in sorted(sizes, key=str)}
    bound = {limit[0] for t in loss.atoms(Expr) for limit in getattr(t, "limits", ())} | _arguments(loss)
    scalars = sorted((loss.free_symbols | set(parameters)) - sizes - {*matrices, *defined} - bound, key=str)
    for symbol in [*parameters, *(s for s in [*matrices, *scalars] if s not in parameters)]:
        if not isinstance(symbol, MatrixSymbol | Symbol):
            raise DefinitionError(f"{symbol} is no MatrixSymbol and no Symbol; expected what a gradient is taken by")
        declare = net.parameter if symbol in parameters else net.input
        given = symbol.xreplace(ours) if isinstance(symbol, MatrixSymbol) else symbol.name
        ours[symbol] = declare(given)
    scalars_and_sizes = {old: new for old, new in ours.items() if isinstance(old, Symbol)}
    for symbol, value in defined.items():
        net.define(symbol.name, value.xreplace(scalars_and_sizes))
    net.loss = loss.xreplace(scalars_and_sizes)
    return net, ours


def _arguments(loss):
    """Return the variables of the functions that are applied entry by entry."""
    return {v for f in loss.atoms(Lambda) for v in f.variables}
