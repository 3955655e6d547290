"""Attention under masks: causal ones and windows, masks of data, large numbers in place of -infinity."""

import numpy as np
import pytest
from sympy import And, Eq, Piecewise, Sum, exp, oo, sqrt

import codegen
from codegen.doctor import diagnose
from derive import Network, leaky_relu, matmul, mean, softmax, total
from derive.referee import TOLERANCE, disagreement

random = np.random.default_rng(0)
B, T, E = 2, 5, 3
Q, K, V, Y = (random.normal(size=(B, T, E)) for _ in range(4))


def attention(mask):
    """Return a network with weights exp(Z) where a mask lets them through, divided by their sum, in index notation."""
    net = Network("masked", "Masked attention")
    sizes = net.sizes("B T E")
    Q, K, V, Y = (*(net.parameter(name, *sizes) for name in "QKV"), net.input("Y", *sizes))
    b, t, s = net.indices(b=sizes[0], t=sizes[1], s=sizes[1])
    seen = mask(net, b, t, s)
    Z = net.define("Z", Q @ K.mT / sqrt(sizes[2]))
    weight = Piecewise((exp(Z[b, t, s]), seen), (0, True))
    P = net.define("P", weight / Sum(weight, s), over=(b, t, s))
    net.loss = mean((P @ V - Y) ** 2)
    return net


def on_one_line(mask):
    """Return the same network with the values in the sum of the weights: Sum(w V)/Sum(w)."""
    net = Network("one_line", "Masked attention on one line")
    sizes = net.sizes("B T E")
    Q, K, V, Y = (*(net.parameter(name, *sizes) for name in "QKV"), net.input("Y", *sizes))
    b, t, s, e = net.indices(b=sizes[0], t=sizes[1], s=sizes[1], e=sizes[2])
    seen = mask(net, b, t, s)
    Z = net.define("Z", Q @ K.mT / sqrt(sizes[2]))
    above = Sum(Piecewise((exp(Z[b, t, s]) * V[b, s, e], seen), (0, True)), s)
    below = Sum(Piecewise((exp(Z[b, t, s]), seen), (0, True)), s)
    net.loss = mean((net.define("O", above / below, over=(b, t, e)) - Y) ** 2)
    return net


def by_hand(seen, Q, K, V, Y):
    """Return the loss and its gradients; rows that see nothing have no weights."""
    Z = np.where(seen, Q @ K.mT / E**0.5, -np.inf)
    P = np.exp(Z - np.maximum(Z.max(-1, keepdims=True), -1e300))
    P /= np.maximum(P.sum(-1, keepdims=True), 1e-300)
    error = P @ V - Y
    d = 2 * error / error.size
    dP = d @ V.mT
    dZ = P * (dP - (dP * P).sum(-1, keepdims=True)) / E**0.5
    return np.mean(error**2), dZ @ K, dZ.mT @ Q, P.mT @ d


def causal(net, b, t, s):
    return s <= t


def window(net, b, t, s):
    return And(s <= t, t - s < net.size("Wd"))


def padding(net, b, t, s):
    return Eq(net.labels("M", t.upper + 1, classes=2)[s], 1)


i = np.arange(T)
some = np.array([1, 0, 1, 1, 0])
MASKS = [(causal, {}, i <= i[:, None]), (window, {"Wd": 2}, (i <= i[:, None]) & (i[:, None] - i < 2)),
         (padding, {"M": some}, some == 1), (padding, {"M": 0 * some}, some < 0)]


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
@pytest.mark.parametrize(("mask", "given", "seen"), MASKS, ids=["causal", "window", "padding", "nothing seen"])
@pytest.mark.parametrize("network", [attention, on_one_line])
def test_weights_over_their_sum_are_a_softmax(network, mask, given, seen, style):
    f = codegen.lambdify(network(mask).backward(), style=style)
    for scale in (1, 1e4):
        loss, grads = f(scale * Q, K, V, Y=Y, **given)
        expected, *gradients = by_hand(seen, scale * Q, K, V, Y)
        assert np.isclose(loss, expected, rtol=1e-12)
        for found, right in zip(grads, gradients, strict=True):
            assert np.allclose(found, right, rtol=1e-9, atol=1e-12)


def test_gradients_are_masked_once():
    assert codegen.source(attention(causal).backward()).count("np.where") == 1


