"""Causal attention of several heads: loss and gradients.

    Q[n, h, t, e] = sum_d X[n, t, d] * Wq[d, h, e]                      (N, H, T, E)   queries
    K[n, h, t, e] = sum_d X[n, t, d] * Wk[d, h, e]                      (N, H, T, E)   keys
    V[n, h, t, e] = sum_d X[n, t, d] * Wv[d, h, e]                      (N, H, T, E)   values
    sum_S[n, h, t, s] = sum_e Q[n, h, t, e] * K[n, h, s, e]             (N, H, T, T)
    S[n, h, t, s] = (1/sqrt(E) sum_S[n, h, t, s] if t >= s else -inf)   (N, H, T, T)   scores of what is not to come
    lse_S[n, h, t] = log sum_s exp S[n, h, t, s]                        (N, H, T)
    A[n, h, t, s] = exp(S[n, h, t, s] - lse_S[n, h, t])                 (N, H, T, T)   attention
    O[n, h, t, e] = sum_s A[n, h, t, s] * V[n, h, s, e]                 (N, H, T, E)   outputs of the heads
    Z[n, t, d] = sum_{h, e} O[n, h, t, e] * Wo[h, e, d]                 (N, T, D)      outputs
    loss = 1/(2 N T D) sum_{n, t, d} (Z[n, t, d] - Y[n, t, d])^2

Parameters  Wq (D, H, E), Wk (D, H, E), Wv (D, H, E), Wo (H, E, D); their dtype is the result's.
Inputs      X (N, T, D), Y (N, T, D).
Outputs     Z (N, T, D), A (N, H, T, T), by `predict`.
Cost        6EHNT(3D + 2T) operations, 24HNT(7E + 6T) bytes read and written, 8HNT(4E + T) bytes kept for `backward`, to
            leading order.
Convention  a softmax whose terms are all masked is 0.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/multi_head_attention.py by `derive build multi_head_attention`; do not edit.
The derivation is typeset in multi_head_attention.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    Wq: np.ndarray
    Wk: np.ndarray
    Wv: np.ndarray
    Wo: np.ndarray


def forward(Wq, Wk, Wv, Wo, X, Y):
    """Return the loss and the residuals that `backward` reads."""
    Wq, Wk, Wv, Wo, X, Y = _checked(Wq, Wk, Wv, Wo, X, Y)
    N = len(X)
    T = X.shape[1]
    D = len(Wq)
    H = len(Wo)
    E = Wo.shape[1]

    Q = (X @ Wq.reshape(D, -1)).reshape(N, T, H, E).transpose(0, 2, 1, 3)  # (N, H, T, E)
    K = (X @ Wk.reshape(D, -1)).reshape(N, T, H, E).transpose(0, 2, 1, 3)  # (N, H, T, E)
    V = (X @ Wv.reshape(D, -1)).reshape(N, T, H, E).transpose(0, 2, 1, 3)  # (N, H, T, E)
    sum_S = Q @ K.mT                                    # (N, H, T, T)
    S = np.where(np.arange(T) <= np.arange(T)[:, None], sum_S / E**0.5, -np.inf)  # (N, H, T, T)
    # log sum_s2 exp S[n, h, t, s2] = T_S + log S_S, shifted by the maxima T_S so that exp stays in range
    T_S = _finite(_row_maxima(S))                       # (N, H, T)
    E_S = np.exp(S - T_S[:, :, :, None])                # (N, H, T, T)
    S_S = _positive(E_S.sum(axis=3))                    # (N, H, T)
    A = E_S / S_S[:, :, :, None]                        # (N, H, T, T)
    O = A @ V                                           # (N, H, T, E)
    Z = np.tensordot(O, Wo, axes=((1, 3), (0, 1)))      # (N, T, D)
    diff_loss = Z - Y                                   # (N, T, D)
    loss = _sum_of_squares(diff_loss) / (2 * diff_loss.size)
    return loss, (Wo, X, Q, K, V, A, O, diff_loss)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    Wo, X, Q, K, V, A, O, diff_loss = residuals
    N = len(X)
    T = X.shape[1]
    D = X.shape[2]
    H = len(Wo)
    E = Wo.shape[1]

    # loss = 1/(2 N T D) sum_{n, t, d} (Z[n, t, d] - Y[n, t, d])^2
    dZ = diff_loss / (D * N * T)                        # (N, T, D)
    # Z[n, t, d] = sum_{h, e} O[n, h, t, e] * Wo[h, e, d]
    dWo = np.tensordot(O, dZ, axes=((0, 2), (0, 1)))    # (H, E, D)
    dO = (dZ @ Wo.reshape(-1, D).T).reshape(N, T, H, E).transpose(0, 2, 1, 3)  # (N, H, T, E)
    # O[n, h, t, e] = sum_s A[n, h, t, s] * V[n, h, s, e]
    dA = dO @ V.mT                                      # (N, H, T, T)
    dV = A.mT @ dO                                      # (N, H, T, E)
    # A[n, h, t, s] = exp(S[n, h, t, s] - lse_S[n, h, t])
    dlse_S = -np.einsum("nhts,nhts->nht", dA, A)        # (N, H, T)
    # lse_S[n, h, t] = log sum_s exp S[n, h, t, s]
    dS = A * (dA + dlse_S[:, :, :, None])               # (N, H, T, T)
    # S[n, h, t, s] = (1/sqrt(E) sum_S[n, h, t, s] if t >= s else -inf)
    dsum_S = dS / E**0.5                                # (N, H, T, T)
    # sum_S[n, h, t, s] = sum_e Q[n, h, t, e] * K[n, h, s, e]
    dK = dsum_S.mT @ Q                                  # (N, H, T, E)
    dQ = dsum_S @ K                                     # (N, H, T, E)
    # V[n, h, t, e] = sum_d X[n, t, d] * Wv[d, h, e]
    dWv = np.tensordot(X, dV, axes=((0, 1), (0, 2)))    # (D, H, E)
    # K[n, h, t, e] = sum_d X[n, t, d] * Wk[d, h, e]
    dWk = np.tensordot(X, dK, axes=((0, 1), (0, 2)))    # (D, H, E)
    # Q[n, h, t, e] = sum_d X[n, t, d] * Wq[d, h, e]
    dWq = np.tensordot(X, dQ, axes=((0, 1), (0, 2)))    # (D, H, E)
    return Params(dWq, dWk, dWv, dWo)


def loss_and_grads(Wq, Wk, Wv, Wo, X, Y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(Wq, Wk, Wv, Wo, X, Y)
    return loss, backward(residuals)


def predict(Wq, Wk, Wv, Wo, X):
    """Return the outputs Z (N, T, D), the attention A (N, H, T, T)."""
    Wq, Wk, Wv, Wo, X, _ = _checked(Wq, Wk, Wv, Wo, X)
    N = len(X)
    T = X.shape[1]
    D = len(Wq)
    H = len(Wo)
    E = Wo.shape[1]

    Q = (X @ Wq.reshape(D, -1)).reshape(N, T, H, E).transpose(0, 2, 1, 3)  # (N, H, T, E)
    K = (X @ Wk.reshape(D, -1)).reshape(N, T, H, E).transpose(0, 2, 1, 3)  # (N, H, T, E)
    V = (X @ Wv.reshape(D, -1)).reshape(N, T, H, E).transpose(0, 2, 1, 3)  # (N, H, T, E)
    sum_S = Q @ K.mT                                    # (N, H, T, T)
    S = np.where(np.arange(T) <= np.arange(T)[:, None], sum_S / E**0.5, -np.inf)  # (N, H, T, T)
    # log sum_s2 exp S[n, h, t, s2] = T_S + log S_S, shifted by the maxima T_S so that exp stays in range
    T_S = _finite(_row_maxima(S))                       # (N, H, T)
    E_S = np.exp(S - T_S[:, :, :, None])                # (N, H, T, T)
    S_S = _positive(E_S.sum(axis=3))                    # (N, H, T)
    A = E_S / S_S[:, :, :, None]                        # (N, H, T, T)
    O = A @ V                                           # (N, H, T, E)
    Z = np.tensordot(O, Wo, axes=((1, 3), (0, 1)))      # (N, T, D)
    return Z, A


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _finite(x):
    """Return x with -inf, the maximum of a row that is masked everywhere, as a number of which multiples are finite."""
    return np.maximum(x, np.finfo(x.dtype).min / 16)


def _positive(x):
    """Return x with 0, the sum of a row that is masked everywhere, as 1: all other sums are at least 1."""
    return np.maximum(x, 1)


def _row_maxima(x):
    """Return the maxima over the last axis: of short rows as of columns, of others by their places, which is faster."""
    if x.size < 32 * x.shape[-1]:                       # few rows: NumPy starts each anew
        return x.max(axis=-1)
    rows = x.reshape(-1, x.shape[-1])
    if rows.shape[1] < 32:
        return np.ascontiguousarray(rows.T).max(axis=0).reshape(x.shape[:-1])
    return rows[np.arange(len(rows)), rows.argmax(axis=1)].reshape(x.shape[:-1])


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


def _checked(Wq, Wk, Wv, Wo, X, Y=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (Wq, Wk, Wv, Wo)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    Wq, Wk, Wv, Wo, X = [np.asarray(v, dtype) for v in (*floats, X)]
    Y = None if Y is None else np.asarray(Y, dtype)
    _sizes(Wq.shape, Wk.shape, Wv.shape, Wo.shape, X.shape, getattr(Y, "shape", None))
    return Wq, Wk, Wv, Wo, X, Y


@lru_cache
def _sizes(Wq, Wk, Wv, Wo, X, Y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("Wq", Wq, "DHE"), ("Wk", Wk, "DHE"), ("Wv", Wv, "DHE"), ("Wo", Wo, "HED"), ("X", X, "NTD"), ("Y", Y, "NTD"),
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
