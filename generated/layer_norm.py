"""Regression with layer normalisation: loss and gradients.

    Z = X W1 + 1 b1'               (N, H)   pre-activation
    m = 1/H Z 1                    (N,)     mean of the layer
    R = Z - m 1'                   (N, H)   centred
    v = 1/H R^2 1                  (N,)     variance of the layer
    sqrt_v = sqrt(v + epsilon 1)   (N,)
    U = diag(sqrt_v)^(-1) R        (N, H)   normalised
    B = U diag(gamma) + 1 beta'    (N, H)   scaled and shifted
    A = relu(B)                    (N, H)   hidden units
    Y = A W2 + 1 b2'               (N, K)   predictions
    loss = 1/(2 N K) sum_{n, k} (Y[n, k] - T[n, k])^2

Parameters  W1 (D, H), b1 (H,), gamma (H,), beta (H,), W2 (H, K), b2 (K,); their dtype is the result's.
Inputs      X (N, D), T (N, K), epsilon, a scalar.
Outputs     Y (N, K), by `predict`.
Cost        2HN(2D + 3K) operations, 8(2DH + 2DN + 3HK + 32HN + 9KN) bytes read and written, 8N(3H + K) bytes kept for
            `backward`, to leading order.
Convention  relu'(0) = 0.

Powers, * and / act entry by entry; diag(v)^(-1) is an inverse matrix.
dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/layer_norm.py by `derive build layer_norm`; do not edit.
The derivation is typeset in layer_norm.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W1: np.ndarray
    b1: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    W2: np.ndarray
    b2: np.ndarray


def forward(W1, b1, gamma, beta, W2, b2, X, T, epsilon):
    """Return the loss and the residuals that `backward` reads."""
    W1, b1, gamma, beta, W2, b2, X, T, epsilon = _checked(W1, b1, gamma, beta, W2, b2, X, T, epsilon)
    H = len(b1)

    Z = X @ W1 + b1                                     # (N, H)
    m = Z.mean(axis=1)                                  # (N,)
    R = Z - m[:, None]                                  # (N, H)
    v = np.einsum("nh,nh->n", R, R) / H                 # (N,)
    sqrt_v = np.sqrt(v + epsilon)                       # (N,)
    U = R / sqrt_v[:, None]                             # (N, H)
    B = gamma * U + beta                                # (N, H)
    A = np.maximum(B, 0)                                # (N, H)
    Y = A @ W2 + b2                                     # (N, K)
    diff_loss = Y - T                                   # (N, K)
    loss = _sum_of_squares(diff_loss) / (2 * diff_loss.size)
    return loss, (gamma, W2, X, epsilon, R, v, U, A, sqrt_v, diff_loss)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    gamma, W2, X, epsilon, R, v, U, A, sqrt_v, diff_loss = residuals
    N = len(X)
    H = len(gamma)
    K = diff_loss.shape[1]

    # loss = 1/(2 N K) sum_{n, k} (Y[n, k] - T[n, k])^2
    dY = diff_loss / (K * N)                            # (N, K)
    # Y = A W2 + 1 b2'
    dW2 = A.T @ dY                                      # (H, K)
    db2 = dY.sum(axis=0)                                # (K,)
    dA = dY @ W2.T                                      # (N, H)
    # A = relu(B)
    dB = dA * (A > 0)                                   # (N, H)
    # B = U diag(gamma) + 1 beta'
    dgamma = np.einsum("nh,nh->h", dB, U)               # (H,)
    dbeta = dB.sum(axis=0)                              # (H,)
    dU = gamma * dB                                     # (N, H)
    # U = diag(sqrt_v)^(-1) R
    dv = -np.einsum("nh,nh->n", dU, U) / (2 * (v + epsilon))  # (N,)
    # v = 1/H R^2 1
    dR = dU / sqrt_v[:, None] + 2 / H * dv[:, None] * R  # (N, H)
    # R = Z - m 1'
    dm = -dR.sum(axis=1)                                # (N,)
    # m = 1/H Z 1
    dZ = dR + (dm / H)[:, None]                         # (N, H)
    # Z = X W1 + 1 b1'
    dW1 = X.T @ dZ                                      # (D, H)
    db1 = dZ.sum(axis=0)                                # (H,)
    return Params(dW1, db1, dgamma, dbeta, dW2, db2)


def loss_and_grads(W1, b1, gamma, beta, W2, b2, X, T, epsilon):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W1, b1, gamma, beta, W2, b2, X, T, epsilon)
    return loss, backward(residuals)


def predict(W1, b1, gamma, beta, W2, b2, X, epsilon):
    """Return the predictions Y (N, K)."""
    W1, b1, gamma, beta, W2, b2, X, _, epsilon = _checked(W1, b1, gamma, beta, W2, b2, X, epsilon=epsilon)
    H = len(b1)

    Z = X @ W1 + b1                                     # (N, H)
    m = Z.mean(axis=1)                                  # (N,)
    R = Z - m[:, None]                                  # (N, H)
    v = np.einsum("nh,nh->n", R, R) / H                 # (N,)
    sqrt_v = np.sqrt(v + epsilon)                       # (N,)
    U = R / sqrt_v[:, None]                             # (N, H)
    B = gamma * U + beta                                # (N, H)
    A = np.maximum(B, 0)                                # (N, H)
    return A @ W2 + b2


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


def _checked(W1, b1, gamma, beta, W2, b2, X, T=None, epsilon=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W1, b1, gamma, beta, W2, b2)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W1, b1, gamma, beta, W2, b2, X = [np.asarray(v, dtype) for v in (*floats, X)]
    T = None if T is None else np.asarray(T, dtype)
    epsilon = None if epsilon is None else np.asarray(epsilon, dtype)
    _sizes(
        W1.shape, b1.shape, gamma.shape, beta.shape, W2.shape, b2.shape, X.shape, getattr(T, "shape", None),
        getattr(epsilon, "shape", None)
    )
    return W1, b1, gamma, beta, W2, b2, X, T, epsilon


@lru_cache
def _sizes(W1, b1, gamma, beta, W2, b2, X, T, epsilon):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("W1", W1, "DH"), ("b1", b1, "H"), ("gamma", gamma, "H"), ("beta", beta, "H"), ("W2", W2, "HK"),
        ("b2", b2, "K"), ("X", X, "ND"), ("T", T, "NK"), ("epsilon", epsilon, ""),
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