def test_rows_of_which_all_is_masked_are_judged_too():
    """The referee takes a point where no logarithm is of 0; the doctor's formulas give what is masked no share."""
    net = Network("pooled", "Means weighted by exponentials of what is there")
    N, M = net.size("N"), 2
    x, c, m = net.parameter("x", N, M), net.input("c", N, M), net.labels("m", N, M, classes=2)
    n, t = net.indices(n=N, t=M)
    weight = Piecewise((exp(x[n, t]), Eq(m[n, t], 1)), (0, True))
    S = net.define("S", Sum(weight, t), over=n)
    P = net.define("P", weight / S[n], over=(n, t))
    net.loss = Sum(P[n, t] * c[n, t], n, t)

    def by_hand(x, c, m):
        P = np.exp(x) * (m == 1)
        P /= np.maximum(P.sum(axis=1, keepdims=True), 1e-300)
        return np.sum(P * c), {"x": P * (c - np.sum(P * c, axis=1, keepdims=True))}

    for seed in range(4):
        assert max(disagreement(net.program(), net.backward(), seed=seed).values()) <= TOLERANCE
    assert diagnose(net, by_hand).verdict == "right"


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
@pytest.mark.parametrize("masks", [1, 2])
def test_large_numbers_leave_the_scores_as_they_are(masks, style):
    """SymPy writes z - 1e9 (1 - m) as z + 1e9 m - 1e9; added in that order nothing is left of z in float32."""
    net = Network("masked", "Attention with a padding mask, or two")
    sizes = net.sizes("B T E")
    q, k, v, y = (*(net.parameter(name, *sizes) for name in "QKV"), net.input("Y", *sizes))
    m, c = net.input("M", *sizes[:2]), net.input("C", sizes[1], sizes[1])
    Z = net.define("Z", q @ k.mT / sqrt(sizes[2]) - 1e9 * (1 - m[:, None, :]) - (masks - 1) * 1e9 * (1 - c))
    net.loss = mean((softmax(Z) @ v - y) ** 2)
    M, C = np.array([[1, 1, 0, 1, 0], [1, 1, 1, 0, 1.0]]), np.tri(T)
    seen = (M[:, None, :] == 1) & ((C == 1) | (masks == 1))
    expected, *gradients = by_hand(seen, Q, K, V, Y)
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        loss, grads = codegen.lambdify(net.backward(), style=style)(
            *(a.astype(dtype) for a in (Q, K, V, Y, M)), C=C.astype(dtype))
        assert np.isclose(loss, expected, rtol=tolerance)
        for found, right in zip(grads, gradients, strict=True):
            assert np.allclose(found, right, rtol=10 * tolerance, atol=tolerance)


def weighted(named):
    """Return attention without a mask, the exponentials' sums with and without V divided."""
    net = Network("weighted", "Attention as a weighted mean")
    sizes = net.sizes("B T E")
    Q, K, V, Y = (*(net.parameter(name, *sizes) for name in "QKV"), net.input("Y", *sizes))
    W = exp(net.define("Z", Q @ K.mT / sqrt(sizes[2])))
    W = net.define("W", W) if named else W
    net.loss = mean((matmul(W, V) / total(W, axis=-1, keepdims=True) - Y) ** 2)
    return net


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
@pytest.mark.parametrize("named", [False, True])
def test_means_weighted_by_exponentials_never_overflow(named, style):
    f = codegen.lambdify(weighted(named).backward(), style=style)
    for scale in (1, 1e4):
        loss, grads = f(scale * Q, K, V, Y)
        expected, *gradients = by_hand(True, scale * Q, K, V, Y)
        assert np.isclose(loss, expected, rtol=1e-12)
        for found, right in zip(grads, gradients, strict=True):
            assert np.allclose(found, right, rtol=1e-9, atol=1e-12)


