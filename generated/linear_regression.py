"""Linear regression by least squares: loss and gradients.

    f = X w + b 1   (N,)   predictions
    loss = 1/(2 N) sum_n (f[n] - y[n])^2

Parameters  w (D,), b, a scalar; their dtype is the result's.
Inputs      X (N, D), y (N,).
Outputs     f (N,), by `predict`.
Cost        4DN operations, 16DN bytes read and written, 8N bytes kept for `backward`, to leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/linear_regression.py by `derive build linear_regression`; do not edit.
The derivation is typeset in linear_regression.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    w: np.ndarray
    b: np.ndarray


def forward(w, b, X, y):
    """Return the loss and the residuals that `backward` reads."""
    w, b, X, y = _checked(w, b, X, y)

    f = X @ w + b                                       # (N,)
    diff_loss = f - y                                   # (N,)
    loss = _sum_of_squares(diff_loss) / (2 * diff_loss.size)
    return loss, (X, diff_loss)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    X, diff_loss = residuals
    N = len(X)

    # loss = 1/(2 N) sum_n (f[n] - y[n])^2
    df = diff_loss / N                                  # (N,)
    # f = X w + b 1
    dw = df @ X                                         # (D,)
    db = df.sum()
    return Params(dw, db)


def loss_and_grads(w, b, X, y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(w, b, X, y)
    return loss, backward(residuals)


def predict(w, b, X):
    """Return the predictions f (N,)."""
    w, b, X, _ = _checked(w, b, X)

    return X @ w + b


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


def _checked(w, b, X, y=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [p if isinstance(p, int | float) else np.asarray(p) for p in (w, b)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    w, b, X = [np.asarray(v, dtype) for v in (*floats, X)]
    y = None if y is None else np.asarray(y, dtype)
    _sizes(w.shape, b.shape, X.shape, getattr(y, "shape", None))
    return w, b, X, y


@lru_cache
def _sizes(w, b, X, y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (("w", w, "D"), ("b", b, ""), ("X", X, "ND"), ("y", y, "N")):
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
