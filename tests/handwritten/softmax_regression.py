"""Softmax regression: logits Z = X W + b, the mean cross-entropy of integer labels."""

import numpy as np


def loss_and_grads(W, b, X, y):
    """Return the loss and its gradients for W (D, C), b (C,), examples X (N, D) and labels y (N,)."""
    N = len(X)
    Z = X @ W + b
    Z = Z - Z.max(axis=1, keepdims=True)                # the softmax does not see it, and exp stays in range
    P = np.exp(Z)
    total = P.sum(axis=1, keepdims=True)
    P /= total
    loss = np.mean(np.log(total[:, 0]) - Z[np.arange(N), y])

    dZ = P
    dZ[np.arange(N), y] -= 1
    dZ /= N
    return loss, {"W": X.T @ dZ, "b": dZ.sum(axis=0)}
