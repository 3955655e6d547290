"""Losses in SymPy's matrix algebra: read into indices as they are meant, and refused by name where they are not."""


import numpy as np
import pytest
import sympy as sp
from sympy import (
    Determinant,
    DiagonalMatrix,
    DiagonalOf,
    DotProduct,
    HadamardPower,
    HadamardProduct,
    Identity,
    Inverse,
    KroneckerProduct,
    MatrixSymbol,
    OneMatrix,
    Symbol,
    Trace,
    ZeroMatrix,
    diagonalize_vector,
    exp,
    log,
    sqrt,
    symbols,
    tanh,
)

import codegen
from derive import DefinitionError, DerivationError, Network, matrix_gradient, network_of, relu

from .matrix_values import central_gradient, value

N, M = symbols("N M")
A, B, S = (MatrixSymbol(name, N, N) for name in "ABS")
X, Y = MatrixSymbol("X", N, M), MatrixSymbol("Y", N, M)
a, x, u = MatrixSymbol("a", N, 1), MatrixSymbol("x", N, 1), MatrixSymbol("u", M, 1)
r, t, T = MatrixSymbol("r", 1, N), Symbol("t"), MatrixSymbol("T", 3, 3)     # entries by number need a number of rows
SIZES = {"N": 3, "M": 2}

LOSSES = [
    (Trace(A * S.T * B + S), S),
    (Trace(HadamardProduct(X, Y) * X.T), X),
    (Trace(HadamardPower(X, 3) * Y.T), X),
    (Trace((X * X.T) ** 2 * A), X),
    (sqrt(Trace(X.T * X)) + log(1 + x.T[0, 0] ** 2), X),
    (DotProduct(a, (X * u).applyfunc(tanh)), X),
    (DotProduct(OneMatrix(N, 1), (X * u + a).applyfunc(relu)), a),
    (OneMatrix(1, N) * (S * S).applyfunc(lambda v: v**2 + exp(-v)) * a, S),
    (Trace(diagonalize_vector(x) * A * diagonalize_vector(x) * B), x),
    (Trace(DiagonalMatrix(S) * A) + (a.T * DiagonalOf(S))[0, 0], S),
    (Trace(HadamardProduct(Identity(N), S * A)), S),
    (Trace((A + ZeroMatrix(N, N) + 2 * Identity(N)) * S * S), S),
    (Trace(KroneckerProduct(A, S)), S),
    (Trace(KroneckerProduct(S, B) * KroneckerProduct(S, A)), S),
    (Trace(KroneckerProduct(S, B, A)), S),
    (r * S * r.T, r),
    (Trace(S) ** 2 * (r * S * x)[0, 0] / (1 + Trace(S.T * S)), S),
    (Trace(t * A + t**2 * B) * (x.T * a)[0, 0], t),
    ((x.T * a)[0, 0] * T[0, 1] + T[1, 0] ** 2 + T[2, 2], T),
    (exp(-x.T * x / 2), x),
    (sp.Sum(S[Symbol("i"), Symbol("i")] * x[Symbol("i"), 0], (Symbol("i"), 0, N - 1)), x),
    (Trace(T[:2, 1:] * T[1:, :2]), T),
    (Trace(A * Inverse(S) * B), S),
    (a.T * Inverse(S) * x, S),
    (a.T * Inverse(S + 2 * Identity(N)) * (S * x).applyfunc(tanh), S),
    (Trace(S**-2 * A), S),
    (log(abs(Determinant(X.T * X + Identity(M)))), X),
    (Determinant(A * S * S) + Trace(Inverse(A * S)), S),
    (Trace(x.T * Inverse(X * X.T + Identity(N)) * x) + log(Determinant(X * X.T + Identity(N))), X),
]


def point(loss, seed=0):
    random = np.random.default_rng(seed)
    names = sorted({*loss.atoms(MatrixSymbol)}, key=str)
    values = {m.name: random.normal(size=[SIZES.get(str(s), s) for s in m.shape]).astype(float) for m in names}
    return {**SIZES, "t": 0.7, **values}


