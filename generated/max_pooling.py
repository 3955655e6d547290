"""Max-pooling of images, windows overlapping or not: loss and gradients.

    y[n, c, i, k] = max_{p, q} x[n, c, S * i + p, S * k + q]            (N, C, A, B)   pooled
    first_y[n, c, i, k] = argmax_{p, q} x[n, c, S * i + p, S * k + q]   (N, C, A, B)
    loss = 1/(2 N C A B) sum_{n, c, i, k} (y[n, c, i, k] - Y[n, c, i, k])^2

Parameters  x (N, C, U, V); their dtype is the result's.
Inputs      Y (N, C, A, B).
Sizes       K, S, given by keyword.
where       A = floor((U - K)/S) + 1; B = floor((V - K)/S) + 1.
Outputs     y (N, C, A, B), by `predict`.
Cost        2ABCK^2N operations, 24CN(3AB + UV) bytes read and written, 16ABCN bytes kept for `backward`, to leading
            order.
Convention  a maximum gives its gradient to the first that attains it.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/max_pooling.py by `derive build max_pooling`; do not edit.
The derivation is typeset in max_pooling.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    x: np.ndarray


def forward(x, Y, *, K, S):
    """Return the loss and the residuals that `backward` reads."""
    x, Y = _checked(x, Y, K=K, S=S)
    K, S = int(K), int(S)
    N = len(Y)
    C = Y.shape[1]
    U = x.shape[2]
    V = x.shape[3]
    A = Y.shape[2]
    B = Y.shape[3]

    windows_x = np.empty((K, K, N, C, A, B), x.dtype)   # (K, K, N, C, A, B)
    for p in range(K):
        for q in range(K):
            windows_x[p, q] = x[:, :, p:p + A * S:S, q:q + B * S:S]
    y = windows_x.max(axis=(0, 1))                      # (N, C, A, B)
    first_y = _first_maximum(windows_x.reshape(-1, N, C, A, B))  # (N, C, A, B)
    diff_loss = y - Y                                   # (N, C, A, B)
    loss = _sum_of_squares(diff_loss) / (2 * diff_loss.size)
    return loss, (first_y, diff_loss, U, V, K, S)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    first_y, diff_loss, U, V, K, S = residuals
    N = len(first_y)
    C = first_y.shape[1]
    A = first_y.shape[2]
    B = first_y.shape[3]

    # loss = 1/(2 N C A B) sum_{n, c, i, k} (y[n, c, i, k] - Y[n, c, i, k])^2
    dy = diff_loss / (A * B * C * N)                    # (N, C, A, B)
    # y[n, c, i, k] = max_{p, q} x[n, c, S * i + p, S * k + q]
    dx = np.zeros((N, C, U, V), dy.dtype)               # (N, C, U, V)
    for p in range(K):
        for q in range(K):
            dx[:, :, p:p + A * S:S, q:q + B * S:S] += dy * (p * K + q == first_y)
    return Params(dx)


def loss_and_grads(x, Y, *, K, S):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(x, Y, K=K, S=S)
    return loss, backward(residuals)


def predict(x, *, K, S):
    """Return the pooled y (N, C, A, B)."""
    x, _ = _checked(x, K=K, S=S)
    K, S = int(K), int(S)
    N = len(x)
    C = x.shape[1]
    U = x.shape[2]
    A = (U - K) // S + 1
    V = x.shape[3]
    B = (V - K) // S + 1

    windows_x = np.empty((K, K, N, C, A, B), x.dtype)   # (K, K, N, C, A, B)
    for p in range(K):
        for q in range(K):
            windows_x[p, q] = x[:, :, p:p + A * S:S, q:q + B * S:S]
    return windows_x.max(axis=(0, 1))


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _first_maximum(x):
    """Return which entry along the first axis is the first of the largest: np.argmax is slow on few entries."""
    largest, first = x[0], np.zeros(x.shape[1:], np.min_scalar_type(len(x) - 1))
    for k in range(1, len(x)):
        first = np.maximum(first, first.dtype.type(k) * (x[k] > largest))
        largest = np.maximum(largest, x[k])
    return first


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


def _checked(x, Y=None, *, K, S):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (x,)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    (x,) = [np.asarray(v, dtype) for v in floats]
    Y = None if Y is None else np.asarray(Y, dtype)
    for name, size, least in (("K", K, 1), ("S", S, 1)):
        if not isinstance(size, (int, np.integer)) or size < least:
            raise ValueError(f"{name} is {size!r}; expected an integer, at least {least}")
    _sizes(x.shape, getattr(Y, "shape", None), K=int(K), S=int(S))
    return x, Y


@lru_cache
def _sizes(x, Y, *, K, S):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {"K": K, "S": S}
    for name, shape, axes in (("x", x, "NCUV"), ("Y", Y, "NCAB")):
        if shape is not None:
            _match(name, shape, axes, sizes)
    _follows("A", (sizes["U"] - sizes["K"]) // sizes["S"] + 1, "(U - K) // S + 1", sizes)
    _follows("B", (sizes["V"] - sizes["K"]) // sizes["S"] + 1, "(V - K) // S + 1", sizes)
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


def _follows(name, value, formula, sizes):
    """Note a size that follows from others; raise ValueError where it is no size, or an argument has another."""
    if value < 1:
        raise ValueError(f"{name} = {formula} is {value}; expected at least 1")
    if sizes.setdefault(name, value) != value:
        raise ValueError(f"{name} is {sizes[name]}; expected {formula} = {value}")
