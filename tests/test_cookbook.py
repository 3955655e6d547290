"""The Matrix Cookbook's derivatives: ours equal theirs at random points and finite differences, and are no longer."""

import zlib

import numpy as np
import pytest
from sympy import Determinant, KroneckerDelta, MatrixSymbol, Sum, Symbol

import codegen
from derive import Network, total
from derive.matrix_calculus import matrix_gradient, matrix_hessian, matrix_jacobian
from derive.matrix_length import length

from . import cookbook
from .matrix_values import central_gradient, value

SIZES = {"N": 4, "M": 3, "K": 2}
ROWS = [*cookbook.DETERMINANTS, *cookbook.INVERSES, *cookbook.VECTORS_AND_MATRICES, *cookbook.TRACES, *cookbook.NORMS]


def point(row):
    """Random values for all symbols of a row, symmetric where the row says so."""
    random = np.random.default_rng(zlib.crc32(row.equation.encode()))
    values = dict(SIZES)
    for m in sorted({*row.of.atoms(MatrixSymbol), *row.theirs.atoms(MatrixSymbol)}, key=str):
        entries = random.normal(size=[SIZES.get(str(s), s) for s in m.shape]).astype(float)
        values[m.name] = entries + entries.T if m.name in row.symmetric else entries
    return values | {s.name: np.array(random.normal()) for s in row.of.atoms(Symbol) if s.name not in SIZES}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.equation)
def test_ours_equals_theirs_and_finite_differences(row):
    symmetric = [m for m in sorted(row.of.atoms(MatrixSymbol), key=str) if m.name in row.symmetric]
    ours, values = matrix_gradient(row.of, row.by, symmetric), point(row)
    numeric = central_gradient(lambda x: value(row.of, values | {row.by.name: x}), values[row.by.name])
    scale = np.abs(numeric).max()
    assert np.allclose(value(ours, values), numeric, rtol=0, atol=1e-7 * scale)
    assert np.allclose(value(ours, values), value(row.theirs, values), rtol=0, atol=1e-12 * scale)
    if row.as_printed is not None:
        assert not np.allclose(value(row.as_printed, values), numeric, rtol=0, atol=1e-2 * scale)
    assert not row.matrix_form or length(ours) <= length(row.theirs), f"{ours} is longer than {row.theirs}"


@pytest.mark.parametrize(("structure", "row"), [(s, r) for s, rows in cookbook.STRUCTURED.items() for r in rows],
                         ids=lambda case: case if isinstance(case, str) else case.equation)
def test_structured_gradients_are_those_of_the_free_entries(structure, row):
    """Section 2.8: an entry of a symmetric matrix moves together with its mirror image."""
    values, name = point(row), row.by.name
    matrix = values[name] + values[name].T if structure == "symmetric" else np.diag(np.diag(values[name]))

    def loss(free):
        moved = np.tril(free) + np.tril(free, -1).T if structure == "symmetric" else np.diag(np.diag(free))
        return value(row.of, values | {name: moved})

    numeric = central_gradient(loss, matrix)
    numeric = numeric + np.tril(numeric, -1).T
    ours = matrix_gradient(row.of, row.by, structure=structure)
    scale = np.abs(numeric).max()
    for formula in (ours, row.theirs):
        assert np.allclose(value(formula, values | {name: matrix}), numeric, rtol=0, atol=1e-7 * scale)
    assert length(ours) <= length(row.theirs), f"{ours} is longer than {row.theirs}"


@pytest.mark.parametrize("row", cookbook.JACOBIANS, ids=lambda row: row.equation)
def test_jacobians(row):
    values = point(row)
    at = np.asarray(values[row.by.name], float)
    steps = [np.reshape(s, at.shape) for s in np.eye(at.size)] if at.ndim else [np.array(1.0)]
    up, down = (np.hstack([value(row.of, values | {row.by.name: at + h * s}) for s in steps]) for h in (1e-6, -1e-6))
    numeric = (up - down) / 2e-6
    ours = matrix_jacobian(row.of, row.by)
    for formula in (ours, row.theirs):
        assert np.allclose(value(formula, values), numeric, rtol=0, atol=1e-7 * np.abs(numeric).max())
    assert length(ours) <= length(row.theirs), f"{ours} is longer than {row.theirs}"


@pytest.mark.parametrize("row", cookbook.HESSIANS, ids=lambda row: row.equation)
def test_hessians(row):
    values = point(row)
    ours = matrix_hessian(row.of, row.by)
    gradient = matrix_gradient(row.of, row.by)
    at, size = values[row.by.name], len(values[row.by.name])
    numeric = np.hstack([(value(gradient, values | {row.by.name: at + 1e-6 * np.eye(size)[:, [k]]})
                          - value(gradient, values | {row.by.name: at - 1e-6 * np.eye(size)[:, [k]]})) / 2e-6
                         for k in range(size)])
    for formula in (ours, row.theirs):
        assert np.allclose(value(formula, values), numeric, rtol=0, atol=1e-6)
    assert length(ours) <= length(row.theirs)


