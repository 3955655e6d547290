"""The Matrix Cookbook's derivatives: ours equal theirs at random points and finite differences, and are no longer."""

import zlib

import numpy as np
import pytest
from sympy import MatrixSymbol, Sum, Symbol

import codegen
from derive import Network
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
    return values | {s.name: random.normal() for s in row.of.atoms(Symbol) if s.name not in SIZES}


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
    assert length(ours) <= length(row.theirs), f"{ours} is longer than {row.theirs}"


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
