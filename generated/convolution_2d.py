"""Convolution of images, with stride, padding, dilation and groups: loss and gradients.

    y[n, g, m, i, k] = (sum_{j, p, q} [0 <= L * p + S * i - P < U and 0 <= L * q + S * k - P < V]   (N, G, M, A, B)
        * x[n, J * g + j, L * p + S * i - P, L * q + S * k - P] * w[M * g + m, j, p, q]) + b[M * g + m]
        (G groups of M channels)
    loss = 1/(2 N G M A B) sum_{n, g, m, i} sum_{k=0..B - 1} (y[n, g, m, i, k] - Y[n, g, m, i, k])^2

Parameters  x (N, C, U, V), w (F, J, K, K), b (F,); their dtype is the result's.
Inputs      Y (N, G, M, A, B).
Sizes       S, L, P, given by keyword.
where       C = G J; F = G M; A = floor((2 P + U - (K - 1) * L - 1)/S) + 1; B =
            floor((2 P + V - (K - 1) * L - 1)/S) + 1.
Outputs     y (N, G, M, A, B), by `predict`.
Cost        6ABCK^2MN operations, 24(3ABFN + CNUV + FJK^2) bytes read and written, 8ABFN bytes kept for `backward`, to
            leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/convolution_2d.py by `derive build convolution_2d`; do not edit.
The derivation is typeset in convolution_2d.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    x: np.ndarray
    w: np.ndarray
    b: np.ndarray


def forward(x, w, b, Y, *, S, L, P):
    """Return the loss and the residuals that `backward` reads."""
    x, w, b, Y = _checked(x, w, b, Y, S=S, L=L, P=P)
    S, L, P = int(S), int(L), int(P)
    N = len(Y)
    G = Y.shape[1]
    M = Y.shape[2]
    J = w.shape[1]
    U = x.shape[2]
    V = x.shape[3]
    K = w.shape[2]
    A = Y.shape[3]
    B = Y.shape[4]

    split_b = b.reshape(G, M)                           # (G, M)
    x_padded = np.pad(x, ((0, 0), (0, 0), (P, P), (P, P)))  # (N, C, 2*P + U, 2*P + V)
    split_w = w.reshape(G, M, J, K, K)                  # (G, M, J, K, K)
    split_x = x_padded.reshape(N, G, J, 2 * P + U, 2 * P + V)  # (N, G, J, 2*P + U, 2*P + V)
    windows_x = np.empty((N, G, J, K, K, A, B), split_x.dtype)  # (N, G, J, K, K, A, B)
    for p in range(K):
        for q in range(K):
            windows_x[:, :, :, p, q] = split_x[:, :, :, p * L:p * L + A * S:S, q * L:q * L + B * S:S]
    y = (
        (split_w.reshape(G, M, -1) @ windows_x.reshape(N, G, -1, A * B)).reshape(N, G, M, A, B)
        + split_b[:, :, None, None]
    )                                                   # (N, G, M, A, B)
    diff_loss = y - Y                                   # (N, G, M, A, B)
    loss = _sum_of_squares(diff_loss) / (2 * diff_loss.size)
    return loss, (diff_loss, split_w, windows_x, U, V, S, L, P)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    diff_loss, split_w, windows_x, U, V, S, L, P = residuals
    N = len(diff_loss)
    G = len(split_w)
    M = split_w.shape[1]
    J = split_w.shape[2]
    K = split_w.shape[3]
    C = G * J
    F = G * M
    A = diff_loss.shape[3]
    B = diff_loss.shape[4]

    # loss = 1/(2 N G M A B) sum_{n, g, m, i} sum_{k=0..B - 1} (y[n, g, m, i, k] - Y[n, g, m, i, k])^2
    dy = diff_loss / (A * B * G * M * N)                # (N, G, M, A, B)
    # y[n, g, m, i, k] = (sum_{j, p, q} [0 <= L * p + S * i - P < U and 0 <= L * q + S * k - P < V]
    #     * x[n, J * g + j, L * p + S * i - P, L * q + S * k - P] * w[M * g + m, j, p, q]) + b[M * g + m]
    dwindows_x = (
        split_w.reshape(G, M, -1).mT @ dy.reshape(N, G, M, -1)
    ).reshape(N, G, J, K, K, A, B)                      # (N, G, J, K, K, A, B)
    dx_padded = np.zeros((N, G, J, 2 * P + U, 2 * P + V), dwindows_x.dtype)  # (N, G, J, 2*P + U, 2*P + V)
    for p in range(K):
        for q in range(K):
            dx_padded[:, :, :, p * L:p * L + A * S:S, q * L:q * L + B * S:S] += dwindows_x[:, :, :, p, q]
    dsplit_x = dx_padded[:, :, :, P:P + U, P:P + V]     # (N, G, J, U, V)
    dx = dsplit_x.reshape(N, C, U, V)                   # (N, C, U, V)
    dsplit_w = (
        dy.reshape(N, G, M, -1) @ windows_x.reshape(N, G, -1, A * B).mT
    ).sum(axis=0).reshape(G, M, J, K, K)                # (G, M, J, K, K)
    dw = dsplit_w.reshape(F, J, K, K)                   # (F, J, K, K)
    dsplit_b = dy.sum(axis=(0, 3, 4))                   # (G, M)
    db = dsplit_b.reshape(F)                            # (F,)
    return Params(dx, dw, db)


def loss_and_grads(x, w, b, Y, *, S, L, P):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(x, w, b, Y, S=S, L=L, P=P)
    return loss, backward(residuals)


def predict(x, w, b, *, S, L, P):
    """Return the G groups of M channels y (N, G, M, A, B)."""
    x, w, b, _ = _checked(x, w, b, S=S, L=L, P=P)
    S, L, P = int(S), int(L), int(P)
    N = len(x)
    C = x.shape[1]
    J = w.shape[1]
    G = C // J
    F = len(w)
    M = F // G
    U = x.shape[2]
    V = x.shape[3]
    K = w.shape[2]
    A = (2 * P + U - L * (K - 1) - 1) // S + 1
    B = (2 * P + V - L * (K - 1) - 1) // S + 1

    split_b = b.reshape(G, M)                           # (G, M)
    x_padded = np.pad(x, ((0, 0), (0, 0), (P, P), (P, P)))  # (N, C, 2*P + U, 2*P + V)
    split_w = w.reshape(G, M, J, K, K)                  # (G, M, J, K, K)
    split_x = x_padded.reshape(N, G, J, 2 * P + U, 2 * P + V)  # (N, G, J, 2*P + U, 2*P + V)
    windows_x = np.empty((N, G, J, K, K, A, B), split_x.dtype)  # (N, G, J, K, K, A, B)
    for p in range(K):
        for q in range(K):
            windows_x[:, :, :, p, q] = split_x[:, :, :, p * L:p * L + A * S:S, q * L:q * L + B * S:S]
    return (
        (split_w.reshape(G, M, -1) @ windows_x.reshape(N, G, -1, A * B)).reshape(N, G, M, A, B)
        + split_b[:, :, None, None]
    )


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


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


def _checked(x, w, b, Y=None, *, S, L, P):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (x, w, b)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    x, w, b = [np.asarray(v, dtype) for v in floats]
    Y = None if Y is None else np.asarray(Y, dtype)
    for name, size, least in (("S", S, 1), ("L", L, 1), ("P", P, 0)):
        if not isinstance(size, (int, np.integer)) or size < least:
            raise ValueError(f"{name} is {size!r}; expected an integer, at least {least}")
    _sizes(x.shape, w.shape, b.shape, getattr(Y, "shape", None), S=int(S), L=int(L), P=int(P))
    return x, w, b, Y


@lru_cache
def _sizes(x, w, b, Y, *, S, L, P):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {"S": S, "L": L, "P": P}
    for name, shape, axes in (
        ("x", x, "NCUV"), ("w", w, "FJKK"), ("b", b, "F"), ("Y", Y, "NGMAB"),
    ):
        if shape is not None:
            _match(name, shape, axes, sizes)
    if "G" in sizes:
        _follows("C", sizes["G"] * sizes["J"], "G * J", sizes)
    if "G" in sizes and "M" in sizes:
        _follows("F", sizes["G"] * sizes["M"], "G * M", sizes)
    _follows(
        "A", (2 * sizes["P"] + sizes["U"] - sizes["L"] * (sizes["K"] - 1) - 1) // sizes["S"] + 1,
        "(2 * P + U - L * (K - 1) - 1) // S + 1", sizes
    )
    _follows(
        "B", (2 * sizes["P"] + sizes["V"] - sizes["L"] * (sizes["K"] - 1) - 1) // sizes["S"] + 1,
        "(2 * P + V - L * (K - 1) - 1) // S + 1", sizes
    )
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


def _follows(name, value, formula, sizes):
    """Note a size that follows from others; raise ValueError where it is no size, or an argument has another."""
    if value < 1:
        raise ValueError(f"{name} = {formula} is {value}; expected at least 1")
    if sizes.setdefault(name, value) != value:
        raise ValueError(f"{name} is {sizes[name]}; expected {formula} = {value}")
