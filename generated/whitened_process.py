"""Gaussian process classification, whitened: negative log joint density; loss and gradients.

    exp_length = exp(-2 length)                             (D,)
    r[n, m] = sum_d (X[n, d] - X[m, d])^2 * exp_length[d]   (N, N)   squared distances
    pre_k[n, m] = 2 signal - 1/2 r[n, m]                    (N, N)
    k = exp(pre_k)                                          (N, N)   kernel
    exp_noise = exp(2 noise)
    K = k + exp_noise I                                     (N, N)   covariance of the function
    L L' = K, L lower triangular                            (N, N)
    f = L u                                                 (N,)     function values
    loss = (1/2 sum_n u[n]^2) + sum_n softplus(f[n]) - f[n] * y[n]

Parameters  length (D,), signal, a scalar, noise, a scalar, u (N,); their dtype is the result's.
Inputs      X (N, D), y (N,).
Outputs     f (N,), by `predict`.
Cost        N^2(10D + 13/3 N) operations, 8N(2D + 29N) bytes read and written, 16N^2 bytes kept for `backward`, to
            leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/whitened_process.py by `derive build whitened_process`; do not edit.
The derivation is typeset in whitened_process.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular  # NumPy lacks it


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    length: np.ndarray
    signal: np.ndarray
    noise: np.ndarray
    u: np.ndarray


def forward(length, signal, noise, u, X, y):
    """Return the loss and the residuals that `backward` reads."""
    length, signal, noise, u, X, y = _checked(length, signal, noise, u, X, y)
    N = len(X)

    exp_length = np.exp(-2 * length)                    # (D,)
    diff_X = X[:, None, :] - X                          # (N, N, D)
    r = diff_X**2 @ exp_length                          # (N, N)
    pre_k = 2 * signal - r / 2                          # (N, N)
    k = np.exp(pre_k)                                   # (N, N)
    exp_noise = np.exp(2 * noise)
    K = np.array(k)                                     # (N, N)
    K[np.arange(N), np.arange(N)] += exp_noise
    L = _cholesky("K", K)                               # (N, N)
    f = L @ u                                           # (N,)
    exp_f = _capped_exp(f)                              # (N,)
    loss = _sum_of_squares(u) / 2 + np.sum(_softplus_at(exp_f, f) - f * y)
    return loss, (u, y, k, L, exp_length, exp_noise, diff_X, exp_f)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    u, y, k, L, exp_length, exp_noise, diff_X, exp_f = residuals
    D = len(exp_length)

    # loss = (1/2 sum_n u[n]^2) + sum_n softplus(f[n]) - f[n] * y[n]
    df = _sigmoid_at(exp_f) - y                         # (N,)
    # f = L u
    du = df @ L + u                                     # (N,)
    # L L' = K, L lower triangular
    dL = df[:, None] * u                                # (N, N)
    P_L = _lower(L.T @ dL)                              # (N, N)
    half_lam_L = solve_triangular(L, P_L, lower=True, trans=1)  # (N, N)
    lam_L = solve_triangular(L, half_lam_L.T, lower=True, trans=1).T  # (N, N)
    dK = (lam_L.T + lam_L) / 2                          # (N, N)
    # K = k + exp_noise I
    dnoise = 2 * exp_noise * np.trace(dK)
    # k = exp(pre_k)
    dpre_k = dK * k                                     # (N, N)
    # pre_k[n, m] = 2 signal - 1/2 r[n, m]
    dsignal = 2 * dpre_k.sum()
    dr = -dpre_k / 2                                    # (N, N)
    # r[n, m] = sum_d (X[n, d] - X[m, d])^2 * exp_length[d]
    dlength = -2 * exp_length * (dr.reshape(-1) @ (diff_X**2).reshape(-1, D))  # (D,)
    return Params(dlength, dsignal, dnoise, du)


def loss_and_grads(length, signal, noise, u, X, y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(length, signal, noise, u, X, y)
    return loss, backward(residuals)


def predict(length, signal, noise, u, X):
    """Return the function values f (N,)."""
    length, signal, noise, u, X, _ = _checked(length, signal, noise, u, X)
    N = len(X)

    exp_length = np.exp(-2 * length)                    # (D,)
    diff_X = X[:, None, :] - X                          # (N, N, D)
    r = diff_X**2 @ exp_length                          # (N, N)
    pre_k = 2 * signal - r / 2                          # (N, N)
    k = np.exp(pre_k)                                   # (N, N)
    exp_noise = np.exp(2 * noise)
    K = np.array(k)                                     # (N, N)
    K[np.arange(N), np.arange(N)] += exp_noise
    L = _cholesky("K", K)                               # (N, N)
    return L @ u


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _lower(matrix):
    """Return the lower triangle of a square matrix with half its diagonal."""
    return (np.tril(matrix) + np.tril(matrix, -1)) / 2


def _cholesky(name, matrix):
    """Return the lower triangular L with L L' = matrix."""
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise np.linalg.LinAlgError(f"{name} is not positive definite") from None


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


def _checked(length, signal, noise, u, X, y=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [p if isinstance(p, int | float) else np.asarray(p) for p in (length, signal, noise, u)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    length, signal, noise, u, X = [np.asarray(v, dtype) for v in (*floats, X)]
    y = None if y is None else np.asarray(y, dtype)
    _sizes(length.shape, signal.shape, noise.shape, u.shape, X.shape, getattr(y, "shape", None))
    return length, signal, noise, u, X, y


@lru_cache
def _sizes(length, signal, noise, u, X, y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("length", length, "D"), ("signal", signal, ""), ("noise", noise, ""), ("u", u, "N"), ("X", X, "ND"),
        ("y", y, "N"),
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
