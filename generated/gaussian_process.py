"""Gaussian process: negative log marginal likelihood; loss and gradients.

    exp_length = exp(-2 length)                             (D,)
    r[n, m] = sum_d (X[n, d] - X[m, d])^2 * exp_length[d]   (N, N)   squared distances
    pre_k[n, m] = 2 signal - 1/2 r[n, m]                    (N, N)
    k = exp(pre_k)                                          (N, N)   kernel
    exp_noise = exp(2 noise)
    K = k + exp_noise I                                     (N, N)   covariance of the targets
    K alpha = y                                             (N,)     weights of the predictive mean
    logdet_K = logdet(K)
    K' inverse_logdet_K = I                                 (N, N)
    loss = 1/2 (y' alpha + logdet_K + log(2 pi) * N)

Parameters  length (D,), signal, a scalar, noise, a scalar; their dtype is the result's.
Inputs      X (N, D), y (N,).
Outputs     alpha (N,), by `predict`.
Cost        N^2(10D + 7/3 N) operations, 8N(2D + 21N) bytes read and written, 16N^2 bytes kept for `backward`, to
            leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/gaussian_process.py by `derive build gaussian_process`; do not edit.
The derivation is typeset in gaussian_process.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve  # NumPy lacks it


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    length: np.ndarray
    signal: np.ndarray
    noise: np.ndarray


def forward(length, signal, noise, X, y):
    """Return the loss and the residuals that `backward` reads."""
    length, signal, noise, X, y = _checked(length, signal, noise, X, y)
    N = len(X)

    exp_length = np.exp(-2 * length)                    # (D,)
    diff_X = X[:, None, :] - X                          # (N, N, D)
    r = diff_X**2 @ exp_length                          # (N, N)
    pre_k = 2 * signal - r / 2                          # (N, N)
    k = np.exp(pre_k)                                   # (N, N)
    exp_noise = np.exp(2 * noise)
    K = np.array(k)                                     # (N, N)
    K[np.arange(N), np.arange(N)] += exp_noise
    chol_K = _cholesky("K", K)                          # (N, N)
    alpha = cho_solve((chol_K, True), y)                # (N,)
    logdet_K = 2 * np.log(np.diagonal(chol_K)).sum()
    inverse_logdet_K = cho_solve((chol_K, True), np.eye(N, dtype=chol_K.dtype))  # (N, N)
    loss = (alpha @ y + logdet_K + N * np.log(2 * np.pi, dtype=logdet_K.dtype)) / 2
    return loss, (k, alpha, inverse_logdet_K, exp_length, exp_noise, diff_X)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    k, alpha, inverse_logdet_K, exp_length, exp_noise, diff_X = residuals
    D = len(exp_length)

    # loss = 1/2 (y' alpha + logdet_K + log(2 pi) * N)
    # K alpha = y
    lam_alpha = alpha / 2                               # (N,)
    dK = inverse_logdet_K / 2 - lam_alpha[:, None] * alpha  # (N, N)
    # K = k + exp_noise I
    dnoise = 2 * exp_noise * np.trace(dK)
    # k = exp(pre_k)
    dpre_k = dK * k                                     # (N, N)
    # pre_k[n, m] = 2 signal - 1/2 r[n, m]
    dsignal = 2 * dpre_k.sum()
    dr = -dpre_k / 2                                    # (N, N)
    # r[n, m] = sum_d (X[n, d] - X[m, d])^2 * exp_length[d]
    dlength = -2 * exp_length * (dr.reshape(-1) @ (diff_X**2).reshape(-1, D))  # (D,)
    return Params(dlength, dsignal, dnoise)


def loss_and_grads(length, signal, noise, X, y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(length, signal, noise, X, y)
    return loss, backward(residuals)


def predict(length, signal, noise, X, y):
    """Return the weights of the predictive mean alpha (N,)."""
    length, signal, noise, X, y = _checked(length, signal, noise, X, y)
    N = len(X)

    exp_length = np.exp(-2 * length)                    # (D,)
    diff_X = X[:, None, :] - X                          # (N, N, D)
    r = diff_X**2 @ exp_length                          # (N, N)
    pre_k = 2 * signal - r / 2                          # (N, N)
    k = np.exp(pre_k)                                   # (N, N)
    exp_noise = np.exp(2 * noise)
    K = np.array(k)                                     # (N, N)
    K[np.arange(N), np.arange(N)] += exp_noise
    chol_K = _cholesky("K", K)                          # (N, N)
    return cho_solve((chol_K, True), y)


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _cholesky(name, matrix):
    """Return the lower triangular L with L L' = matrix."""
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise np.linalg.LinAlgError(f"{name} is not positive definite") from None


def _checked(length, signal, noise, X, y):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [p if isinstance(p, int | float) else np.asarray(p) for p in (length, signal, noise)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    length, signal, noise, X, y = [np.asarray(v, dtype) for v in (*floats, X, y)]
    _sizes(length.shape, signal.shape, noise.shape, X.shape, y.shape)
    return length, signal, noise, X, y


@lru_cache
def _sizes(length, signal, noise, X, y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("length", length, "D"), ("signal", signal, ""), ("noise", noise, ""), ("X", X, "ND"), ("y", y, "N"),
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
