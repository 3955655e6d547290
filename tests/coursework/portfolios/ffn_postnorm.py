"""A transformer's feed-forward part: gelu (tanh form), residual, layer norm afterwards, as a layer."""

import numpy as np
from sympy import Rational, Sum, sqrt

from derive import Network, gelu_tanh, total


def network():
    net = Network("ffn_postnorm")
    N, D, M = net.sizes("N D M")
    x = net.parameter("x", N, D)
    W1, b1 = net.parameter("W1", D, M), net.parameter("b1", M)
    W2, b2 = net.parameter("W2", M, D), net.parameter("b2", D)
    g, b = net.parameter("g", D), net.parameter("b", D)
    dout = net.input("dout", N, D)
    n, d = net.indices(n=N, d=D)
    Z = net.define("Z", x @ W1 + b1)
    A = net.define("A", gelu_tanh(Z))
    R = net.define("R", x + A @ W2 + b2)
    mu = net.define("mu", Sum(R[n, d], d) / D, over=n)
    var = net.define("var", Sum((R[n, d] - mu[n]) ** 2, d) / D, over=n)
    U = net.define("U", (R[n, d] - mu[n]) / sqrt(var[n] + Rational(1, 100000)), over=(n, d))
    Y = net.define("Y", g * U + b)
    net.loss = total(dout * Y)
    return net


S = np.sqrt(2 / np.pi)


def gelu(z):
    return 0.5 * z * (1 + np.tanh(S * (z + 0.044715 * z**3)))


def gelu_grad(z):
    t = np.tanh(S * (z + 0.044715 * z**3))
    return 0.5 * (1 + t) + 0.5 * z * (1 - t**2) * S * (1 + 3 * 0.044715 * z**2)


def forward(x, W1, b1, W2, b2, g, b):
    z = x @ W1 + b1
    a = gelu(z)
    r = x + a @ W2 + b2
    mu = r.mean(1, keepdims=True)
    inv = 1 / np.sqrt(r.var(1, keepdims=True) + 1e-5)
    u = (r - mu) * inv
    return g * u + b, (x, z, a, u, inv, W1, W2, g)


def backward(dy, cache):
    x, z, a, u, inv, W1, W2, g = cache
    dg, db = (dy * u).sum(0), dy.sum(0)
    du = dy * g
    dr = inv * (du - du.mean(1, keepdims=True) - u * (du * u).mean(1, keepdims=True))
    dW2, db2 = a.T @ dr, dr.sum(0)
    da = dr @ W2.T
    dz = da * gelu_grad(z)
    dW1, db1 = x.T @ dz, dz.sum(0)
    dx = dr + dz @ W1.T
    return dx, dW1, db1, dW2, db2, dg, db


HANDED = (forward, backward)

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "residual_lost": (
        "dx lacks the residual path (dr)",
        [("dx = dr + dz @ W1.T",
          "dx = dz @ W1.T")]),
    "residual_from_dy": (
        "the residual adds the layer's upstream gradient dy in place of dr",
        [("dx = dr + dz @ W1.T",
          "dx = dy + dz @ W1.T")]),
    "gelu_cubic": (
        "gelu' lacks the 3 of the cubic's derivative",
        [("(1 + 3 * 0.044715 * z**2)",
          "(1 + 0.044715 * z**2)")]),
    "gelu_sigmoid_form": (
        "the backward uses the derivative of another gelu: x*sigmoid(1.702x)",
        [("    t = np.tanh(S * (z + 0.044715 * z**3))\n"
          "    return 0.5 * (1 + t) + 0.5 * z * (1 - t**2) * S * (1 + 3 * 0.044715 * z**2)",
          "    s = 1 / (1 + np.exp(-1.702 * z))\n    return s + 1.702 * z * s * (1 - s)")]),
    "gelu_at_output_and_gain": (
        "gelu' at the activation a in place of z; the gain g left out of du",
        [("dz = da * gelu_grad(z)",
          "dz = da * gelu_grad(a)"),
         ("du = dy * g",
          "du = dy")]),
}
