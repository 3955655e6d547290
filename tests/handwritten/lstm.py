"""Long short-term memory: c[t] = f c[t-1] + i g, h[t] = o tanh(c[t]); gates in the order i, f, g, o on axis 1."""

import numpy as np


def sigmoid(a):
    """Return 1 / (1 + exp(-a)), never an overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


def loss_and_grads(W, U, b, x, Y, h0, c0):
    """Return loss and gradients for W (D, 4, K), U (K, 4, K), b (4, K), inputs x (T, N, D), targets Y (T, N, K)."""
    T = len(x)
    h, c, steps, loss = [h0], [c0], [], 0.0
    for t in range(T):
        a = np.tensordot(x[t], W, 1) + np.tensordot(h[t], U, 1) + b
        i, f, g, o = sigmoid(a[:, 0]), sigmoid(a[:, 1]), np.tanh(a[:, 2]), sigmoid(a[:, 3])
        c.append(f * c[t] + i * g)
        h.append(o * np.tanh(c[-1]))
        steps.append((i, f, g, o))
        loss += np.sum((h[-1] - Y[t]) ** 2) / (2 * Y.size)

    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    dh_next, dc_next = np.zeros_like(h0), np.zeros_like(c0)
    for t in reversed(range(T)):
        i, f, g, o = steps[t]
        squashed = np.tanh(c[t + 1])
        dh = (h[t + 1] - Y[t]) / Y.size + dh_next
        dc = dh * o * (1 - squashed**2) + dc_next
        da = np.stack([
            dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh * squashed * o * (1 - o),
        ], axis=1)
        dW += np.tensordot(x[t], da, (0, 0))
        dU += np.tensordot(h[t], da, (0, 0))
        db += da.sum(axis=0)
        dh_next, dc_next = np.tensordot(da, U, ((1, 2), (1, 2))), dc * f
    return loss, {"W": dW, "U": dU, "b": db}
