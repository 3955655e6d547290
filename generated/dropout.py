"""Classifier with dropout of hidden units: loss and gradients.

    Z1 = X W1 + 1 b1'                 (N, H)   pre-activation
    A1 = 1 / keep (mask * relu(Z1))   (N, H)   hidden units, thinned
    Z2 = A1 W2 + 1 b2'                (N, C)   logits
    loss = 1/N sum_n (log sum_c exp Z2[n, c]) - Z2[n, y[n]]

Parameters  W1 (D, H), b1 (H,), W2 (H, C), b2 (C,); their dtype is the result's.
Inputs      X (N, D), mask (N, H), keep, a scalar; labels y (N,), integers in [0, C).
Outputs     Z2 (N, C), by `predict`.
Cost        2HN(3C + 2D) operations, 8(3CH + 7CN + 2DH + 2DN + 13HN) bytes read and written, 8N(C + 2H) bytes kept for
            `backward`, to leading order.
Convention  relu'(0) = 0.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/dropout.py by `derive build dropout`; do not edit.
The derivation is typeset in dropout.tex.
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


def forward(W1, b1, W2, b2, X, y, mask, keep):
    """Return the loss and the residuals that `backward` reads."""
    W1, b1, W2, b2, X, y, mask, keep = _checked(W1, b1, W2, b2, X, y, mask, keep)
    N = len(X)

    Z1 = X @ W1 + b1                                    # (N, H)
    A1 = mask * np.maximum(Z1, 0) / keep                # (N, H)
    Z2 = A1 @ W2 + b2                                   # (N, C)
    # log sum_c exp Z2[n, c] = T + log S, shifted by the maxima T so that exp stays in range
    T = _row_maxima(Z2)                                 # (N,)
    E = np.exp(Z2 - T[:, None])                         # (N, C)
    S = E.sum(axis=1)                                   # (N,)
    loss = _mean(np.log(S) + (T - Z2[np.arange(N), y]))
    return loss, (W2, X, y, mask, keep, Z1, A1, E, S)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    W2, X, y, mask, keep, Z1, A1, E, S = residuals
    N = len(X)

    # loss = 1/N sum_n (log sum_c exp Z2[n, c]) - Z2[n, y[n]]
    dZ2 = E / S[:, None]                                # (N, C)
    dZ2[np.arange(N), y] -= 1
    dZ2 /= N
    # Z2 = A1 W2 + 1 b2'
    dW2 = A1.T @ dZ2                                    # (H, C)
    db2 = dZ2.sum(axis=0)                               # (C,)
    dA1 = dZ2 @ W2.T                                    # (N, H)
    # A1 = 1 / keep (mask * relu(Z1))
    dZ1 = dA1 * mask * (Z1 > 0) / keep                  # (N, H)
    # Z1 = X W1 + 1 b1'
    dW1 = X.T @ dZ1                                     # (D, H)
    db1 = dZ1.sum(axis=0)                               # (H,)
    return Params(dW1, db1, dW2, db2)


def loss_and_grads(W1, b1, W2, b2, X, y, mask, keep):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W1, b1, W2, b2, X, y, mask, keep)
    return loss, backward(residuals)


def predict(W1, b1, W2, b2, X, mask, keep):
    """Return the logits Z2 (N, C)."""
    W1, b1, W2, b2, X, _, mask, keep = _checked(W1, b1, W2, b2, X, mask=mask, keep=keep)

    Z1 = X @ W1 + b1                                    # (N, H)
    A1 = mask * np.maximum(Z1, 0) / keep                # (N, H)
    return A1 @ W2 + b2


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _row_maxima(x):
    """Return the maxima over the last axis: of short rows as of columns, of others by their places, which is faster."""
    if x.size < 32 * x.shape[-1]:                       # few rows: NumPy starts each anew
        return x.max(axis=-1)
    rows = x.reshape(-1, x.shape[-1])
    if rows.shape[1] < 32:
        return np.ascontiguousarray(rows.T).max(axis=0).reshape(x.shape[:-1])
    return rows[np.arange(len(rows)), rows.argmax(axis=1)].reshape(x.shape[:-1])


def _mean(x):
    """Return the mean of all entries: np.mean takes three times as long on a few numbers."""
    return x.sum() / x.size


def _checked(W1, b1, W2, b2, X, y=None, mask=None, keep=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W1, b1, W2, b2)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W1, b1, W2, b2, X = [np.asarray(v, dtype) for v in (*floats, X)]
    mask = None if mask is None else np.asarray(mask, dtype)
    keep = None if keep is None else np.asarray(keep, dtype)
    y = None if y is None else np.asarray(y)
    sizes = _sizes(
        W1.shape, b1.shape, W2.shape, b2.shape, X.shape, getattr(y, "shape", None), getattr(mask, "shape", None),
        getattr(keep, "shape", None)
    )
    if y is not None:
        if y.dtype.kind not in "iu":
            raise ValueError(f"y has dtype {y.dtype}; expected integers, the labels")
        y = y.astype(np.intp, copy=False)
        if y.view(np.uintp).max() >= sizes["C"]:  # negative ones are the largest of all
            raise ValueError(
                f"y holds labels from {y.min()} to {y.max()}; "
                f"expected 0 to C - 1 = {sizes['C'] - 1}"
            )
    return W1, b1, W2, b2, X, y, mask, keep


@lru_cache
def _sizes(W1, b1, W2, b2, X, y, mask, keep):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("W1", W1, "DH"), ("b1", b1, "H"), ("W2", W2, "HC"), ("b2", b2, "C"), ("X", X, "ND"), ("y", y, "N"),
        ("mask", mask, "NH"), ("keep", keep, ""),
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
