"""Bidirectional recurrent network with a label at every step: loss and gradients.

    h[-1, n, k] = 0                                                            (T, N, K)   what came before
    pre_h[t, n, k] = (sum_d x[t, n, d] * W[d, k]) + (sum_j h[t - 1, n, j] * U[j, k]) + b[k]   (T, N, K)
    h[t, n, k] = tanh(pre_h[t, n, k])                                          (T, N, K)   what came before
    g[-1, n, k] = 0                                                            (T, N, K)
        (what comes after, the last step first)
    pre_g[t, n, k] = (sum_d x[T - t - 1, n, d] * Wr[d, k]) + (sum_j g[t - 1, n, j] * Ur[j, k]) + br[k]   (T, N, K)
    g[t, n, k] = tanh(pre_g[t, n, k])                                          (T, N, K)
        (what comes after, the last step first)
    z[t, n, m] = (sum_k g[T - t - 1, n, k] * Vr[k, m]) + (sum_k h[t, n, k] * V[k, m]) + c[m]   (T, N, C)   logits
    loss = 1/(T N) sum_{t, n} (log sum_m exp z[t, n, m]) - z[t, n, y[t, n]]

Parameters  W (D, K), U (K, K), b (K,), Wr (D, K), Ur (K, K), br (K,), V (K, C), Vr (K, C), c (C,); their dtype is the
            result's.
Inputs      x (T, N, D); labels y (T, N), integers in [0, C).
Outputs     z (T, N, C), by `predict`.
Cost        4KNT(3C + 2D + 3K) operations, 8NT(9C + 4D + 30K) bytes read and written, 8NT(C + 2K) bytes kept for
            `backward`, to leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/bidirectional.py by `derive build bidirectional`; do not edit.
The derivation is typeset in bidirectional.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W: np.ndarray
    U: np.ndarray
    b: np.ndarray
    Wr: np.ndarray
    Ur: np.ndarray
    br: np.ndarray
    V: np.ndarray
    Vr: np.ndarray
    c: np.ndarray


def forward(W, U, b, Wr, Ur, br, V, Vr, c, x, y):
    """Return the loss and the residuals that `backward` reads."""
    W, U, b, Wr, Ur, br, V, Vr, c, x, y = _checked(W, U, b, Wr, Ur, br, V, Vr, c, x, y)
    T = len(x)
    N = x.shape[1]
    K = len(U)

    pre_h = x @ W                                       # (T, N, K)
    pre_h += b
    h = np.empty((T + 1, N, K), b.dtype)                # (T + 1, N, K)
    h[0] = 0
    for t in range(T):
        pre_h[t] += h[t] @ U
        h[t + 1] = np.tanh(pre_h[t])
    pre_g = x[::-1] @ Wr                                # (T, N, K)
    pre_g += br
    g = np.empty((T + 1, N, K), br.dtype)               # (T + 1, N, K)
    g[0] = 0
    for t in range(T):
        pre_g[t] += g[t] @ Ur
        g[t + 1] = np.tanh(pre_g[t])
    z = h[1:] @ V + g[:0:-1] @ Vr + c                   # (T, N, C)
    # log sum_m exp z[t, n, m] = T_z + log S_z, shifted by the maxima T_z so that exp stays in range
    T_z = _row_maxima(z)                                # (T, N)
    E_z = np.exp(z - T_z[:, :, None])                   # (T, N, C)
    S_z = E_z.sum(axis=2)                               # (T, N)
    loss = _mean(np.log(S_z) + (T_z - z[np.arange(T)[:, None], np.arange(N), y]))
    return loss, (U, Ur, V, Vr, x, y, h, g, E_z, S_z)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    U, Ur, V, Vr, x, y, h, g, E_z, S_z = residuals
    T = len(x)
    N = x.shape[1]
    D = x.shape[2]
    K = len(U)
    C = V.shape[1]

    # loss = 1/(T N) sum_{t, n} (log sum_m exp z[t, n, m]) - z[t, n, y[t, n]]
    dz = E_z / S_z[:, :, None]                          # (T, N, C)
    dz[np.arange(T)[:, None], np.arange(N), y] -= 1
    dz /= N * T
    # z[t, n, m] = (sum_k g[T - t - 1, n, k] * Vr[k, m]) + (sum_k h[t, n, k] * V[k, m]) + c[m]
    dV = h[1:].reshape(-1, K).T @ dz.reshape(-1, C)     # (K, C)
    dVr = g[:0:-1].reshape(-1, K).T @ dz.reshape(-1, C)  # (K, C)
    dc = dz.sum(axis=(0, 1))                            # (C,)
    dpre_g = np.empty((T, N, K), g.dtype)               # (T, N, K)
    dg = np.zeros((T + 1, N, K), g.dtype)               # (T + 1, N, K)
    dg[1:] = dz[::-1] @ Vr.T
    Ur_T = np.ascontiguousarray(Ur.T)                   # (K, K)
    for t in reversed(range(T)):
        # g[t, n, k] = tanh(pre_g[t, n, k])
        dpre_g[t] = dg[t + 1] * (1 - g[t + 1]**2)
        # pre_g[t, n, k] = (sum_d x[T - t - 1, n, d] * Wr[d, k]) + (sum_j g[t - 1, n, j] * Ur[j, k]) + br[k]
        dg[t] += dpre_g[t] @ Ur_T
    dpre_h = np.empty((T, N, K), h.dtype)               # (T, N, K)
    dh = np.zeros((T + 1, N, K), h.dtype)               # (T + 1, N, K)
    dh[1:] = dz @ V.T
    U_T = np.ascontiguousarray(U.T)                     # (K, K)
    for t in reversed(range(T)):
        # h[t, n, k] = tanh(pre_h[t, n, k])
        dpre_h[t] = dh[t + 1] * (1 - h[t + 1]**2)
        # pre_h[t, n, k] = (sum_d x[t, n, d] * W[d, k]) + (sum_j h[t - 1, n, j] * U[j, k]) + b[k]
        dh[t] += dpre_h[t] @ U_T
    # pre_g[t, n, k] = (sum_d x[T - t - 1, n, d] * Wr[d, k]) + (sum_j g[t - 1, n, j] * Ur[j, k]) + br[k]
    dWr = x[::-1].reshape(-1, D).T @ dpre_g.reshape(-1, K)  # (D, K)
    dUr = g[:-1].reshape(-1, K).T @ dpre_g.reshape(-1, K)  # (K, K)
    dbr = dpre_g.sum(axis=(0, 1))                       # (K,)
    # pre_h[t, n, k] = (sum_d x[t, n, d] * W[d, k]) + (sum_j h[t - 1, n, j] * U[j, k]) + b[k]
    dW = x.reshape(-1, D).T @ dpre_h.reshape(-1, K)     # (D, K)
    dU = h[:-1].reshape(-1, K).T @ dpre_h.reshape(-1, K)  # (K, K)
    db = dpre_h.sum(axis=(0, 1))                        # (K,)
    return Params(dW, dU, db, dWr, dUr, dbr, dV, dVr, dc)


def loss_and_grads(W, U, b, Wr, Ur, br, V, Vr, c, x, y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W, U, b, Wr, Ur, br, V, Vr, c, x, y)
    return loss, backward(residuals)


def predict(W, U, b, Wr, Ur, br, V, Vr, c, x):
    """Return the logits z (T, N, C)."""
    W, U, b, Wr, Ur, br, V, Vr, c, x, _ = _checked(W, U, b, Wr, Ur, br, V, Vr, c, x)
    T = len(x)
    N = x.shape[1]
    K = len(U)

    pre_h = x @ W                                       # (T, N, K)
    pre_h += b
    h = np.empty((T + 1, N, K), b.dtype)                # (T + 1, N, K)
    h[0] = 0
    for t in range(T):
        pre_h[t] += h[t] @ U
        h[t + 1] = np.tanh(pre_h[t])
    pre_g = x[::-1] @ Wr                                # (T, N, K)
    pre_g += br
    g = np.empty((T + 1, N, K), br.dtype)               # (T + 1, N, K)
    g[0] = 0
    for t in range(T):
        pre_g[t] += g[t] @ Ur
        g[t + 1] = np.tanh(pre_g[t])
    return h[1:] @ V + g[:0:-1] @ Vr + c


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


def _checked(W, U, b, Wr, Ur, br, V, Vr, c, x, y=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W, U, b, Wr, Ur, br, V, Vr, c)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W, U, b, Wr, Ur, br, V, Vr, c, x = [np.asarray(v, dtype) for v in (*floats, x)]
    y = None if y is None else np.asarray(y)
    sizes = _sizes(
        W.shape, U.shape, b.shape, Wr.shape, Ur.shape, br.shape, V.shape, Vr.shape, c.shape, x.shape,
        getattr(y, "shape", None)
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
    return W, U, b, Wr, Ur, br, V, Vr, c, x, y


@lru_cache
def _sizes(W, U, b, Wr, Ur, br, V, Vr, c, x, y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("W", W, "DK"), ("U", U, "KK"), ("b", b, "K"), ("Wr", Wr, "DK"), ("Ur", Ur, "KK"), ("br", br, "K"),
        ("V", V, "KC"), ("Vr", Vr, "KC"), ("c", c, "C"), ("x", x, "TND"), ("y", y, "TN"),
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
