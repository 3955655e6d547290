"""What an array is before some of its entries are written, and what an object is before a step is gone back."""

import numpy as np
import pytest
from sympy import Sum, tanh

from codegen.doctor import diagnose, layered
from derive import Network, cross_entropy, mean, relu, total
from tests.coursework.editing import edited
from tests.test_repairs import examined


def of_actions():
    net = Network("of_actions", "Half the mean squared error of the value of the action that was taken")
    N, D, A = net.sizes("N D A")
    w, b = net.parameter("w", D, A), net.parameter("b", A)
    x, t = net.input("x", N, D), net.input("t", N)
    a = net.labels("a", N, classes=A)
    (n,) = net.indices(n=N)
    Q = net.define("Q", relu(x @ w + b))
    net.loss = Sum((Q[n, a[n]] - t[n]) ** 2, n) / (2 * N)
    return net


def taken(w, b, x, t, a):
    z = x @ w + b
    q = np.maximum(z, 0)
    rows = np.arange(len(q))
    loss = 0.5 * np.mean((q[rows, a] - t) ** 2)
    y = q.copy()
    y[rows, a] = t
    d = (q - y) / len(q) * (z > 0)
    return loss, {"w": x.T @ d, "b": d.sum(axis=0)}


def picked(w, b, x, t, a):
    z = x @ w + b
    q = np.maximum(z, 0)
    rows = np.arange(len(q))
    loss = 0.5 * np.mean((q[rows, a] - t) ** 2)
    d = np.zeros_like(q)
    d[rows, a] = q[rows, a] - t
    d = d / len(q) * (z > 0)
    return loss, {"w": x.T @ d, "b": d.sum(axis=0)}


def test_others_that_are_pulled_to_zero():
    for code, edits, told in [
        (taken, [("y = q.copy()", "y = np.zeros_like(q)")], "`np.zeros_like(q)` should be `q.copy()`"),
        (picked, [("d = np.zeros_like(q)", "d = q.copy()"), ("d[rows, a] = q[rows, a] - t", "d[rows, a] -= t")],
         "`d = q.copy()` should be `d = np.zeros_like(q)`"),
    ]:
        assert examined(of_actions(), code)[0] == []
        [found], _ = examined(of_actions(), edited(code, *edits))
        assert told in found.words, found


def steps():
    net = Network("steps", "A recurrence of layers that keep what they were given last")
    T, D, H = net.sizes("T D H")
    W, U = net.parameter("W", D, H), net.parameter("U", H, H)
    x, G = net.input("x", T, D), net.input("G", T, H)
    t, d, h, j = net.indices(t=T, d=D, h=H, j=H)
    s = net.state("s", T, H, initial=0)
    net.define(s, tanh(Sum(x[t, d] * W[d, h], d) + Sum(s[t - 1, j] * U[j, h], j)), over=(t, h))
    net.loss = total(s * G)
    return net


class Linear:
    """A linear layer that keeps its last input."""

    def __init__(self, W):
        self.W, self.dW = W, np.zeros_like(W)

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, d):
        self.dW += np.outer(self.x, d)
        return d @ self.W.T


class Steps:
    """A recurrence of two of them, which stores what they keep."""

    def __init__(self, W, U):
        self.of_input, self.of_state = Linear(W), Linear(U)

    def forward(self, x):
        self.xs, self.states, self.out = [], [], []
        s = np.zeros(len(self.of_state.W))
        for step in x:
            s = np.tanh(self.of_input.forward(step) + self.of_state.forward(s))
            self.xs.append(self.of_input.x)
            self.states.append(self.of_state.x)
            self.out.append(s)
        return np.array(self.out)

    def backward(self, G):
        later = 0
        for t in reversed(range(len(G))):
            d = (G[t] + later) * (1 - self.out[t] ** 2)
            self.of_state.x = self.states[t]
            self.of_input.x = self.xs[t]
            self.of_input.backward(d)
            later = self.of_state.backward(d)
        return {"W": self.of_input.dW, "U": self.of_state.dW}


def test_an_input_that_is_stored_and_not_restored():
    Forgetful = edited(Steps, ("            self.of_input.x = self.xs[t]\n", ""))

    def code(kind):
        def forward(W, U, x):
            layer = kind(W, U)
            return layer.forward(x), layer

        return layered(forward, lambda G, layer: layer.backward(G))

    assert examined(steps(), code(Steps))[0] == []
    [found], _ = examined(steps(), code(Forgetful))
    assert "`self.of_input.x = self.xs[t]` is missing at the beginning of each turn" in found.words, found


def scores():
    net = Network("scores", "Cross-entropy, of labels")
    N, D, C = net.sizes("N D C")
    W, X, y = net.parameter("W", D, C), net.input("X", N, D), net.labels("y", N, classes=C)
    net.loss = mean(cross_entropy(X @ W, y))
    return net


def of_labels(W, X, y):
    S = X @ W
    p = np.exp(S - S.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.mean(np.log(p[np.arange(len(p)), y]))
    d = p.copy()
    d[np.arange(len(d)), y] -= 1
    return loss, X.T @ d / len(X)


@pytest.mark.parametrize("edits", [
    [("np.log(p[np.arange(len(p)), y])", "np.log(p[:, y])"), ("d[np.arange(len(d)), y] -= 1", "d[:, y] -= 1")],
    [("np.log(p[np.arange(len(p)), y])", "np.log(p[np.arange(len(p)), y - 1])"),
     ("d[np.arange(len(d)), y] -= 1", "d[np.arange(len(d)), y - 1] -= 1")],
])
def test_a_slip_in_the_loss_and_its_like_in_the_gradient_are_told_each(edits):
    found = diagnose(scores(), edited(of_labels, *edits))
    assert found.verdict == "wrong" and found.kinds == ("forward", "line")
    for told, place in zip(found.findings, ("p[np.arange(len(p)), y]", "d[np.arange(len(d)), y]"), strict=True):
        assert f"should be `{place}`" in told.words


def test_a_small_number_in_a_logarithm_is_not_told_as_an_axis_that_is_dropped():
    """Of one class the loss is 0, and -1e-12 in the code."""
    found = diagnose(scores(), edited(of_labels, ("[np.arange(len(p)), y]))", "[np.arange(len(p)), y] + 1e-12))")))
    assert found.right and "left out" not in str(found)