def decay(named=True):
    """Return a layer whose entries mix by exp(c[t] - c[s]) for s <= t: Mamba-2's, as a product (Dao and Gu, 2024)."""
    net = Network("decay", "State space duality in its quadratic form")
    N, D = net.sizes("N D")
    a, G, X = net.parameter("a", T, N), net.parameter("G", T, T), net.parameter("X", T, N, D)
    t, s, u, n, d = net.indices(t=T, s=T, u=T, n=N, d=D)
    c = net.define("c", Sum(a[u, n], (u, 0, t)), over=(t, n))
    if named:
        L = net.define("L", Piecewise((exp(c[t, n] - c[s, n]), s <= t), (0, True)), over=(n, t, s))
        mixed = G[t, s] * L[n, t, s] * X[s, n, d]
    else:
        mixed = Piecewise((exp(c[t, n] - c[s, n]) * G[t, s] * X[s, n, d], s <= t), (0, True))
    y = net.define("y", Sum(mixed, s), over=(t, n, d))
    net.loss = mean(y**2)
    return net


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
@pytest.mark.parametrize("scale", [1, 1e3])
@pytest.mark.parametrize("named", [True, False])
def test_exponentials_behind_a_mask_never_overflow(named, scale, style):
    a, G, X = -scale * random.random((T, B)), random.normal(size=(T, T)), random.normal(size=(T, B, E))
    loss, grads = codegen.lambdify(decay(named).backward(), style=style)(a, G, X)
    c = np.cumsum(a, axis=0).T
    L = np.exp(np.where(np.tri(T) > 0, c[:, :, None] - c[:, None], -np.inf))
    y = (G * L) @ X.transpose(1, 0, 2)
    dGL = 2 * y / y.size @ X.transpose(1, 2, 0)
    dc = (dGL * G * L).sum(2) - (dGL * G * L).sum(1)
    assert np.isclose(loss, np.mean(y**2), rtol=1e-12)
    for found, right in zip(grads, (np.cumsum(dc[:, ::-1], 1)[:, ::-1].T, (dGL * L).sum(0),
                                    ((G * L).mT @ (2 * y / y.size)).transpose(1, 0, 2)), strict=True):
        assert np.allclose(found, right, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("named", [True, False])
def test_what_two_factors_of_a_product_need_is_computed_once(named):
    text = codegen.source(decay(named).backward()).partition("def sgd_step")[0]
    assert text.count("np.where") == 1 and text.count(" @ ") == 3


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_what_a_function_in_a_branch_is_of_has_a_name(style):
    """Graph attention (Velickovic et al., 2018): a leaky relu of a sum for each pair, of neighbours alone."""
    torch = pytest.importorskip("torch", reason="PyTorch is an extra")
    net = Network("graph", "Attention to neighbours")
    N = net.size("N")
    l, r, c = net.parameter("l", N), net.parameter("r", N), net.input("c", N, N)
    near = net.labels("near", N, N, classes=2)
    i, j = net.indices(i=N, j=N)
    S = net.define("S", Piecewise((leaky_relu(l[i] + r[j]), Eq(near[i, j], 1)), (-oo, True)), over=(i, j))
    net.loss = total(softmax(S) * c)
    given = {"l": random.normal(size=6), "r": random.normal(size=6), "c": random.normal(size=(6, 6)),
             "near": np.maximum(np.eye(6, dtype=int), random.integers(0, 2, (6, 6)))}
    a, b, weights, seen = (torch.tensor(v, requires_grad=name in "lr") for name, v in given.items())
    scores = torch.nn.functional.leaky_relu(a[:, None] + b).masked_fill(seen == 0, -torch.inf)
    (torch.softmax(scores, 1) * weights).sum().backward()
    program = net.backward()
    grads = codegen.lambdify(program, style)(**given)[1]
    np.testing.assert_allclose(grads.l, a.grad, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(grads.r, b.grad, rtol=1e-11, atol=1e-14)
    assert [str(program.gradients[name].rhs) for name in "lr"] == [
        "Sum(dpre_S[i, j], (j, 0, N - 1))", "Sum(dpre_S[i, j], (i, 0, N - 1))"]


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
@pytest.mark.parametrize("power", [2, 3])
def test_powers_of_a_softmax_are_0_in_rows_that_are_masked_everywhere(power, style):
    """exp(p (z - lse)) where all z are -infinity: p times the maximum that stands for it has to be finite."""
    net = Network("powers", "Powers of masked shares")
    N, C = net.sizes("N C")
    Z, M = net.parameter("Z", N, C), net.input("M", N, C)
    net.loss = total(softmax(Piecewise((Z, Eq(M, 1)), (-oo, True))) ** power)
    Z0 = np.random.default_rng(0).normal(size=(3, 4))
    M0 = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1.0]])
    f = codegen.lambdify(net.backward(), style=style)
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        E = np.exp(Z0) * M0
        p = E / np.maximum(E.sum(axis=1, keepdims=True), 1e-300)
        slope = power * (p**power - p * np.sum(p**power, axis=1, keepdims=True))
        loss, grads = f(Z0.astype(dtype), M0.astype(dtype))
        np.testing.assert_allclose(loss, np.sum(p**power), rtol=tolerance)
        np.testing.assert_allclose(grads.Z, slope, rtol=tolerance, atol=tolerance)
