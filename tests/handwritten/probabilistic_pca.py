"""Probabilistic PCA: C = W W' + exp(t) 1, loss = (log |C| + tr(C^-1 S))/2, dC = (C^-1 - C^-1 S C^-1)/2, dW = 2 dC W."""

import numpy as np


def loss_and_grads(W, t, S):
    C = W @ W.T + np.exp(t) * np.eye(len(W))
    inverse = np.linalg.inv(C)
    loss = (np.linalg.slogdet(C)[1] + np.trace(inverse @ S)) / 2
    dC = (inverse - inverse @ S @ inverse) / 2
    return loss, {"W": 2 * dC @ W, "t": np.exp(t) * np.trace(dC)}
