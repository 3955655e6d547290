"""Causal scaled dot-product attention of one head: loss and gradients.

    Q[n, t, e] = sum_d X[n, t, d] * Wq[d, e]                      (N, T, E)   queries
    K[n, t, e] = sum_d X[n, t, d] * Wk[d, e]                      (N, T, E)   keys
    V[n, t, e] = sum_d X[n, t, d] * Wv[d, e]                      (N, T, E)   values
    sum_S[n, t, s] = sum_e Q[n, t, e] * K[n, s, e]                (N, T, T)
    S[n, t, s] = (1/sqrt(E) sum_S[n, t, s] if t >= s else -inf)   (N, T, T)   scores of what is not to come
    lse_S[n, t] = log sum_s exp S[n, t, s]                        (N, T)
    A[n, t, s] = exp(S[n, t, s] - lse_S[n, t])                    (N, T, T)   attention
    O[n, t, e] = sum_s A[n, t, s] * V[n, s, e]                    (N, T, E)   outputs
    loss = 1/(2 N T E) sum_{n, t, e} (O[n, t, e] - Y[n, t, e])^2

Parameters  Wq (D, E), Wk (D, E), Wv (D, E); their dtype is the result's.
Inputs      X (N, T, D), Y (N, T, E).
Outputs     O (N, T, E), A (N, T, T), by `predict`.
Cost        12ENT(D + T) operations, 8NT(6D + 23E + 18T) bytes read and written, 8NT(4E + T) bytes kept for `backward`,
            to leading order.
Convention  a softmax whose terms are all masked is 0.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/attention.py by `derive build attention`; do not edit.
The derivation is typeset in attention.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    Wq: np.ndarray
    Wk: np.ndarray
    Wv: np.ndarray


def forward(Wq, Wk, Wv, X, Y):
    """Return the loss and the residuals that `backward` reads."""
    Wq, Wk, Wv, X, Y = _checked(Wq, Wk, Wv, X, Y)
    T = X.shape[1]
    E = Wq.shape[1]

    Q = X @ Wq                                          # (N, T, E)
    K = X @ Wk                                          # (N, T, E)
    V = X @ Wv                                          # (N, T, E)
    sum_S = Q @ K.mT                                    # (N, T, T)
    S = np.where(np.arange(T) <= np.arange(T)[:, None], sum_S / E**0.5, -np.inf)  # (N, T, T)
    # log sum_s2 exp S[n, t, s2] = T_S + log S_S, shifted by the maxima T_S so that exp stays in range
    T_S = _finite(_row_maxima(S))                       # (N, T)
    E_S = np.exp(S - T_S[:, :, None])                   # (N, T, T)
    S_S = _positive(E_S.sum(axis=2))                    # (N, T)
    A = E_S / S_S[:, :, None]                           # (N, T, T)
    O = A @ V                                           # (N, T, E)
    diff_loss = O - Y                                   # (N, T, E)
    loss = _sum_of_squares(diff_loss) / (2 * diff_loss.size)
    return loss, (X, Q, K, V, A, diff_loss)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    X, Q, K, V, A, diff_loss = residuals
    N = len(X)
    T = X.shape[1]
    D = X.shape[2]
    E = Q.shape[2]

    # loss = 1/(2 N T E) sum_{n, t, e} (O[n, t, e] - Y[n, t, e])^2
    dO = diff_loss / (E * N * T)                        # (N, T, E)
    # O[n, t, e] = sum_s A[n, t, s] * V[n, s, e]
    dA = dO @ V.mT                                      # (N, T, T)
    dV = A.mT @ dO                                      # (N, T, E)
    # A[n, t, s] = exp(S[n, t, s] - lse_S[n, t])
    dlse_S = -np.einsum("nts,nts->nt", dA, A)           # (N, T)
    # lse_S[n, t] = log sum_s exp S[n, t, s]
    dS = A * (dA + dlse_S[:, :, None])                  # (N, T, T)
    # S[n, t, s] = (1/sqrt(E) sum_S[n, t, s] if t >= s else -inf)
    dsum_S = dS / E**0.5                                # (N, T, T)
    # sum_S[n, t, s] = sum_e Q[n, t, e] * K[n, s, e]
    dK = dsum_S.mT @ Q                                  # (N, T, E)
    dQ = dsum_S @ K                                     # (N, T, E)
    # V[n, t, e] = sum_d X[n, t, d] * Wv[d, e]
    dWv = X.reshape(-1, D).T @ dV.reshape(-1, E)        # (D, E)
    # K[n, t, e] = sum_d X[n, t, d] * Wk[d, e]
    dWk = X.reshape(-1, D).T @ dK.reshape(-1, E)        # (D, E)
    # Q[n, t, e] = sum_d X[n, t, d] * Wq[d, e]
    dWq = X.reshape(-1, D).T @ dQ.reshape(-1, E)        # (D, E)
    return Params(dWq, dWk, dWv)


def loss_and_grads(Wq, Wk, Wv, X, Y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(Wq, Wk, Wv, X, Y)
    return loss, backward(residuals)


def predict(Wq, Wk, Wv, X):
    """Return the outputs O (N, T, E), the attention A (N, T, T)."""
    Wq, Wk, Wv, X, _ = _checked(Wq, Wk, Wv, X)
    T = X.shape[1]
    E = Wq.shape[1]

    Q = X @ Wq                                          # (N, T, E)
    K = X @ Wk                                          # (N, T, E)
    V = X @ Wv                                          # (N, T, E)
    sum_S = Q @ K.mT                                    # (N, T, T)
    S = np.where(np.arange(T) <= np.arange(T)[:, None], sum_S / E**0.5, -np.inf)  # (N, T, T)
    # log sum_s2 exp S[n, t, s2] = T_S + log S_S, shifted by the maxima T_S so that exp stays in range
    T_S = _finite(_row_maxima(S))                       # (N, T)
    E_S = np.exp(S - T_S[:, :, None])                   # (N, T, T)
    S_S = _positive(E_S.sum(axis=2))                    # (N, T)
    A = E_S / S_S[:, :, None]                           # (N, T, T)
    O = A @ V                                           # (N, T, E)
    return O, A


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


def _checked(Wq, Wk, Wv, X, Y=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (Wq, Wk, Wv)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    Wq, Wk, Wv, X = [np.asarray(v, dtype) for v in (*floats, X)]
    Y = None if Y is None else np.asarray(Y, dtype)
    _sizes(Wq.shape, Wk.shape, Wv.shape, X.shape, getattr(Y, "shape", None))
    return Wq, Wk, Wv, X, Y


@lru_cache
def _sizes(Wq, Wk, Wv, X, Y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("Wq", Wq, "DE"), ("Wk", Wk, "DE"), ("Wv", Wv, "DE"), ("X", X, "NTD"), ("Y", Y, "NTE"),
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
