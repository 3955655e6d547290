"""Elman network with a label at every step: loss and gradients.

    h[-1, n, k] = h0[n, k]                                                     (T, N, K)   hidden units
    pre_h[t, n, k] = (sum_d x[t, n, d] * W[d, k]) + (sum_j h[t - 1, n, j] * U[j, k]) + b[k]   (T, N, K)
    h[t, n, k] = tanh(pre_h[t, n, k])                                          (T, N, K)   hidden units
    z[t, n, c] = (sum_k h[t, n, k] * V[k, c]) + c[c]                           (T, N, C)   logits
    loss = 1/(T N) sum_{t, n} (log sum_c exp z[t, n, c]) - z[t, n, y[t, n]]

Parameters  W (D, K), U (K, K), b (K,), V (K, C), c (C,); their dtype is the result's.
Inputs      x (T, N, D), h0 (N, K); labels y (T, N), integers in [0, C).
Outputs     z (T, N, C), by `predict`.
Cost        2KNT(3C + 2D + 3K) operations, 8NT(7C + 2D + 15K) bytes read and written, 8NT(C + K) bytes kept for
            `backward`, to leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/elman_rnn.py by `derive build elman_rnn`; do not edit.
The derivation is typeset in elman_rnn.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W: np.ndarray
    U: np.ndarray
    b: np.ndarray
    V: np.ndarray
    c: np.ndarray


def forward(W, U, b, V, c, x, y, h0):
    """Return the loss and the residuals that `backward` reads."""
    W, U, b, V, c, x, y, h0 = _checked(W, U, b, V, c, x, y, h0)
    T = len(x)
    N = len(h0)
    K = len(U)

    pre_h = x @ W                                       # (T, N, K)
    pre_h += b
    h = np.empty((T + 1, N, K), b.dtype)                # (T + 1, N, K)
    h[0] = h0
    for t in range(T):
        pre_h[t] += h[t] @ U
        h[t + 1] = np.tanh(pre_h[t])
    z = h[1:] @ V + c                                   # (T, N, C)
    # log sum_c exp z[t, n, c] = T_z + log S_z, shifted by the maxima T_z so that exp stays in range
    T_z = _row_maxima(z)                                # (T, N)
    E_z = np.exp(z - T_z[:, :, None])                   # (T, N, C)
    S_z = E_z.sum(axis=2)                               # (T, N)
    loss = _mean(np.log(S_z) + (T_z - z[np.arange(T)[:, None], np.arange(N), y]))
    return loss, (U, V, x, y, h, E_z, S_z)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    U, V, x, y, h, E_z, S_z = residuals
    T = len(x)
    N = x.shape[1]
    D = x.shape[2]
    K = len(U)
    C = V.shape[1]

    # loss = 1/(T N) sum_{t, n} (log sum_c exp z[t, n, c]) - z[t, n, y[t, n]]
    dz = E_z / S_z[:, :, None]                          # (T, N, C)
    dz[np.arange(T)[:, None], np.arange(N), y] -= 1
    dz /= N * T
    # z[t, n, c] = (sum_k h[t, n, k] * V[k, c]) + c[c]
    dV = h[1:].reshape(-1, K).T @ dz.reshape(-1, C)     # (K, C)
    dc = dz.sum(axis=(0, 1))                            # (C,)
    dpre_h = np.empty((T, N, K), h.dtype)               # (T, N, K)
    dh = np.zeros((T + 1, N, K), h.dtype)               # (T + 1, N, K)
    dh[1:] = dz @ V.T
    U_T = np.ascontiguousarray(U.T)                     # (K, K)
    for t in reversed(range(T)):
        # h[t, n, k] = tanh(pre_h[t, n, k])
        dpre_h[t] = dh[t + 1] * (1 - h[t + 1]**2)
        # pre_h[t, n, k] = (sum_d x[t, n, d] * W[d, k]) + (sum_j h[t - 1, n, j] * U[j, k]) + b[k]
        dh[t] += dpre_h[t] @ U_T
    # pre_h[t, n, k] = (sum_d x[t, n, d] * W[d, k]) + (sum_j h[t - 1, n, j] * U[j, k]) + b[k]
    dW = x.reshape(-1, D).T @ dpre_h.reshape(-1, K)     # (D, K)
    dU = h[:-1].reshape(-1, K).T @ dpre_h.reshape(-1, K)  # (K, K)
    db = dpre_h.sum(axis=(0, 1))                        # (K,)
    return Params(dW, dU, db, dV, dc)


def loss_and_grads(W, U, b, V, c, x, y, h0):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W, U, b, V, c, x, y, h0)
    return loss, backward(residuals)


def predict(W, U, b, V, c, x, h0):
    """Return the logits z (T, N, C)."""
    W, U, b, V, c, x, _, h0 = _checked(W, U, b, V, c, x, h0=h0)
    T = len(x)
    N = len(h0)
    K = len(U)

    pre_h = x @ W                                       # (T, N, K)
    pre_h += b
    h = np.empty((T + 1, N, K), b.dtype)                # (T + 1, N, K)
    h[0] = h0
    for t in range(T):
        pre_h[t] += h[t] @ U
        h[t + 1] = np.tanh(pre_h[t])
    return h[1:] @ V + c


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


def _checked(W, U, b, V, c, x, y=None, h0=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W, U, b, V, c)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W, U, b, V, c, x = [np.asarray(v, dtype) for v in (*floats, x)]
    h0 = None if h0 is None else np.asarray(h0, dtype)
    y = None if y is None else np.asarray(y)
    sizes = _sizes(
        W.shape, U.shape, b.shape, V.shape, c.shape, x.shape, getattr(y, "shape", None), getattr(h0, "shape", None)
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
    return W, U, b, V, c, x, y, h0


@lru_cache
def _sizes(W, U, b, V, c, x, y, h0):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("W", W, "DK"), ("U", U, "KK"), ("b", b, "K"), ("V", V, "KC"), ("c", c, "C"), ("x", x, "TND"), ("y", y, "TN"),
        ("h0", h0, "NK"),
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
