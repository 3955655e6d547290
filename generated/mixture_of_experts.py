"""Mixture of experts with softmax gating: loss and gradients.

    L = X Wg                                                   (N, E)      logits of the gates
    lse_L[n] = log sum_e exp L[n, e]                           (N,)
    G = exp(L - lse_L 1')                                      (N, E)      gates
    Z[e, n, h] = (sum_d W1[e, d, h] * X[n, d]) + b1[e, h]      (E, N, H)   pre-activation
    A[e, n, h] = relu(Z[e, n, h])                              (E, N, H)   hidden units
    F[e, n, k] = (sum_h A[e, n, h] * W2[e, h, k]) + b2[e, k]   (E, N, K)   what the experts say
    Y[n, k] = sum_e G[n, e] * F[e, n, k]                       (N, K)      predictions
    loss = 1/(2 N K) sum_{n, k} (Y[n, k] - T[n, k])^2

Parameters  Wg (D, E), W1 (E, D, H), b1 (E, H), W2 (E, H, K), b2 (E, K); their dtype is the result's.
Inputs      X (N, D), T (N, K).
Outputs     Y (N, K), G (N, E), by `predict`.
Cost        2EHN(2D + 3K) operations, 8E(2DH + 3HK + 11HN + 7KN) bytes read and written, 8EN(H + K) bytes kept for
            `backward`, to leading order.
Convention  relu'(0) = 0.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/mixture_of_experts.py by `derive build mixture_of_experts`; do not edit.
The derivation is typeset in mixture_of_experts.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    Wg: np.ndarray
    W1: np.ndarray
    b1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray


def forward(Wg, W1, b1, W2, b2, X, T):
    """Return the loss and the residuals that `backward` reads."""
    Wg, W1, b1, W2, b2, X, T = _checked(Wg, W1, b1, W2, b2, X, T)

    L = X @ Wg                                          # (N, E)
    # log sum_e2 exp L[n, e2] = T_L + log S_L, shifted by the maxima T_L so that exp stays in range
    T_L = _row_maxima(L)                                # (N,)
    E_L = np.exp(L - T_L[:, None])                      # (N, E)
    S_L = E_L.sum(axis=1)                               # (N,)
    G = E_L / S_L[:, None]                              # (N, E)
    Z = X @ W1 + b1[:, None, :]                         # (E, N, H)
    A = np.maximum(Z, 0)                                # (E, N, H)
    F = A @ W2 + b2[:, None, :]                         # (E, N, K)
    Y = np.einsum("ne,enk->nk", G, F)                   # (N, K)
    diff_loss = Y - T                                   # (N, K)
    loss = _sum_of_squares(diff_loss) / (2 * diff_loss.size)
    return loss, (W2, X, G, A, F, diff_loss)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    W2, X, G, A, F, diff_loss = residuals
    N = len(X)
    K = diff_loss.shape[1]

    # loss = 1/(2 N K) sum_{n, k} (Y[n, k] - T[n, k])^2
    dY = diff_loss / (K * N)                            # (N, K)
    # Y[n, k] = sum_e G[n, e] * F[e, n, k]
    dF = dY * G.T[:, :, None]                           # (E, N, K)
    dG = np.einsum("nk,enk->ne", dY, F)                 # (N, E)
    # F[e, n, k] = (sum_h A[e, n, h] * W2[e, h, k]) + b2[e, k]
    dW2 = A.mT @ dF                                     # (E, H, K)
    db2 = dF.sum(axis=1)                                # (E, K)
    dA = dF @ W2.mT                                     # (E, N, H)
    # A[e, n, h] = relu(Z[e, n, h])
    dZ = dA * (A > 0)                                   # (E, N, H)
    # Z[e, n, h] = (sum_d W1[e, d, h] * X[n, d]) + b1[e, h]
    dW1 = X.T @ dZ                                      # (E, D, H)
    db1 = dZ.sum(axis=1)                                # (E, H)
    # G = exp(L - lse_L 1')
    dlse_L = -np.einsum("ne,ne->n", dG, G)              # (N,)
    # lse_L[n] = log sum_e exp L[n, e]
    dL = G * (dG + dlse_L[:, None])                     # (N, E)
    # L = X Wg
    dWg = X.T @ dL                                      # (D, E)
    return Params(dWg, dW1, db1, dW2, db2)


def loss_and_grads(Wg, W1, b1, W2, b2, X, T):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(Wg, W1, b1, W2, b2, X, T)
    return loss, backward(residuals)


def predict(Wg, W1, b1, W2, b2, X):
    """Return the predictions Y (N, K), the gates G (N, E)."""
    Wg, W1, b1, W2, b2, X, _ = _checked(Wg, W1, b1, W2, b2, X)

    L = X @ Wg                                          # (N, E)
    # log sum_e2 exp L[n, e2] = T_L + log S_L, shifted by the maxima T_L so that exp stays in range
    T_L = _row_maxima(L)                                # (N,)
    E_L = np.exp(L - T_L[:, None])                      # (N, E)
    S_L = E_L.sum(axis=1)                               # (N,)
    G = E_L / S_L[:, None]                              # (N, E)
    Z = X @ W1 + b1[:, None, :]                         # (E, N, H)
    A = np.maximum(Z, 0)                                # (E, N, H)
    F = A @ W2 + b2[:, None, :]                         # (E, N, K)
    Y = np.einsum("ne,enk->nk", G, F)                   # (N, K)
    return Y, G


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


def _checked(Wg, W1, b1, W2, b2, X, T=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (Wg, W1, b1, W2, b2)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    Wg, W1, b1, W2, b2, X = [np.asarray(v, dtype) for v in (*floats, X)]
    T = None if T is None else np.asarray(T, dtype)
    _sizes(Wg.shape, W1.shape, b1.shape, W2.shape, b2.shape, X.shape, getattr(T, "shape", None))
    return Wg, W1, b1, W2, b2, X, T


@lru_cache
def _sizes(Wg, W1, b1, W2, b2, X, T):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("Wg", Wg, "DE"), ("W1", W1, "EDH"), ("b1", b1, "EH"), ("W2", W2, "EHK"), ("b2", b2, "EK"), ("X", X, "ND"),
        ("T", T, "NK"),
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
