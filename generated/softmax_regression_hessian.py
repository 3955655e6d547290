"""Softmax regression: Hessian of the loss.

    Z = X W + 1 b'                                                             (N, C)         logits
    softmax_Z = softmax(Z)                                                     (N, C)
    J_softmax_Z[n, c, c2] = [c = c2] * softmax_Z[n, c] - softmax_Z[n, c] * softmax_Z[n, c2]   (N, C, C)
    H_W_W[d, c, d2, c2] = 1/N sum_n X[n, d] * J_softmax_Z[n, c, c2] * X[n, d2]   (D, C, D, C)
    H_W_b[d, c, c2] = 1/N sum_n X[n, d] * J_softmax_Z[n, c, c2]                (D, C, C)
    H_b_b[c, c2] = 1/N sum_n J_softmax_Z[n, c, c2]                             (C, C)

Parameters  W (D, C), b (C,); their dtype is the result's.
Inputs      X (N, D); labels y (N,), integers in [0, C).
Cost        3C^2D^2N operations, 8C^2D^2 bytes read and written, to leading order.

J_V is what the derivative of V by a parameter needs, without the factors that it shares with others.
Generated from derive/networks/softmax_regression.py by `derive build softmax_regression --of hessian`; do not edit.
The derivation is typeset in softmax_regression_hessian.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Hessian(NamedTuple):
    """The Hessian of the loss, block by block."""

    W_W: np.ndarray
    W_b: np.ndarray
    b_b: np.ndarray


def hessian(W, b, X, y):
    """Return the Hessian of the loss."""
    W, b, X, y = _checked(W, b, X, y)
    N = len(X)
    D = len(W)
    C = len(b)

    Z = X @ W + b                                       # (N, C)
    # log sum_c exp Z[n, c] = T + log S, shifted by the maxima T so that exp stays in range
    T = _row_maxima(Z)                                  # (N,)
    E = np.exp(Z - T[:, None])                          # (N, C)
    S = E.sum(axis=1)                                   # (N,)
    softmax_Z = E / S[:, None]                          # (N, C)
    J_softmax_Z = -softmax_Z[:, :, None] * softmax_Z[:, None, :]  # (N, C, C)
    J_softmax_Z[:, np.arange(C), np.arange(C)] += softmax_Z
    weighted_X = X[:, :, None] * softmax_Z[:, None, :]  # (N, D, C)
    H_W_W = (weighted_X.reshape(N, -1).T @ weighted_X.reshape(N, -1)).reshape(D, C, D, C)  # (D, C, D, C)
    H_W_W[:, np.arange(C), :, np.arange(C)] -= (weighted_X.reshape(N, -1).T @ X).reshape(D, C, D).transpose(1, 0, 2)
    H_W_W /= -N
    H_W_b = (X.T @ J_softmax_Z.reshape(N, -1)).reshape(D, C, C) / N  # (D, C, C)
    H_b_b = J_softmax_Z.mean(axis=0)                    # (C, C)
    return Hessian(H_W_W, H_W_b, H_b_b)


def _row_maxima(x):
    """Return the maxima over the last axis: of short rows as of columns, of others by their places, which is faster."""
    if x.size < 32 * x.shape[-1]:                       # few rows: NumPy starts each anew
        return x.max(axis=-1)
    rows = x.reshape(-1, x.shape[-1])
    if rows.shape[1] < 32:
        return np.ascontiguousarray(rows.T).max(axis=0).reshape(x.shape[:-1])
    return rows[np.arange(len(rows)), rows.argmax(axis=1)].reshape(x.shape[:-1])


def _checked(W, b, X, y):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W, b)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W, b, X = [np.asarray(v, dtype) for v in (*floats, X)]
    y = np.asarray(y)
    sizes = _sizes(W.shape, b.shape, X.shape, y.shape)
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
