"""Two Elman recurrences, forwards and backwards in time, and the mean cross-entropy of a label at every step."""

import numpy as np


def run(x, W, U, b):
    """Return the states h[t] = tanh(x[t] W + h[t-1] U + b), h[-1] = 0 the first of them."""
    h = [np.zeros((x.shape[1], len(U)))]
    for row in x:
        h.append(np.tanh(row @ W + h[-1] @ U + b))
    return np.array(h)


def run_back(dh, h, x, W, U):
    """Return the gradients for W, U and b, given those for all states but the first."""
    dW, dU, db, carried = np.zeros_like(W), np.zeros_like(U), np.zeros(len(U)), 0.0
    for t in reversed(range(len(x))):
        dpre = (dh[t] + carried) * (1 - h[t + 1] ** 2)
        dW += x[t].T @ dpre
        dU += h[t].T @ dpre
        db += dpre.sum(axis=0)
        carried = dpre @ U.T
    return dW, dU, db


def loss_and_grads(W, U, b, Wr, Ur, br, V, Vr, c, x, y):
    """Return the loss and its gradients for inputs x (T, N, D), labels y (T, N)."""
    T, N, _ = x.shape
    forwards, backwards = run(x, W, U, b), run(x[::-1], Wr, Ur, br)
    h, g = forwards[1:], backwards[:0:-1]               # g in the order of time
    z = h @ V + g @ Vr + c
    z = z - z.max(axis=2, keepdims=True)                # the softmax does not see it, and exp stays in range
    p = np.exp(z)
    total = p.sum(axis=2, keepdims=True)
    p /= total
    here = np.arange(T)[:, None], np.arange(N), y
    loss = np.mean(np.log(total[..., 0]) - z[here])

    dz = p
    dz[here] -= 1
    dz /= T * N
    dV, dVr = np.tensordot(h, dz, ((0, 1), (0, 1))), np.tensordot(g, dz, ((0, 1), (0, 1)))
    dW, dU, db = run_back(dz @ V.T, forwards, x, W, U)
    dWr, dUr, dbr = run_back((dz @ Vr.T)[::-1], backwards, x[::-1], Wr, Ur)
    return loss, {
        "W": dW, "U": dU, "b": db, "Wr": dWr, "Ur": dUr, "br": dbr, "V": dV, "Vr": dVr, "c": dz.sum(axis=(0, 1)),
    }