def jacobian_by_entries(define):
    """Return the derivative of a matrix Y that is defined from X and A by X, at 4 by 4, and the values of both."""
    net = Network("entries")
    n = net.size("N")
    X, A = net.parameter("X", n, n), net.input("A", n, n)
    Y = net.define("Y", define(X, A))
    net.loss = total(Y)
    x, a = np.random.default_rng(0).normal(size=(2, 4, 4))
    return codegen.lambdify(net.jacobian("Y"))(x, a).X, x, a


I = np.eye(4)
ENTRIES = {             # equation -> Y of X and A, and dY[k, l] / dX[i, j] as the Cookbook has it
    "73": (lambda X, A: X * 1, lambda x, a: np.einsum("ki,lj->klij", I, I)),
    "74": (lambda X, A: X @ A, lambda x, a: np.einsum("ki,jl->klij", I, a)),
    "75": (lambda X, A: X.T @ A, lambda x, a: np.einsum("kj,il->klij", I, a)),
    "79": (lambda X, A: X.T @ A @ X,
           lambda x, a: np.einsum("lj,ki->klij", I, x.T @ a) + np.einsum("kj,il->klij", I, a @ x)),
    "90, n = 3": (lambda X, A: X @ X @ X, lambda x, a: sum(
        np.einsum("ki,jl->klij", np.linalg.matrix_power(x, r), np.linalg.matrix_power(x, 2 - r)) for r in range(3))),
}


@pytest.mark.parametrize("equation", ENTRIES)
def test_derivatives_by_entries(equation):
    """Equations 73 to 75, 79 (as a matrix, 80) and 90."""
    define, theirs = ENTRIES[equation]
    ours, x, a = jacobian_by_entries(define)
    np.testing.assert_allclose(ours, theirs(x, a), rtol=0, atol=1e-12)


def test_cofactors_by_entries_and_the_second_derivative_of_a_determinant():
    """Equations 47 and 50: sum_k (d det X / dX_ik) X_jk = [i = j] det X; and 48, for Y = A + t B + t^2 C."""
    S, A, B, C, t = cookbook.S, cookbook.A, cookbook.B, cookbook.C, cookbook.t
    random = np.random.default_rng(0)
    values = {"N": 4, "t": 0.3, **{m.name: random.normal(size=(4, 4)) for m in (S, A, B, C)}}
    cofactors = value(matrix_gradient(Determinant(S), S), values)
    np.testing.assert_allclose(cofactors @ values["S"].T, np.linalg.det(values["S"]) * np.eye(4), atol=1e-12)
    Y = values["A"] + 0.3 * values["B"] + 0.09 * values["C"]
    first, second = (np.linalg.solve(Y, d) for d in (values["B"] + 0.6 * values["C"], 2 * values["C"]))
    theirs = np.linalg.det(Y) * (np.trace(second) + np.trace(first) ** 2 - np.trace(first @ first))
    ours = value(matrix_hessian(Determinant(A + t * B + t**2 * C), t), values)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_toeplitz_matrices_collect_the_sums_of_the_diagonals():
    """Equation 143: the derivative of Tr(TA) by what stands on a diagonal of T is a sum along a diagonal of A."""
    net = Network("toeplitz")
    n = net.size("N")
    t, A = net.parameter("t", 2 * n - 1), net.input("A", n, n)
    i, k = net.indices(i=n, k=n)
    T = net.define("T", t[i - k + n - 1], over=(i, k))
    net.loss = Sum(T[i, k] * A[k, i], i, k)
    matrix = np.random.default_rng(0).normal(size=(4, 4))
    _, grads = codegen.lambdify(net.backward())(np.zeros(7), matrix)
    assert np.allclose(grads.t, [np.trace(matrix.T, d) for d in range(3, -4, -1)], rtol=1e-12)


def test_symmetric_toeplitz_matrices_collect_both_diagonals():
    """Equation 144: the first row of a(A) + a(A)' - diag(a(A)), a(A) being the sums along diagonals of A."""
    net = Network("symmetric_toeplitz")
    n = net.size("N")
    t, A = net.parameter("t", n), net.input("A", n, n)
    i, k, d = net.indices(i=n, k=n, d=n)
    upper = Sum(KroneckerDelta(d, k - i) * t[d], d)
    lower = Sum(KroneckerDelta(d, i - k) * t[d], d)
    T = net.define("T", upper + lower - KroneckerDelta(i, k) * t[0], over=(i, k))
    net.loss = Sum(T[i, k] * A[k, i], i, k)
    matrix = np.random.default_rng(0).normal(size=(4, 4))
    _, grads = codegen.lambdify(net.backward())(np.zeros(4), matrix)
    theirs = [np.trace(matrix, d) + np.trace(matrix, -d) - (np.trace(matrix) if d == 0 else 0) for d in range(4)]
    assert np.allclose(grads.t, theirs, rtol=1e-12)
