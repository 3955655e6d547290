"""Multi-head attention with reshapes and transposes, without a mask, as a layer."""

import numpy as np
from sympy import Sum, sqrt

from derive import Network, softmax, total


def network():
    net = Network("multihead_layer")
    N, T = net.sizes("N T")
    D, E = 6, 3
    x = net.parameter("x", N, T, D)
    Wq, Wk, Wv, Wo = (net.parameter("W" + a, D, D) for a in "qkvo")
    bo = net.parameter("bo", D)
    dout = net.input("dout", N, T, D)
    n, t, s, h, e, d = net.indices(n=N, t=T, s=T, h=2, e=E, d=D)
    Q, K, V = net.define("Q", x @ Wq), net.define("K", x @ Wk), net.define("V", x @ Wv)
    S = net.define("S", Sum(Q[n, t, h * E + e] * K[n, s, h * E + e], e) / sqrt(E), over=(n, h, t, s))
    P = net.define("P", softmax(S))
    O = net.define("O", Sum(P[n, h, t, s] * V[n, s, h * E + e], s), over=(n, t, h, e))
    Y = net.define("Y", Sum(O[n, t, h, e] * Wo[h * E + e, d], h, e) + bo[d], over=(n, t, d))
    net.loss = total(dout * Y)
    return net


HEADS = 2


def split(a):
    N, T, D = a.shape
    return a.reshape(N, T, HEADS, D // HEADS).transpose(0, 2, 1, 3)


def merge(a):
    N, H, T, E = a.shape
    return a.transpose(0, 2, 1, 3).reshape(N, T, H * E)


def forward(x, Wq, Wk, Wv, Wo, bo):
    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    scores = np.einsum("nhte,nhse->nhts", q, k) / np.sqrt(q.shape[-1])
    scores -= scores.max(-1, keepdims=True)
    att = np.exp(scores)
    att /= att.sum(-1, keepdims=True)
    ctx = merge(att @ v)
    return ctx @ Wo + bo, (x, Wq, Wk, Wv, Wo, q, k, v, att, ctx)


def backward(dout, cache):
    x, Wq, Wk, Wv, Wo, q, k, v, att, ctx = cache
    D = x.shape[-1]
    dbo = dout.sum(axis=(0, 1))
    dWo = ctx.reshape(-1, D).T @ dout.reshape(-1, D)
    dctx = split(dout @ Wo.T)
    datt = dctx @ v.transpose(0, 1, 3, 2)
    dv = att.transpose(0, 1, 3, 2) @ dctx
    dscores = att * (datt - (datt * att).sum(-1, keepdims=True))
    dscores = dscores / np.sqrt(q.shape[-1])
    dq = np.einsum("nhts,nhse->nhte", dscores, k)
    dk = np.einsum("nhts,nhte->nhse", dscores, q)
    dq, dk, dv = merge(dq), merge(dk), merge(dv)
    flat = x.reshape(-1, D)
    dWq, dWk, dWv = (flat.T @ g.reshape(-1, D) for g in (dq, dk, dv))
    dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
    return dx, dWq, dWk, dWv, dWo, dbo


HANDED = (forward, backward)

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "merge_without_transpose": (
        "dq, dk, dv reshaped back without the transposition (heads and time mixed)",
        [("    dq, dk, dv = merge(dq), merge(dk), merge(dv)\n",
          "    dq, dk, dv = (g.reshape(x.shape) for g in (dq, dk, dv))\n")]),
    "softmax_wrong_axis": (
        "softmax's inner sum runs over the queries (axis -2) in place of the keys",
        [("dscores = att * (datt - (datt * att).sum(-1, keepdims=True))",
          "dscores = att * (datt - (datt * att).sum(-2, keepdims=True))")]),
    "value_path_lost": (
        "dx lacks the path through the values",
        [("dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T",
          "dx = dq @ Wq.T + dk @ Wk.T")]),
    "scaled_by_model_width": (
        "scaled by sqrt(D) of the model in place of sqrt(E) of a head, in the backward pass",
        [("dscores = dscores / np.sqrt(q.shape[-1])",
          "dscores = dscores / np.sqrt(D)")]),
    "dk_swap_and_wq_twice": (
        "dk's einsum untransposed (dS q for dS' q); dx uses Wq for the keys too",
        [('dk = np.einsum("nhts,nhte->nhse", dscores, q)',
          'dk = np.einsum("nhts,nhse->nhte", dscores, q)'),
         ("dk @ Wk.T",
          "dk @ Wq.T")]),
    "query_key_swapped": (
        "dWq and dWk are swapped",
        [("for g in (dq, dk, dv))\n    dx",
          "for g in (dk, dq, dv))\n    dx")]),
}
