"""A gated recurrent unit: h[t] = z h[t-1] + (1 - z) c, with c = tanh(x W + (r h[t-1]) U + b), gates r and z."""

import numpy as np


def sigmoid(a):
    """Return 1 / (1 + exp(-a)), never an overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


def loss_and_grads(Wr, Ur, br, Wz, Uz, bz, W, U, b, x, Y, h0):
    """Return loss and gradients for W's (D, K), U's (K, K), b's (K,), inputs x (T, N, D), targets Y (T, N, K)."""
    T = len(x)
    h, steps, loss = [h0], [], 0.0
    for t in range(T):
        r = sigmoid(x[t] @ Wr + h[t] @ Ur + br)
        z = sigmoid(x[t] @ Wz + h[t] @ Uz + bz)
        c = np.tanh(x[t] @ W + (r * h[t]) @ U + b)
        h.append(z * h[t] + (1 - z) * c)
        steps.append((r, z, c))
        loss += np.sum((h[-1] - Y[t]) ** 2) / (2 * Y.size)

    params = {"Wr": Wr, "Ur": Ur, "br": br, "Wz": Wz, "Uz": Uz, "bz": bz, "W": W, "U": U, "b": b}
    grads = {name: np.zeros_like(value) for name, value in params.items()}
    carried = np.zeros_like(h0)                         # what comes back from the step after
    for t in reversed(range(T)):
        r, z, c = steps[t]
        dh = (h[t + 1] - Y[t]) / Y.size + carried
        dc = dh * (1 - z) * (1 - c**2)
        dz = dh * (h[t] - c) * z * (1 - z)
        drh = dc @ U.T
        dr = drh * h[t] * r * (1 - r)
        for gate, d, state in (("r", dr, h[t]), ("z", dz, h[t]), ("", dc, r * h[t])):
            grads[f"W{gate}"] += x[t].T @ d
            grads[f"U{gate}"] += state.T @ d
            grads[f"b{gate}"] += d.sum(axis=0)
        carried = dh * z + dr @ Ur.T + dz @ Uz.T + drh * r
    return loss, grads
