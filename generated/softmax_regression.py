"""Softmax regression: loss and gradients.

    Z = X W + 1 b'   (N, C)   logits
    loss = 1/N sum_n (log sum_c exp Z[n, c]) - Z[n, y[n]]

Parameters  W (D, C), b (C,); their dtype is the result's.
Inputs      X (N, D); labels y (N,), integers in [0, C).
Outputs     Z (N, C), by `predict`.
Cost        4CDN operations, 16(CD + 3CN + DN) bytes read and written, 8CN bytes kept for `backward`, to leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/softmax_regression.py by `derive build softmax_regression`; do not edit.
The derivation is typeset in softmax_regression.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W: np.ndarray
    b: np.ndarray


def forward(W, b, X, y):
    """Return the loss and the residuals that `backward` reads."""
    W, b, X, y = _checked(W, b, X, y)
    N = len(X)

    Z = X @ W + b                                       # (N, C)
    # log sum_c exp Z[n, c] = T + log S, shifted by the maxima T so that exp stays in range
    T = _row_maxima(Z)                                  # (N,)
    E = np.exp(Z - T[:, None])                          # (N, C)
    S = E.sum(axis=1)                                   # (N,)
    loss = _mean(np.log(S) + (T - Z[np.arange(N), y]))
    return loss, (X, y, E, S)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    X, y, E, S = residuals
    N = len(X)

    # loss = 1/N sum_n (log sum_c exp Z[n, c]) - Z[n, y[n]]
    dZ = E / S[:, None]                                 # (N, C)
    dZ[np.arange(N), y] -= 1
    dZ /= N
    # Z = X W + 1 b'
    dW = X.T @ dZ                                       # (D, C)
    db = dZ.sum(axis=0)                                 # (C,)
    return Params(dW, db)


def loss_and_grads(W, b, X, y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W, b, X, y)
    return loss, backward(residuals)


def predict(W, b, X):
    """Return the logits Z (N, C)."""
    W, b, X, _ = _checked(W, b, X)

    return X @ W + b


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


def _checked(W, b, X, y=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W, b)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W, b, X = [np.asarray(v, dtype) for v in (*floats, X)]
    y = None if y is None else np.asarray(y)
    sizes = _sizes(W.shape, b.shape, X.shape, getattr(y, "shape", None))
    if y is not None:
        if y.dtype.kind not in "iu":
            raise ValueError(f"y has dtype {y.dtype}; expected integers, the labels")
        y = y.astype(np.intp, copy=False)
        if y.view(np.uintp).max() >= sizes["C"]:  # negative ones are the largest of all
            raise ValueError(
                f"y holds labels from {y.min()} to {y.max()}; "
                f"expected 0 to C - 1 = {sizes['C'] - 1}"
            )
    return W, b, X, y


@lru_cache
def _sizes(W, b, X, y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (("W", W, "DC"), ("b", b, "C"), ("X", X, "ND"), ("y", y, "N")):
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
