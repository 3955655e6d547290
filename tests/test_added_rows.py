"""Rows that are added to several times: the helper agrees with np.add.at, and with exact sums, in every dtype."""

import numpy as np
import pytest

import codegen
from derive import Network, total

DTYPES = [np.float32, np.float64, np.longdouble, np.complex128]


def looked_up():
    """Return a matrix read at labels, each row weighted: its gradient is a sum over equal labels."""
    net = Network("looked_up", "Rows looked up, by two axes of labels")
    V, D, N, K = net.sizes("V D N K")
    E, w = net.parameter("E", V, D), net.labels("w", N, K, classes=V)
    Y = net.input("Y", N, K, D)
    n, k, d = net.indices(n=N, k=K, d=D)
    net.loss = total(net.define("A", E[w[n, k], d] * Y[n, k, d], over=(n, k, d)))
    return codegen.lambdify(net.backward())


ADDED = looked_up()
assert "_add_rows(dE, w, " in ADDED.module.__source__


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("V", "D", "N", "K"), [
    (1, 1, 1, 1), (1, 3, 40, 1), (3, 2, 50, 4), (1000, 5, 20, 3), (7, 1, 3, 2), (400, 6, 100, 2),
])
def test_agrees_with_add_at(dtype, V, D, N, K):
    random = np.random.default_rng(0)
    E, Y = random.normal(size=(V, D)).astype(dtype), random.normal(size=(N, K, D)).astype(dtype)
    for w in (random.integers(0, V, (N, K)), np.full((N, K), V - 1, np.uint16), random.zipf(1.3, (N, K)) % V):
        want = np.zeros((V, D), dtype)
        np.add.at(want, w, Y)
        _, grads = ADDED(E=E, w=w, Y=Y)
        assert grads.E.dtype == dtype
        assert np.allclose(grads.E, want, rtol=0, atol=4 * np.finfo(dtype).eps * N * K)


def test_many_in_one_row_lose_no_digits_in_float32():
    Y = np.random.default_rng(0).random((100_000, 1, 1), np.float32)
    _, grads = ADDED(E=np.zeros((2, 1), np.float32), w=np.ones((100_000, 1), int), Y=Y)
    assert abs(grads.E[1, 0] - Y.sum(dtype=float)) <= 1e-7 * Y.sum(dtype=float) and grads.E[0, 0] == 0


def test_infinities_stay_in_their_rows():
    Y = np.array([[[np.inf]], [[1.0]], [[np.nan]], [[2.0]]])
    _, grads = ADDED(E=np.ones((4, 1)), w=np.array([[0], [1], [2], [1]]), Y=Y)
    assert np.array_equal(grads.E[:, 0], [np.inf, 3, np.nan, 0], equal_nan=True)
