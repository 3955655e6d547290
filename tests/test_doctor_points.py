"""Points at which code is judged: where the network has a value, with numbers of the kind that are meant."""

import numpy as np
import pytest
from sympy import And, Piecewise, Sum, exp, log, sqrt, tanh

from codegen.doctor import diagnose, layered
from codegen.doctor.trials import is_finite, points
from derive import Network, softmax, softplus, total
from tests.coursework.editing import edited


def alignment():
    """Return a network that says K words in T steps, in order: it has no value where T < K."""
    net = Network("alignment", "Minus the log probability of all ways to stay or to go on")
    T, K = net.sizes("T K")
    z = net.parameter("z", T, K)
    t, k = net.indices(t=T, k=K)
    y = net.define("y", softmax(z))
    P = net.state("P", T, K, initial=Piecewise((1, k <= 0), (0, True)))
    net.define(P, y[t, k] * (P[t - 1, k] + Piecewise((P[t - 1, k - 1], k >= 1), (0, True))), over=(t, k))
    net.loss = -log(P[T - 1, K - 1])
    return net


def forwards_and_backwards(z):
    T, K = z.shape
    y = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    P, Q = np.zeros((T + 1, K)), np.zeros((T + 1, K))
    P[0, 0] = 1
    for t in range(T):
        for k in range(K):
            P[t + 1, k] = y[t, k] * (P[t, k] + (P[t, k - 1] if k else 0))
    Q[T, K - 1] = 1
    for t in reversed(range(T)):
        for k in range(K):
            Q[t, k] = y[t, k] * Q[t + 1, k] + (y[t, k + 1] * Q[t + 1, k + 1] if k + 1 < K else 0)
    dy = np.zeros_like(y)
    for t in range(T):
        for k in range(K):
            dy[t, k] = -(P[t, k] + (P[t, k - 1] if k else 0)) * Q[t + 1, k] / P[T, K - 1]
    return -np.log(P[T, K - 1]), y * (dy - np.sum(dy * y, axis=1, keepdims=True))


def test_sizes_are_such_that_the_network_has_a_value():
    tried = points(alignment().backward())
    assert len(tried) > 2 and all(is_finite(p.ours) for p in tried)
    assert all(p.arguments["z"].shape[0] >= p.arguments["z"].shape[1] - 1 for p in tried)
    assert diagnose(alignment(), forwards_and_backwards).right
    found = diagnose(alignment(), edited(forwards_and_backwards, ("dy[t, k] = -(P", "dy[t, k] = (P")))
    assert found.kinds == ("sign",)


def forward(W, x):
    y = np.tanh(W @ x)
    return y, (W, x, y)


def backward(dout, cache):
    W, x, y = cache
    dz = dout * (1 - y**2)
    return {"W": np.outer(dz * dout, x), "x": W.T @ dz}         # dout twice, as 0 and 1 would not show


def test_what_comes_from_above_is_no_mask():
    net = Network("layer")
    J, K = net.sizes("J K")
    W, x, dout = net.parameter("W", J, K), net.parameter("x", K), net.input("dout", J)
    net.loss = total(dout * net.define("y", tanh(W @ x)))
    found = diagnose(net, layered(forward, backward))
    assert found.verdict == "wrong" and "dout" in str(found) and "unknown" not in found.kinds


def soft_minimum():
    net = Network("soft_minimum", "The cheapest of a few ways, softly")
    N = net.size("N")
    c, gamma = net.parameter("c", N), net.input("gamma")
    (n,) = net.indices(n=N)
    net.loss = -gamma * log(Sum(exp(-c[n] / gamma), n))
    return net


def padded(c, gamma):
    r = -np.append(c, 1e8) / gamma              # a way that nobody takes; where gamma is negative all do
    e = np.exp(r - r.max())
    return -gamma * (np.log(e.sum()) + r.max()), {"c": e[:-1] / e.sum()}


def test_single_numbers_are_positive_as_temperatures_are():
    assert diagnose(soft_minimum(), padded).right
    assert diagnose(soft_minimum(), edited(padded, ("e[:-1] / e.sum()", "-e[:-1] / e.sum()"))).kinds == ("sign",)


def stress():
    net = Network("stress", "Distances of a layout beside those that are given")
    N, K = net.sizes("N K")
    Y, D = net.parameter("Y", N, K), net.input("D", N, N)
    i, j, k = net.indices(i=N, j=N, k=K)
    d = net.define("d", Piecewise((sqrt(Sum((Y[i, k] - Y[j, k]) ** 2, k)), i < j), (1, True)), over=(i, j))
    net.loss = Sum(Piecewise(((d[i, j] - D[i, j]) ** 2, i < j), (0, True)), i, j) / \
        Sum(Piecewise((d[i, j], And(i < j)), (0, True)), i, j)
    return net


def by_products(Y, D):
    square = (Y**2).sum(1)
    d = np.sqrt(np.maximum(square[:, None] + square - 2 * Y @ Y.T, 0))      # not quite 0 on its diagonal
    upper = np.triu(np.ones_like(d), 1)
    whole, scale = (upper * (d - D) ** 2).sum(), d.sum() / 2
    slope = upper * (2 * (d - D) / scale - whole / scale**2)
    weight = (slope + slope.T) / np.where(d + np.eye(len(d)) > 1e-6, d + np.eye(len(d)), 1)
    return whole / scale, {"Y": Y * weight.sum(1)[:, None] - weight @ Y}


def test_digits_that_float64_cancels_are_no_mistake():
    net = stress()
    found = diagnose(net, by_products)
    assert found.right and found.tolerance <= 1e-6, found
    off = diagnose(net, edited(by_products, ("whole / scale**2", "whole / (scale + 1e-5)**2")))
    assert off.verdict == "wrong"


