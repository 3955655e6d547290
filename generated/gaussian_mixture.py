"""Mixture of Gaussians: the mean negative log likelihood; loss and gradients.

    exp_s = exp(-2 s)                                                          (K, D)
    q[n, k] = a[k] - sum_d 1/2 exp_s[k, d] * (X[n, d] - mu[k, d])^2 + s[k, d]   (N, K)
        (log joint densities, up to constants)
    loss = (log sum_k exp a[k]) + log(2 pi) * D/2 - 1/N sum_n log sum_k exp q[n, k]

Parameters  a (K,), mu (K, D), s (K, D); their dtype is the result's.
Inputs      X (N, D).
Cost        18DKN operations, 8(11DK + 3DN + 7KN) bytes read and written, 8K(D + N) bytes kept for `backward`, to
            leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/gaussian_mixture.py by `derive build gaussian_mixture`; do not edit.
The derivation is typeset in gaussian_mixture.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    a: np.ndarray
    mu: np.ndarray
    s: np.ndarray


def forward(a, mu, s, X):
    """Return the loss and the residuals that `backward` reads."""
    a, mu, s, X = _checked(a, mu, s, X)
    D = X.shape[1]

    exp_s = np.exp(-2 * s)                              # (K, D)
    diff_q = X[:, None, :] - mu                         # (N, K, D)
    q = a - np.sum(exp_s / 2 * diff_q**2 + s, axis=2)   # (N, K)
    # log sum_k exp q[n, k] = T_q + log S_q, shifted by the maxima T_q so that exp stays in range
    T_q = _row_maxima(q)                                # (N,)
    E_q = np.exp(q - T_q[:, None])                      # (N, K)
    S_q = E_q.sum(axis=1)                               # (N,)
    # log sum_k exp a[k] = T_a + log S_a, shifted by the maxima T_a so that exp stays in range
    T_a = a.max()
    E_a = np.exp(a - T_a)                               # (K,)
    S_a = E_a.sum()
    loss = np.log(S_a) + (T_a + D * np.log(2 * np.pi, dtype=T_a.dtype) / 2 - _mean(T_q + np.log(S_q)))
    return loss, (exp_s, diff_q, E_q, S_q, E_a, S_a)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    exp_s, diff_q, E_q, S_q, E_a, S_a = residuals
    N = len(diff_q)

    # loss = (log sum_k exp a[k]) + log(2 pi) * D/2 - 1/N sum_n log sum_k exp q[n, k]
    dq = -E_q / (N * S_q[:, None])                      # (N, K)
    # q[n, k] = a[k] - sum_d 1/2 exp_s[k, d] * (X[n, d] - mu[k, d])^2 + s[k, d]
    da = E_a / S_a + dq.sum(axis=0)                     # (K,)
    dmu = exp_s * np.einsum("nk,nkd->kd", dq, diff_q)   # (K, D)
    ds = np.einsum("nk,nkd->kd", dq, exp_s * diff_q**2 - 1)  # (K, D)
    return Params(da, dmu, ds)


def loss_and_grads(a, mu, s, X):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(a, mu, s, X)
    return loss, backward(residuals)


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


def _checked(a, mu, s, X):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (a, mu, s)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    a, mu, s, X = [np.asarray(v, dtype) for v in (*floats, X)]
    _sizes(a.shape, mu.shape, s.shape, X.shape)
    return a, mu, s, X


@lru_cache
def _sizes(a, mu, s, X):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (("a", a, "K"), ("mu", mu, "KD"), ("s", s, "KD"), ("X", X, "ND")):
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
