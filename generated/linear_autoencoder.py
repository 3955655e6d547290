"""Linear autoencoder with tied weights, half the mean squared residual: loss and gradients.

    H = X W        (N, K)
    R = H W' - X   (N, D)
    loss = 1/(2 N) sum_{n, d} R[n, d]^2

Parameters  W (D, K); their dtype is the result's.
Inputs      X (N, D).
Cost        10DKN operations, 8(4DK + 9DN + 5KN) bytes read and written, 8N(D + K) bytes kept for `backward`, to leading
            order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/linear_autoencoder.py by `derive build linear_autoencoder`; do not edit.
The derivation is typeset in linear_autoencoder.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W: np.ndarray


def forward(W, X):
    """Return the loss and the residuals that `backward` reads."""
    W, X = _checked(W, X)
    N = len(X)

    H = X @ W                                           # (N, K)
    R = H @ W.T - X                                     # (N, D)
    loss = _sum_of_squares(R) / (2 * N)
    return loss, (W, X, H, R)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    W, X, H, R = residuals
    N = len(X)

    # loss = 1/(2 N) sum_{n, d} R[n, d]^2
    dR = R / N                                          # (N, D)
    # R = H W' - X
    dH = dR @ W                                         # (N, K)
    # H = X W
    dW = dR.T @ H + X.T @ dH                            # (D, K)
    return Params(dW)


def loss_and_grads(W, X):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W, X)
    return loss, backward(residuals)


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


def _checked(W, X):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W,)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W, X = [np.asarray(v, dtype) for v in (*floats, X)]
    _sizes(W.shape, X.shape)
    return W, X


@lru_cache
def _sizes(W, X):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (("W", W, "DK"), ("X", X, "ND")):
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
