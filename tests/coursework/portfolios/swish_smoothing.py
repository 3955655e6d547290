"""Swish and ELU layers, softmax with label smoothing 0.1."""

import numpy as np
from sympy import Rational

import derive
from derive import Network, mean, silu, smoothed_cross_entropy


def network():
    net = Network("swish_smoothing")
    N, D, H, K, C = net.sizes("N D H K C")
    W1, b1 = net.parameter("W1", D, H), net.parameter("b1", H)
    W2, b2 = net.parameter("W2", H, K), net.parameter("b2", K)
    W3, b3 = net.parameter("W3", K, C), net.parameter("b3", C)
    X, y = net.input("X", N, D), net.labels("y", N, classes=C)
    A1 = net.define("A1", silu(X @ W1 + b1))
    A2 = net.define("A2", derive.elu(A1 @ W2 + b2))
    Z3 = net.define("Z3", A2 @ W3 + b3)
    net.loss = mean(smoothed_cross_entropy(Z3, y, Rational(1, 10)))
    return net


def swish(z):
    return z / (1 + np.exp(-z))


def d_swish(z):
    s = 1 / (1 + np.exp(-z))
    return s + z * s * (1 - s)


def elu(z):
    return np.where(z > 0, z, np.exp(np.minimum(z, 0)) - 1)


def d_elu(a):
    return np.where(a > 0, 1, a + 1)


def train(W1, b1, W2, b2, W3, b3, X, y, smooth=0.1):
    n, c = len(X), len(b3)
    z1 = X @ W1 + b1
    a1 = swish(z1)
    z2 = a1 @ W2 + b2
    a2 = elu(z2)
    z3 = a2 @ W3 + b3
    z3 -= z3.max(axis=1, keepdims=True)
    logp = z3 - np.log(np.exp(z3).sum(axis=1, keepdims=True))
    target = np.full((n, c), smooth / c)
    target[np.arange(n), y] += 1 - smooth
    loss = -(target * logp).sum() / n

    d3 = (np.exp(logp) - target) / n
    d2 = d3 @ W3.T * d_elu(a2)
    d1 = d2 @ W2.T * d_swish(z1)
    return loss, (X.T @ d1, d1.sum(0), a1.T @ d2, d2.sum(0), a2.T @ d3, d3.sum(0))


HANDED = train

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "swish_prime_at_activation": (
        "swish' evaluated at a1 in place of z1",
        [("d_swish(z1)",
          "d_swish(a1)")]),
    "swish_formula": (
        "swish' remembered as s + s(1-s), the z missing",
        [("return s + z * s * (1 - s)",
          "return s + s * (1 - s)")]),
    "hard_labels": (
        "the gradient takes hard labels: smoothing only in the loss",
        [("d3 = (np.exp(logp) - target) / n",
          "d3 = (np.exp(logp) - np.eye(c)[y]) / n")]),
    "elu_of_z_and_smooth_off": (
        "ELU' given z2 in place of a2 (z2 + 1 where negative); smoothing shared by c - 1 classes and yet given "
        "to the label as well: another loss, targets not summing to one",
        [("d_elu(a2)",
          "d_elu(z2)"),
         ("np.full((n, c), smooth / c)",
          "np.full((n, c), smooth / (c - 1))")]),
}
