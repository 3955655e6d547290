"""Classifier of images with group normalisation: loss and gradients.

    Z[n, c, h, w] = sum_d X[n, d, h, w] * W1[c, d]                             (N, C, H, W)
        (G groups of M channels each)
    mu[n, g] = 1/(M H W) sum_{m, h, w} Z[n, M * g + m, h, w]                   (N, G)            mean of a group
    R[n, g, m, h, w] = Z[n, M * g + m, h, w] - mu[n, g]                        (N, G, M, H, W)   centred
    v[n, g] = 1/(M H W) sum_{m, h, w} R[n, g, m, h, w]^2                       (N, G)            variance of a group
    sqrt_v[n, g] = sqrt(v[n, g] + epsilon)                                     (N, G)
    U[n, g, m, h, w] = R[n, g, m, h, w] / sqrt_v[n, g]                         (N, G, M, H, W)   normalised
    B[n, g, m, h, w] = gamma[M * g + m] * U[n, g, m, h, w] + beta[M * g + m]   (N, G, M, H, W)   rescaled
    P[n, g, m] = 1/(H W) sum_{h, w} relu(B[n, g, m, h, w])                     (N, G, M)         means of channels
    Y[n, k] = (sum_{g, m} P[n, g, m] * W2[M * g + m, k]) + b2[k]               (N, K)            logits
    loss = 1/N sum_n (log sum_k exp Y[n, k]) - Y[n, y[n]]

Parameters  W1 (C, D), gamma (C,), beta (C,), W2 (C, K), b2 (K,); their dtype is the result's.
Inputs      X (N, D, H, W), epsilon, a scalar; labels y (N,), integers in [0, K).
Sizes       G, M, given by keyword.
where       C = G M.
Outputs     Y (N, K), by `predict`.
Cost        4CDHNW operations, 16HNW(13C + D) bytes read and written, 24CHNW bytes kept for `backward`, to leading
            order.
Convention  relu'(0) = 0.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/group_norm.py by `derive build group_norm`; do not edit.
The derivation is typeset in group_norm.tex.
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


def forward(W1, gamma, beta, W2, b2, X, y, epsilon, *, G, M):
    """Return the loss and the residuals that `backward` reads."""
    W1, gamma, beta, W2, b2, X, y, epsilon = _checked(W1, gamma, beta, W2, b2, X, y, epsilon, G=G, M=M)
    G, M = int(G), int(M)
    N = len(X)
    D = X.shape[1]
    H = X.shape[2]
    W = X.shape[3]
    K = len(b2)
    C = len(W1)

    Z = (W1 @ X.reshape(N, D, -1)).reshape(N, C, H, W)  # (N, C, H, W)
    split_Z = Z.reshape(N, G, M, H, W)                  # (N, G, M, H, W)
    mu = split_Z.mean(axis=(2, 3, 4))                   # (N, G)
    R = split_Z - mu[:, :, None, None, None]            # (N, G, M, H, W)
    v = np.mean(R**2, axis=(2, 3, 4))                   # (N, G)
    sqrt_v = np.sqrt(v + epsilon)                       # (N, G)
    U = R / sqrt_v[:, :, None, None, None]              # (N, G, M, H, W)
    split_gamma = gamma.reshape(G, M)                   # (G, M)
    split_beta = beta.reshape(G, M)                     # (G, M)
    B = split_gamma[:, :, None, None] * U + split_beta[:, :, None, None]  # (N, G, M, H, W)
    P = np.maximum(B, 0).mean(axis=(3, 4))              # (N, G, M)
    split_W2 = W2.reshape(G, M, K)                      # (G, M, K)
    Y = P.reshape(N, -1) @ split_W2.reshape(-1, K) + b2  # (N, K)
    # log sum_k exp Y[n, k] = T + log S, shifted by the maxima T so that exp stays in range
    T = _row_maxima(Y)                                  # (N,)
    E = np.exp(Y - T[:, None])                          # (N, K)
    S = E.sum(axis=1)                                   # (N,)
    loss = _mean(np.log(S) + (T - Y[np.arange(N), y]))
    return loss, (X, y, epsilon, R, v, U, B, P, sqrt_v, E, S, split_gamma, split_W2)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    X, y, epsilon, R, v, U, B, P, sqrt_v, E, S, split_gamma, split_W2 = residuals
    N = len(X)
    D = X.shape[1]
    G = len(split_gamma)
    M = split_gamma.shape[1]
    H = X.shape[2]
    W = X.shape[3]
    K = E.shape[1]
    C = G * M

    # loss = 1/N sum_n (log sum_k exp Y[n, k]) - Y[n, y[n]]
    dY = E / S[:, None]                                 # (N, K)
    dY[np.arange(N), y] -= 1
    dY /= N
    # Y[n, k] = (sum_{g, m} P[n, g, m] * W2[M * g + m, k]) + b2[k]
    dsplit_W2 = (P.reshape(N, -1).T @ dY).reshape(G, M, K)  # (G, M, K)
    dW2 = dsplit_W2.reshape(C, K)                       # (C, K)
    db2 = dY.sum(axis=0)                                # (K,)
    dP = (dY @ split_W2.reshape(-1, K).T).reshape(N, G, M)  # (N, G, M)
    # P[n, g, m] = 1/(H W) sum_{h, w} relu(B[n, g, m, h, w])
    dB = (dP / (H * W))[:, :, :, None, None] * (B > 0)  # (N, G, M, H, W)
    # B[n, g, m, h, w] = gamma[M * g + m] * U[n, g, m, h, w] + beta[M * g + m]
    dsplit_gamma = np.sum(dB * U, axis=(0, 3, 4))       # (G, M)
    dgamma = dsplit_gamma.reshape(C)                    # (C,)
    dsplit_beta = dB.sum(axis=(0, 3, 4))                # (G, M)
    dbeta = dsplit_beta.reshape(C)                      # (C,)
    dU = split_gamma[:, :, None, None] * dB             # (N, G, M, H, W)
    # U[n, g, m, h, w] = R[n, g, m, h, w] / sqrt_v[n, g]
    dv = -np.sum(dU * U, axis=(2, 3, 4)) / (2 * (v + epsilon))  # (N, G)
    # v[n, g] = 1/(M H W) sum_{m, h, w} R[n, g, m, h, w]^2
    dR = dU / sqrt_v[:, :, None, None, None] + 2 / (H * M * W) * dv[:, :, None, None, None] * R  # (N, G, M, H, W)
    # R[n, g, m, h, w] = Z[n, M * g + m, h, w] - mu[n, g]
    dmu = -dR.sum(axis=(2, 3, 4))                       # (N, G)
    # mu[n, g] = 1/(M H W) sum_{m, h, w} Z[n, M * g + m, h, w]
    dsplit_Z = dR + (dmu / (H * M * W))[:, :, None, None, None]  # (N, G, M, H, W)
    dZ = dsplit_Z.reshape(N, C, H, W)                   # (N, C, H, W)
    # Z[n, c, h, w] = sum_d X[n, d, h, w] * W1[c, d]
    dW1 = (dZ.reshape(N, C, -1) @ X.reshape(N, D, -1).mT).sum(axis=0)  # (C, D)
    return Params(dW1, dgamma, dbeta, dW2, db2)


def loss_and_grads(W1, gamma, beta, W2, b2, X, y, epsilon, *, G, M):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W1, gamma, beta, W2, b2, X, y, epsilon, G=G, M=M)
    return loss, backward(residuals)


def predict(W1, gamma, beta, W2, b2, X, epsilon, *, G, M):
    """Return the logits Y (N, K)."""
    W1, gamma, beta, W2, b2, X, _, epsilon = _checked(W1, gamma, beta, W2, b2, X, epsilon=epsilon, G=G, M=M)
    G, M = int(G), int(M)
    N = len(X)
    D = X.shape[1]
    H = X.shape[2]
    W = X.shape[3]
    K = len(b2)
    C = len(W1)

    Z = (W1 @ X.reshape(N, D, -1)).reshape(N, C, H, W)  # (N, C, H, W)
    split_Z = Z.reshape(N, G, M, H, W)                  # (N, G, M, H, W)
    mu = split_Z.mean(axis=(2, 3, 4))                   # (N, G)
    R = split_Z - mu[:, :, None, None, None]            # (N, G, M, H, W)
    v = np.mean(R**2, axis=(2, 3, 4))                   # (N, G)
    sqrt_v = np.sqrt(v + epsilon)                       # (N, G)
    U = R / sqrt_v[:, :, None, None, None]              # (N, G, M, H, W)
    split_gamma = gamma.reshape(G, M)                   # (G, M)
    split_beta = beta.reshape(G, M)                     # (G, M)
    B = split_gamma[:, :, None, None] * U + split_beta[:, :, None, None]  # (N, G, M, H, W)
    P = np.maximum(B, 0).mean(axis=(3, 4))              # (N, G, M)
    split_W2 = W2.reshape(G, M, K)                      # (G, M, K)
    return P.reshape(N, -1) @ split_W2.reshape(-1, K) + b2


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


def _checked(W1, gamma, beta, W2, b2, X, y=None, epsilon=None, *, G, M):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W1, gamma, beta, W2, b2)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W1, gamma, beta, W2, b2, X = [np.asarray(v, dtype) for v in (*floats, X)]
    epsilon = None if epsilon is None else np.asarray(epsilon, dtype)
    y = None if y is None else np.asarray(y)
    for name, size, least in (("G", G, 1), ("M", M, 1)):
        if not isinstance(size, (int, np.integer)) or size < least:
            raise ValueError(f"{name} is {size!r}; expected an integer, at least {least}")
    sizes = _sizes(
        W1.shape, gamma.shape, beta.shape, W2.shape, b2.shape, X.shape, getattr(y, "shape", None),
        getattr(epsilon, "shape", None), G=int(G), M=int(M)
    )
    if y is not None:
        if y.dtype.kind not in "iu":
            raise ValueError(f"y has dtype {y.dtype}; expected integers, the labels")
        y = y.astype(np.intp, copy=False)
        if y.view(np.uintp).max() >= sizes["K"]:  # negative ones are the largest of all
            raise ValueError(
                f"y holds labels from {y.min()} to {y.max()}; "
                f"expected 0 to K - 1 = {sizes['K'] - 1}"
            )
    return W1, gamma, beta, W2, b2, X, y, epsilon


@lru_cache
def _sizes(W1, gamma, beta, W2, b2, X, y, epsilon, *, G, M):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {"G": G, "M": M}
    for name, shape, axes in (
        ("W1", W1, "CD"), ("gamma", gamma, "C"), ("beta", beta, "C"), ("W2", W2, "CK"), ("b2", b2, "K"),
        ("X", X, "NDHW"), ("y", y, "N"), ("epsilon", epsilon, ""),
    ):
        if shape is not None:
            _match(name, shape, axes, sizes)
    _follows("C", sizes["G"] * sizes["M"], "G * M", sizes)
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
