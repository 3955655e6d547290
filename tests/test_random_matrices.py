"""Matrix expressions made at random: gradients, in matrix algebra and by modules, are those of finite differences."""

from random import Random

import numpy as np
import pytest
from sympy import (
    Determinant,
    DotProduct,
    HadamardPower,
    HadamardProduct,
    Identity,
    Inverse,
    MatrixSymbol,
    OneMatrix,
    Piecewise,
    Trace,
    cos,
    diagonalize_vector,
    exp,
    log,
    symbols,
    tanh,
)

import codegen
from derive import DerivationError, matrix_gradient, network_of

from .matrix_values import central_gradient, value

N, M = symbols("N M")
SIZES = {"N": 3, "M": 2}
X = MatrixSymbol("X", N, M)


class Maker:
    """Makes expressions of given shapes out of X and constant matrices."""

    def __init__(self, seed):
        self.random = Random(seed)

    def leaf(self, rows, columns):
        if (rows, columns) in ((N, M), (M, N)) and self.random.random() < 0.7:
            return X if rows == N else X.T
        if self.random.random() < 0.15:
            return Identity(rows) if rows == columns != 1 else OneMatrix(rows, columns)
        return MatrixSymbol(f"{self.random.choice('AB')}{rows}{columns}", rows, columns)

    def matrix(self, rows, columns, depth):
        if depth == 0:
            return self.leaf(rows, columns)
        a = lambda r=rows, c=columns: self.matrix(r, c, depth - 1)  # noqa: E731
        inner = self.random.choice([N, M, 1])
        makes = [
            lambda: a(rows, inner) * a(inner, columns),
            lambda: a() + 2 * a(),
            lambda: a() - a(),
            lambda: a(columns, rows).T,
            lambda: HadamardProduct(a(), a()) if (rows, columns) != (1, 1) else a(),
            lambda: a().applyfunc(self.random.choice([tanh, cos])),
            lambda: HadamardPower(a(), 2) if (rows, columns) != (1, 1) else a(),
            lambda: diagonalize_vector(a(rows, 1)) * a() if rows != 1 else a(),
            lambda: Inverse(a(rows, rows) + 3 * Identity(rows)) * a() if rows != 1 else a(),
            lambda: self.scalar(depth - 1) * a(),
        ]
        return self.random.choice(makes)()

    def scalar(self, depth):
        size = self.random.choice([N, M])
        makes = [
            lambda: Trace(self.matrix(size, size, depth)),
            lambda: DotProduct(self.matrix(size, 1, depth), MatrixSymbol(f"a{size}", size, 1)),
            lambda: Trace(self.matrix(1, size, depth) * MatrixSymbol(f"a{size}", size, 1)),
            lambda: exp(-Trace(self.matrix(size, size, depth)) / 9),
            lambda: log(Determinant((a := self.matrix(size, N, depth)) * a.T + Identity(size))),
        ]
        return self.random.choice(makes)()


def losses(seed):
    """Return a loss with X in it, and values for its symbols."""
    loss = None
    while loss is None:
        maker, seed = Maker(seed), seed + 1000
        try:
            loss = maker.scalar(3) + 2 * maker.scalar(2) * maker.scalar(1)
            if loss.has(Piecewise):                     # SymPy's doubts about the range of an index
                loss = None
        except (AttributeError, TypeError):         # SymPy takes some products of scalars and matrices for no matrix
            pass
    random = np.random.default_rng(seed)
    symbols_in = sorted(loss.atoms(MatrixSymbol) | {X}, key=str)
    return loss, SIZES | {m.name: random.uniform(0.3, 1.2, [SIZES.get(str(s), s) for s in m.shape]).astype(float)
                          for m in symbols_in}


@pytest.mark.parametrize("seed", range(30))
def test_gradient_of_a_random_expression(seed):
    loss, values = losses(seed)
    numeric = central_gradient(lambda at: np.squeeze(value(loss, values | {"X": at})), values["X"])
    scale = max(np.abs(numeric).max(), 1e-3)
    net, _ = network_of(loss, X)
    program = net.backward()
    names = [v.name for v in (*program.parameters, *program.inputs)]
    computed, grads = codegen.lambdify(program)(**{n: np.squeeze(values[n]) for n in names})
    assert np.isclose(computed, np.squeeze(value(loss, values)), rtol=1e-10)
    assert np.allclose(grads.X, numeric, rtol=0, atol=1e-6 * scale)
    try:
        printed = matrix_gradient(loss, X)
    except DerivationError:                         # no form in matrix algebra
        return
    assert np.allclose(value(printed, values), numeric, rtol=0, atol=1e-6 * scale)
