"""A mixture of Gaussians with diagonal covariances: the mean negative log likelihood, by responsibilities."""

import numpy as np


def loss_and_grads(a, mu, s, X):
    """Return the loss and its gradients for logits a (K,), means mu and log deviations s (K, D), and data X (N, D)."""
    N, D = X.shape
    scaled = (X[:, None] - mu) / np.exp(s)                              # (N, K, D)
    joint = a - np.sum(scaled**2 / 2 + s, axis=2)                       # (N, K)
    top = joint.max(axis=1, keepdims=True)
    evidence = np.log(np.sum(np.exp(joint - top), axis=1, keepdims=True)) + top
    r = np.exp(joint - evidence)                                        # responsibilities
    weights = np.exp(a - a.max()) / np.sum(np.exp(a - a.max()))
    loss = np.log(np.sum(np.exp(a - a.max()))) + a.max() + D * np.log(2 * np.pi) / 2 - evidence.mean()
    return loss, {
        "a": weights - r.mean(axis=0),
        "mu": -np.einsum("nk,nkd->kd", r, scaled) / np.exp(s) / N,
        "s": -np.einsum("nk,nkd->kd", r, scaled**2 - 1) / N,
    }
