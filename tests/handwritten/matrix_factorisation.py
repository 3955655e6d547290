"""Ratings by a matrix of low rank with biases: the penalised squared error, a rating at a time."""

import numpy as np


def loss_and_grads(P, b, Q, c, mu, who, what, r, penalty):
    """Return the loss and its gradients for users P (U, K), b (U,), items Q (I, K), c (I,) and the mean mu."""
    dP, db, dQ, dc, dmu = 2 * penalty * P, 2 * penalty * b, 2 * penalty * Q, 2 * penalty * c, 0.0
    loss = penalty * (np.sum(P**2) + np.sum(b**2) + np.sum(Q**2) + np.sum(c**2))
    for u, i, rating in zip(who, what, r, strict=True):
        error = rating - mu - b[u] - c[i] - P[u] @ Q[i]
        loss += error**2
        dP[u] -= 2 * error * Q[i]
        dQ[i] -= 2 * error * P[u]
        db[u] -= 2 * error
        dc[i] -= 2 * error
        dmu -= 2 * error
    return loss, {"P": dP, "b": db, "Q": dQ, "c": dc, "mu": dmu}
