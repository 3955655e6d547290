"""Dropout: hidden units relu(X W1 + b1) mask / keep, linear logits, the mean cross-entropy of integer labels."""

import numpy as np


def loss_and_grads(W1, b1, W2, b2, X, y, mask, keep):
    """Return the loss and its gradients for W1 (D, H), b1 (H,), W2 (H, C), b2 (C,), X (N, D), y (N,), mask (N, H)."""
    N = len(X)
    Z1 = X @ W1 + b1
    A1 = np.maximum(Z1, 0) * mask / keep
    Z2 = A1 @ W2 + b2
    Z2 = Z2 - Z2.max(axis=1, keepdims=True)             # the softmax does not see it, and exp stays in range
    P = np.exp(Z2)
    total = P.sum(axis=1)
    loss = np.mean(np.log(total) - Z2[np.arange(N), y])

    dZ2 = P / total[:, None]
    dZ2[np.arange(N), y] -= 1
    dZ2 /= N
    dZ1 = dZ2 @ W2.T * (mask / keep) * (Z1 > 0)
    return loss, {"W1": X.T @ dZ1, "b1": dZ1.sum(axis=0), "W2": A1.T @ dZ2, "b2": dZ2.sum(axis=0)}
