"""An Elman network, h[t] = tanh(x[t] W + h[t-1] U + b), with the mean cross-entropy of a label at every step."""

import numpy as np


def loss_and_grads(W, U, b, V, c, x, y, h0):
    """Return loss and gradients for W (D, K), U (K, K), V (K, C), inputs x (T, N, D), labels y (T, N), h0 (N, K)."""
    T, N, _ = x.shape
    h, loss, dz = [h0], 0.0, []
    for t in range(T):
        h.append(np.tanh(x[t] @ W + h[t] @ U + b))
        z = h[-1] @ V + c
        z = z - z.max(axis=1, keepdims=True)            # the softmax does not see it, and exp stays in range
        p = np.exp(z)
        total = p.sum(axis=1, keepdims=True)
        loss += np.sum(np.log(total[:, 0]) - z[np.arange(N), y[t]]) / (T * N)
        p /= total
        p[np.arange(N), y[t]] -= 1
        dz.append(p / (T * N))

    dW, dU, db, dV, dc = (np.zeros_like(v) for v in (W, U, b, V, c))
    carried = np.zeros_like(h0)                         # what comes back from the step after
    for t in reversed(range(T)):
        dV += h[t + 1].T @ dz[t]
        dc += dz[t].sum(axis=0)
        dpre = (dz[t] @ V.T + carried) * (1 - h[t + 1] ** 2)
        dW += x[t].T @ dpre
        dU += h[t].T @ dpre
        db += dpre.sum(axis=0)
        carried = dpre @ U.T
    return loss, {"W": dW, "U": dU, "b": db, "V": dV, "c": dc}
