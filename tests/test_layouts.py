"""Code that lays its arrays out in another way than the network is judged in its own layout."""

from itertools import product

import numpy as np
import pytest
from sympy import Sum, tanh

from codegen.doctor import diagnose
from codegen.doctor.own_layout import _places
from derive import Network, binary_cross_entropy, mean, padded, relu, sigmoid, total
from derive.networks import named


def relu_of_columns(W1, b1, W2, b2, X, Y):
    """Columns are examples, labels one-hot, as in many online courses."""
    m = X.shape[1]
    Z1 = W1 @ X + b1
    A1 = np.maximum(0, Z1)
    e = np.exp(W2 @ A1 + b2)
    A2 = e / e.sum(axis=0, keepdims=True)
    cost = -np.sum(Y * np.log(A2)) / m
    dZ2 = A2 - Y
    dZ1 = W2.T @ dZ2 * (Z1 > 0)
    return cost, {"dW1": dZ1 @ X.T / m, "db1": dZ1.sum(axis=1, keepdims=True) / m,
                  "dW2": dZ2 @ A1.T / m, "db2": dZ2.sum(axis=1, keepdims=True) / m}


def without_keepdims(W1, b1, W2, b2, X, Y):
    loss, grads = relu_of_columns(W1, b1, W2, b2, X, Y)
    return loss, {**grads, "db1": grads["db1"][:, 0]}


def without_the_mean(W1, b1, W2, b2, X, Y):
    loss, grads = relu_of_columns(W1, b1, W2, b2, X, Y)
    return loss, {**grads, "dW2": grads["dW2"] * X.shape[1]}


def as_it_was_multiplied(W1, b1, W2, b2, X, Y):
    loss, grads = relu_of_columns(W1, b1, W2, b2, X, Y)
    return loss, {**grads, "dW1": grads["dW1"].T}


COLUMNS = "W1 (H, D), W2 (C, H), b1 (H, 1), b2 (C, 1), X (D, N), y one-hot (C, N)"


def test_columns_are_examples():
    found = diagnose(named("mlp"), relu_of_columns)
    assert found.right and max(found.disagreements.values()) < 1e-12
    assert found.remarks == [f"called with arrays as the code lays them out: {COLUMNS}"]


@pytest.mark.parametrize(("code", "words"), [
    (without_keepdims, "the gradient of b1 has shape (2,); expected (2, 1)"),
    (without_the_mean, "dW2 is N times the derived gradient everywhere"),
    (as_it_was_multiplied, "the gradient of W1 is transposed"),
])
def test_mistakes_are_named_in_the_codes_own_layout(code, words):
    found = diagnose(named("mlp"), code)
    assert found.verdict == "wrong" and len(found.findings) == 1 and words in str(found)
    assert COLUMNS in str(found)


def test_a_row_for_each_output():
    net = Network("logistic", "Logistic regression")
    N, D = net.sizes("N D")
    w, b, X, y = net.parameter("w", D), net.parameter("b"), net.input("X", N, D), net.input("y", N)
    net.loss = mean(binary_cross_entropy(net.define("z", X @ w + b), y))

    def propagate(w, b, X, Y):          # w is (D, 1), X (D, m), Y (1, m)
        m = X.shape[1]
        assert w.shape == (X.shape[0], 1)
        A = 1 / (1 + np.exp(-(np.dot(w.T, X) + b)))
        cost = -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / m
        return {"dw": np.dot(X, (A - Y).T) / m, "db": np.sum(A - Y) / m}, cost

    found = diagnose(net, propagate)
    assert found.right and "w (D, 1), X (D, N)" in str(found)


def test_a_batch_before_time():
    net = Network("elman", "A tanh recurrence")
    T, N, D, K = net.sizes("T N D K")
    U, W, b = net.parameter("U", D, K), net.parameter("W", K, K), net.parameter("b", K)
    X, Y, h0 = net.input("X", T, N, D), net.input("Y", T, N, K), net.input("h0", N, K)
    t, n, d, k, j = net.indices(t=T, n=N, d=D, k=K, j=K)
    h = net.state("h", T, N, K, initial=h0)
    net.define(h, tanh(Sum(X[t, n, d] * U[d, k], d) + Sum(h[t - 1, n, j] * W[j, k], j) + b[k]), over=(t, n, k))
    net.loss = total((h - Y) ** 2) / 2

    def batch_first(U, W, b, X, Y, h0):
        steps = X.shape[1]
        h, before, loss = h0, [], 0
        states = []
        for t in range(steps):
            before.append(h)
            h = np.tanh(X[:, t] @ U + h @ W + b)
            states.append(h)
            loss += ((h - Y[:, t]) ** 2).sum() / 2
        dU, dW, db, dh = np.zeros_like(U), np.zeros_like(W), np.zeros_like(b), 0
        for t in reversed(range(steps)):
            dz = (dh + states[t] - Y[:, t]) * (1 - states[t] ** 2)
            dU += X[:, t].T @ dz
            dW += before[t].T @ dz
            db += dz.sum(axis=0)
            dh = dz @ W.T
        return loss, (dU, dW, db)

    found = diagnose(net, batch_first)
    assert found.right and "X (N, T, D), Y (N, T, K)" in str(found)


