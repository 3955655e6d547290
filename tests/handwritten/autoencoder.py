"""Autoencoder: codes H = tanh(X W1 + b1), reconstructions R = H W2 + b2, loss = mean of (R - X)^2."""

import numpy as np


def loss_and_grads(W1, b1, W2, b2, X):
    """Return the loss and its gradients for W1 (D, K), b1 (K,), W2 (K, D), b2 (D,) and examples X (N, D)."""
    H = np.tanh(X @ W1 + b1)
    error = H @ W2 + b2 - X

    dR = 2 * error / error.size
    dZ = dR @ W2.T * (1 - H**2)
    return np.mean(error**2), {"W1": X.T @ dZ, "b1": dZ.sum(axis=0), "W2": H.T @ dR, "b2": dR.sum(axis=0)}
