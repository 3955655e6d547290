"""One inner step of gradient descent, and the gradient of the outer loss through it."""

import numpy as np


def loss_and_grads(W, v, X, y, U, z, alpha):
    """Return the outer loss and its gradients for W (D, H), v (H,); inner data X, y (N,), outer data U, z (M,)."""
    A = np.tanh(X @ W)
    S = 1 - A**2
    e = (A @ v - y) / len(X)
    Q = np.outer(e, v) * S
    W1, v1 = W - alpha * X.T @ Q, v - alpha * A.T @ e
    B = np.tanh(U @ W1)
    k = B @ v1 - z

    dk = k / len(U)
    dW1, dv1 = U.T @ (np.outer(dk, v1) * (1 - B**2)), B.T @ dk
    dQ, dg = -alpha * X @ dW1, -alpha * dv1             # of the inner slopes X' Q and A' e
    de = (dQ * S) @ v + A @ dg
    dresult = de / len(X)
    dA = -2 * A * dQ * np.outer(e, v) + np.outer(e, dg) + np.outer(dresult, v)
    return np.mean(k**2) / 2, {"W": dW1 + X.T @ (dA * S), "v": dv1 + (dQ * S).T @ e + A.T @ dresult}
