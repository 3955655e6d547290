"""A Gaussian process in whitened variables, by hand; the Cholesky factor as in Murray, 2016, section 3.2."""

import numpy as np
from scipy.linalg import solve_triangular


def loss_and_grads(length, signal, noise, u, X, y):
    """Return the loss and its gradients by log length scales (D,), log deviations and u (N,); X (N, D), y (N,)."""
    scaled = X * np.exp(-length)
    squares = (scaled[:, None, :] - scaled[None, :, :]) ** 2
    k = np.exp(2 * signal - squares.sum(2) / 2)
    L = np.linalg.cholesky(k + np.exp(2 * noise) * np.eye(len(X)))
    f = L @ u
    loss = np.logaddexp(0, f).sum() - f @ y + u @ u / 2

    df = 1 / (1 + np.exp(-f)) - y
    dL = np.tril(np.outer(df, u))
    P = np.tril(L.T @ dL)
    P[np.diag_indices(len(P))] /= 2
    S = solve_triangular(L, solve_triangular(L, P + P.T, lower=True, trans=1).T, lower=True, trans=1)
    dK = S / 2
    dk = dK * k
    return loss, {
        "length": np.einsum("nm,nmd->d", dk, squares),
        "signal": 2 * dk.sum(),
        "noise": 2 * np.exp(2 * noise) * np.trace(dK),
        "u": L.T @ df + u,
    }
