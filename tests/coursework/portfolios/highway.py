"""One highway layer with a transform gate and a linear read-out."""

import numpy as np
from sympy import tanh

from derive import Network, mean, sigmoid


def network():
    net = Network("highway")
    N, D = net.sizes("N D")
    Wh, bh = net.parameter("Wh", D, D), net.parameter("bh", D)
    Wt, bt = net.parameter("Wt", D, D), net.parameter("bt", D)
    v = net.parameter("v", D)
    X, y = net.input("X", N, D), net.input("y", N)
    U = net.parameter("U", D, D)
    P = net.define("P", X @ U)
    H = net.define("H", tanh(P @ Wh + bh))
    T = net.define("T", sigmoid(P @ Wt + bt))
    O = net.define("O", H * T + P * (1 - T))
    net.loss = mean((O @ v - y) ** 2) / 2
    return net


def highway(Wh, bh, Wt, bt, v, U, X, y):
    x = X @ U
    h = np.tanh(x @ Wh + bh)
    t = 1 / (1 + np.exp(-(x @ Wt + bt)))
    out = h * t + x * (1 - t)
    err = out @ v - y
    loss = 0.5 * np.mean(err**2)

    derr = err / len(err)
    dv = out.T @ derr
    dout = derr[:, None] * v[None, :]
    dh = dout * t
    dt = dout * (h - x)
    dx = dout * (1 - t)
    dzh = dh * (1 - h**2)
    dzt = dt * t * (1 - t)
    dx = dx + dzh @ Wh.T + dzt @ Wt.T
    return loss, dict(Wh=x.T @ dzh, bh=dzh.sum(0), Wt=x.T @ dzt, bt=dzt.sum(0), v=dv, U=X.T @ dx)


HANDED = highway

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "carry_overwritten": (
        "the carry path's dx is overwritten: dU lacks dout*(1 - t)",
        [("dx = dx + dzh @ Wh.T + dzt @ Wt.T",
          "dx = dzh @ Wh.T + dzt @ Wt.T")]),
    "gate_without_carry": (
        "dt = dout*h: the carry's -x is forgotten",
        [("dt = dout * (h - x)",
          "dt = dout * h")]),
    "weights_crossed": (
        "copy-paste: the gate's gradient goes back through Wh in place of Wt",
        [("dzt @ Wt.T",
          "dzt @ Wh.T")]),
    "tanh_as_sigmoid_and_carry_t": (
        "tanh' as h(1-h); the carry passes t in place of 1 - t",
        [("dzh = dh * (1 - h**2)",
          "dzh = dh * h * (1 - h)"),
         ("dx = dout * (1 - t)",
          "dx = dout * t")]),
}
