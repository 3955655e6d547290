"""Brackets that are multiplied: masks in the module's dtype, diagonals of arrays that are not square."""

import numpy as np
import pytest
from sympy import KroneckerDelta, Max, Ne, Piecewise, Rational, Sum, log, tanh

import codegen
from derive import Network
from derive.notes import note


def _net():
    net = Network("masked", "A loss with brackets in it")
    N, C = net.sizes("N C")
    return net, net.parameter("W", N, C), net.labels("y", N, classes=C), net.indices(n=N, c=C)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_margins_of_right_and_wrong_classes(dtype):
    """Sabour, Frosst and Hinton's margin loss (2017), by hand, in the dtype of the parameters."""
    net, W, y, (n, c) = _net()
    right = KroneckerDelta(y[n], c)
    net.loss = Sum(right * Max(0, Rational(9, 10) - W[n, c]) ** 2
                   + (1 - right) / 2 * Max(0, W[n, c] - Rational(1, 10)) ** 2, n, c)
    random = np.random.default_rng(0)
    w, labels = random.random((5, 3)).astype(dtype), np.array([0, 2, 1, 1, 0])
    loss, grads = codegen.lambdify(net.backward())(w, labels)
    hot = np.arange(3) == labels[:, None]
    true = np.where(hot, -2 * np.maximum(0.9 - w, 0), np.maximum(w - 0.1, 0))
    assert loss.dtype == grads.W.dtype == dtype
    np.testing.assert_allclose(grads.W, true, rtol=20 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)


@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (3, 3)])
def test_the_diagonal_of_an_array_that_is_not_square(shape):
    net, W, _, (n, c) = _net()
    net.loss = Sum((2 - KroneckerDelta(n, c) * 3 * W[n, c]) * tanh(W[n, c]), n, c)
    w = np.random.default_rng(0).normal(size=shape)
    grads = codegen.lambdify(net.backward())(w, np.zeros(len(w), int))[1]
    on = np.eye(*shape)
    true = (2 - 3 * on * w) * (1 - np.tanh(w) ** 2) - 3 * on * np.tanh(w)
    np.testing.assert_allclose(grads.W, true, rtol=1e-13)


def test_each_term_keeps_its_own_condition():
    """Barlow twins' penalty (Zbontar et al., 2021): on the diagonal and off it, and nothing of one under the other."""
    net = Network("penalty", "How far a matrix is from the identity")
    K = net.size("K")
    C = net.parameter("C", K, K)
    e, f = net.indices(e=K, f=K)
    net.loss = Sum((1 - C[e, e]) ** 2, e) + Rational(1, 200) * Sum(Piecewise((C[e, f] ** 2, Ne(e, f)), (0, True)), e, f)
    program = net.backward()
    steps = note(program, level="every-step")
    assert r"0.01 [e \ne f] C_{ef} + 2 [e = f] (C_{ef} - 1)" in steps
    assert steps.count(r"[e = f]\,2 [e = f]") == 0
    c = np.random.default_rng(0).normal(size=(3, 3))
    true = np.where(np.eye(3, dtype=bool), 2 * (c - 1), 0.01 * c)
    np.testing.assert_allclose(codegen.lambdify(program)(c)[1].C, true, rtol=1e-14)


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
@pytest.mark.parametrize("named", [False, True], ids=["in one", "named"])
def test_the_column_after_a_label(named, style):
    """The log-likelihood of an ordinal model: what is divided by is 0 in all other columns."""
    net = Network("ordinal", "Probabilities between two neighbouring thresholds")
    N, Q = net.sizes("N Q")
    F, y = net.parameter("F", N, Q + 1), net.labels("y", N, classes=Q)
    (n,) = net.indices(n=N)
    between = F[n, y[n] + 1] - F[n, y[n]]
    net.loss = -Sum(log(net.define("P", between, over=n)[n] if named else between), n)
    random = np.random.default_rng(0)
    f, labels, rows = np.cumsum(random.random((5, 4)), axis=1), np.array([0, 2, 1, 1, 2]), np.arange(5)
    p = f[rows, labels + 1] - f[rows, labels]
    loss, grads = codegen.lambdify(net.backward(), style)(f, labels)
    true = np.zeros_like(f)
    true[rows, labels + 1] -= 1 / p
    true[rows, labels] += 1 / p
    np.testing.assert_allclose(loss, -np.sum(np.log(p)), rtol=1e-13)
    np.testing.assert_allclose(grads.F, true, rtol=1e-13)
