"""Mixture density network: the mean negative log likelihood of its targets; loss and gradients.

    pre_A = X W1 + 1 b1'                                                       (N, H)
    A = tanh(pre_A)                                                            (N, H)   hidden units
    a = A Wa + 1 ba'                                                           (N, K)   logits of the weights
    m = A Wm + 1 bm'                                                           (N, K)   means
    s = A Ws + 1 bs'                                                           (N, K)   log standard deviations
    lse_a[n] = log sum_k exp a[n, k]                                           (N,)
    exp_s = exp(-2 s)                                                          (N, K)
    q[n, k] = a[n, k] - 1/2 exp_s[n, k] * (y[n, 0] - m[n, k])^2 - s[n, k] - lse_a[n]   (N, K)
        (log joint densities, up to a constant)
    loss = log(2 pi)/2 - 1/N sum_n log sum_k exp q[n, k]

Parameters  W1 (D, H), b1 (H,), Wa (H, K), ba (K,), Wm (H, K), bm (K,), Ws (H, K), bs (K,); their dtype is the result's.
Inputs      X (N, D), y (N, 1).
Outputs     a (N, K), m (N, K), s (N, K), by `predict`.
Cost        2HN(2D + 9K) operations, 8(2DH + 2DN + 9HK + 15HN + 35KN) bytes read and written, 8N(H + 4K) bytes kept for
            `backward`, to leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/mixture_density_network.py by `derive build mixture_density_network`; do not edit.
The derivation is typeset in mixture_density_network.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W1: np.ndarray
    b1: np.ndarray
    Wa: np.ndarray
    ba: np.ndarray
    Wm: np.ndarray
    bm: np.ndarray
    Ws: np.ndarray
    bs: np.ndarray


def forward(W1, b1, Wa, ba, Wm, bm, Ws, bs, X, y):
    """Return the loss and the residuals that `backward` reads."""
    W1, b1, Wa, ba, Wm, bm, Ws, bs, X, y = _checked(W1, b1, Wa, ba, Wm, bm, Ws, bs, X, y)

    pre_A = X @ W1 + b1                                 # (N, H)
    A = np.tanh(pre_A)                                  # (N, H)
    a = A @ Wa + ba                                     # (N, K)
    m = A @ Wm + bm                                     # (N, K)
    s = A @ Ws + bs                                     # (N, K)
    # log sum_k2 exp a[n, k2] = T_a + log S_a, shifted by the maxima T_a so that exp stays in range
    T_a = _row_maxima(a)                                # (N,)
    E_a = np.exp(a - T_a[:, None])                      # (N, K)
    S_a = E_a.sum(axis=1)                               # (N,)
    exp_s = np.exp(-2 * s)                              # (N, K)
    diff_q = y[:, 0][:, None] - m                       # (N, K)
    q = a - s - exp_s * diff_q**2 / 2 - T_a[:, None] - np.log(S_a)[:, None]  # (N, K)
    # log sum_k exp q[n, k] = T_q + log S_q, shifted by the maxima T_q so that exp stays in range
    T_q = _row_maxima(q)                                # (N,)
    E_q = np.exp(q - T_q[:, None])                      # (N, K)
    S_q = E_q.sum(axis=1)                               # (N,)
    loss = np.log(2 * np.pi, dtype=T_q.dtype) / 2 - _mean(T_q + np.log(S_q))
    return loss, (Wa, Wm, Ws, X, A, exp_s, diff_q, E_a, S_a, E_q, S_q)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    Wa, Wm, Ws, X, A, exp_s, diff_q, E_a, S_a, E_q, S_q = residuals
    N = len(X)

    # loss = log(2 pi)/2 - 1/N sum_n log sum_k exp q[n, k]
    dq = -E_q / (N * S_q[:, None])                      # (N, K)
    # q[n, k] = a[n, k] - 1/2 exp_s[n, k] * (y[n, 0] - m[n, k])^2 - s[n, k] - lse_a[n]
    dlse_a = -dq.sum(axis=1)                            # (N,)
    ds = dq * (exp_s * diff_q**2 - 1)                   # (N, K)
    dm = dq * diff_q * exp_s                            # (N, K)
    # lse_a[n] = log sum_k exp a[n, k]
    da = (dlse_a / S_a)[:, None] * E_a + dq             # (N, K)
    # s = A Ws + 1 bs'
    dWs = A.T @ ds                                      # (H, K)
    dbs = ds.sum(axis=0)                                # (K,)
    # m = A Wm + 1 bm'
    dWm = A.T @ dm                                      # (H, K)
    dbm = dm.sum(axis=0)                                # (K,)
    # a = A Wa + 1 ba'
    dWa = A.T @ da                                      # (H, K)
    dba = da.sum(axis=0)                                # (K,)
    dA = da @ Wa.T + dm @ Wm.T + ds @ Ws.T              # (N, H)
    # A = tanh(pre_A)
    dpre_A = dA * (1 - A**2)                            # (N, H)
    # pre_A = X W1 + 1 b1'
    dW1 = X.T @ dpre_A                                  # (D, H)
    db1 = dpre_A.sum(axis=0)                            # (H,)
    return Params(dW1, db1, dWa, dba, dWm, dbm, dWs, dbs)


def loss_and_grads(W1, b1, Wa, ba, Wm, bm, Ws, bs, X, y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W1, b1, Wa, ba, Wm, bm, Ws, bs, X, y)
    return loss, backward(residuals)


def predict(W1, b1, Wa, ba, Wm, bm, Ws, bs, X):
    """Return the logits of the weights a (N, K), the means m (N, K), the log standard deviations s (N, K)."""
    W1, b1, Wa, ba, Wm, bm, Ws, bs, X, _ = _checked(W1, b1, Wa, ba, Wm, bm, Ws, bs, X)

    pre_A = X @ W1 + b1                                 # (N, H)
    A = np.tanh(pre_A)                                  # (N, H)
    a = A @ Wa + ba                                     # (N, K)
    m = A @ Wm + bm                                     # (N, K)
    s = A @ Ws + bs                                     # (N, K)
    return a, m, s


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


def _checked(W1, b1, Wa, ba, Wm, bm, Ws, bs, X, y=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W1, b1, Wa, ba, Wm, bm, Ws, bs)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W1, b1, Wa, ba, Wm, bm, Ws, bs, X = [np.asarray(v, dtype) for v in (*floats, X)]
    y = None if y is None else np.asarray(y, dtype)
    _sizes(
        W1.shape, b1.shape, Wa.shape, ba.shape, Wm.shape, bm.shape, Ws.shape, bs.shape, X.shape,
        getattr(y, "shape", None)
    )
    return W1, b1, Wa, ba, Wm, bm, Ws, bs, X, y


@lru_cache
def _sizes(W1, b1, Wa, ba, Wm, bm, Ws, bs, X, y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("W1", W1, "DH"), ("b1", b1, "H"), ("Wa", Wa, "HK"), ("ba", ba, "K"), ("Wm", Wm, "HK"), ("bm", bm, "K"),
        ("Ws", Ws, "HK"), ("bs", bs, "K"), ("X", X, "ND"), ("y", y, ("N", 1)),
    ):
        if shape is not None:
            _match(name, shape, axes, sizes)
    return sizes


def _match(name, shape, axes, sizes):
    """Check one argument's shape against the sizes seen so far, and remember the sizes it brings."""
    before = len(sizes)
    fits = len(shape) == len(axes) and 0 not in shape
    if fits and shape == tuple([
        sizes.setdefault(axis, size) if isinstance(axis, str) else axis for axis, size in zip(axes, shape, strict=True)
    ]):
        return
    known = dict(list(sizes.items())[:before])
    expected = ", ".join(f"{axis}={known[axis]}" if axis in known else str(axis) for axis in axes)
    raise ValueError(f"{name} has shape {shape}; expected ({expected}), each size at least 1")
