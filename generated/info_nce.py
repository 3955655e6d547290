"""InfoNCE of two linear encoders: loss and gradients.

    P = X V              (N, K)   codes
    Q = Y W              (N, K)   codes
    sum_p = P^2 1        (N,)
    p = sqrt(sum_p)      (N,)
    sum_q = Q^2 1        (N,)
    q = sqrt(sum_q)      (N,)
    A = diag(p)^(-1) P   (N, K)   codes of length 1
    B = diag(q)^(-1) Q   (N, K)   codes of length 1
    S = 1 / tau A B'     (N, N)   cosines over the temperature
    loss = 1/N sum_n (log sum_m exp S[n, m]) - S[n, n]

Parameters  V (D, K), W (F, K); their dtype is the result's.
Inputs      X (N, D), Y (N, F), tau, a scalar.
Outputs     S (N, N), by `predict`.
Cost        2KN(2D + 2F + 3N) operations, 16(DK + DN + FK + FN + 13KN + 3N^2) bytes read and written, 8N(4K + N) bytes
            kept for `backward`, to leading order.

Powers, * and / act entry by entry; diag(v)^(-1) is an inverse matrix.
dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/info_nce.py by `derive build info_nce`; do not edit.
The derivation is typeset in info_nce.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    V: np.ndarray
    W: np.ndarray


def forward(V, W, X, Y, tau):
    """Return the loss and the residuals that `backward` reads."""
    V, W, X, Y, tau = _checked(V, W, X, Y, tau)

    P = X @ V                                           # (N, K)
    Q = Y @ W                                           # (N, K)
    sum_p = np.einsum("nk,nk->n", P, P)                 # (N,)
    p = np.sqrt(sum_p)                                  # (N,)
    sum_q = np.einsum("nk,nk->n", Q, Q)                 # (N,)
    q = np.sqrt(sum_q)                                  # (N,)
    A = P / p[:, None]                                  # (N, K)
    B = Q / q[:, None]                                  # (N, K)
    S = A @ B.T / tau                                   # (N, N)
    # log sum_m exp S[n, m] = T_S + log S_S, shifted by the maxima T_S so that exp stays in range
    T_S = _row_maxima(S)                                # (N,)
    E_S = np.exp(S - T_S[:, None])                      # (N, N)
    S_S = E_S.sum(axis=1)                               # (N,)
    loss = _mean(np.log(S_S) + (T_S - np.diagonal(S)))
    return loss, (X, Y, tau, P, Q, p, q, A, B, E_S, S_S)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    X, Y, tau, P, Q, p, q, A, B, E_S, S_S = residuals
    N = len(X)

    # loss = 1/N sum_n (log sum_m exp S[n, m]) - S[n, n]
    dS = E_S / S_S[:, None]                             # (N, N)
    dS[np.arange(N), np.arange(N)] -= 1
    dS /= N
    # S = 1 / tau A B'
    dB = dS.T @ A / tau                                 # (N, K)
    dA = dS @ B / tau                                   # (N, K)
    # B = diag(q)^(-1) Q
    dq = -np.einsum("nk,nk->n", dB, B) / q              # (N,)
    # A = diag(p)^(-1) P
    dp = -np.einsum("nk,nk->n", dA, A) / p              # (N,)
    # q = sqrt(sum_q)
    dsum_q = dq / (2 * q)                               # (N,)
    # sum_q = Q^2 1
    dQ = dB / q[:, None] + 2 * dsum_q[:, None] * Q      # (N, K)
    # p = sqrt(sum_p)
    dsum_p = dp / (2 * p)                               # (N,)
    # sum_p = P^2 1
    dP = dA / p[:, None] + 2 * dsum_p[:, None] * P      # (N, K)
    # Q = Y W
    dW = Y.T @ dQ                                       # (F, K)
    # P = X V
    dV = X.T @ dP                                       # (D, K)
    return Params(dV, dW)


def loss_and_grads(V, W, X, Y, tau):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(V, W, X, Y, tau)
    return loss, backward(residuals)


def predict(V, W, X, Y, tau):
    """Return the cosines over the temperature S (N, N)."""
    V, W, X, Y, tau = _checked(V, W, X, Y, tau)

    P = X @ V                                           # (N, K)
    Q = Y @ W                                           # (N, K)
    sum_p = np.einsum("nk,nk->n", P, P)                 # (N,)
    p = np.sqrt(sum_p)                                  # (N,)
    sum_q = np.einsum("nk,nk->n", Q, Q)                 # (N,)
    q = np.sqrt(sum_q)                                  # (N,)
    A = P / p[:, None]                                  # (N, K)
    B = Q / q[:, None]                                  # (N, K)
    return A @ B.T / tau


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


def _checked(V, W, X, Y, tau):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (V, W)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    V, W, X, Y, tau = [np.asarray(v, dtype) for v in (*floats, X, Y, tau)]
    _sizes(V.shape, W.shape, X.shape, Y.shape, tau.shape)
    return V, W, X, Y, tau


@lru_cache
def _sizes(V, W, X, Y, tau):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("V", V, "DK"), ("W", W, "FK"), ("X", X, "ND"), ("Y", Y, "NF"), ("tau", tau, ""),
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
