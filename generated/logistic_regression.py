"""Logistic regression of two classes: loss and gradients.

    z = X w + b 1   (N,)   logits
    loss = 1/N sum_n softplus(z[n]) - y[n] * z[n]

Parameters  w (D,), b, a scalar; their dtype is the result's.
Inputs      X (N, D), y (N,).
Outputs     z (N,), by `predict`.
Cost        4DN operations, 16DN bytes read and written, 8N bytes kept for `backward`, to leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/logistic_regression.py by `derive build logistic_regression`; do not edit.
The derivation is typeset in logistic_regression.tex.
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

    z = X @ w + b                                       # (N,)
    exp_z = _capped_exp(z)                              # (N,)
    loss = _mean(_softplus_at(exp_z, z) - y * z)
    return loss, (X, y, exp_z)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    X, y, exp_z = residuals
    N = len(X)

    # loss = 1/N sum_n softplus(z[n]) - y[n] * z[n]
    dz = (_sigmoid_at(exp_z) - y) / N                   # (N,)
    # z = X w + b 1
    dw = dz @ X                                         # (D,)
    db = dz.sum()
    return Params(dw, db)


def loss_and_grads(w, b, X, y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(w, b, X, y)
    return loss, backward(residuals)


def predict(w, b, X):
    """Return the logits z (N,)."""
    w, b, X, _ = _checked(w, b, X)

    return X @ w + b


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _capped_exp(x):
    """Return exp(x), or the exponential of nearly the largest number that has one where x is larger.

    With e = exp(z), e / (e + 1) is the sigmoid of z, and 1 / (e + 1) what it leaves of 1, to the last digits.
    """
    largest = x.max(initial=0)
    if largest < 9 or largest < (top := np.log(np.finfo(x.dtype).max) - 1):     # of 9 all have one
        return np.exp(x)
    return np.exp(np.minimum(x, top))


def _softplus_at(e, x):
    """Return log(1 + exp(x)), e being exp(x), or less where x is as large as that."""
    return np.maximum(np.log1p(e), x)


def _sigmoid_at(e):
    """Return 1 / (1 + exp(-x)), e being exp(x)."""
    return e / (e + 1)


def _mean(x):
    """Return the mean of all entries: np.mean takes three times as long on a few numbers."""
    return x.sum() / x.size


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
