"""Causal attention of several heads, written one head at a time."""

import numpy as np


def loss_and_grads(Wq, Wk, Wv, Wo, X, Y):
    """Return the loss and its gradients for Wq, Wk, Wv (D, H, E), Wo (H, E, D), inputs X and targets Y (N, T, D)."""
    T, H, E = X.shape[1], Wq.shape[1], Wq.shape[2]
    seen, heads, Z = np.tri(T, dtype=bool), [], np.zeros_like(Y)
    for h in range(H):
        Q, K, V = X @ Wq[:, h], X @ Wk[:, h], X @ Wv[:, h]
        S = np.where(seen, Q @ K.transpose(0, 2, 1) / np.sqrt(E), -np.inf)
        A = np.exp(S - S.max(axis=2, keepdims=True))
        A /= A.sum(axis=2, keepdims=True)
        Z += A @ V @ Wo[h]
        heads.append((Q, K, V, A))

    dZ = (Z - Y) / Y.size
    grads = {"Wq": np.zeros_like(Wq), "Wk": np.zeros_like(Wk), "Wv": np.zeros_like(Wv), "Wo": np.zeros_like(Wo)}
    for h, (Q, K, V, A) in enumerate(heads):
        grads["Wo"][h] = np.einsum("nte,ntd->ed", A @ V, dZ)
        dO = dZ @ Wo[h].T
        dA = dO @ V.transpose(0, 2, 1)
        dS = A * (dA - np.sum(dA * A, axis=2, keepdims=True)) / np.sqrt(E)
        for name, d in (("Wq", dS @ K), ("Wk", dS.transpose(0, 2, 1) @ Q), ("Wv", A.transpose(0, 2, 1) @ dO)):
            grads[name][:, h] = np.einsum("ntd,nte->de", X, d)
    return np.mean((Z - Y) ** 2) / 2, grads
