"""Radial basis functions with learned centres and log widths, normalised activations, squared error."""

import numpy as np
from sympy import Sum, exp

from derive import Network, mean, softmax


def network():
    net = Network("rbf_normalised")
    N, D, K = net.sizes("N D K")
    C, r, w = net.parameter("C", K, D), net.parameter("r", K), net.parameter("w", K)
    X, y = net.input("X", N, D), net.input("y", N)
    n, d, k = net.indices(n=N, d=D, k=K)
    q = net.define("q", Sum((X[n, d] - C[k, d]) ** 2, d), over=(n, k))
    P = net.define("P", softmax(-q * exp(-2 * r) / 2))
    net.loss = mean((P @ w - y) ** 2) / 2
    return net


def rbf_net(C, r, w, X, y):
    n = len(X)
    diff = X[:, np.newaxis, :] - C[np.newaxis, :, :]
    dist2 = np.sum(diff**2, axis=2)
    prec = np.exp(-2 * r)
    phi = np.exp(-0.5 * dist2 * prec)
    total = phi.sum(axis=1, keepdims=True)
    act = phi / total
    out = act @ w
    err = out - y
    loss = 0.5 * np.mean(err**2)

    derr = err / n
    dw = act.T @ derr
    dlog = act * (w - out[:, None]) * derr[:, None]
    dC = np.einsum("nk,nkd->kd", dlog * prec, diff)
    dr = np.sum(dlog * dist2 * prec, axis=0)
    return loss, (dC, dr, dw)


HANDED = rbf_net

RIGHT = {            # edits that change nothing
    "log_softmax_first": [
        ("    phi = np.exp(-0.5 * dist2 * prec)\n",
         "    phi = -0.5 * dist2 * prec\n    phi = np.exp(phi - phi.max(axis=1, keepdims=True))\n"),
    ],
}
WRONG = {            # what a right diagnosis says, and the edits
    "unnormalised_activation": (
        "normalisation ignored in the backward pass: act * w in place of act * (w - out)",
        [("act * (w - out[:, None]) * derr[:, None]",
          "act * w * derr[:, None]")]),
    "width_power": (
        "dC divides by the width, not its square: exp(-r)",
        [("dlog * prec, diff",
          "dlog * np.exp(-r), diff")]),
    "centre_sign_and_width_half": (
        "centres' gradient with the wrong sign (x and c swapped); dr half",
        [("dC = np.einsum(",
          "dC = -np.einsum("),
         ("dr = np.sum(dlog * dist2 * prec, axis=0)",
          "dr = 0.5 * np.sum(dlog * dist2 * prec, axis=0)")]),
}