@pytest.mark.parametrize(("loss", "by"), LOSSES, ids=lambda e: str(e))
def test_module_of_a_matrix_expression_has_its_value_and_gradient(loss, by):
    values = point(loss)
    net, _ = network_of(loss, by)
    program = net.backward()
    arrays = {n: np.squeeze(values[n]) for n in (v.name for v in (*program.parameters, *program.inputs))}
    given = {n: np.array(v) for n, v in arrays.items()}
    computed, grads = codegen.lambdify(program)(**arrays)
    assert all(np.array_equal(arrays[n], v) for n, v in given.items())

    def f(at):
        return np.squeeze(value(loss, values | {by.name: at})).item()

    assert np.isclose(computed, f(values[by.name]), rtol=1e-12)
    numeric = central_gradient(f, np.asarray(values[by.name], float))
    assert np.allclose(grads[0], np.squeeze(numeric), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(("loss", "by", "printed"), [
    (Trace(A * X * Y.T), X, "A.T*Y"),
    (x.T * A * x, x, "(A + A.T)*x"),
    (a.T * X * u, X, "a*u.T"),
    (Trace(S), S, "I"),
    (OneMatrix(1, N) * X * u, X, "1*u.T"),
    (Trace(diagonalize_vector(x) * A), x, "DiagonalOf(A)"),
    (Trace(t * A), t, "Trace(A)"),
    (Trace((X * X.T) ** 2), X, "4*X*X.T*X"),
])  # fmt: skip
def test_gradients_are_printed_in_the_same_algebra(loss, by, printed):
    assert str(matrix_gradient(loss, by)) == printed


@pytest.mark.parametrize("loss", [
    a.T * Inverse(A * A.T + diagonalize_vector(x)) * a, log(Determinant(A * A.T + diagonalize_vector(x))),
    x.T * Inverse(A) * x, Trace(Inverse(A * A.T + x * x.T)),
], ids=str)  # fmt: skip
def test_hessians_through_inverses_and_determinants(loss):
    values, gradient = point(loss) | {"x": np.array([[0.5], [0.8], [1.1]])}, matrix_gradient(loss, x)
    net, _ = network_of(loss, x)
    names = [v.name for v in (*net.program().parameters, *net.program().inputs)]
    hessian = codegen.lambdify(net.hessian())(**{n: np.squeeze(values[n]) for n in names})
    numeric = [central_gradient(lambda at, k=k: value(gradient, values | {"x": at})[k], values["x"]) for k in range(3)]
    assert np.allclose(hessian, np.hstack(numeric), rtol=0, atol=1e-8 * np.abs(numeric).max())


def test_networks_take_matrix_symbols_and_hand_them_on():
    net = Network("two_lines")
    n, m = net.sizes("N M")
    W, v = net.parameter(MatrixSymbol("W", n, m)), net.input(MatrixSymbol("v", m, 1))
    z = net.define("z", (W * v).applyfunc(tanh))
    assert isinstance(z, MatrixSymbol)
    assert z.shape == (n, 1)
    net.loss = z.T * z / 2
    assert str(net.backward().gradients["W"].rhs) == "dpre_z[n]*v[m]"


@pytest.mark.parametrize(("loss", "by", "told"), [
    (X * Y.T, X, "loss is defined as X.*expected a SymPy expression"),
    (Trace(S ** N), S, "power N"),
    (Trace(sp.PermutationMatrix(sp.combinatorics.Permutation([1, 0])) * MatrixSymbol("Z", 2, 2)),
     MatrixSymbol("Z", 2, 2), "PermutationMatrix, which has no index notation"),
    (log(sp.MatMul(X, Y.T)), X, "stands where a scalar does"),
])  # fmt: skip
def test_what_has_no_index_notation_is_refused_by_name(loss, by, told):
    with pytest.raises(DefinitionError, match=told):
        matrix_gradient(loss, by)


def test_what_has_no_matrix_form_is_refused_by_name():
    with pytest.raises(DerivationError, match=r"dT has no form in matrix algebra"):
        matrix_gradient(T[0, 1] ** 2, T)
