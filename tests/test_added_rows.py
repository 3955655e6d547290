"""Rows that are added to several times: the helper agrees with np.add.at, and with exact sums, in every dtype."""

import numpy as np
import pytest
from sympy import Sum

import codegen
from derive import Network, total

DTYPES = [np.float32, np.float64, np.longdouble, np.complex128]


def looked_up(style="plain"):
    """Return a matrix read at labels, each row weighted: its gradient is a sum over equal labels."""
    net = Network("looked_up", "Rows looked up, by two axes of labels")
    V, D, N, K = net.sizes("V D N K")
    E, w = net.parameter("E", V, D), net.labels("w", N, K, classes=V)
    Y = net.input("Y", N, K, D)
    n, k, d = net.indices(n=N, k=K, d=D)
    net.loss = total(net.define("A", E[w[n, k], d] * Y[n, k, d], over=(n, k, d)))
    return codegen.lambdify(net.backward(), style=style)


ADDED = looked_up()
assert "_add_rows(dE, w, " in ADDED.module.__source__


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("V", "D", "N", "K"), [
    (1, 1, 1, 1), (1, 3, 40, 1), (3, 2, 50, 4), (1000, 5, 20, 3), (7, 1, 3, 2), (400, 6, 100, 2), (7000, 5, 30, 4),
    (7000, 5, 400, 2), (300, 200, 30, 4), (300, 64, 300, 4), (7, 20, 300, 4), (30, 70, 200, 4),
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


def test_nor_do_many_wide_ones():
    Y = np.random.default_rng(0).random((2**14, 1, 16), np.float32)
    _, grads = ADDED(E=np.zeros((2, 16), np.float32), w=np.ones((2**14, 1), int), Y=Y)
    exact = Y.sum(axis=(0, 1), dtype=float)
    assert np.all(np.abs(grads.E[1] - exact) <= 2e-6 * exact) and np.all(grads.E[0] == 0)


def test_infinities_stay_in_their_rows():
    Y = np.array([[[np.inf]], [[1.0]], [[np.nan]], [[2.0]]])
    _, grads = ADDED(E=np.ones((4, 1)), w=np.array([[0], [1], [2], [1]]), Y=Y)
    assert np.array_equal(grads.E[:, 0], [np.inf, 3, np.nan, 0], equal_nan=True)


def test_the_fast_style_takes_rows_and_adds_to_them():
    random, fast = np.random.default_rng(0), looked_up("fast")
    E, w, Y = random.normal(size=(7, 3)), random.integers(0, 7, (5, 2)), random.normal(size=(5, 2, 3))
    loss, grads = fast(E=E, w=w, Y=Y)
    want = np.zeros_like(E)
    np.add.at(want, w, Y)
    assert "np.multiply(E.take(w, axis=0), Y" in fast.module.__source__
    assert np.isclose(loss, np.sum(E[w] * Y)) and np.allclose(grads.E, want)


def picked(read, *shape):
    """Return an array of three axes, of which `read` says what labels pick, each entry weighted."""
    net = Network("picked", "Entries picked by labels")
    A, B, C, N = net.sizes("A B C N")
    sizes = {"A": A, "B": B, "C": C, "N": N}
    E = net.parameter("E", *(sizes[s] for s in shape))
    w, u = net.labels("w", N, classes=B), net.labels("u", N, classes=C)
    a, b, c, n = net.indices(a=A, b=B, c=C, n=N)
    Y = net.input("Y", A, B, C, N)
    net.loss = Sum(read(E, w[n], u[n], a, b, c) * Y[a, b, c, n], a, b, c, n)
    return codegen.lambdify(net.backward())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "read", "place", "summed"), [
    ("BCA", lambda E, w, u, a, b, c: E[w, c, a], lambda w, u: (w,), "abcn->nca"),
    ("ABC", lambda E, w, u, a, b, c: E[a, w, c], lambda w, u: (slice(None), w), "abcn->anc"),
    ("AB", lambda E, w, u, a, b, c: E[a, w], lambda w, u: (slice(None), w), "abcn->an"),
    ("BC", lambda E, w, u, a, b, c: E[w, u], lambda w, u: (w, u), "abcn->n"),
])
def test_labels_along_other_axes_and_along_several(dtype, shape, read, place, summed):
    random = np.random.default_rng(0)
    for N, B in (40, 3), (400, 3), (5, 400):
        sizes = {"A": 2, "B": B, "C": 90 if N == 5 else 2}
        E = random.normal(size=[sizes[s] for s in shape]).astype(dtype)
        Y = random.normal(size=(*sizes.values(), N)).astype(dtype)
        w, u = random.integers(0, min(B, 2), N), random.integers(0, sizes["C"], N)
        want = np.zeros(E.shape, dtype)
        np.add.at(want, place(w, u), np.einsum(summed, Y))
        _, grads = picked(read, *shape)(E=E, Y=Y, w=w, u=u)
        assert grads.E.dtype == dtype
        assert np.allclose(grads.E, want, rtol=0, atol=1e3 * np.finfo(dtype).eps * N)