@pytest.mark.parametrize("small", [1e-5, 1e-6])
def test_what_is_off_and_smooth_is_wrong_however_little(small):
    def nearly(c, gamma):
        loss, grads = padded(c, gamma)
        return loss, {"c": grads["c"] * (1 + small * c)}

    assert diagnose(soft_minimum(), nearly).verdict == "wrong"


def turns():
    net = Network("turns", "Logistic losses of turns to the one side or the other")
    N, D = net.sizes("N D")
    w, X, y = net.parameter("w", D), net.input("X", N, D), net.input("y", N)
    n, d = net.indices(n=N, d=D)
    z = net.define("z", 8 * Sum(X[n, d] * w[d], d), over=n)
    net.loss = Sum(softplus((1 - 2 * y[n]) * z[n]), n)
    return net


def by_probabilities(w, X, y):
    p = 1 / (1 + np.exp(-8 * X @ w))
    loss = -np.sum(np.log(np.where(y == 1, p, 1 - p)))          # of p = 1 - 1e-10 six digits are left
    return loss, 8 * X.T @ (p - (y == 1))


def test_digits_lost_where_a_probability_is_nearly_1_are_no_mistake_on_narrower_data():
    found = diagnose(turns(), by_probabilities)
    assert found.right and "y is 0 or 1" in str(found), found
    assert diagnose(turns(), edited(by_probabilities, ("p - (y == 1)", "p + (y == 1)"))).verdict == "wrong"


def rated():
    net = Network("rated", "Each example's expected value under a softmax, squared error")
    N, D, A = net.sizes("N D A")
    W, x, values, t = net.parameter("W", D, A), net.input("x", N, D), net.input("values", N, A), net.input("t", N)
    expected = net.define("expected", total(softmax(x @ W) * values, axis=1))
    net.loss = total((expected - t) ** 2)
    return net


def squeezed(W, x, values, t):
    z = x @ W
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = (e / e.sum(axis=1, keepdims=True)).squeeze()        # of one entry, (N,) times (N, 1) is (N, N)
    expected = (p * values).sum(axis=1)
    error = expected - t
    dz = 2 * error[:, None] * p * (values - expected[:, None])
    return np.sum(error**2), {"W": x.T @ dz}


def test_code_that_drops_an_axis_of_one_entry_is_right_elsewhere():
    found = diagnose(rated(), squeezed)
    assert found.right and "at A = 1" in str(found) and "squeeze()" in str(found), found


def targeted():
    net = Network("targeted", "Towards expected values under a softmax that is given")
    N, D, A = net.sizes("N D A")
    w, x = net.parameter("w", D), net.input("x", N, D)
    V, values = net.input("V", D, A), net.input("values", N, A)
    expected = net.define("expected", total(softmax(x @ V) * values, axis=1))
    net.loss = total((expected - x @ w) ** 2)
    return net


def towards(w, x, V, values):
    z = x @ V
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = (e / e.sum(axis=1, keepdims=True)).squeeze()
    error = (p * values).sum(axis=1) - x @ w
    return np.sum(error**2), {"w": -2 * x.T @ error}


def test_a_mistake_is_named_in_code_that_drops_an_axis_of_one_entry():
    assert diagnose(targeted(), towards).right
    found = str(diagnose(targeted(), edited(towards, ("p * values", "p * values[::-1]"))))
    assert "`values[::-1]` should be `values`" in found
    assert "so edited, except at A = 1, dw and the loss are right" in found


def pooled():
    net = Network("pooled", "Means of pairs of a square, a row that is left over unread")
    S = net.size("S")
    A = net.size("A", S // 2)
    w, x = net.parameter("w", S), net.input("x", S, S)
    g = net.input("g", A)
    i, s, p = net.indices(i=A, s=S, p=2)
    y = net.define("y", Sum(tanh(w[2 * i + p]) * x[s, 2 * i + p], s, p) / 2, over=i)
    net.loss = Sum(y[i] * g[i], i)
    return net


def in_pairs(w, x, g):
    pairs = (np.tanh(w) * x.sum(axis=0)).reshape(len(g), 2)
    slope = (1 - np.tanh(w) ** 2) * x.sum(axis=0)
    return float(pairs.mean(axis=1) @ g), {"w": slope * np.repeat(g, 2) / 2}


def test_code_that_refuses_windows_that_leave_something_over_is_right_elsewhere():
    found = diagnose(pooled(), in_pairs)
    assert found.right and "cannot reshape" in str(found), found
    wrong = diagnose(pooled(), edited(in_pairs, ("np.repeat(g, 2) / 2", "np.repeat(g, 2)")))
    assert wrong.verdict == "wrong" and "2 times" in str(wrong), wrong


def shares(guard):
    net = Network("shares", "Rows over the sum of their absolute values")
    N, D = net.sizes("N D")
    x, g = net.parameter("x", N, D), net.input("g", N, D)
    net.loss = total(g * x / (total(abs(x), axis=1, keepdims=True) + guard))
    return net


def by_rows(x, g):
    size = np.abs(x).sum(axis=1, keepdims=True)
    share = x / size
    return np.sum(g * share), {"x": (g - (g * share).sum(axis=1, keepdims=True) * np.sign(x)) / size}


def test_code_may_do_without_what_keeps_the_network_in_range():
    found = diagnose(shares(1e-8), by_rows)
    assert found.right and 1e-9 < max(found.disagreements.values()) < 1e-7 and "small numbers" in str(found), found
    assert diagnose(shares(1e-4), by_rows).verdict == "wrong"
    assert diagnose(shares(1e-8), edited(by_rows, ("/ size}", "/ (size + 1e-5)}"))).verdict == "wrong"
