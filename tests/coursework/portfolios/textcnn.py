"""Sentence classifier: embeddings, a convolution over time of width 3, relu, maximum over time, softmax."""

import numpy as np
from sympy import Sum

from derive import FirstMaximum, Network, cross_entropy, mean, relu


def network():
    net = Network("textcnn")
    N, T, V, D, F, C = net.sizes("N T V D F C")
    L = net.size("L", T - 2)
    E = net.parameter("E", V, D)
    K, bk = net.parameter("K", 3, D, F), net.parameter("bk", F)
    W, b = net.parameter("W", F, C), net.parameter("b", C)
    w, y = net.labels("w", N, T, classes=V), net.labels("y", N, classes=C)
    n, l, q, d, f, c = net.indices(n=N, l=L, q=3, d=D, f=F, c=C)
    x = net.define("x", E[w[n, l + q], d], over=(n, l, q, d))
    h = net.define("h", relu(Sum(x[n, l, q, d] * K[q, d, f], q, d) + bk[f]), over=(n, l, f))
    m = net.define("m", FirstMaximum(h[n, l, f], l), over=(n, f))
    z = net.define("z", m @ W + b)
    net.loss = mean(cross_entropy(z, y))
    return net


def textcnn(E, K, bk, W, b, w, y):
    N, T = w.shape
    L = T - 2
    x = E[w]
    pre = np.zeros((N, L, K.shape[2]))
    for l in range(L):
        pre[:, l] = np.tensordot(x[:, l:l + 3], K, axes=([1, 2], [0, 1])) + bk
    h = np.maximum(pre, 0)
    where = h.argmax(axis=1)
    m = h.max(axis=1)
    z = m @ W + b
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean()

    dz = p
    dz[np.arange(N), y] -= 1
    dz /= N
    dW, db = m.T @ dz, dz.sum(axis=0)
    dm = dz @ W.T
    dpre = np.zeros_like(pre)
    for n in range(N):
        for f in range(K.shape[2]):
            if pre[n, where[n, f], f] > 0:
                dpre[n, where[n, f], f] = dm[n, f]
    dK, dbk = np.zeros_like(K), dpre.sum(axis=(0, 1))
    dx = np.zeros_like(x)
    for l in range(L):
        dK += np.tensordot(x[:, l:l + 3], dpre[:, l], axes=(0, 0))
        dx[:, l:l + 3] += np.tensordot(dpre[:, l], K, axes=(1, 2))
    dE = np.zeros_like(E)
    np.add.at(dE, w, dx)
    return loss, {"E": dE, "K": dK, "bk": dbk, "W": dW, "b": db}


HANDED = textcnn

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "overlap_overwritten": (
        "dx assigned where windows overlap (= for +=): dE wrong",
        [("dx[:, l:l + 3] += np",
          "dx[:, l:l + 3] = np")]),
    "repeated_words": (
        "words that occur twice are counted once: dE[w] += dx",
        [("    np.add.at(dE, w, dx)\n",
          "    dE[w] += dx\n")]),
    "all_positions": (
        "the maximum's gradient goes to every time step (no argmax)",
        [("                dpre[n, where[n, f], f] = dm[n, f]\n",
          "                dpre[n, :, f] = dm[n, f] * (pre[n, :, f] > 0)\n")]),
    "argmin_and_db_mean": (
        "argmin in place of argmax in the maximum's backward; db averaged over the batch again",
        [("where = h.argmax(axis=1)",
          "where = h.argmin(axis=1)"),
         ("    dW, db = m.T @ dz, dz.sum(axis=0)",
          "    dW, db = m.T @ dz, dz.mean(axis=0)")]),
}
