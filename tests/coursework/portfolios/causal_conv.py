"""Causal convolution over time with dilation 2 and width 3, a residual connection, tanh gate, as a layer."""

import numpy as np
from sympy import Sum, tanh

from derive import Network, padded, sigmoid, total


def network():
    net = Network("causal_gated_conv")
    N, T, D = net.sizes("N T D")
    x = net.parameter("x", N, T, D)
    Wf, Wg = net.parameter("Wf", 3, D, D), net.parameter("Wg", 3, D, D)
    bf, bg = net.parameter("bf", D), net.parameter("bg", D)
    dout = net.input("dout", N, T, D)
    n, t, d, e, q = net.indices(n=N, t=T, d=D, e=D, q=3)
    f = net.define("f", tanh(Sum(padded(x)[n, t - 2 * q, e] * Wf[q, e, d], q, e) + bf[d]), over=(n, t, d))
    g = net.define("g", sigmoid(Sum(padded(x)[n, t - 2 * q, e] * Wg[q, e, d], q, e) + bg[d]), over=(n, t, d))
    Y = net.define("Y", x + f * g)
    net.loss = total(dout * Y)
    return net


DILATION = 2


def shift(x, k):
    out = np.zeros_like(x)
    if k < x.shape[1]:
        out[:, k:] = x[:, :x.shape[1] - k]
    return out


def unshift(d, k):
    out = np.zeros_like(d)
    if k < d.shape[1]:
        out[:, :d.shape[1] - k] = d[:, k:]
    return out


def forward(x, Wf, Wg, bf, bg):
    taps = [shift(x, DILATION * q) for q in range(len(Wf))]
    f = np.tanh(sum(tap @ w for tap, w in zip(taps, Wf)) + bf)
    g = 1 / (1 + np.exp(-sum(tap @ w for tap, w in zip(taps, Wg)) - bg))
    return x + f * g, (taps, f, g, Wf, Wg)


def backward(dout, cache):
    taps, f, g, Wf, Wg = cache
    df = dout * g * (1 - f**2)
    dg = dout * f * g * (1 - g)
    dWf, dWg = np.zeros_like(Wf), np.zeros_like(Wg)
    dx = dout.copy()
    for q, tap in enumerate(taps):
        dWf[q] = np.einsum("nti,ntj->ij", tap, df)
        dWg[q] = np.einsum("nti,ntj->ij", tap, dg)
        dx += unshift(df @ Wf[q].T + dg @ Wg[q].T, DILATION * q)
    return dx, dWf, dWg, df.sum((0, 1)), dg.sum((0, 1))


HANDED = (forward, backward)

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "shifted_forwards_again": (
        "the gradient is shifted forwards in time (shift) in place of back (unshift)",
        [("dx += unshift(df",
          "dx += shift(df")]),
    "dilation_forgotten_back": (
        "the dilation is forgotten on the way back: unshift by q in place of 2q",
        [("dg @ Wg[q].T, DILATION * q)",
          "dg @ Wg[q].T, q)")]),
    "filter_without_gate": (
        "df lacks the gate g",
        [("df = dout * g * (1 - f**2)",
          "df = dout * (1 - f**2)")]),
    "taps_overwritten_and_gate_prime": (
        "dx's taps overwrite one another and the residual; sigma' as 1 - g^2",
        [("dx += unshift(",
          "dx = unshift("),
         ("dg = dout * f * g * (1 - g)",
          "dg = dout * f * (1 - g**2)")]),
}
