"""Convolution of signals, with stride, padding, dilation and groups: loss and gradients.

    y[n, g, m, i] = (sum_{j, p} [0 <= L * p + S * i - P < U] * x[n, J * g + j, L * p + S * i - P]   (N, G, M, I)
        * w[M * g + m, j, p]) + b[M * g + m]
        (G groups of M channels)
    loss = 1/(2 N G M I) sum_{n, g, m, i} (y[n, g, m, i] - Y[n, g, m, i])^2

Parameters  x (N, C, U), w (F, J, K), b (F,); their dtype is the result's.
Inputs      Y (N, G, M, I).
Sizes       S, L, P, given by keyword.
where       C = G J; F = G M; I = floor((2 P + U - (K - 1) * L - 1)/S) + 1.
Outputs     y (N, G, M, I), by `predict`.
Cost        6CIKMN operations, 24(CNU + 3FIN + FJK) bytes read and written, 8FIN bytes kept for `backward`, to leading
            order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/convolution_1d.py by `derive build convolution_1d`; do not edit.
The derivation is typeset in convolution_1d.tex.
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
    K = w.shape[2]
    I = Y.shape[3]

    split_b = b.reshape(G, M)                           # (G, M)
    x_padded = np.pad(x, ((0, 0), (0, 0), (P, P)))      # (N, C, 2*P + U)
    split_w = w.reshape(G, M, J, K)                     # (G, M, J, K)
    split_x = x_padded.reshape(N, G, J, 2 * P + U)      # (N, G, J, 2*P + U)
    windows_x = np.empty((N, G, J, K, I), split_x.dtype)  # (N, G, J, K, I)
    for p in range(K):
        windows_x[:, :, :, p] = split_x[:, :, :, p * L:p * L + I * S:S]
    y = split_w.reshape(G, M, -1) @ windows_x.reshape(N, G, -1, I) + split_b[:, :, None]  # (N, G, M, I)
    diff_loss = y - Y                                   # (N, G, M, I)
    loss = _sum_of_squares(diff_loss) / (2 * diff_loss.size)
    return loss, (diff_loss, split_w, windows_x, U, S, L, P)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    diff_loss, split_w, windows_x, U, S, L, P = residuals
    N = len(diff_loss)
    G = len(split_w)
    M = split_w.shape[1]
    J = split_w.shape[2]
    K = split_w.shape[3]
    C = G * J
    F = G * M
    I = diff_loss.shape[3]

    # loss = 1/(2 N G M I) sum_{n, g, m, i} (y[n, g, m, i] - Y[n, g, m, i])^2
    dy = diff_loss / (G * I * M * N)                    # (N, G, M, I)
    # y[n, g, m, i] = (sum_{j, p} [0 <= L * p + S * i - P < U] * x[n, J * g + j, L * p + S * i - P]
    #     * w[M * g + m, j, p]) + b[M * g + m]
    dwindows_x = (split_w.reshape(G, M, -1).mT @ dy).reshape(N, G, J, K, I)  # (N, G, J, K, I)
    dx_padded = np.zeros((N, G, J, 2 * P + U), dwindows_x.dtype)  # (N, G, J, 2*P + U)
    for p in range(K):
        dx_padded[:, :, :, p * L:p * L + I * S:S] += dwindows_x[:, :, :, p]
    dsplit_x = dx_padded[:, :, :, P:P + U]              # (N, G, J, U)
    dx = dsplit_x.reshape(N, C, U)                      # (N, C, U)
    dsplit_w = (dy @ windows_x.reshape(N, G, -1, I).mT).sum(axis=0).reshape(G, M, J, K)  # (G, M, J, K)
    dw = dsplit_w.reshape(F, J, K)                      # (F, J, K)
    dsplit_b = dy.sum(axis=(0, 3))                      # (G, M)
    db = dsplit_b.reshape(F)                            # (F,)
    return Params(dx, dw, db)


def loss_and_grads(x, w, b, Y, *, S, L, P):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(x, w, b, Y, S=S, L=L, P=P)
    return loss, backward(residuals)


def predict(x, w, b, *, S, L, P):
    """Return the G groups of M channels y (N, G, M, I)."""
    x, w, b, _ = _checked(x, w, b, S=S, L=L, P=P)
    S, L, P = int(S), int(L), int(P)
    N = len(x)
    C = x.shape[1]
    J = w.shape[1]
    G = C // J
    F = len(w)
    M = F // G
    U = x.shape[2]
    K = w.shape[2]
    I = (2 * P + U - L * (K - 1) - 1) // S + 1

    split_b = b.reshape(G, M)                           # (G, M)
    x_padded = np.pad(x, ((0, 0), (0, 0), (P, P)))      # (N, C, 2*P + U)
    split_w = w.reshape(G, M, J, K)                     # (G, M, J, K)
    split_x = x_padded.reshape(N, G, J, 2 * P + U)      # (N, G, J, 2*P + U)
    windows_x = np.empty((N, G, J, K, I), split_x.dtype)  # (N, G, J, K, I)
    for p in range(K):
        windows_x[:, :, :, p] = split_x[:, :, :, p * L:p * L + I * S:S]
    return split_w.reshape(G, M, -1) @ windows_x.reshape(N, G, -1, I) + split_b[:, :, None]


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
        ("x", x, "NCU"), ("w", w, "FJK"), ("b", b, "F"), ("Y", Y, "NGMI"),
    ):
        if shape is not None:
            _match(name, shape, axes, sizes)
    if "G" in sizes:
        _follows("C", sizes["G"] * sizes["J"], "G * J", sizes)
    if "G" in sizes and "M" in sizes:
        _follows("F", sizes["G"] * sizes["M"], "G * M", sizes)
    _follows(
        "I", (2 * sizes["P"] + sizes["U"] - sizes["L"] * (sizes["K"] - 1) - 1) // sizes["S"] + 1,
        "(2 * P + U - L * (K - 1) - 1) // S + 1", sizes
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
