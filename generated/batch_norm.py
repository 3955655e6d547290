"""Classifier with batch normalisation: loss and gradients.

    Z = X W1                                         (N, H)   pre-activation
    m = 1/N Z' 1                                     (H,)     mean of the batch
    R = Z - 1 m'                                     (N, H)   centred
    v = 1/N (R^2)' 1                                 (H,)     variance of the batch
    sqrt_v = sqrt(v + epsilon 1)                     (H,)
    U = R diag(sqrt_v)^(-1)                          (N, H)   normalised
    B = U diag(gamma) + 1 beta'                      (N, H)   scaled and shifted
    A = relu(B)                                      (N, H)   hidden units
    Y = A W2 + 1 b2'                                 (N, C)   logits
    next_m = (1 - momentum) running_m + momentum m   (H,)     running mean after this batch
    next_v = (1 - momentum) running_v + momentum v   (H,)     running variance after this batch
    loss = 1/N sum_n (log sum_c exp Y[n, c]) - Y[n, y[n]]

Parameters  W1 (D, H), gamma (H,), beta (H,), W2 (H, C), b2 (C,); their dtype is the result's.
Inputs      X (N, D), running_m (H,), running_v (H,), momentum, a scalar, epsilon, a scalar; labels y (N,), integers in
            [0, C).
Outputs     Y (N, C), next_m (H,), next_v (H,), by `predict`.
Cost        2HN(3C + 2D) operations, 8(3CH + 7CN + 2DH + 2DN + 31HN) bytes read and written, 8N(C + 3H) bytes kept for
            `backward`, to leading order.
Convention  relu'(0) = 0.

Powers, * and / act entry by entry; diag(v)^(-1) is an inverse matrix.
dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/batch_norm.py by `derive build batch_norm`; do not edit.
The derivation is typeset in batch_norm.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W1: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    W2: np.ndarray
    b2: np.ndarray


def forward(W1, gamma, beta, W2, b2, X, y, running_m, running_v, momentum, epsilon):
    """Return the loss and the residuals that `backward` reads."""
    (
        W1, gamma, beta, W2, b2, X, y, running_m, running_v, momentum, epsilon,
    ) = _checked(W1, gamma, beta, W2, b2, X, y, running_m, running_v, momentum, epsilon)
    N = len(X)

    Z = X @ W1                                          # (N, H)
    m = Z.mean(axis=0)                                  # (H,)
    R = Z - m                                           # (N, H)
    v = np.einsum("nh,nh->h", R, R) / N                 # (H,)
    sqrt_v = np.sqrt(v + epsilon)                       # (H,)
    U = R / sqrt_v                                      # (N, H)
    B = gamma * U + beta                                # (N, H)
    A = np.maximum(B, 0)                                # (N, H)
    Y = A @ W2 + b2                                     # (N, C)
    # log sum_c exp Y[n, c] = T + log S, shifted by the maxima T so that exp stays in range
    T = _row_maxima(Y)                                  # (N,)
    E = np.exp(Y - T[:, None])                          # (N, C)
    S = E.sum(axis=1)                                   # (N,)
    loss = _mean(np.log(S) + (T - Y[np.arange(N), y]))
    return loss, (gamma, W2, X, y, epsilon, R, v, U, A, sqrt_v, E, S)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    gamma, W2, X, y, epsilon, R, v, U, A, sqrt_v, E, S = residuals
    N = len(X)

    # loss = 1/N sum_n (log sum_c exp Y[n, c]) - Y[n, y[n]]
    dY = E / S[:, None]                                 # (N, C)
    dY[np.arange(N), y] -= 1
    dY /= N
    # Y = A W2 + 1 b2'
    dW2 = A.T @ dY                                      # (H, C)
    db2 = dY.sum(axis=0)                                # (C,)
    dA = dY @ W2.T                                      # (N, H)
    # A = relu(B)
    dB = dA * (A > 0)                                   # (N, H)
    # B = U diag(gamma) + 1 beta'
    dgamma = np.einsum("nh,nh->h", dB, U)               # (H,)
    dbeta = dB.sum(axis=0)                              # (H,)
    dU = gamma * dB                                     # (N, H)
    # U = R diag(sqrt_v)^(-1)
    dv = -np.einsum("nh,nh->h", dU, U) / (2 * (v + epsilon))  # (H,)
    # v = 1/N (R^2)' 1
    dR = dU / sqrt_v + 2 / N * dv * R                   # (N, H)
    # R = Z - 1 m'
    dm = -dR.sum(axis=0)                                # (H,)
    # m = 1/N Z' 1
    dZ = dR + dm / N                                    # (N, H)
    # Z = X W1
    dW1 = X.T @ dZ                                      # (D, H)
    return Params(dW1, dgamma, dbeta, dW2, db2)


def loss_and_grads(W1, gamma, beta, W2, b2, X, y, running_m, running_v, momentum, epsilon):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W1, gamma, beta, W2, b2, X, y, running_m, running_v, momentum, epsilon)
    return loss, backward(residuals)


def predict(W1, gamma, beta, W2, b2, X, running_m, running_v, momentum, epsilon):
    """Return the logits Y (N, C), the running mean after this batch next_m (H,), the running variance after this batch
    next_v (H,).
    """
    (
        W1, gamma, beta, W2, b2, X, _, running_m, running_v, momentum, epsilon,
    ) = _checked(
        W1, gamma, beta, W2, b2, X, running_m=running_m, running_v=running_v, momentum=momentum, epsilon=epsilon,
    )
    N = len(X)

    Z = X @ W1                                          # (N, H)
    m = Z.mean(axis=0)                                  # (H,)
    R = Z - m                                           # (N, H)
    v = np.einsum("nh,nh->h", R, R) / N                 # (H,)
    sqrt_v = np.sqrt(v + epsilon)                       # (H,)
    U = R / sqrt_v                                      # (N, H)
    B = gamma * U + beta                                # (N, H)
    A = np.maximum(B, 0)                                # (N, H)
    Y = A @ W2 + b2                                     # (N, C)
    next_m = momentum * m + (1 - momentum) * running_m  # (H,)
    next_v = momentum * v + (1 - momentum) * running_v  # (H,)
    return Y, next_m, next_v


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


def _checked(W1, gamma, beta, W2, b2, X, y=None, running_m=None, running_v=None, momentum=None, epsilon=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W1, gamma, beta, W2, b2)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W1, gamma, beta, W2, b2, X = [np.asarray(v, dtype) for v in (*floats, X)]
    running_m = None if running_m is None else np.asarray(running_m, dtype)
    running_v = None if running_v is None else np.asarray(running_v, dtype)
    momentum = None if momentum is None else np.asarray(momentum, dtype)
    epsilon = None if epsilon is None else np.asarray(epsilon, dtype)
    y = None if y is None else np.asarray(y)
    sizes = _sizes(
        W1.shape, gamma.shape, beta.shape, W2.shape, b2.shape, X.shape, getattr(y, "shape", None),
        getattr(running_m, "shape", None), getattr(running_v, "shape", None), getattr(momentum, "shape", None),
        getattr(epsilon, "shape", None)
    )
    if y is not None:
        if y.dtype.kind not in "iu":
            raise ValueError(f"y has dtype {y.dtype}; expected integers, the labels")
        y = y.astype(np.intp, copy=False)
        if y.view(np.uintp).max() >= sizes["C"]:  # negative ones are the largest of all
            raise ValueError(
                f"y holds labels from {y.min()} to {y.max()}; "
                f"expected 0 to C - 1 = {sizes['C'] - 1}"
            )
    return W1, gamma, beta, W2, b2, X, y, running_m, running_v, momentum, epsilon


@lru_cache
def _sizes(W1, gamma, beta, W2, b2, X, y, running_m, running_v, momentum, epsilon):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("W1", W1, "DH"), ("gamma", gamma, "H"), ("beta", beta, "H"), ("W2", W2, "HC"), ("b2", b2, "C"), ("X", X, "ND"),
        ("y", y, "N"), ("running_m", running_m, "H"), ("running_v", running_v, "H"), ("momentum", momentum, ""),
        ("epsilon", epsilon, ""),
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
