"""Symmetric contrastive loss of two linear encoders, unit vectors, learned temperature."""

import numpy as np
from sympy import Sum, exp, log, sqrt

from derive import Network


def network():
    net = Network("clip_symmetric")
    N, D, F, K = net.sizes("N D F K")
    Wi, Wt, t = net.parameter("Wi", D, K), net.parameter("Wt", F, K), net.parameter("t")
    I, X = net.input("I", N, D), net.input("X", N, F)
    n, m, k = net.indices(n=N, m=N, k=K)
    P, Q = net.define("P", I @ Wi), net.define("Q", X @ Wt)
    p, q = net.define("p", sqrt(Sum(P[n, k] ** 2, k)), over=n), net.define("q", sqrt(Sum(Q[n, k] ** 2, k)), over=n)
    A, B = net.define("A", P[n, k] / p[n], over=(n, k)), net.define("B", Q[n, k] / q[n], over=(n, k))
    L = net.define("L", A @ B.T * exp(t))
    rows, columns = Sum(log(Sum(exp(L[n, m]), m)) - L[n, n], n), Sum(log(Sum(exp(L[n, m]), n)), m) - Sum(L[m, m], m)
    net.loss = (rows + columns) / (2 * N)
    return net


def softmax(a, axis):
    e = np.exp(a - a.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def normalize(v):
    norm = np.sqrt((v**2).sum(axis=1, keepdims=True))
    return v / norm, norm


def normalize_backward(d, unit, norm):
    return (d - unit * (d * unit).sum(axis=1, keepdims=True)) / norm


def clip_loss(Wi, Wt, t, I, X):
    n = len(I)
    img, img_norm = normalize(I @ Wi)
    txt, txt_norm = normalize(X @ Wt)
    sim = img @ txt.T
    logits = sim * np.exp(t)
    p_rows, p_cols = softmax(logits, 1), softmax(logits, 0)
    diag = np.arange(n)
    loss = -(np.log(p_rows[diag, diag]).mean() + np.log(p_cols[diag, diag]).mean()) / 2

    eye = np.eye(n)
    dlogits = ((p_rows - eye) + (p_cols - eye)) / (2 * n)
    dt = (dlogits * sim).sum() * np.exp(t)
    dsim = dlogits * np.exp(t)
    dimg = dsim @ txt
    dtxt = dsim.T @ img
    dWi = I.T @ normalize_backward(dimg, img, img_norm)
    dWt = X.T @ normalize_backward(dtxt, txt, txt_norm)
    return loss, (dWi, dWt, dt)


HANDED = clip_loss

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "one_direction": (
        "the gradient has the rows' softmax twice (columns' direction wrong: p_rows for p_cols)",
        [("(p_cols - eye)",
          "(p_rows - eye)")]),
    "projection_missing": (
        "normalisation's backward without the projection: d/norm",
        [("return (d - unit * (d * unit).sum(axis=1, keepdims=True)) / norm",
          "return d / norm")]),
    "temperature_twice": (
        "dt lacks the factor exp(t)",
        [("dt = (dlogits * sim).sum() * np.exp(t)",
          "dt = (dlogits * sim).sum()")]),
    "norm_missing": (
        "normalisation's backward without 1/norm",
        [("return (d - unit * (d * unit).sum(axis=1, keepdims=True)) / norm",
          "return d - unit * (d * unit).sum(axis=1, keepdims=True)")]),
    "dtxt_order_and_no_temperature": (
        "dtxt = dsim img, untransposed; dsim (hence dWi, dWt) lacks the temperature exp(t)",
        [("dtxt = dsim.T @ img",
          "dtxt = dsim @ img"),
         ("dsim = dlogits * np.exp(t)",
          "dsim = dlogits")]),
}
