"""Batch normalisation by the short formula, after a dense layer and before relu, squared error."""

import numpy as np
from sympy import Rational, sqrt

from derive import Network, mean, relu


def network():
    net = Network("bn_regressor")
    N, D, H = net.sizes("N D H")
    W, gamma, beta = net.parameter("W", D, H), net.parameter("gamma", H), net.parameter("beta", H)
    v, c = net.parameter("v", H), net.parameter("c")
    X, t = net.input("X", N, D), net.input("t", N)
    Z = net.define("Z", X @ W)
    m = net.define("m", mean(Z, axis=0))
    var = net.define("var", mean((Z - m) ** 2, axis=0))
    U = net.define("U", (Z - m) / sqrt(var + Rational(1, 1000)))
    A = net.define("A", relu(gamma * U + beta))
    net.loss = mean((A @ v + c - t) ** 2)
    return net


def loss_grad(W, gamma, beta, v, c, X, t):
    N = len(X)
    Z = X @ W
    mu, var = Z.mean(axis=0), Z.var(axis=0)
    std_inv = 1 / np.sqrt(var + 1e-3)
    Zn = (Z - mu) * std_inv
    Y = gamma * Zn + beta
    A = np.maximum(Y, 0)
    pred = A @ v + c
    err = pred - t
    loss = np.mean(err**2)

    dpred = 2 * err / N
    dv = A.T @ dpred
    dc = dpred.sum()
    dA = np.outer(dpred, v)
    dY = np.where(Y > 0, dA, 0)
    dgamma = (dY * Zn).sum(axis=0)
    dbeta = dY.sum(axis=0)
    dZn = dY * gamma
    dZ = (1 / N) * std_inv * (N * dZn - dZn.sum(axis=0) - Zn * (dZn * Zn).sum(axis=0))
    dW = X.T @ dZ
    return loss, dict(W=dW, gamma=dgamma, beta=dbeta, v=dv, c=dc)


HANDED = loss_grad

RIGHT = {            # edits that change nothing
    "by_projection": [
        ("dZ = (1 / N) * std_inv * (N * dZn - dZn.sum(axis=0) - Zn * (dZn * Zn).sum(axis=0))",
         "dZ = std_inv * (dZn - dZn.mean(axis=0) - Zn * (dZn * Zn).mean(axis=0))"),
    ],
}
WRONG = {            # what a right diagnosis says, and the edits
    "sum_inside_product": (
        "the last term of batch norm's formula lacks the sum over the batch: Zn * dZn * Zn",
        [("Zn * (dZn * Zn).sum(axis=0))",
          "Zn * dZn * Zn)")]),
    "dgamma_uses_dA": (
        "dgamma sums dA in place of dY: relu's mask forgotten there",
        [("dgamma = (dY * Zn).sum(axis=0)",
          "dgamma = (dA * Zn).sum(axis=0)")]),
    "axis_one_mean": (
        "the second term sums over features (axis 1, kept) in place of the batch",
        [("N * dZn - dZn.sum(axis=0) -",
          "N * dZn - dZn.sum(axis=1, keepdims=True) -")]),
    "std_for_inverse": (
        "multiplied by the variance's inverse (std_inv squared) in dZ, hence dW",
        [("dZ = (1 / N) * std_inv * (",
          "dZ = (1 / N) * std_inv**2 * (")]),
    "running_constant_and_two": (
        "mean and variance held constant (dZ = dZn*std_inv); the loss's factor 2 forgotten",
        [("dZ = (1 / N) * std_inv * (N * dZn - dZn.sum(axis=0) - Zn * (dZn * Zn).sum(axis=0))",
          "dZ = dZn * std_inv"),
         ("dpred = 2 * err / N",
          "dpred = err / N")]),
}
