"""Neural probabilistic language model: embeddings concatenated, tanh, logits by the tied embedding."""

import numpy as np
from sympy import Sum, tanh

from derive import Network, cross_entropy, mean


def network():
    net = Network("bengio_lm")
    N, M, V, D = net.sizes("N M V D")
    E, W, b, c = net.parameter("E", V, D), net.parameter("W", M, D, D), net.parameter("b", D), net.parameter("c", V)
    w, y = net.labels("w", N, M, classes=V), net.labels("y", N, classes=V)
    n, m, d, k, v = net.indices(n=N, m=M, d=D, k=D, v=V)
    h = net.define("h", tanh(Sum(E[w[n, m], d] * W[m, d, k], m, d) + b[k]), over=(n, k))
    z = net.define("z", h @ E.T + c)
    net.loss = mean(cross_entropy(z, y))
    return net


def nplm(E, W, b, c, w, y):
    N, M = w.shape
    V, D = E.shape
    emb = E[w].reshape(N, M * D)
    Wf = W.reshape(M * D, D)
    hpre = emb @ Wf + b
    h = np.tanh(hpre)
    logits = h @ E.T + c
    counts = np.exp(logits - logits.max(1, keepdims=True))
    probs = counts / counts.sum(1, keepdims=True)
    loss = -np.log(probs[range(N), y]).mean()

    dlogits = probs.copy()
    dlogits[range(N), y] -= 1
    dlogits /= N
    dc = dlogits.sum(0)
    dE = dlogits.T @ h
    dh = dlogits @ E
    dhpre = (1 - h**2) * dh
    db = dhpre.sum(0)
    dW = (emb.T @ dhpre).reshape(W.shape)
    demb = (dhpre @ Wf.T).reshape(N, M, D)
    for i in range(N):
        for j in range(M):
            dE[w[i, j]] += demb[i, j]
    return loss, (dE, dW, db, dc)


HANDED = nplm

RIGHT: dict = {}      # edits that change nothing
WRONG = {            # what a right diagnosis says, and the edits
    "dE_reset": (
        "dE is set to zero before the input side is added: the output side is lost",
        [("    demb = (dhpre",
          "    dE = np.zeros_like(E)\n    demb = (dhpre")]),
    "last_context_word": (
        "the loop leaves out the last context word: range(M - 1)",
        [("for j in range(M):",
          "for j in range(M - 1):")]),
    "tanh_prime_of_pre": (
        "tanh' with the pre-activation: 1 - hpre^2",
        [("dhpre = (1 - h**2) * dh",
          "dhpre = (1 - hpre**2) * dh")]),
    "row_of_target_and_db_mean": (
        "the input side's gradient assigned, not accumulated; db averaged",
        [("dE[w[i, j]] += demb[i, j]",
          "dE[w[i, j]] = demb[i, j]"),
         ("db = dhpre.sum(0)",
          "db = dhpre.mean(0)")]),
}
