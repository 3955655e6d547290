"""Encoder and decoder, the decoder told the word before: loss and gradients.

    h[-1, n, k] = 0                                                            (S, N, K)   state of the encoder
    pre_h[s, n, k] = (sum_d E[w[s, n], d] * W[d, k]) + (sum_j h[s - 1, n, j] * U[j, k]) + b[k]   (S, N, K)
    h[s, n, k] = tanh(pre_h[s, n, k])                                          (S, N, K)   state of the encoder
    g[-1, n, k] = h[S - 1, n, k]                                               (T, N, K)   state of the decoder
    pre_g[t, n, k] = (sum_d F[u[t, n], d] * P[d, k]) + (sum_j g[t - 1, n, j] * Q[j, k]) + q[k]   (T, N, K)
    g[t, n, k] = tanh(pre_g[t, n, k])                                          (T, N, K)   state of the decoder
    z[t, n, c] = (sum_k g[t, n, k] * V[k, c]) + c[c]                           (T, N, C)   logits
    loss = 1/(T N) sum_{t, n} (log sum_c exp z[t, n, c]) - z[t, n, y[t, n]]

Parameters  E (M, D), F (C, D), W (D, K), U (K, K), b (K,), P (D, K), Q (K, K), q (K,), V (K, C), c (C,); their dtype is
            the result's.
Inputs      labels w (S, N), integers in [0, M); labels u (T, N), integers in [0, C); labels y (T, N), integers in
            [0, C).
Outputs     z (T, N, C), by `predict`.
Cost        6KN(CT + DS + DT + KS + KT) operations, 8N(7CT + 2DS + 2DT + 15KS + 16KT) bytes read and written, 8N(CT + KS
            + KT) bytes kept for `backward`, to leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/sequence_to_sequence.py by `derive build sequence_to_sequence`; do not edit.
The derivation is typeset in sequence_to_sequence.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    E: np.ndarray
    F: np.ndarray
    W: np.ndarray
    U: np.ndarray
    b: np.ndarray
    P: np.ndarray
    Q: np.ndarray
    q: np.ndarray
    V: np.ndarray
    c: np.ndarray


def forward(E, F, W, U, b, P, Q, q, V, c, w, u, y):
    """Return the loss and the residuals that `backward` reads."""
    E, F, W, U, b, P, Q, q, V, c, w, u, y = _checked(E, F, W, U, b, P, Q, q, V, c, w, u, y)
    S = len(w)
    T = len(u)
    N = w.shape[1]
    K = len(U)

    pre_h = E[w] @ W                                    # (S, N, K)
    pre_h += b
    h = np.empty((S + 1, N, K), b.dtype)                # (S + 1, N, K)
    h[0] = 0
    for s in range(S):
        pre_h[s] += h[s] @ U
        h[s + 1] = np.tanh(pre_h[s])
    pre_g = F[u] @ P                                    # (T, N, K)
    pre_g += q
    g = np.empty((T + 1, N, K), q.dtype)                # (T + 1, N, K)
    g[0] = h[S]
    for t in range(T):
        pre_g[t] += g[t] @ Q
        g[t + 1] = np.tanh(pre_g[t])
    z = g[1:] @ V + c                                   # (T, N, C)
    # log sum_c exp z[t, n, c] = T_z + log S_z, shifted by the maxima T_z so that exp stays in range
    T_z = _row_maxima(z)                                # (T, N)
    E_z = np.exp(z - T_z[:, :, None])                   # (T, N, C)
    S_z = E_z.sum(axis=2)                               # (T, N)
    loss = _mean(np.log(S_z) + (T_z - z[np.arange(T)[:, None], np.arange(N), y]))
    return loss, (E, F, W, U, P, Q, V, w, u, y, h, g, E_z, S_z)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    E, F, W, U, P, Q, V, w, u, y, h, g, E_z, S_z = residuals
    S = len(w)
    T = len(u)
    N = w.shape[1]
    D = len(W)
    K = len(U)
    C = len(F)

    # loss = 1/(T N) sum_{t, n} (log sum_c exp z[t, n, c]) - z[t, n, y[t, n]]
    dz = E_z / S_z[:, :, None]                          # (T, N, C)
    dz[np.arange(T)[:, None], np.arange(N), y] -= 1
    dz /= N * T
    # z[t, n, c] = (sum_k g[t, n, k] * V[k, c]) + c[c]
    dV = g[1:].reshape(-1, K).T @ dz.reshape(-1, C)     # (K, C)
    dc = dz.sum(axis=(0, 1))                            # (C,)
    dpre_g = np.empty((T, N, K), g.dtype)               # (T, N, K)
    dg = np.zeros((T + 1, N, K), g.dtype)               # (T + 1, N, K)
    dg[1:] = dz @ V.T
    Q_T = np.ascontiguousarray(Q.T)                     # (K, K)
    for t in reversed(range(T)):
        # g[t, n, k] = tanh(pre_g[t, n, k])
        dpre_g[t] = dg[t + 1] * (1 - g[t + 1]**2)
        # pre_g[t, n, k] = (sum_d F[u[t, n], d] * P[d, k]) + (sum_j g[t - 1, n, j] * Q[j, k]) + q[k]
        dg[t] += dpre_g[t] @ Q_T
    # pre_g[t, n, k] = (sum_d F[u[t, n], d] * P[d, k]) + (sum_j g[t - 1, n, j] * Q[j, k]) + q[k]
    dF = np.zeros_like(F)                               # (C, D)
    _add_rows(dF, u, dpre_g @ P.T)
    dP = F[u].reshape(-1, D).T @ dpre_g.reshape(-1, K)  # (D, K)
    dQ = g[:-1].reshape(-1, K).T @ dpre_g.reshape(-1, K)  # (K, K)
    dq = dpre_g.sum(axis=(0, 1))                        # (K,)
    dpre_h = np.empty((S, N, K), h.dtype)               # (S, N, K)
    dh = np.zeros((S + 1, N, K), h.dtype)               # (S + 1, N, K)
    dh[S] += dg[0]
    U_T = np.ascontiguousarray(U.T)                     # (K, K)
    for s in reversed(range(S)):
        # h[s, n, k] = tanh(pre_h[s, n, k])
        dpre_h[s] = dh[s + 1] * (1 - h[s + 1]**2)
        # pre_h[s, n, k] = (sum_d E[w[s, n], d] * W[d, k]) + (sum_j h[s - 1, n, j] * U[j, k]) + b[k]
        dh[s] += dpre_h[s] @ U_T
    # pre_h[s, n, k] = (sum_d E[w[s, n], d] * W[d, k]) + (sum_j h[s - 1, n, j] * U[j, k]) + b[k]
    dE = np.zeros_like(E)                               # (M, D)
    _add_rows(dE, w, dpre_h @ W.T)
    dW = E[w].reshape(-1, D).T @ dpre_h.reshape(-1, K)  # (D, K)
    dU = h[:-1].reshape(-1, K).T @ dpre_h.reshape(-1, K)  # (K, K)
    db = dpre_h.sum(axis=(0, 1))                        # (K,)
    return Params(dE, dF, dW, dU, db, dP, dQ, dq, dV, dc)


def loss_and_grads(E, F, W, U, b, P, Q, q, V, c, w, u, y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(E, F, W, U, b, P, Q, q, V, c, w, u, y)
    return loss, backward(residuals)


def predict(E, F, W, U, b, P, Q, q, V, c, w, u):
    """Return the logits z (T, N, C)."""
    E, F, W, U, b, P, Q, q, V, c, w, u, _ = _checked(E, F, W, U, b, P, Q, q, V, c, w, u)
    S = len(w)
    T = len(u)
    N = w.shape[1]
    K = len(U)

    pre_h = E[w] @ W                                    # (S, N, K)
    pre_h += b
    h = np.empty((S + 1, N, K), b.dtype)                # (S + 1, N, K)
    h[0] = 0
    for s in range(S):
        pre_h[s] += h[s] @ U
        h[s + 1] = np.tanh(pre_h[s])
    pre_g = F[u] @ P                                    # (T, N, K)
    pre_g += q
    g = np.empty((T + 1, N, K), q.dtype)                # (T + 1, N, K)
    g[0] = h[S]
    for t in range(T):
        pre_g[t] += g[t] @ Q
        g[t + 1] = np.tanh(pre_g[t])
    return g[1:] @ V + c


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


def _checked(E, F, W, U, b, P, Q, q, V, c, w, u, y=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (E, F, W, U, b, P, Q, q, V, c)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    E, F, W, U, b, P, Q, q, V, c = [np.asarray(v, dtype) for v in floats]
    w = np.asarray(w)
    u = np.asarray(u)
    y = None if y is None else np.asarray(y)
    sizes = _sizes(
        E.shape, F.shape, W.shape, U.shape, b.shape, P.shape, Q.shape, q.shape, V.shape, c.shape, w.shape, u.shape,
        getattr(y, "shape", None)
    )
    if w.dtype.kind not in "iu":
        raise ValueError(f"w has dtype {w.dtype}; expected integers, the labels")
    w = w.astype(np.intp, copy=False)
    if w.view(np.uintp).max() >= sizes["M"]:  # negative ones are the largest of all
        raise ValueError(
            f"w holds labels from {w.min()} to {w.max()}; "
            f"expected 0 to M - 1 = {sizes['M'] - 1}"
        )
    if u.dtype.kind not in "iu":
        raise ValueError(f"u has dtype {u.dtype}; expected integers, the labels")
    u = u.astype(np.intp, copy=False)
    if u.view(np.uintp).max() >= sizes["C"]:  # negative ones are the largest of all
        raise ValueError(
            f"u holds labels from {u.min()} to {u.max()}; "
            f"expected 0 to C - 1 = {sizes['C'] - 1}"
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
    return E, F, W, U, b, P, Q, q, V, c, w, u, y


@lru_cache
def _sizes(E, F, W, U, b, P, Q, q, V, c, w, u, y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("E", E, "MD"), ("F", F, "CD"), ("W", W, "DK"), ("U", U, "KK"), ("b", b, "K"), ("P", P, "DK"), ("Q", Q, "KK"),
        ("q", q, "K"), ("V", V, "KC"), ("c", c, "C"), ("w", w, "SN"), ("u", u, "TN"), ("y", y, "TN"),
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
