"""The critic of a Wasserstein GAN with a gradient penalty, one hidden layer of tanh, backpropagated twice by hand."""

import numpy as np


def loss_and_grads(W, b, v, X, Y, M, penalty):
    """Return the loss and its gradients for W (D, H), b, v (H,); real X, generated Y and points between, M, (N, D)."""
    N = len(X)
    P, Q, T = (np.tanh(Z @ W + b) for Z in (X, Y, M))
    G = (1 - T**2) * v                                  # slopes of the score by the hidden layer
    S = G @ W.T                                         # and by the point
    r = np.sqrt(np.sum(S**2, axis=1))
    loss = np.mean(Q @ v) - np.mean(P @ v) + penalty * np.mean((r - 1) ** 2)

    dS = (2 * penalty * (r - 1) / (N * r))[:, None] * S
    dG = dS @ W
    dT = -2 * T * v * dG * (1 - T**2)
    dP, dQ = -v * (1 - P**2) / N, v * (1 - Q**2) / N
    return loss, {
        "W": dS.T @ G + M.T @ dT + X.T @ dP + Y.T @ dQ,
        "b": dT.sum(axis=0) + dP.sum(axis=0) + dQ.sum(axis=0),
        "v": np.sum((1 - T**2) * dG, axis=0) - P.mean(axis=0) + Q.mean(axis=0),
    }
