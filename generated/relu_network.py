"""Two relu layers, one example, half the squared error: loss and gradients.

    z1 = W1' x + b1    (H,)
    r1 = relu(z1)      (H,)
    z2 = W2' r1 + b2   (K,)
    r2 = relu(z2)      (K,)
    loss = 1/2 sum_k (r2[k] - y[k])^2

Parameters  W1 (D, H), b1 (H,), W2 (H, K), b2 (K,); their dtype is the result's.
Inputs      x (D,), y (K,).
Outputs     r2 (K,), by `predict`.
Cost        H(3D + 5K) operations, 8H(2D + 3K) bytes read and written, 8(H + K) bytes kept for `backward`, to leading
            order.
Convention  relu'(0) = 0.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/relu_network.py by `derive build relu_network`; do not edit.
The derivation is typeset in relu_network.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W1: np.ndarray
    b1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray


def forward(W1, b1, W2, b2, x, y):
    """Return the loss and the residuals that `backward` reads."""
    W1, b1, W2, b2, x, y = _checked(W1, b1, W2, b2, x, y)

    z1 = x @ W1 + b1                                    # (H,)
    r1 = np.maximum(z1, 0)                              # (H,)
    z2 = r1 @ W2 + b2                                   # (K,)
    r2 = np.maximum(z2, 0)                              # (K,)
    diff_loss = r2 - y                                  # (K,)
    loss = _sum_of_squares(diff_loss) / 2
    return loss, (W2, x, r1, r2, diff_loss)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    W2, x, r1, r2, diff_loss = residuals

    # loss = 1/2 sum_k (r2[k] - y[k])^2
    dr2 = diff_loss                                     # (K,)
    # r2 = relu(z2)
    dz2 = dr2 * (r2 > 0)                                # (K,)
    # z2 = W2' r1 + b2
    dW2 = r1[:, None] * dz2                             # (H, K)
    db2 = dz2                                           # (K,)
    dr1 = W2 @ dz2                                      # (H,)
    # r1 = relu(z1)
    dz1 = dr1 * (r1 > 0)                                # (H,)
    # z1 = W1' x + b1
    dW1 = x[:, None] * dz1                              # (D, H)
    db1 = dz1                                           # (H,)
    return Params(dW1, db1, dW2, db2)


def loss_and_grads(W1, b1, W2, b2, x, y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W1, b1, W2, b2, x, y)
    return loss, backward(residuals)


def predict(W1, b1, W2, b2, x):
    """Return r2 (K,)."""
    W1, b1, W2, b2, x, _ = _checked(W1, b1, W2, b2, x)

    z1 = x @ W1 + b1                                    # (H,)
    r1 = np.maximum(z1, 0)                              # (H,)
    z2 = r1 @ W2 + b2                                   # (K,)
    return np.maximum(z2, 0)


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _inner(a, b):
    """Return the sum of all of a*b, 2**14 numbers at a time: one long float32 sum by BLAS loses digits."""
    a, b = a.reshape(-1), b.reshape(-1)
    whole = a.size >> 14 << 14
    if whole == 0:
        return a @ b
    rows = a[:whole].reshape(-1, 2**14).conj(), b[:whole].reshape(-1, 2**14)    # which np.vecdot conjugates
    return np.vecdot(*rows).sum() + a[whole:] @ b[whole:]


def _sum_of_squares(x):
    """Return the sum of the squares of all entries."""
    return _inner(x, x)


def _checked(W1, b1, W2, b2, x, y=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W1, b1, W2, b2)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W1, b1, W2, b2, x = [np.asarray(v, dtype) for v in (*floats, x)]
    y = None if y is None else np.asarray(y, dtype)
    _sizes(W1.shape, b1.shape, W2.shape, b2.shape, x.shape, getattr(y, "shape", None))
    return W1, b1, W2, b2, x, y


@lru_cache
def _sizes(W1, b1, W2, b2, x, y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("W1", W1, "DH"), ("b1", b1, "H"), ("W2", W2, "HK"), ("b2", b2, "K"), ("x", x, "D"), ("y", y, "K"),
    ):
        if shape is not None:
            _match(name, shape, axes, sizes)
    return sizes


def _match(name, shape, axes, sizes):
    """Check one argument's shape against the sizes seen so far, and remember the sizes it brings."""
    before = len(sizes)
    fits = len(shape) == len(axes) and 0 not in shape
    if fits and shape == tuple(map(sizes.setdefault, axes, shape)):
        return
    known = dict(list(sizes.items())[:before])
    expected = ", ".join(f"{axis}={known[axis]}" if axis in known else axis for axis in axes)
    raise ValueError(f"{name} has shape {shape}; expected ({expected}), each size at least 1")
