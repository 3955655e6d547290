"""The doctor names masks that are missing and slopes that are misplaced, whatever shape the formula has."""

import numpy as np
import pytest
from sympy import Sum

from codegen.doctor import diagnose
from derive import Network, hardtanh, leaky_relu, log_softmax, mean, prelu, relu, total
from tests.coursework.editing import edited


def hinges():
    net = Network("hinges", "Differences of a linear score, each to be 1 at least")
    N, D = net.sizes("N D")
    w, P, Q = net.parameter("w", D), net.input("P", N, D), net.input("Q", N, D)
    net.loss = total(relu(1 - (P - Q) @ w))
    return net


def hinges_by_hand(w, P, Q):
    gap = 1 - (P - Q) @ w
    active = gap > 0
    return np.maximum(gap, 0).sum(), -(P - Q)[active].sum(axis=0)


def clipped():
    net = Network("clipped", "A linear layer, kept between -1 and 1")
    N, D, H = net.sizes("N D H")
    W, X, Y = net.parameter("W", D, H), net.input("X", N, D), net.input("Y", N, H)
    A = net.define("A", hardtanh(net.define("Z", X @ W)))
    net.loss = total((A - Y) ** 2)
    return net


def clipped_by_hand(W, X, Y):
    Z = X @ W
    A = np.clip(Z, -1, 1)
    dZ = 2 * (A - Y)
    dZ[np.abs(Z) >= 1] = 0
    return np.sum((A - Y) ** 2), X.T @ dZ


def leaky():
    net = Network("leaky", "Two layers, a leaky relu between them")
    N, D, H = net.sizes("N D H")
    W, v, X, y = net.parameter("W", D, H), net.parameter("v", H), net.input("X", N, D), net.input("y", N)
    net.loss = mean((leaky_relu(X @ W, 0.1) @ v - y) ** 2)
    return net


def leaky_by_hand(W, v, X, y):
    Z = X @ W
    A = np.where(Z > 0, Z, 0.1 * Z)
    error = A @ v - y
    dZ = np.outer(2 * error, v)
    dZ[Z <= 0] *= 0.1
    return np.mean(error**2), (X.T @ dZ / len(y), A.T @ (2 * error) / len(y))


def learnt_slope():
    net = Network("learnt_slope", "A layer with PReLU")
    N, D, H = net.sizes("N D H")
    W, a, X, G = net.parameter("W", D, H), net.parameter("a"), net.input("X", N, D), net.input("G", N, H)
    net.loss = total(G * net.define("A", prelu(net.define("Z", X @ W), a)) ** 2)
    return net


def learnt_slope_by_hand(W, a, X, G):
    Z = X @ W
    A = np.where(Z > 0, Z, a * Z)
    dA = 2 * G * A
    return np.sum(G * A**2), (X.T @ np.where(Z > 0, dA, a * dA), np.sum(np.where(Z > 0, 0, dA * Z)))


def squared_log():
    net = Network("squared_log", "The squared logarithm of the true class's probability")
    N, D, C = net.sizes("N D C")
    W, X, y = net.parameter("W", D, C), net.input("X", N, D), net.labels("y", N, classes=C)
    lp = net.define("lp", log_softmax(X @ W))
    (n,) = net.indices(n=N)
    net.loss = Sum(lp[n, y[n]] ** 2, n)
    return net


def squared_log_by_hand(W, X, y):
    P = np.exp(X @ W)
    P /= P.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    own = np.log(P[rows, y])
    d = -P
    d[rows, y] += 1
    return np.sum(own**2), X.T @ (2 * own[:, None] * d)


MISTAKES = [
    (hinges, hinges_by_hand, ("gap > 0", "gap > -np.inf"), "the mask [pre_loss[n] > 0] is missing"),
    (clipped, clipped_by_hand, ("    dZ[np.abs(Z) >= 1] = 0\n", ""), "the mask [not (Z[n, h] <= -1 or Z[n, h] >= 1)]"),
    (leaky, leaky_by_hand, ("*= 0.1\n", "= 0.1\n"), "where pre_loss is negative the slope stands in the place of"),
    (learnt_slope, learnt_slope_by_hand, ("dA * Z)", "dA)"), "the factor Z is missing"),
    (squared_log, squared_log_by_hand, ("d = -P\n    d[rows, y] += 1", "d = P + 0\n    d[rows, y] = 1 - P[rows, y]"),
     "all entries but that of the true class have the wrong sign"),
]  # fmt: skip


@pytest.mark.parametrize(("network", "by_hand", "mistake", "told"), MISTAKES, ids=lambda v: getattr(v, "__name__", ""))
def test_masks_and_slopes(network, by_hand, mistake, told):
    assert diagnose(network(), by_hand).right
    diagnosis = diagnose(network(), edited(by_hand, mistake))
    assert len(diagnosis.findings) == 1 and told in str(diagnosis), str(diagnosis)
