"""Matrix expressions of SymPy's in NumPy, by their definitions: what tests compare formulas with."""

from functools import reduce

import numpy as np
import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.diagonal import DiagMatrix
from sympy.matrices.expressions.dotproduct import DotProduct
from sympy.matrices.expressions.matexpr import MatrixElement


def value(expr, values):
    """Return an expression's value; `values` gives matrices by name, columns as (n, 1), and sizes and scalars too."""
    def of(e):
        return value(e, values)

    match expr:
        case sp.MatrixSymbol() | sp.Symbol():
            return values[expr.name]
        case sp.Number() | sp.NumberSymbol():
            return float(expr)
        case sp.MatMul() | sp.Mul():
            result = 1.0
            for a in map(of, expr.args):
                result = result @ a if np.ndim(result) and np.ndim(a) else result * a
            return result
        case sp.MatAdd() | sp.Add():
            return sum(map(of, expr.args))
        case sp.Transpose():
            return of(expr.arg).T
        case sp.Inverse():
            return np.linalg.inv(of(expr.arg))
        case sp.MatPow():
            base = of(expr.base)
            power = of(expr.exp)
            return base**power if base.shape == (1, 1) else np.linalg.matrix_power(base, int(power))
        case sp.Pow():
            return of(expr.base) ** of(expr.exp)
        case sp.Trace():
            return np.trace(of(expr.arg))
        case sp.Determinant():
            return np.linalg.det(of(expr.arg))
        case sp.HadamardProduct():
            return np.prod([of(a) for a in expr.args], axis=0)
        case sp.HadamardPower():
            return of(expr.base) ** of(expr.exp)
        case sp.KroneckerProduct():
            return reduce(np.kron, map(of, expr.args))
        case sp.Identity():
            return np.eye(int(of(expr.rows)))
        case sp.OneMatrix():
            return np.ones([int(of(s)) for s in expr.shape])
        case sp.ZeroMatrix():
            return np.zeros([int(of(s)) for s in expr.shape])
        case DiagMatrix():
            return np.diag(of(expr.args[0]).ravel())
        case sp.DiagonalMatrix():
            return np.diag(np.diag(of(expr.arg)))
        case sp.DiagonalOf():
            return np.diag(of(expr.arg))[:, None]
        case DotProduct():
            return float(of(expr.args[0]).ravel() @ of(expr.args[1]).ravel())
        case sp.MatrixSlice():
            return of(expr.parent)[tuple(slice(*(int(of(i)) for i in s)) for s in (expr.rowslice, expr.colslice))]
        case MatrixElement():
            return of(expr.args[0])[tuple(int(i) for i in expr.args[1:])]
        case ElementwiseApplyFunction():
            x = sp.Symbol("x", real=True)
            return sp.lambdify(x, expr.function(x), ["numpy", {"relu": lambda v: np.maximum(v, 0)}])(of(expr.expr))
        case sp.Sum():
            indices = [limit[0] for limit in expr.limits]
            ranges = [range(int(of(low)), int(of(high)) + 1) for _, low, high in expr.limits]
            return sum(value(expr.function.xreplace(dict(zip(indices, map(sp.Integer, at), strict=True))), values)
                       for at in np.array(np.meshgrid(*ranges)).T.reshape(-1, len(indices)).tolist())
        case sp.Function():
            return sp.lambdify(x := sp.Symbol("x"), expr.func(x), "numpy")(of(expr.args[0]))
    raise NotImplementedError(f"{type(expr).__name__}: {expr}")


def central_gradient(f, x, h=1e-5):
    """Return the gradient of a scalar function at an array, by central differences extrapolated once."""
    gradient = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[at] = h
        wide, narrow = ((f(x + k * step) - f(x - k * step)) / (2 * k * h) for k in (2, 1))
        gradient[at] = (4 * narrow - wide).item() / 3 if np.ndim(narrow) else (4 * narrow - wide) / 3
    return gradient
