"""Batch normalisation: X W1 normalised over the batch, times gamma, plus beta, relu, linear, cross-entropy."""

import numpy as np


def loss_and_grads(W1, gamma, beta, W2, b2, X, y, running_m, running_v, momentum, epsilon):
    """Return the loss and its gradients; the running statistics have no part in them.

    W1 (D, H), gamma and beta (H,), W2 (H, C), b2 (C,), examples X (N, D), labels y (N,).
    """
    N = len(X)
    Z = X @ W1
    spread = np.sqrt(Z.var(axis=0) + epsilon)
    U = (Z - Z.mean(axis=0)) / spread
    A = np.maximum(gamma * U + beta, 0)
    Y = A @ W2 + b2
    Y = Y - Y.max(axis=1, keepdims=True)                # the softmax does not see it, and exp stays in range
    P = np.exp(Y)
    total = P.sum(axis=1)
    loss = np.mean(np.log(total) - Y[np.arange(N), y])

    dY = P / total[:, None]
    dY[np.arange(N), y] -= 1
    dY /= N
    dB = dY @ W2.T * (A > 0)
    dU = gamma * dB
    dZ = (dU - dU.mean(axis=0) - U * (dU * U).mean(axis=0)) / spread
    return loss, {
        "W1": X.T @ dZ, "gamma": (dB * U).sum(axis=0), "beta": dB.sum(axis=0), "W2": A.T @ dY, "b2": dY.sum(axis=0),
    }
