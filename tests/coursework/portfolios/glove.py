"""GloVe: weighted squared error of log counts."""

import numpy as np
from sympy import Sum

from derive import Network


def network():
    net = Network("glove")
    V, D = net.sizes("V D")
    W, C = net.parameter("W", V, D), net.parameter("C", V, D)
    bw, bc = net.parameter("bw", V), net.parameter("bc", V)
    L, F = net.input("L", V, V), net.input("F", V, V)
    i, j, d = net.indices(i=V, j=V, d=D)
    e = net.define("e", Sum(W[i, d] * C[j, d], d) + bw[i] + bc[j] - L[i, j], over=(i, j))
    net.loss = Sum(F[i, j] * e[i, j] ** 2, i, j) / 2
    return net


def glove(W, C, bw, bc, L, F):
    """L: log of the co-occurrence counts, F: their weights."""
    V = len(W)
    gW, gC = np.zeros(W.shape), np.zeros(C.shape)
    gbw, gbc = np.zeros(V), np.zeros(V)
    cost = 0
    for i_main in range(V):
        for i_context in range(V):
            inner = W[i_main] @ C[i_context] + bw[i_main] + bc[i_context] - L[i_main, i_context]
            cost += 0.5 * F[i_main, i_context] * inner**2
            g = F[i_main, i_context] * inner
            gW[i_main] += g * C[i_context]
            gC[i_context] += g * W[i_main]
            gbw[i_main] += g
            gbc[i_context] += g
    return cost, (gW, gC, gbw, gbc)


HANDED = glove

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "weights_swapped_index": (
        "F read transposed in the gradient: F[context, main]",
        [("g = F[i_main, i_context] * inner",
          "g = F[i_context, i_main] * inner")]),
    "weight_forgotten": (
        "the weight F is left out of the gradient",
        [("g = F[i_main, i_context] * inner",
          "g = inner")]),
    "context_bias_row": (
        "gbc accumulates at the main word's index",
        [("gbc[i_context] += g",
          "gbc[i_main] += g")]),
    "own_vector_and_bias_pred": (
        "gW with W[i_main] in place of C[i_context]; gbw without the weight F",
        [("gW[i_main] += g * C[i_context]",
          "gW[i_main] += g * W[i_main]"),
         ("gbw[i_main] += g\n",
          "gbw[i_main] += inner\n")]),
}
