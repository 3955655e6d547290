"""Factorisation machine of second order, by the linear-time identity, squared error and L2."""

import numpy as np

from derive import Network, mean, total


def network():
    net = Network("factorisation_machine")
    N, D, K = net.sizes("N D K")
    w0, w, V = net.parameter("w0"), net.parameter("w", D), net.parameter("V", D, K)
    X, y, lam = net.input("X", N, D), net.input("y", N), net.input("lam")
    S = net.define("S", X @ V)
    p = net.define("p", w0 + X @ w + total(S**2, axis=1) / 2 - (X**2) @ total(V**2, axis=1) / 2)
    net.loss = mean((p - y) ** 2) + lam * total(V**2)
    return net


class Gradient:
    def __init__(self, w0, w, V):
        self.w0, self.w, self.V = w0, w, V


def fm(w0, w, V, X, y, lam):
    n = len(y)
    s = X @ V
    interaction = 0.5 * np.sum(s**2 - (X**2) @ (V**2), axis=1)
    pred = w0 + X @ w + interaction
    err = pred - y
    g = 2 * err / n
    g0 = g.sum()
    gw = X.T @ g
    gV = X.T @ (g[:, None] * s) - V * (X**2).T.dot(g)[:, None]
    gV += 2 * lam * V
    return Gradient(g0, gw, gV)


HANDED = fm

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "self_interaction": (
        "the self-interaction's term -v x^2 is missing in dV",
        [("gV = X.T @ (g[:, None] * s) - V * (X**2).T.dot(g)[:, None]",
          "gV = X.T @ (g[:, None] * s)")]),
    "x_not_squared": (
        "the self-interaction's term has x in place of x^2",
        [("(X**2).T.dot(g)",
          "X.T.dot(g)")]),
    "half_kept_and_lambda_on_w": (
        "the 1/2 of the interaction kept in the first term of dV; the penalty's gradient also on w",
        [("gV = X.T @ (g[:, None] * s)",
          "gV = 0.5 * X.T @ (g[:, None] * s)"),
         ("gw = X.T @ g",
          "gw = X.T @ g + 2 * lam * w")]),
}
