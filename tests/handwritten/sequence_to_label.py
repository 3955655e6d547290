"""A recurrent classifier: words go through h[t] = tanh(x[t] W + h[t-1] U + b), the last state gives the label."""

import numpy as np


def loss_and_grads(E, W, U, b, V, c, w, y):
    """Return the loss and its gradients for E (M, D), W (D, K), U (K, K), V (K, C), words w (T, N), labels y (N,)."""
    T, N = w.shape
    h = [np.zeros((N, len(U)))]
    for t in range(T):
        h.append(np.tanh(E[w[t]] @ W + h[t] @ U + b))
    z = h[-1] @ V + c
    z = z - z.max(axis=1, keepdims=True)                # the softmax does not see it, and exp stays in range
    p = np.exp(z)
    total = p.sum(axis=1, keepdims=True)
    p /= total
    loss = np.mean(np.log(total[:, 0]) - z[np.arange(N), y])

    dz = p
    dz[np.arange(N), y] -= 1
    dz /= N
    dE, dW, dU, db = (np.zeros_like(v) for v in (E, W, U, b))
    dh = dz @ V.T
    for t in reversed(range(T)):
        dpre = dh * (1 - h[t + 1] ** 2)
        dW += E[w[t]].T @ dpre
        dU += h[t].T @ dpre
        db += dpre.sum(axis=0)
        np.add.at(dE, w[t], dpre @ W.T)
        dh = dpre @ U.T
    return loss, {"E": dE, "W": dW, "U": dU, "b": db, "V": h[-1].T @ dz, "c": dz.sum(axis=0)}
