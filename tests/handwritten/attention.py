"""Causal scaled dot-product attention: each position attends to itself and to those before."""

import numpy as np


def loss_and_grads(Wq, Wk, Wv, X, Y):
    """Return the loss and its gradients for Wq, Wk, Wv (D, E), inputs X (N, T, D), targets Y (N, T, E)."""
    T, E = X.shape[1], Wq.shape[1]
    Q, K, V = X @ Wq, X @ Wk, X @ Wv
    S = np.where(np.tri(T, dtype=bool), Q @ K.transpose(0, 2, 1) / np.sqrt(E), -np.inf)
    A = np.exp(S - S.max(axis=2, keepdims=True))
    A /= A.sum(axis=2, keepdims=True)
    error = A @ V - Y

    dO = error / error.size
    dV = A.transpose(0, 2, 1) @ dO
    dA = dO @ V.transpose(0, 2, 1)
    dS = A * (dA - np.sum(dA * A, axis=2, keepdims=True)) / np.sqrt(E)
    dQ, dK = dS @ K, dS.transpose(0, 2, 1) @ Q
    grads = {name: np.einsum("ntd,nte->de", X, d) for name, d in (("Wq", dQ), ("Wk", dK), ("Wv", dV))}
    return np.mean(error**2) / 2, grads
