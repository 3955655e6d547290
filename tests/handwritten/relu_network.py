"""Two layers of relu units on one example: r1 = relu(x W1 + b1), r2 = relu(r1 W2 + b2), loss = sum (r2 - y)^2 / 2."""

import numpy as np


def loss_and_grads(W1, b1, W2, b2, x, y):
    """Return the loss and its gradients for W1 (D, H), b1 (H,), W2 (H, K), b2 (K,), one example x (D,), y (K,)."""
    z1 = x @ W1 + b1
    r1 = np.maximum(z1, 0)
    z2 = r1 @ W2 + b2
    r2 = np.maximum(z2, 0)
    loss = np.sum((r2 - y) ** 2) / 2

    dz2 = (r2 - y) * (z2 > 0)
    dW2 = np.outer(r1, dz2)
    dz1 = (W2 @ dz2) * (z1 > 0)
    dW1 = np.outer(x, dz1)
    return loss, {"W1": dW1, "b1": dz1, "W2": dW2, "b2": dz2}
