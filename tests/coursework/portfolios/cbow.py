"""CBOW with a full softmax: mean of the context's embeddings predicts the centre."""

import numpy as np
from sympy import Sum

from derive import Network, cross_entropy, mean


def network():
    net = Network("cbow")
    N, M, V, D = net.sizes("N M V D")
    E, U = net.parameter("E", V, D), net.parameter("U", V, D)
    ctx, y = net.labels("ctx", N, M, classes=V), net.labels("y", N, classes=V)
    n, m, d = net.indices(n=N, m=M, d=D)
    h = net.define("h", Sum(E[ctx[n, m], d], m) / M, over=(n, d))
    z = net.define("z", h @ U.T)
    net.loss = mean(cross_entropy(z, y))
    return net


def cbow(E, U, ctx, y):
    N, M = ctx.shape
    h = E[ctx].mean(axis=1)
    scores = h @ U.T
    scores -= scores.max(axis=1, keepdims=True)
    p = np.exp(scores)
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean()
    p[np.arange(N), y] -= 1
    dscores = p / N
    dU = dscores.T @ h
    dh = dscores @ U
    dE = np.zeros_like(E)
    for n in range(N):
        for w in ctx[n]:
            dE[w] += dh[n] / M
    return loss, {"E": dE, "U": dU}


HANDED = cbow

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "context_mean_forgotten": (
        "dE is M times too large: the mean over the context's words",
        [("dE[w] += dh[n] / M",
          "dE[w] += dh[n]")]),
    "fancy_index_add": (
        "dE[ctx] += drops repeated words (only one contribution of a word that occurs twice)",
        [("    for n in range(N):\n        for w in ctx[n]:\n            dE[w] += dh[n] / M\n",
          "    dE[ctx] += (dh / M)[:, None, :]\n")]),
    "centre_updated": (
        "the gradient goes to the row of the target word y in place of the context's words",
        [("        for w in ctx[n]:\n            dE[w] += dh[n] / M\n",
          "        dE[y[n]] += dh[n]\n")]),
    "context_assigned_and_no_N": (
        "dE assigned in place of accumulated; 1/N missing in dscores",
        [("dE[w] += dh[n] / M",
          "dE[w] = dh[n] / M"),
         ("dscores = p / N",
          "dscores = p")]),
}
