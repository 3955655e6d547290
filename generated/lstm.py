"""Long short-term memory, half the squared error of its states: loss and gradients.

    h[-1, n, k] = h0[n, k]                                                     (T, N, K)      state
    c[-1, n, k] = c0[n, k]                                                     (T, N, K)      memory
    z[t, n, q, k] = (sum_d x[t, n, d] * W[d, q, k]) + (sum_j h[t - 1, n, j] * U[j, q, k]) + b[q, k]   (T, N, 4, K)
        (what the gates are functions of)
    i[t, n, k] = sigmoid(z[t, n, 0, k])                                        (T, N, K)      input gate
    f[t, n, k] = sigmoid(z[t, n, 1, k])                                        (T, N, K)      forget gate
    g[t, n, k] = tanh(z[t, n, 2, k])                                           (T, N, K)      candidate
    o[t, n, k] = sigmoid(z[t, n, 3, k])                                        (T, N, K)      output gate
    c[t, n, k] = c[t - 1, n, k] * f[t, n, k] + g[t, n, k] * i[t, n, k]         (T, N, K)      memory
    tanh_c[t, n, k] = tanh(c[t, n, k])                                         (T, N, K)
    h[t, n, k] = o[t, n, k] * tanh_c[t, n, k]                                  (T, N, K)      state
    loss = 1/(2 T N K) sum_{t, n, k} (h[t, n, k] - Y[t, n, k])^2

Parameters  W (D, 4, K), U (K, 4, K), b (4, K); their dtype is the result's.
Inputs      x (T, N, D), Y (T, N, K), h0 (N, K), c0 (N, K).
Outputs     h (T, N, K), by `predict`.
Cost        8KNT(2D + 3K) operations, 8NT(2D + 75K) bytes read and written, 56KNT bytes kept for `backward`, to leading
            order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/lstm.py by `derive build lstm`; do not edit.
The derivation is typeset in lstm.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W: np.ndarray
    U: np.ndarray
    b: np.ndarray


def forward(W, U, b, x, Y, h0, c0):
    """Return the loss and the residuals that `backward` reads."""
    W, U, b, x, Y, h0, c0 = _checked(W, U, b, x, Y, h0, c0)
    T = len(x)
    N = len(h0)
    D = len(W)
    K = len(U)

    z = (x @ W.reshape(D, -1)).reshape(T, N, 4, K)      # (T, N, 4, K)
    z += b
    E_i = np.empty((T, N, K), b.dtype)                  # (T, N, K)
    i = np.empty((T, N, K), b.dtype)                    # (T, N, K)
    E_f = np.empty((T, N, K), b.dtype)                  # (T, N, K)
    f = np.empty((T, N, K), b.dtype)                    # (T, N, K)
    g = np.empty((T, N, K), b.dtype)                    # (T, N, K)
    E_o = np.empty((T, N, K), b.dtype)                  # (T, N, K)
    o = np.empty((T, N, K), b.dtype)                    # (T, N, K)
    c = np.empty((T + 1, N, K), b.dtype)                # (T + 1, N, K)
    c[0] = c0
    tanh_c = np.empty((T, N, K), b.dtype)               # (T, N, K)
    h = np.empty((T + 1, N, K), b.dtype)                # (T + 1, N, K)
    h[0] = h0
    U_blocks = np.ascontiguousarray(U.transpose(1, 0, 2))  # (4, K, K)
    for t in range(T):
        z[t] += (h[t] @ U_blocks).transpose(1, 0, 2)
        E_i[t] = _capped_exp(z[t, :, 0])
        i[t] = E_i[t] / (E_i[t] + 1)
        E_f[t] = _capped_exp(z[t, :, 1])
        f[t] = E_f[t] / (E_f[t] + 1)
        g[t] = np.tanh(z[t, :, 2])
        E_o[t] = _capped_exp(z[t, :, 3])
        o[t] = E_o[t] / (E_o[t] + 1)
        c[t + 1] = c[t] * f[t] + g[t] * i[t]
        tanh_c[t] = np.tanh(c[t + 1])
        h[t + 1] = o[t] * tanh_c[t]
    diff_loss = h[1:] - Y                               # (T, N, K)
    loss = _sum_of_squares(diff_loss) / (2 * diff_loss.size)
    return loss, (U, x, h, c, E_i, i, E_f, f, g, E_o, o, tanh_c, diff_loss)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    U, x, h, c, E_i, i, E_f, f, g, E_o, o, tanh_c, diff_loss = residuals
    T = len(x)
    N = x.shape[1]
    D = x.shape[2]
    K = len(U)

    dz = np.empty((T, N, 4, K), tanh_c.dtype)           # (T, N, 4, K)
    dc = np.zeros((T + 1, N, K), tanh_c.dtype)          # (T + 1, N, K)
    dh = np.zeros((T + 1, N, K), tanh_c.dtype)          # (T + 1, N, K)
    dh[1:] = diff_loss / (K * N * T)
    U_T = np.ascontiguousarray(U.reshape(K, -1).T)      # (4*K, K)
    for t in reversed(range(T)):
        # h[t, n, k] = o[t, n, k] * tanh_c[t, n, k]
        do = dh[t + 1] * tanh_c[t]
        dc[t + 1] += dh[t + 1] * o[t] * (1 - tanh_c[t]**2)
        # c[t, n, k] = c[t - 1, n, k] * f[t, n, k] + g[t, n, k] * i[t, n, k]
        dg = dc[t + 1] * i[t]
        df = dc[t + 1] * c[t]
        di = dc[t + 1] * g[t]
        # g[t, n, k] = tanh(z[t, n, 2, k])
        dz[t, :, 2] = dg * (1 - g[t]**2)
        # f[t, n, k] = sigmoid(z[t, n, 1, k])
        dz[t, :, 1] = df * f[t] / (E_f[t] + 1)
        # i[t, n, k] = sigmoid(z[t, n, 0, k])
        dz[t, :, 0] = di * i[t] / (E_i[t] + 1)
        # o[t, n, k] = sigmoid(z[t, n, 3, k])
        dz[t, :, 3] = do * o[t] / (E_o[t] + 1)
        # c[t, n, k] = c[t - 1, n, k] * f[t, n, k] + g[t, n, k] * i[t, n, k]
        dc[t] += dc[t + 1] * f[t]
        # z[t, n, q, k] = (sum_d x[t, n, d] * W[d, q, k]) + (sum_j h[t - 1, n, j] * U[j, q, k]) + b[q, k]
        dh[t] += dz[t].reshape(N, -1) @ U_T
    # z[t, n, q, k] = (sum_d x[t, n, d] * W[d, q, k]) + (sum_j h[t - 1, n, j] * U[j, q, k]) + b[q, k]
    dW = (x.reshape(-1, D).T @ dz.reshape(-1, 4 * K)).reshape(D, 4, K)  # (D, 4, K)
    dU = (h[:-1].reshape(-1, K).T @ dz.reshape(-1, 4 * K)).reshape(K, 4, K)  # (K, 4, K)
    db = dz.sum(axis=(0, 1))                            # (4, K)
    return Params(dW, dU, db)


def loss_and_grads(W, U, b, x, Y, h0, c0):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W, U, b, x, Y, h0, c0)
    return loss, backward(residuals)


def predict(W, U, b, x, h0, c0):
    """Return the state h (T, N, K)."""
    W, U, b, x, _, h0, c0 = _checked(W, U, b, x, h0=h0, c0=c0)
    T = len(x)
    N = len(h0)
    D = len(W)
    K = len(U)

    z = (x @ W.reshape(D, -1)).reshape(T, N, 4, K)      # (T, N, 4, K)
    z += b
    E_i = np.empty((T, N, K), b.dtype)                  # (T, N, K)
    i = np.empty((T, N, K), b.dtype)                    # (T, N, K)
    E_f = np.empty((T, N, K), b.dtype)                  # (T, N, K)
    f = np.empty((T, N, K), b.dtype)                    # (T, N, K)
    g = np.empty((T, N, K), b.dtype)                    # (T, N, K)
    E_o = np.empty((T, N, K), b.dtype)                  # (T, N, K)
    o = np.empty((T, N, K), b.dtype)                    # (T, N, K)
    c = np.empty((T + 1, N, K), b.dtype)                # (T + 1, N, K)
    c[0] = c0
    tanh_c = np.empty((T, N, K), b.dtype)               # (T, N, K)
    h = np.empty((T + 1, N, K), b.dtype)                # (T + 1, N, K)
    h[0] = h0
    U_blocks = np.ascontiguousarray(U.transpose(1, 0, 2))  # (4, K, K)
    for t in range(T):
        z[t] += (h[t] @ U_blocks).transpose(1, 0, 2)
        E_i[t] = _capped_exp(z[t, :, 0])
        i[t] = E_i[t] / (E_i[t] + 1)
        E_f[t] = _capped_exp(z[t, :, 1])
        f[t] = E_f[t] / (E_f[t] + 1)
        g[t] = np.tanh(z[t, :, 2])
        E_o[t] = _capped_exp(z[t, :, 3])
        o[t] = E_o[t] / (E_o[t] + 1)
        c[t + 1] = c[t] * f[t] + g[t] * i[t]
        tanh_c[t] = np.tanh(c[t + 1])
        h[t + 1] = o[t] * tanh_c[t]
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


def _checked(W, U, b, x, Y=None, h0=None, c0=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W, U, b)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W, U, b, x = [np.asarray(v, dtype) for v in (*floats, x)]
    Y = None if Y is None else np.asarray(Y, dtype)
    h0 = None if h0 is None else np.asarray(h0, dtype)
    c0 = None if c0 is None else np.asarray(c0, dtype)
    _sizes(
        W.shape, U.shape, b.shape, x.shape, getattr(Y, "shape", None), getattr(h0, "shape", None),
        getattr(c0, "shape", None)
    )
    return W, U, b, x, Y, h0, c0


@lru_cache
def _sizes(W, U, b, x, Y, h0, c0):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("W", W, ("D", 4, "K")), ("U", U, ("K", 4, "K")), ("b", b, (4, "K")), ("x", x, "TND"), ("Y", Y, "TNK"),
        ("h0", h0, "NK"), ("c0", c0, "NK"),
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
