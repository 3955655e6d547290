"""Recurrent classifier of sequences of words: loss and gradients.

    x[t, n, d] = E[w[t, n], d]                                                 (T, N, D)   embedded words
    h[-1, n, k] = 0                                                            (T, N, K)   state
    pre_h[t, n, k] = (sum_d x[t, n, d] * W[d, k]) + (sum_j h[t - 1, n, j] * U[j, k]) + b[k]   (T, N, K)
    h[t, n, k] = tanh(pre_h[t, n, k])                                          (T, N, K)   state
    z[n, m] = (sum_k h[T - 1, n, k] * V[k, m]) + c[m]                          (N, C)      logits
    loss = 1/N sum_n (log sum_{m=0..C - 1} exp z[n, m]) - z[n, y[n]]

Parameters  E (M, D), W (D, K), U (K, K), b (K,), V (K, C), c (C,); their dtype is the result's.
Inputs      labels w (T, N), integers in [0, M); labels y (N,), integers in [0, C).
Outputs     z (N, C), by `predict`.
Cost        6KNT(D + K) operations, 16NT(3D + 8K) bytes read and written, 8NT(D + K) bytes kept for `backward`, to
            leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/sequence_to_label.py by `derive build sequence_to_label`; do not edit.
The derivation is typeset in sequence_to_label.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    E: np.ndarray
    W: np.ndarray
    U: np.ndarray
    b: np.ndarray
    V: np.ndarray
    c: np.ndarray


def forward(E, W, U, b, V, c, w, y):
    """Return the loss and the residuals that `backward` reads."""
    E, W, U, b, V, c, w, y = _checked(E, W, U, b, V, c, w, y)
    T = len(w)
    N = len(y)
    K = len(U)

    x = E[w]                                            # (T, N, D)
    pre_h = x @ W                                       # (T, N, K)
    pre_h += b
    h = np.empty((T + 1, N, K), b.dtype)                # (T + 1, N, K)
    h[0] = 0
    for t in range(T):
        pre_h[t] += h[t] @ U
        h[t + 1] = np.tanh(pre_h[t])
    z = h[T] @ V + c                                    # (N, C)
    # log sum_m exp z[n, m] = T_z + log S_z, shifted by the maxima T_z so that exp stays in range
    T_z = _row_maxima(z)                                # (N,)
    E_z = np.exp(z - T_z[:, None])                      # (N, C)
    S_z = E_z.sum(axis=1)                               # (N,)
    loss = _mean(np.log(S_z) + (T_z - z[np.arange(N), y]))
    return loss, (E, W, U, V, w, y, x, h, E_z, S_z)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    E, W, U, V, w, y, x, h, E_z, S_z = residuals
    T = len(w)
    N = len(y)
    D = len(W)
    K = len(U)

    # loss = 1/N sum_n (log sum_{m=0..C - 1} exp z[n, m]) - z[n, y[n]]
    dz = E_z / S_z[:, None]                             # (N, C)
    dz[np.arange(N), y] -= 1
    dz /= N
    # z[n, m] = (sum_k h[T - 1, n, k] * V[k, m]) + c[m]
    dV = h[T].T @ dz                                    # (K, C)
    dc = dz.sum(axis=0)                                 # (C,)
    dpre_h = np.empty((T, N, K), h.dtype)               # (T, N, K)
    dh = np.zeros((T + 1, N, K), h.dtype)               # (T + 1, N, K)
    dh[T] += dz @ V.T
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
    dx = dpre_h @ W.T                                   # (T, N, D)
    # x[t, n, d] = E[w[t, n], d]
    dE = np.zeros_like(E)                               # (M, D)
    _add_rows(dE, w, dx)
    return Params(dE, dW, dU, db, dV, dc)


def loss_and_grads(E, W, U, b, V, c, w, y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(E, W, U, b, V, c, w, y)
    return loss, backward(residuals)


def predict(E, W, U, b, V, c, w):
    """Return the logits z (N, C)."""
    E, W, U, b, V, c, w, _ = _checked(E, W, U, b, V, c, w)
    T = len(w)
    N = w.shape[1]
    K = len(U)

    x = E[w]                                            # (T, N, D)
    pre_h = x @ W                                       # (T, N, K)
    pre_h += b
    h = np.empty((T + 1, N, K), b.dtype)                # (T + 1, N, K)
    h[0] = 0
    for t in range(T):
        pre_h[t] += h[t] @ U
        h[t + 1] = np.tanh(pre_h[t])
    return h[T] @ V + c


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _add_rows(total, rows, values):
    """Add each of the values to the row that it belongs to; rows may repeat, which `+=` would forget."""
    width = total[0].size
    if rows.size * width < 512:                         # few numbers: what follows takes longer to begin
        np.add.at(total, rows, values)
        return
    values = np.broadcast_to(values, (*rows.shape, *total.shape[1:]))
    places = (rows.reshape(-1, 1).astype(np.intp) * width + np.arange(width)).reshape(-1)  # of the numbers in all rows
    if total.size <= values.size and total.dtype in (np.float32, np.float64):
        total += np.bincount(places, values.reshape(-1), total.size).reshape(total.shape)  # which adds up in double
    elif total.flags.c_contiguous:
        np.add.at(total.reshape(-1), places, values.reshape(-1))                           # faster than row by row
    else:
        np.add.at(total, rows, values)


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


def _checked(E, W, U, b, V, c, w, y=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (E, W, U, b, V, c)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    E, W, U, b, V, c = [np.asarray(v, dtype) for v in floats]
    w = np.asarray(w)
    y = None if y is None else np.asarray(y)
    sizes = _sizes(E.shape, W.shape, U.shape, b.shape, V.shape, c.shape, w.shape, getattr(y, "shape", None))
    if w.dtype.kind not in "iu":
        raise ValueError(f"w has dtype {w.dtype}; expected integers, the labels")
    w = w.astype(np.intp, copy=False)
    if w.view(np.uintp).max() >= sizes["M"]:  # negative ones are the largest of all
        raise ValueError(
            f"w holds labels from {w.min()} to {w.max()}; "
            f"expected 0 to M - 1 = {sizes['M'] - 1}"
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
    return E, W, U, b, V, c, w, y


@lru_cache
def _sizes(E, W, U, b, V, c, w, y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("E", E, "MD"), ("W", W, "DK"), ("U", U, "KK"), ("b", b, "K"), ("V", V, "KC"), ("c", c, "C"), ("w", w, "TN"),
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
