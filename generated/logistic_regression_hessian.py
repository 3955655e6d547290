"""Logistic regression of two classes: Hessian of the loss.

    z = X w + b 1                                        (N,)     logits
    sigmoid_z = sigmoid(z)                               (N,)
    H_w_w = 1/N X' diag(sigmoid_z * (1 - sigmoid_z)) X   (D, D)
    H_w_b = 1/N X' (sigmoid_z * (1 - sigmoid_z))         (D,)
    H_b_b = 1/N (1 - sigmoid_z)' sigmoid_z

Parameters  w (D,), b, a scalar; their dtype is the result's.
Inputs      X (N, D), y (N,).
Cost        6D^2N operations, 8D(D + 3N) bytes read and written, to leading order.

Generated from derive/networks/logistic_regression.py by `derive build logistic_regression --of hessian`; do not edit.
The derivation is typeset in logistic_regression_hessian.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Hessian(NamedTuple):
    """The Hessian of the loss, block by block."""

    w_w: np.ndarray
    w_b: np.ndarray
    b_b: np.ndarray


def hessian(w, b, X, y):
    """Return the Hessian of the loss."""
    w, b, X, y = _checked(w, b, X, y)
    N = len(X)

    z = X @ w + b                                       # (N,)
    weighted_X = np.sqrt(_sigmoid_slope(z))[:, None] * X  # (N, D)
    H_w_w = weighted_X.T @ weighted_X / N               # (D, D)
    H_w_b = _sigmoid_slope(z) @ X / N                   # (D,)
    H_b_b = _mean(_sigmoid_slope(z))
    return Hessian(H_w_w, H_w_b, H_b_b)


def _sigmoid_slope(x):
    """Return the derivative of the sigmoid, exact to the last digits at both ends, where s (1 - s) is not."""
    e = np.exp(-np.abs(x))
    return e / (1 + e)**2


def _mean(x):
    """Return the mean of all entries: np.mean takes three times as long on a few numbers."""
    return x.sum() / x.size


def _checked(w, b, X, y):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [p if isinstance(p, int | float) else np.asarray(p) for p in (w, b)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    w, b, X, y = [np.asarray(v, dtype) for v in (*floats, X, y)]
    _sizes(w.shape, b.shape, X.shape, y.shape)
    return w, b, X, y


@lru_cache
def _sizes(w, b, X, y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (("w", w, "D"), ("b", b, ""), ("X", X, "ND"), ("y", y, "N")):
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
