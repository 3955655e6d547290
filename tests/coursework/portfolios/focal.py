"""Focal loss (gamma 2, balance alpha) for binary labels 0 or 1, a one-hidden-layer network."""

import numpy as np
from sympy import Rational, tanh

from derive import Network, mean, sigmoid, softplus


def network():
    net = Network("focal")
    N, D, H = net.sizes("N D H")
    W, b, v, c = net.parameter("W", D, H), net.parameter("b", H), net.parameter("v", H), net.parameter("c")
    X, y = net.input("X", N, D), net.labels("y", N, classes=2)
    A = net.define("A", tanh(X @ W + b))
    s = net.define("s", A @ v + c)
    Q = Rational(1, 4)
    net.loss = mean(y * Q * sigmoid(-s) ** 2 * softplus(-s) + (1 - y) * (1 - Q) * sigmoid(s) ** 2 * softplus(s))
    return net


ALPHA = 0.25


def focal(W, b, v, c, X, y):
    a = np.tanh(X @ W + b)
    p = 1 / (1 + np.exp(-(a @ v + c)))
    pt = np.where(y == 1, p, 1 - p)
    at = np.where(y == 1, ALPHA, 1 - ALPHA)
    loss = np.mean(-at * (1 - pt) ** 2 * np.log(pt))

    dpt = at * (2 * (1 - pt) * np.log(pt) - (1 - pt) ** 2 / pt) / len(y)
    dp = np.where(y == 1, dpt, -dpt)
    ds = dp * p * (1 - p)
    dv = a.T @ ds
    dc = np.sum(ds)
    dz = np.outer(ds, v) * (1 - a * a)
    return loss, {"W": X.T @ dz, "b": dz.sum(axis=0), "v": dv, "c": dc}


HANDED = focal

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "modulation_detached": (
        "the modulating factor (1-pt)^2 is treated as a constant",
        [("dpt = at * (2 * (1 - pt) * np.log(pt) - (1 - pt) ** 2 / pt) / len(y)",
          "dpt = -at * (1 - pt) ** 2 / pt / len(y)")]),
    "negative_class_sign": (
        "dp = dpt for the negatives too: their sign is lost",
        [("dp = np.where(y == 1, dpt, -dpt)",
          "dp = dpt")]),
    "alpha_for_all_and_sigma": (
        "alpha used for both classes in the gradient; sigma' missing",
        [("dpt = at * (",
          "dpt = ALPHA * ("),
         ("ds = dp * p * (1 - p)",
          "ds = dp")]),
}
