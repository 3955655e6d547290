"""Softmax regression on soft targets: loss and gradients.

    Z = X W + 1 b'   (N, C)   logits
    loss = -1/N sum_{n, c} Y[n, c] * (Z[n, c] - log sum_c2 exp Z[n, c2])

Parameters  W (D, C), b (C,); their dtype is the result's.
Inputs      X (N, D), Y (N, C).
Outputs     Z (N, C), by `predict`.
Assumes     each row of Y sums to one: sum_c Y[n, c] = 1.
Cost        4CDN operations, 8(2CD + 9CN + 2DN) bytes read and written, 8CN bytes kept for `backward`, to leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/soft_targets.py by `derive build soft_targets`; do not edit.
The derivation is typeset in soft_targets.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W: np.ndarray
    b: np.ndarray


def forward(W, b, X, Y):
    """Return the loss and the residuals that `backward` reads."""
    W, b, X, Y = _checked(W, b, X, Y)
    N = len(X)

    Z = X @ W + b                                       # (N, C)
    # log sum_c2 exp Z[n, c2] = T + log S, shifted by the maxima T so that exp stays in range
    T = _row_maxima(Z)                                  # (N,)
    E = np.exp(Z - T[:, None])                          # (N, C)
    S = E.sum(axis=1)                                   # (N,)
    loss = -_inner(Z - T[:, None] - np.log(S)[:, None], Y) / N
    return loss, (X, Y, E, S)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    X, Y, E, S = residuals
    N = len(X)

    # loss = -1/N sum_{n, c} Y[n, c] * (Z[n, c] - log sum_c2 exp Z[n, c2]); since each row of Y sums to one
    dZ = (E / S[:, None] - Y) / N                       # (N, C)
    # Z = X W + 1 b'
    dW = X.T @ dZ                                       # (D, C)
    db = dZ.sum(axis=0)                                 # (C,)
    return Params(dW, db)


def loss_and_grads(W, b, X, Y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W, b, X, Y)
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


def _inner(a, b):
    """Return the sum of all of a*b, 2**14 numbers at a time: one long float32 sum by BLAS loses digits."""
    a, b = a.reshape(-1), b.reshape(-1)
    whole = a.size >> 14 << 14
    if whole == 0:
        return a @ b
    rows = a[:whole].reshape(-1, 2**14).conj(), b[:whole].reshape(-1, 2**14)    # which np.vecdot conjugates
    return np.vecdot(*rows).sum() + a[whole:] @ b[whole:]


def _checked(W, b, X, Y=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W, b)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W, b, X = [np.asarray(v, dtype) for v in (*floats, X)]
    Y = None if Y is None else np.asarray(Y, dtype)
    _sizes(W.shape, b.shape, X.shape, getattr(Y, "shape", None))
    if Y is not None:
        _assume("Y", "each row of Y sums to one", Y.sum(axis=1), 1)
    return W, b, X, Y


def _assume(name, fact, left, right):
    """Raise ValueError where a fact that the gradients rely on does not hold; rounding is allowed for."""
    largest = np.abs(left - right).max()
    allowed = np.sqrt(np.finfo(left.dtype).eps)
    if not largest <= allowed:
        allowed *= max(1.0, np.abs(left).max())
    if not largest <= allowed:
        raise ValueError(f"{name} is off by {largest:.2g} where {fact}; expected at most {allowed:.1g}")


@lru_cache
def _sizes(W, b, X, Y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (("W", W, "DC"), ("b", b, "C"), ("X", X, "ND"), ("Y", Y, "NC")):
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
