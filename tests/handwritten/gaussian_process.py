"""Gaussian process: -log p(y) = (y' inv(K) y + log det K + N log 2 pi) / 2, a squared-exponential kernel plus noise."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve


def loss_and_grads(length, signal, noise, X, y):
    """Return the loss and its gradients by log length scales (D,), log signal and log noise deviation; X (N, D)."""
    Z = X / np.exp(length)
    squared = (Z[:, None, :] - Z) ** 2
    kernel = np.exp(2 * signal - squared.sum(axis=2) / 2)
    factor = cho_factor(kernel + np.exp(2 * noise) * np.eye(len(y)), lower=True)
    alpha = cho_solve(factor, y)
    loss = y @ alpha / 2 + np.log(np.diag(factor[0])).sum() + len(y) / 2 * np.log(2 * np.pi)
    dK = (cho_solve(factor, np.eye(len(y))) - np.outer(alpha, alpha)) / 2
    weighted = dK * kernel
    return loss, {
        "length": np.einsum("nm,nmd->d", weighted, squared),
        "signal": 2 * weighted.sum(),
        "noise": 2 * np.exp(2 * noise) * np.trace(dK),
    }
