"""Batch normalisation as a layer, backward step by step and, in a second piece, by the short formula."""

import numpy as np
from sympy import Rational, sqrt

from derive import Network, mean, total


def network():
    net = Network("batchnorm_layer")
    N, D = net.sizes("N D")
    x, gamma, beta = net.parameter("x", N, D), net.parameter("gamma", D), net.parameter("beta", D)
    dout = net.input("dout", N, D)
    m = net.define("m", mean(x, axis=0))
    v = net.define("v", mean((x - m) ** 2, axis=0))
    U = net.define("U", (x - m) / sqrt(v + Rational(1, 100000)))
    Y = net.define("Y", gamma * U + beta)
    net.loss = total(dout * Y)
    return net


def forward(x, gamma, beta, eps=1e-5):
    N, D = x.shape
    mu = 1.0 / N * np.sum(x, axis=0)
    xmu = x - mu
    sq = xmu**2
    var = 1.0 / N * np.sum(sq, axis=0)
    sqrtvar = np.sqrt(var + eps)
    ivar = 1.0 / sqrtvar
    xhat = xmu * ivar
    out = gamma * xhat + beta
    return out, (xhat, gamma, xmu, ivar, sqrtvar, var, eps)


def backward(dout, cache):
    xhat, gamma, xmu, ivar, sqrtvar, var, eps = cache
    N, D = dout.shape
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    divar = np.sum(dxhat * xmu, axis=0)
    dxmu1 = dxhat * ivar
    dsqrtvar = -1.0 / (sqrtvar**2) * divar
    dvar = 0.5 * 1.0 / np.sqrt(var + eps) * dsqrtvar
    dsq = 1.0 / N * np.ones((N, D)) * dvar
    dxmu2 = 2 * xmu * dsq
    dx1 = dxmu1 + dxmu2
    dmu = -1 * np.sum(dxmu1 + dxmu2, axis=0)
    dx2 = 1.0 / N * np.ones((N, D)) * dmu
    dx = dx1 + dx2
    return dx, dgamma, dbeta


HANDED = (forward, backward)

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "mean_path_missing": (
        "dx lacks the path through the mean (dx2)",
        [("dx = dx1 + dx2",
          "dx = dx1")]),
    "variance_power": (
        "derivative of 1/sqrtvar taken as -1/sqrtvar in place of -1/sqrtvar^2 (dx's variance path)",
        [("dsqrtvar = -1.0 / (sqrtvar**2) * divar",
          "dsqrtvar = -1.0 / sqrtvar * divar")]),
    "two_forgotten": (
        "the 2 of the square's derivative is missing in the variance path of dx",
        [("dxmu2 = 2 * xmu * dsq",
          "dxmu2 = xmu * dsq")]),
    "gamma_forgotten_and_dgamma_xmu": (
        "dxhat lacks gamma; dgamma uses the centred x, not the normalised",
        [("dxhat = dout * gamma",
          "dxhat = dout"),
         ("dgamma = np.sum(dout * xhat, axis=0)",
          "dgamma = np.sum(dout * xmu, axis=0)")]),
    "cache_overwritten": (
        "xmu is normalised in place: the cached centred values are xhat, the variance path of dx is wrong",
        [("xhat = xmu * ivar",
          "xmu *= ivar\n    xhat = xmu")]),
}
