"""Variational autoencoder: codes mu + sigma noise, Bernoulli pixels, loss = (reconstruction error + KL) / N."""

import numpy as np


def loss_and_grads(W1, b1, W2, b2, W3, b3, W4, b4, W5, b5, X, noise):
    """Return the loss and its gradients: encoder 1, its means 2 and log variances 3, decoder 4 and 5; X (N, D)."""
    N = len(X)
    Q = np.tanh(X @ W1 + b1)
    mu, v = Q @ W2 + b2, Q @ W3 + b3                    # v = 2 log sigma
    sigma = np.exp(0.5 * v)
    Z = mu + sigma * noise
    P = np.tanh(Z @ W4 + b4)
    Y = P @ W5 + b5
    small = np.exp(-np.abs(Y))                          # at most 1, so that nothing overflows
    error = np.sum(np.maximum(Y, 0) + np.log1p(small) - X * Y)
    KL = 0.5 * np.sum(mu**2 + sigma**2 - 1 - v)

    dY = (np.where(Y >= 0, 1, small) / (1 + small) - X) / N
    dP = dY @ W5.T * (1 - P**2)
    dZ = dP @ W4.T
    dmu = dZ + mu / N
    dv = 0.5 * (dZ * noise * sigma + (sigma**2 - 1) / N)
    dQ = (dmu @ W2.T + dv @ W3.T) * (1 - Q**2)
    return (error + KL) / N, {
        "W1": X.T @ dQ, "b1": dQ.sum(axis=0), "W2": Q.T @ dmu, "b2": dmu.sum(axis=0),
        "W3": Q.T @ dv, "b3": dv.sum(axis=0), "W4": Z.T @ dP, "b4": dP.sum(axis=0),
        "W5": P.T @ dY, "b5": dY.sum(axis=0),
    }
