"""Deep equilibrium network: Z = tanh(Z W + X U + b), W = I/2 - A' A + B - B', logits Z V + c, mean cross-entropy."""

import numpy as np


def loss_and_grads(A, B, U, b, V, c, X, y):
    """Return loss and gradients for A, B (H, H), U (D, H), b (H,), V (H, C), c (C,); inputs X (N, D), labels y (N,)."""
    N, H = len(X), len(A)
    W = np.eye(H) / 2 - A.T @ A + B - B.T
    Z = np.zeros((N, H))
    for _ in range(50):                                 # Newton's method, an example after the other
        pre = np.tanh(Z @ W + X @ U + b)
        Z = Z - np.stack([np.linalg.solve(np.eye(H) - (1 - p**2)[:, None] * W.T, z - p)
                          for p, z in zip(pre, Z, strict=True)])
    logits = Z @ V + c
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean()
    p[np.arange(N), y] -= 1
    p /= N

    slope = 1 - Z**2
    dZ = p @ V.T                                        # what the loss sends; the loop adds slope*dpre W'
    total = np.stack([np.linalg.solve(np.eye(H) - W * s, d) for s, d in zip(slope, dZ, strict=True)])
    dpre = slope * total
    dW = Z.T @ dpre
    return loss, {"A": -A @ (dW + dW.T), "B": dW - dW.T, "U": X.T @ dpre, "b": dpre.sum(axis=0),
                  "V": Z.T @ p, "c": p.sum(axis=0)}
