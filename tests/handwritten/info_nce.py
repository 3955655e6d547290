"""InfoNCE: scores are cosines of X V and Y W over a temperature; row n should score highest in column n."""

import numpy as np


def loss_and_grads(V, W, X, Y, tau):
    """Return the loss and its gradients for V (D, K), W (F, K), anchors X (N, D), others Y (N, F), a number tau."""
    N = len(X)
    P, Q = X @ V, Y @ W
    p, q = np.linalg.norm(P, axis=1, keepdims=True), np.linalg.norm(Q, axis=1, keepdims=True)
    A, B = P / p, Q / q
    S = A @ B.T / tau
    E = np.exp(S - S.max(axis=1, keepdims=True))
    total = E.sum(axis=1, keepdims=True)
    loss = np.mean(np.log(total[:, 0]) + S.max(axis=1) - np.diag(S))

    dS = (E / total - np.eye(N)) / (N * tau)
    dA, dB = dS @ B, dS.T @ A
    dP = (dA - A * (dA * A).sum(axis=1, keepdims=True)) / p
    dQ = (dB - B * (dB * B).sum(axis=1, keepdims=True)) / q
    return loss, {"V": X.T @ dP, "W": Y.T @ dQ}
