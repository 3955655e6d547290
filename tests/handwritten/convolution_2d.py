"""A convolution of images: y[f, i, k] = b[f] + sum over c, p, q of w[f, c, p, q] x[c, S i + L p - P, S k + L q - P]."""

import numpy as np


def loss_and_grads(x, w, b, Y, *, S, L, P):
    """Return the loss and its gradients for x (N, C, U, V), w (F, J, K, K), b (F,), targets Y (N, G, M, A, B)."""
    N, C, U, V = x.shape
    _, G, M, A, B = Y.shape
    _, J, K, _ = w.shape
    padded = np.zeros((N, C, U + 2 * P, V + 2 * P))
    padded[:, :, P:P + U, P:P + V] = x
    rows = [slice(L * p, L * p + S * (A - 1) + 1, S) for p in range(K)]
    columns = [slice(L * q, L * q + S * (B - 1) + 1, S) for q in range(K)]
    loss, dpadded, dw, db = 0.0, np.zeros_like(padded), np.zeros_like(w), np.zeros_like(b)
    for g in range(G):
        mine, ours = slice(g * J, (g + 1) * J), slice(g * M, (g + 1) * M)
        y = np.zeros((N, M, A, B)) + b[ours, None, None]
        for p in range(K):
            for q in range(K):
                y += np.einsum("mj,njik->nmik", w[ours, :, p, q], padded[:, mine, rows[p], columns[q]])
        loss += np.sum((y - Y[:, g]) ** 2) / (2 * Y.size)

        dy = (y - Y[:, g]) / Y.size
        db[ours] = dy.sum(axis=(0, 2, 3))
        for p in range(K):
            for q in range(K):
                dw[ours, :, p, q] = np.einsum("nmik,njik->mj", dy, padded[:, mine, rows[p], columns[q]])
                dpadded[:, mine, rows[p], columns[q]] += np.einsum("mj,nmik->njik", w[ours, :, p, q], dy)
    return loss, {"x": dpadded[:, :, P:P + U, P:P + V], "w": dw, "b": db}
