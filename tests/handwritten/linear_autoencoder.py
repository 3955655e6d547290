"""Linear autoencoder with tied weights: R = X W W' - X, loss ||R||^2 / 2N."""

import numpy as np


def loss_and_grads(W, X):
    N = len(X)
    H = X @ W
    R = H @ W.T - X
    loss = np.vdot(R, R) / (2 * N)
    dR = R / N
    return loss, {"W": dR.T @ H + X.T @ (dR @ W)}
