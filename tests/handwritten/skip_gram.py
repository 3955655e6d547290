"""Skip-gram with negative sampling: loss = -mean of log sigmoid(E[w].F[c]) + sum_k log sigmoid(-E[w].F[r_k])."""

import numpy as np


def sigmoid(x):
    """Return 1 / (1 + exp(-x)), never an overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def loss_and_grads(E, F, w, c, r):
    """Return the loss and its gradients for E and F (V, D), words w (N,), contexts c (N,), random words r (N, K)."""
    N = len(w)
    word, context, random = E[w], F[c], F[r]
    s = np.einsum("nd,nd->n", word, context)
    q = np.einsum("nd,nkd->nk", word, random)
    loss = (np.logaddexp(0, -s).sum() + np.logaddexp(0, q).sum()) / N

    ds, dq = -sigmoid(-s) / N, sigmoid(q) / N
    dE, dF = np.zeros_like(E), np.zeros_like(F)
    np.add.at(dE, w, ds[:, None] * context + np.einsum("nk,nkd->nd", dq, random))
    np.add.at(dF, c, ds[:, None] * word)
    np.add.at(dF, r, dq[:, :, None] * word[:, None, :])
    return loss, {"E": dE, "F": dF}
