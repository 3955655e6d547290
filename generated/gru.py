"""Gated recurrent unit, half the squared error of its states: loss and gradients.

    h[-1, n, k] = h0[n, k]                                                     (T, N, K)   state
    pre_r[t, n, k] = (sum_d x[t, n, d] * Wr[d, k]) + (sum_j h[t - 1, n, j] * Ur[j, k]) + br[k]   (T, N, K)
    r[t, n, k] = sigmoid(pre_r[t, n, k])                                       (T, N, K)
    pre_z[t, n, k] = (sum_d x[t, n, d] * Wz[d, k]) + (sum_j h[t - 1, n, j] * Uz[j, k]) + bz[k]   (T, N, K)
    z[t, n, k] = sigmoid(pre_z[t, n, k])                                       (T, N, K)
    h_r[t, n, j] = h[t - 1, n, j] * r[t, n, j]                                 (T, N, K)
    pre_c[t, n, k] = (sum_d x[t, n, d] * W[d, k]) + (sum_j h_r[t, n, j] * U[j, k]) + b[k]   (T, N, K)
    c[t, n, k] = tanh(pre_c[t, n, k])                                          (T, N, K)   candidate
    h[t, n, k] = h[t - 1, n, k] * z[t, n, k] + c[t, n, k] * (1 - z[t, n, k])   (T, N, K)   state
    loss = 1/(2 T N K) sum_{t, n, k} (h[t, n, k] - Y[t, n, k])^2

Parameters  Wr (D, K), Ur (K, K), br (K,), Wz (D, K), Uz (K, K), bz (K,), W (D, K), U (K, K), b (K,); their dtype is the
            result's.
Inputs      x (T, N, D), Y (T, N, K), h0 (N, K).
Outputs     h (T, N, K), by `predict`.
Cost        6KNT(2D + 3K) operations, 24NT(2D + 21K) bytes read and written, 40KNT bytes kept for `backward`, to leading
            order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/gru.py by `derive build gru`; do not edit.
The derivation is typeset in gru.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    Wr: np.ndarray
    Ur: np.ndarray
    br: np.ndarray
    Wz: np.ndarray
    Uz: np.ndarray
    bz: np.ndarray
    W: np.ndarray
    U: np.ndarray
    b: np.ndarray


def forward(Wr, Ur, br, Wz, Uz, bz, W, U, b, x, Y, h0):
    """Return the loss and the residuals that `backward` reads."""
    Wr, Ur, br, Wz, Uz, bz, W, U, b, x, Y, h0 = _checked(Wr, Ur, br, Wz, Uz, bz, W, U, b, x, Y, h0)
    T = len(x)
    N = len(h0)
    K = len(Ur)

    pre_r = x @ Wr                                      # (T, N, K)
    pre_r += br
    E_r = np.empty((T, N, K), br.dtype)                 # (T, N, K)
    r = np.empty((T, N, K), br.dtype)                   # (T, N, K)
    pre_z = x @ Wz                                      # (T, N, K)
    pre_z += bz
    E_z = np.empty((T, N, K), br.dtype)                 # (T, N, K)
    z = np.empty((T, N, K), br.dtype)                   # (T, N, K)
    h_r = np.empty((T, N, K), br.dtype)                 # (T, N, K)
    pre_c = x @ W                                       # (T, N, K)
    pre_c += b
    c = np.empty((T, N, K), br.dtype)                   # (T, N, K)
    h = np.empty((T + 1, N, K), br.dtype)               # (T + 1, N, K)
    h[0] = h0
    for t in range(T):
        pre_r[t] += h[t] @ Ur
        E_r[t] = _capped_exp(pre_r[t])
        r[t] = E_r[t] / (E_r[t] + 1)
        pre_z[t] += h[t] @ Uz
        E_z[t] = _capped_exp(pre_z[t])
        z[t] = E_z[t] / (E_z[t] + 1)
        h_r[t] = h[t] * r[t]
        pre_c[t] += h_r[t] @ U
        c[t] = np.tanh(pre_c[t])
        h[t + 1] = c[t] / (E_z[t] + 1) + h[t] * z[t]
    diff_loss = h[1:] - Y                               # (T, N, K)
    loss = _sum_of_squares(diff_loss) / (2 * diff_loss.size)
    return loss, (Ur, Uz, U, x, h, E_r, r, E_z, z, h_r, c, diff_loss)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    Ur, Uz, U, x, h, E_r, r, E_z, z, h_r, c, diff_loss = residuals
    T = len(x)
    N = x.shape[1]
    D = x.shape[2]
    K = len(Ur)

    dpre_c = np.empty((T, N, K), E_z.dtype)             # (T, N, K)
    dpre_z = np.empty((T, N, K), E_z.dtype)             # (T, N, K)
    dpre_r = np.empty((T, N, K), E_z.dtype)             # (T, N, K)
    dh = np.zeros((T + 1, N, K), E_z.dtype)             # (T + 1, N, K)
    dh[1:] = diff_loss / (K * N * T)
    U_T = np.ascontiguousarray(U.T)                     # (K, K)
    Ur_T = np.ascontiguousarray(Ur.T)                   # (K, K)
    Uz_T = np.ascontiguousarray(Uz.T)                   # (K, K)
    for t in reversed(range(T)):
        # h[t, n, k] = h[t - 1, n, k] * z[t, n, k] + c[t, n, k] * (1 - z[t, n, k])
        dc = dh[t + 1] / (E_z[t] + 1)
        # c[t, n, k] = tanh(pre_c[t, n, k])
        dpre_c[t] = dc * (1 - c[t]**2)
        # pre_c[t, n, k] = (sum_d x[t, n, d] * W[d, k]) + (sum_j h_r[t, n, j] * U[j, k]) + b[k]
        dh_r = dpre_c[t] @ U_T
        # h[t, n, k] = h[t - 1, n, k] * z[t, n, k] + c[t, n, k] * (1 - z[t, n, k])
        dz = dh[t + 1] * (h[t] - c[t])
        # z[t, n, k] = sigmoid(pre_z[t, n, k])
        dpre_z[t] = dz * z[t] / (E_z[t] + 1)
        # h_r[t, n, j] = h[t - 1, n, j] * r[t, n, j]
        dr = dh_r * h[t]
        # r[t, n, k] = sigmoid(pre_r[t, n, k])
        dpre_r[t] = dr * r[t] / (E_r[t] + 1)
        # pre_r[t, n, k] = (sum_d x[t, n, d] * Wr[d, k]) + (sum_j h[t - 1, n, j] * Ur[j, k]) + br[k]
        dh[t] += dpre_r[t] @ Ur_T + dpre_z[t] @ Uz_T + dh_r * r[t] + dh[t + 1] * z[t]
    # pre_r[t, n, k] = (sum_d x[t, n, d] * Wr[d, k]) + (sum_j h[t - 1, n, j] * Ur[j, k]) + br[k]
    dWr = x.reshape(-1, D).T @ dpre_r.reshape(-1, K)    # (D, K)
    dUr = h[:-1].reshape(-1, K).T @ dpre_r.reshape(-1, K)  # (K, K)
    dbr = dpre_r.sum(axis=(0, 1))                       # (K,)
    # pre_z[t, n, k] = (sum_d x[t, n, d] * Wz[d, k]) + (sum_j h[t - 1, n, j] * Uz[j, k]) + bz[k]
    dWz = x.reshape(-1, D).T @ dpre_z.reshape(-1, K)    # (D, K)
    dUz = h[:-1].reshape(-1, K).T @ dpre_z.reshape(-1, K)  # (K, K)
    dbz = dpre_z.sum(axis=(0, 1))                       # (K,)
    # pre_c[t, n, k] = (sum_d x[t, n, d] * W[d, k]) + (sum_j h_r[t, n, j] * U[j, k]) + b[k]
    dW = x.reshape(-1, D).T @ dpre_c.reshape(-1, K)     # (D, K)
    dU = h_r.reshape(-1, K).T @ dpre_c.reshape(-1, K)   # (K, K)
    db = dpre_c.sum(axis=(0, 1))                        # (K,)
    return Params(dWr, dUr, dbr, dWz, dUz, dbz, dW, dU, db)


def loss_and_grads(Wr, Ur, br, Wz, Uz, bz, W, U, b, x, Y, h0):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(Wr, Ur, br, Wz, Uz, bz, W, U, b, x, Y, h0)
    return loss, backward(residuals)


def predict(Wr, Ur, br, Wz, Uz, bz, W, U, b, x, h0):
    """Return the state h (T, N, K)."""
    Wr, Ur, br, Wz, Uz, bz, W, U, b, x, _, h0 = _checked(Wr, Ur, br, Wz, Uz, bz, W, U, b, x, h0=h0)
    T = len(x)
    N = len(h0)
    K = len(Ur)

    pre_r = x @ Wr                                      # (T, N, K)
    pre_r += br
    E_r = np.empty((T, N, K), br.dtype)                 # (T, N, K)
    r = np.empty((T, N, K), br.dtype)                   # (T, N, K)
    pre_z = x @ Wz                                      # (T, N, K)
    pre_z += bz
    E_z = np.empty((T, N, K), br.dtype)                 # (T, N, K)
    z = np.empty((T, N, K), br.dtype)                   # (T, N, K)
    h_r = np.empty((T, N, K), br.dtype)                 # (T, N, K)
    pre_c = x @ W                                       # (T, N, K)
    pre_c += b
    c = np.empty((T, N, K), br.dtype)                   # (T, N, K)
    h = np.empty((T + 1, N, K), br.dtype)               # (T + 1, N, K)
    h[0] = h0
    for t in range(T):
        pre_r[t] += h[t] @ Ur
        E_r[t] = _capped_exp(pre_r[t])
        r[t] = E_r[t] / (E_r[t] + 1)
        pre_z[t] += h[t] @ Uz
        E_z[t] = _capped_exp(pre_z[t])
        z[t] = E_z[t] / (E_z[t] + 1)
        h_r[t] = h[t] * r[t]
        pre_c[t] += h_r[t] @ U
        c[t] = np.tanh(pre_c[t])
        h[t + 1] = c[t] / (E_z[t] + 1) + h[t] * z[t]
    return h[1:]


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _capped_exp(x):
    """Return exp(x), or the exponential of nearly the largest number that has one where x is larger.

    With e = exp(z), e / (e + 1) is the sigmoid of z, and 1 / (e + 1) what it leaves of 1, to the last digits.
    """
    largest = x.max(initial=0)
    if largest < 9 or largest < (top := np.log(np.finfo(x.dtype).max) - 1):     # of 9 all have one
        return np.exp(x)
    return np.exp(np.minimum(x, top))


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


def _checked(Wr, Ur, br, Wz, Uz, bz, W, U, b, x, Y=None, h0=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (Wr, Ur, br, Wz, Uz, bz, W, U, b)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    Wr, Ur, br, Wz, Uz, bz, W, U, b, x = [np.asarray(v, dtype) for v in (*floats, x)]
    Y = None if Y is None else np.asarray(Y, dtype)
    h0 = None if h0 is None else np.asarray(h0, dtype)
    _sizes(
        Wr.shape, Ur.shape, br.shape, Wz.shape, Uz.shape, bz.shape, W.shape, U.shape, b.shape, x.shape,
        getattr(Y, "shape", None), getattr(h0, "shape", None)
    )
    return Wr, Ur, br, Wz, Uz, bz, W, U, b, x, Y, h0


@lru_cache
def _sizes(Wr, Ur, br, Wz, Uz, bz, W, U, b, x, Y, h0):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("Wr", Wr, "DK"), ("Ur", Ur, "KK"), ("br", br, "K"), ("Wz", Wz, "DK"), ("Uz", Uz, "KK"), ("bz", bz, "K"),
        ("W", W, "DK"), ("U", U, "KK"), ("b", b, "K"), ("x", x, "TND"), ("Y", Y, "TNK"), ("h0", h0, "NK"),
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
