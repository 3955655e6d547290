"""Penalties by validation: w minimises mean(log(1 + exp(s)) - y s) + sum(exp(rho) w^2)/2, s = X w; loss on V, t."""

import numpy as np


def sigmoid(s):
    """Return 1/(1 + exp(-s))."""
    return np.exp(-np.logaddexp(0, -s))


def loss_and_grads(rho, X, y, V, t):
    """Return the loss and its gradient by rho (D,); inputs X (N, D), y (N,), V (M, D), t (M,)."""
    w = np.zeros(len(rho))
    for _ in range(50):                                 # Newton's method on a strictly convex function
        p = sigmoid(X @ w)
        gradient = X.T @ (p - y) / len(y) + np.exp(rho) * w
        hessian = (X.T * (p * (1 - p))) @ X / len(y) + np.diag(np.exp(rho))
        w = w - np.linalg.solve(hessian, gradient)
    z = V @ w
    loss = (np.logaddexp(0, z) - t * z).mean()
    dw = V.T @ (sigmoid(z) - t) / len(t)                # dw/drho = -H^-1 diag(exp(rho) w), H is symmetric
    return loss, {"rho": -np.exp(rho) * w * np.linalg.solve(hessian, dw)}
