"""Logistic regression: z = X w + b, loss = mean of log(1 + exp(z)) - y z."""

import numpy as np


def loss_and_grads(w, b, X, y):
    """Return the loss and its gradients for w (D,), a number b, examples X (N, D) and targets y (N,), 0 or 1."""
    z = X @ w + b
    small = np.exp(-np.abs(z))                          # at most 1, so that nothing overflows
    loss = np.mean(np.maximum(z, 0) + np.log1p(small) - y * z)

    p = np.where(z >= 0, 1, small) / (1 + small)
    dz = (p - y) / len(z)
    return loss, {"w": dz @ X, "b": dz.sum()}
