"""Mistakes in several equations that are alike, in counts of data, or in the choice of a minimum are told as one."""

import numpy as np
import pytest
from sympy import Abs, Max, Min, Ne, Piecewise, Sum

from codegen.doctor import diagnose
from derive import LogSumExp, Network, mean, softplus, total


def kept_labels():
    """A cross-entropy over the examples whose label is not 0, their number the divisor."""
    net = Network("kept_labels")
    N, D, C = net.sizes("N D C")
    W, X, y = net.parameter("W", D, C), net.input("X", N, D), net.labels("y", N, classes=C)
    n, c = net.indices(n=N, c=C)
    Z = net.define("Z", X @ W)
    kept = net.define("kept", Sum(Piecewise((1, Ne(y[n], 0)), (0, True)), n))
    net.loss = Sum(Piecewise((LogSumExp(Z[n, c], c) - Z[n, y[n]], Ne(y[n], 0)), (0, True)), n) / kept
    return net


def of_kept(W, X, y, count):
    P = np.exp(X @ W)
    P /= P.sum(axis=1, keepdims=True)
    P[np.arange(len(y)), y] -= 1
    return X.T @ (P * (y != 0)[:, None]) / max(count(y), 1)


def test_a_mean_is_over_what_is_kept_and_none_where_nothing_is():
    net = kept_labels()
    right = diagnose(net, lambda W, X, y: of_kept(W, X, y, lambda y: np.sum(y != 0)))
    assert right.right, str(right)          # where there is one class none is kept, and the derived gradient is 0/0
    wrong = diagnose(net, lambda W, X, y: of_kept(W, X, y, len), seconds=5)
    assert "divided by N, not by kept" in str(wrong), str(wrong)


@pytest.mark.slow
def test_another_functions_slope_in_two_equations_is_one_mistake():
    net = Network("distances", "The distance from some points less that from others")
    N, D = net.sizes("N D")
    w, p, q = net.parameter("w", D), net.input("p", N, D), net.input("q", N, D)
    n, d = net.indices(n=N, d=D)
    a, b = net.define("a", w - p), net.define("b", w - q)
    near, far = net.define("near", Sum(Abs(a[n, d]), d), over=n), net.define("far", Sum(Abs(b[n, d]), d), over=n)
    net.loss = Sum((near[n] - far[n]) ** 2, n)

    def squared(w, p, q):
        gap = 2 * (np.abs(w - p).sum(axis=1) - np.abs(w - q).sum(axis=1))[:, None]
        return (gap * (2 * (w - p) - 2 * (w - q))).sum(axis=0)

    found = diagnose(net, squared, seconds=5)
    assert len(found.findings) == 1 and "likewise in" in str(found), str(found)


@pytest.mark.slow
def test_one_operand_of_a_minimum_taken_always_is_told():
    net = Network("clipped", "The smaller of a gain and of one whose ratio is clipped")
    N, D = net.sizes("N D")
    w, X, gain = net.parameter("w", D), net.input("X", N, D), net.input("gain", N)
    (n,) = net.indices(n=N)
    r = net.define("r", X @ w)
    s = net.define("s", Min(r[n] * gain[n], Max(-1, Min(1, r[n])) * gain[n]), over=n)
    net.loss = Sum(s[n], n)

    def clipped(w, X, gain):
        return X.T @ (gain * (np.abs(X @ w) < 1))

    found = diagnose(net, clipped, seconds=5)
    assert "always" in str(found), str(found)


def test_a_regulariser_of_all_weights_that_is_of_another_size_too():
    net = Network("intercept_is_free")
    N, D = net.sizes("N D")
    w, X, y, lam = net.parameter("w", D + 1), net.input("X", N, D + 1), net.input("y", N), net.input("lam")
    [d] = net.indices(d=D)
    net.loss = total(softplus(net.define("z", X @ w))) - total(y * (X @ w)) + lam * Sum(w[d + 1] ** 2, d) / 2

    def grads(w, X, y, lam):
        return X.T @ (1 / (1 + np.exp(-X @ w)) - y) + lam / 2 * w       # the intercept w[0], too, and a half

    diagnosis = diagnose(net, grads)
    assert len(diagnosis.findings) == 1, str(diagnosis)
    assert "the mask [i >= 1] is missing, and the term is 1/2 times what it should be" in str(diagnosis), str(diagnosis)


def test_the_sum_of_all_entries_for_a_bias_is_told():
    net = Network("bias")
    N, D, C = net.sizes("N D C")
    W, b, X, Y = net.parameter("W", C, D), net.parameter("b", C, 1), net.input("X", D, N), net.input("Y", C, N)
    net.loss = mean((net.define("Z", W @ X + b) - Y) ** 2)

    def grads(W, b, X, Y):
        dZ = 2 * (W @ X + b - Y) / Y.size
        return dZ @ X.T, np.sum(dZ)

    assert "db is summed over c, n where" in str(diagnose(net, grads)).replace("the gradient of b", "db")