def test_channels_last():
    net = Network("convolution", "A convolution under an upstream gradient")
    N, C, H, W, F = net.sizes("N C H W F")
    x, w, b = net.parameter("x", N, C, H, W), net.parameter("w", F, C, 3, 3), net.parameter("b", F)
    dout = net.input("dout", N, F, H, W)
    n, c, f, i, j, p, q = net.indices(n=N, c=C, f=F, i=H, j=W, p=3, q=3)
    y = net.define("y", Sum(padded(x)[n, c, i + p - 1, j + q - 1] * w[f, c, p, q], c, p, q) + b[f], over=(n, f, i, j))
    net.loss = total(dout * y)

    def conv(x, w, b, dout):            # x is (m, h, w, c), w (3, 3, c, f), b (1, 1, 1, f)
        _, height, width, _ = x.shape
        xp = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        dxp, dw, loss = np.zeros_like(xp), np.zeros_like(w), 0
        for i in range(height):
            for j in range(width):
                piece = xp[:, i:i + 3, j:j + 3]
                loss += (dout[:, i, j] * (np.tensordot(piece, w, 3) + b[0, 0])).sum()
                dw += np.tensordot(piece, dout[:, i, j], (0, 0))
                dxp[:, i:i + 3, j:j + 3] += np.tensordot(dout[:, i, j], w, (1, 3))
        return loss, (dxp[:, 1:-1, 1:-1], dw, dout.sum(axis=(0, 1, 2)).reshape(1, 1, 1, -1))

    found = diagnose(net, conv)
    assert found.right and "x (N, H, W, C), w (3, 3, C, F), b (1, 1, 1, F), dout (N, H, W, F)" in str(found)


@pytest.mark.parametrize("lengths", [[3, 2, 4], [5], [1, 3], [4, 3, 2, 3], [1, 1]], ids=str)
def test_simple_layouts_come_first_and_are_made_one_by_one(lengths):
    usual, *others = sorted(product(*map(range, lengths)), key=lambda p: (sum(map(bool, p)), sum(p)))
    assert list(_places(lengths)) == others and not any(usual)
    assert next(_places([64] * 20)) == (0,) * 19 + (1,)


def test_what_fails_in_every_layout_is_told_of_the_networks_own():
    net = Network("layer", "A sigmoid layer, mean squares")
    N, D, H = net.sizes("N D H")
    W, X, Y = net.parameter("W", D, H), net.input("X", N, D), net.input("Y", N, H)
    A = net.define("A", sigmoid(relu(X @ W)))
    net.loss = mean((A - Y) ** 2) / 2

    def code(W, X, Y):
        Z = X @ W
        A = 1 / (1 + np.exp(-np.maximum(Z, 0)))
        dZ = (A - Y) * A * (1 - A) * (Z > 0) / A.size
        return ((A - Y) ** 2).mean() / 2, dZ @ X.T

    found = diagnose(net, code)
    assert found.verdict == "wrong" and "laid" not in str(found) and "dZ @ X.T" in str(found)


def test_a_vector_that_is_broadcast_against_a_column_is_a_mistake():
    net = Network("line")
    N, D = net.sizes("N D")
    w, X, y = net.parameter("w", D, 1), net.input("X", N, D), net.input("y", N)
    net.loss = mean((net.define("p", X @ w)[:, 0] - y) ** 2)

    def code(w, X, y):
        d = 2 * (X @ w - y).mean(axis=-1, keepdims=True) / len(X)       # y (N,) makes (N, N) of it
        return X.T @ d

    found = diagnose(net, code)
    assert found.verdict == "wrong" and len(found.findings) == 1
    assert "given as y (N, 1) instead, all is right" in str(found) and found.disagreements["w"] > 0.1
    assert diagnose(net, lambda w, X, y: X.T @ (2 * (X @ w - y.reshape(-1, 1)) / len(X))).right
