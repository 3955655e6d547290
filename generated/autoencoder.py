"""Autoencoder of one hidden layer: loss and gradients.

    pre_H = X W1 + 1 b1'   (N, K)
    H = tanh(pre_H)        (N, K)   codes
    R = H W2 + 1 b2'       (N, D)   reconstructions
    loss = 1/(N D) sum_{n, d} (R[n, d] - X[n, d])^2

Parameters  W1 (D, K), b1 (K,), W2 (K, D), b2 (D,); their dtype is the result's.
Inputs      X (N, D).
Outputs     H (N, K), R (N, D), by `predict`.
Cost        10DKN operations, 8(5DK + 11DN + 11KN) bytes read and written, 8N(D + K) bytes kept for `backward`, to
            leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/autoencoder.py by `derive build autoencoder`; do not edit.
The derivation is typeset in autoencoder.tex.
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


def forward(W1, b1, W2, b2, X):
    """Return the loss and the residuals that `backward` reads."""
    W1, b1, W2, b2, X = _checked(W1, b1, W2, b2, X)

    pre_H = X @ W1 + b1                                 # (N, K)
    H = np.tanh(pre_H)                                  # (N, K)
    R = H @ W2 + b2                                     # (N, D)
    diff_loss = R - X                                   # (N, D)
    loss = _sum_of_squares(diff_loss) / diff_loss.size
    return loss, (W2, X, H, diff_loss)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    W2, X, H, diff_loss = residuals
    N = len(X)
    D = X.shape[1]

    # loss = 1/(N D) sum_{n, d} (R[n, d] - X[n, d])^2
    dR = 2 / (D * N) * diff_loss                        # (N, D)
    # R = H W2 + 1 b2'
    dW2 = H.T @ dR                                      # (K, D)
    db2 = dR.sum(axis=0)                                # (D,)
    dH = dR @ W2.T                                      # (N, K)
    # H = tanh(pre_H)
    dpre_H = dH * (1 - H**2)                            # (N, K)
    # pre_H = X W1 + 1 b1'
    dW1 = X.T @ dpre_H                                  # (D, K)
    db1 = dpre_H.sum(axis=0)                            # (K,)
    return Params(dW1, db1, dW2, db2)


def loss_and_grads(W1, b1, W2, b2, X):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W1, b1, W2, b2, X)
    return loss, backward(residuals)


def predict(W1, b1, W2, b2, X):
    """Return the codes H (N, K), the reconstructions R (N, D)."""
    W1, b1, W2, b2, X = _checked(W1, b1, W2, b2, X)

    pre_H = X @ W1 + b1                                 # (N, K)
    H = np.tanh(pre_H)                                  # (N, K)
    R = H @ W2 + b2                                     # (N, D)
    return H, R


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


def _checked(W1, b1, W2, b2, X):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W1, b1, W2, b2)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W1, b1, W2, b2, X = [np.asarray(v, dtype) for v in (*floats, X)]
    _sizes(W1.shape, b1.shape, W2.shape, b2.shape, X.shape)
    return W1, b1, W2, b2, X


@lru_cache
def _sizes(W1, b1, W2, b2, X):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("W1", W1, "DK"), ("b1", b1, "K"), ("W2", W2, "KD"), ("b2", b2, "D"), ("X", X, "ND"),
    ):
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
