"""A convolution of signals: y[f, i] = b[f] + sum over c, p of w[f, c, p] x[c, S i + L p - P], groups apart."""

import numpy as np


def loss_and_grads(x, w, b, Y, *, S, L, P):
    """Return the loss and its gradients for x (N, C, U), w (F, J, K), b (F,), targets Y (N, G, M, I)."""
    N, C, U = x.shape
    _, G, M, I = Y.shape
    _, J, K = w.shape
    padded = np.zeros((N, C, U + 2 * P))
    padded[:, :, P:P + U] = x
    loss, dpadded, dw, db = 0.0, np.zeros_like(padded), np.zeros_like(w), np.zeros_like(b)
    for g in range(G):
        mine, ours = slice(g * J, (g + 1) * J), slice(g * M, (g + 1) * M)
        y = np.zeros((N, M, I)) + b[ours, None]
        taps = [padded[:, mine, L * p:L * p + S * (I - 1) + 1:S] for p in range(K)]
        for p in range(K):
            y += w[ours, :, p] @ taps[p]
        loss += np.sum((y - Y[:, g]) ** 2) / (2 * Y.size)

        dy = (y - Y[:, g]) / Y.size
        db[ours] = dy.sum(axis=(0, 2))
        for p in range(K):
            dw[ours, :, p] = np.einsum("nmi,nji->mj", dy, taps[p])
            dpadded[:, mine, L * p:L * p + S * (I - 1) + 1:S] += w[ours, :, p].T @ dy
    return loss, {"x": dpadded[:, :, P:P + U], "w": dw, "b": db}
