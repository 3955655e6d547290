"""One sigmoid neuron: z = sum_d X[d] W[d], r = sigmoid(z), loss = (y - r)^2 / 2."""

import numpy as np


def loss_and_grads(W, X, y):
    """Return the loss and its gradient for weights W (D,), one example X (D,) and its target y."""
    z = X @ W
    r = 0.5 + 0.5 * np.tanh(0.5 * z)                    # sigmoid, which so never overflows

    dr = r - y
    dz = dr * r * (1 - r)
    return (y - r) ** 2 / 2, {"W": dz * X}
