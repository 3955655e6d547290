"""Mixture of experts: gates G = softmax(X Wg) weigh what two-layer experts say; half the mean squared error."""

import numpy as np


def loss_and_grads(Wg, W1, b1, W2, b2, X, T):
    """Return the loss and its gradients.

    Wg (D, E), W1 (E, D, H), b1 (E, H), W2 (E, H, K), b2 (E, K), examples X (N, D), targets T (N, K).
    """
    L = X @ Wg
    G = np.exp(L - L.max(axis=1, keepdims=True))
    G /= G.sum(axis=1, keepdims=True)
    hidden = [np.maximum(X @ W + b, 0) for W, b in zip(W1, b1, strict=True)]
    said = [A @ W + b for A, W, b in zip(hidden, W2, b2, strict=True)]
    error = sum(g[:, None] * F for g, F in zip(G.T, said, strict=True)) - T

    dY = error / error.size
    dG = np.stack([(dY * F).sum(axis=1) for F in said], axis=1)
    dL = G * (dG - (G * dG).sum(axis=1, keepdims=True))
    dW1, db1, dW2, db2 = map(np.zeros_like, (W1, b1, W2, b2))
    for e, A in enumerate(hidden):
        dF = dY * G[:, e, None]
        dZ = dF @ W2[e].T * (A > 0)
        dW2[e], db2[e] = A.T @ dF, dF.sum(axis=0)
        dW1[e], db1[e] = X.T @ dZ, dZ.sum(axis=0)
    return np.mean(error**2) / 2, {"Wg": X.T @ dL, "W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
