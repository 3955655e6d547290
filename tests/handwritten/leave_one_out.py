"""Ridge regression with a penalty a weight: mean of ((y - f) / (1 - h))^2, f = X B y, h = diag(X B), B = inv(M) X'."""

import numpy as np


def loss_and_grads(penalty, X, y):
    """Return the loss and its gradient by the log penalties (D,); inputs X (N, D), targets y (N,)."""
    lam = np.exp(penalty)
    inverse = np.linalg.inv(X.T @ X + np.diag(lam))
    w = inverse @ (X.T @ y)
    leverage = np.einsum("nd,de,ne->n", X, inverse, X)
    error = (y - X @ w) / (1 - leverage)
    # by one penalty: dw = -lam inverse[:, d] w[d], d leverage[n] = -lam (X inverse)[n, d]^2
    rows = X @ inverse
    by_fit = 2 * error / (1 - leverage) / len(y)
    grad = lam * (w * (by_fit @ rows) - (by_fit * error) @ rows**2)
    return np.mean(error**2), {"penalty": grad}
