"""Derivatives of quotients: one divisor, no cancellation, and the numbers of 50-digit arithmetic far out."""

import mpmath
import numpy as np
import pytest
from sympy import Abs, Sum, Symbol, exp, log, sqrt

import codegen
from derive import Network, mean, relu, total
from derive.quotients import over_one_divisor

QUOTIENTS = {
    "softsign": (lambda x: x / (1 + Abs(x)), lambda x: x / (1 + abs(x))),
    "rational": (lambda x: x**2 / (1 + x**2), lambda x: x**2 / (1 + x**2)),
    "hill": (lambda x: x**3 / (1 + x**3), lambda x: x**3 / (1 + x**3)),
    "inverse square root": (lambda x: x / sqrt(1 + x**2), lambda x: x / mpmath.sqrt(1 + x**2)),
    "two divisors": (lambda x: x / (1 + x) ** 2 + 1 / (2 + x), lambda x: x / (1 + x) ** 2 + 1 / (2 + x)),
    "inside a logarithm": (lambda x: log(x / (1 + x)), lambda x: mpmath.log(x / (1 + x))),
}


@pytest.mark.parametrize("name", QUOTIENTS)
def test_gradients_of_quotients_keep_their_digits_far_out(name):
    ours, theirs = QUOTIENTS[name]
    net = Network("quotient", "A quotient of one variable, summed")
    N = net.size("N")
    w = net.parameter("w", N)
    n = net.indices(n=N)[0]
    net.loss = Sum(ours(w[n]), n)
    points = np.array([1e-8, 0.3, 2.0, 7e3, 1e6])
    found = codegen.lambdify(net.backward())(points)[1].w
    with mpmath.workdps(60):
        true = [float(mpmath.diff(theirs, mpmath.mpf(float(x)), h=mpmath.mpf(float(x)) * mpmath.mpf(10) ** -25))
                for x in points]
    np.testing.assert_allclose(found, true, rtol=2e-15)


def test_each_divisor_keeps_its_share():
    """a/(a + b) by a is b/(a + b)^2, which is right where b is a billionth of a."""
    net = Network("share", "The share of a in a + b")
    a, b = net.parameter("a"), net.parameter("b")
    net.loss = a / (a + b)
    grads = codegen.lambdify(net.backward())(1.0, 1e-12)[1]
    assert grads.a == pytest.approx(1e-12 / (1 + 1e-12) ** 2, rel=1e-15)
    assert grads.b == pytest.approx(-1 / (1 + 1e-12) ** 2, rel=1e-15)


def test_sums_without_a_common_divisor_stay():
    x, y = Symbol("x", real=True), Symbol("y", real=True)
    for terms in (1 / (1 + x) + 1 / (1 + y), 1 / x - 1 / x**2, x + y, 1 / (1 + x) - y / sqrt(1 + x)):
        assert over_one_divisor(terms) == terms


def test_an_exponential_of_a_difference_stays_one():
    net = Network("quotient", "An exponential over a sum")
    N = net.size("N")
    x, y = net.parameter("x", N), net.input("y", N)
    net.loss = total(x * exp(x - y) / (1 + x))
    far = np.array([800.0, 3.0])
    found = codegen.lambdify(net.backward())(far, far - 1)[1].x
    np.testing.assert_allclose(found, np.e * (1 + far + far**2) / (1 + far) ** 2, rtol=1e-14)


def test_a_relu_says_what_its_step_says():
    net = Network("squared_relu", "The square of a relu, summed")
    N = net.size("N")
    w = net.parameter("w", N)
    n = net.indices(n=N)[0]
    net.loss = Sum(relu(w[n]) ** 2, n)
    program = net.backward()
    assert "step" not in str(program.gradients["w"].rhs)
    np.testing.assert_array_equal(codegen.lambdify(program)(np.array([-2.0, 0.0, 3.0]))[1].w, [0, 0, 6])


def test_a_mean_of_quotients_is_printed_as_one():
    """The Dice loss: not the inner product of what divides and what is divided."""
    net = Network("dice", "One minus the mean Dice coefficient")
    N, P = net.sizes("N P")
    S, Y, eps = net.parameter("S", N, P), net.input("Y", N, P), net.input("eps")
    above, below = 2 * total(S * Y, axis=1) + eps, total(S, axis=1) + total(Y, axis=1) + eps
    net.loss = 1 - mean(above / below)
    program = net.backward()
    assert "loss = 1 - _mean((2 * sum_loss + eps) / (sum_S + sum_Y + eps))" in codegen.source(program)
    random = np.random.default_rng(0)
    s, y = random.uniform(size=(2, 4, 3))
    by_hand = 1 - np.mean((2 * (s * y).sum(1) + 0.5) / (s.sum(1) + y.sum(1) + 0.5))
    np.testing.assert_allclose(codegen.lambdify(program)(s, y, 0.5)[0], by_hand, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_means_of_all_entries_are_those_of_numpy(dtype):
    net = Network("means", "The mean of exponentials")
    S = net.parameter("S", *net.sizes("N P"))
    net.loss = mean(exp(S))
    s = np.random.default_rng(0).normal(size=(70, 50)).astype(dtype)[:, ::2]
    loss, grads = codegen.lambdify(net.backward())(s)
    want = np.mean(np.exp(s))
    assert loss == want and loss.dtype == want.dtype == dtype
    np.testing.assert_allclose(grads.S, np.exp(s) / s.size, rtol=1e-6)
