"""Two convolutions with pooling, one dense layer, softmax cross-entropy: loss and gradients.

    pre_h1[n, f, u, v] = (sum_{c, p, q} x[n, c, p + u, q + v] * w1[f, c, p, q]) + b1[f]   (N, F, U1, V1)
    h1[n, f, u, v] = relu(pre_h1[n, f, u, v])                                  (N, F, U1, V1)
    m1[n, f, i, k] = max_{r=0..1} max_{s=0..1} h1[n, f, 2 i + r, 2 k + s]      (N, F, A1, B1)   pooled
    first_m1[n, f, i, k] = argmax_{r=0..1} argmax_{s=0..1} h1[n, f, 2 i + r, 2 k + s]   (N, F, A1, B1)
    pre_h2[n, g, m, o] = (sum_{f, p, q} m1[n, f, m + p, o + q] * w2[g, f, p, q]) + b2[g]   (N, G, U2, V2)
    h2[n, g, m, o] = relu(pre_h2[n, g, m, o])                                  (N, G, U2, V2)
    m2[n, g, a, e] = max_{r=0..1} max_{s=0..1} h2[n, g, 2 a + r, 2 e + s]      (N, G, A2, B2)   pooled
    first_m2[n, g, a, e] = argmax_{r=0..1} argmax_{s=0..1} h2[n, g, 2 a + r, 2 e + s]   (N, G, A2, B2)
    z[n, d] = (sum_{g, a, e} m2[n, g, a, e] * W3[g, a, e, d]) + b3[d]          (N, D)           logits
    loss = 1/N sum_n (log sum_d exp z[n, d]) - z[n, y[n]]

Parameters  w1 (F, C, K, K), b1 (F,), w2 (G, F, K, K), b2 (G,), W3 (G, A2, B2, D), b3 (D,); their dtype is the result's.
Inputs      x (N, C, U, V); labels y (N,), integers in [0, D).
where       U1 = U + 1 - K; V1 = V + 1 - K; A1 = floor(U1/2); B1 = floor(V1/2); U2 = A1 + 1 - K; V2 = B1 + 1 - K; A2 =
            floor(U2/2); B2 = floor(V2/2).
Outputs     z (N, D), by `predict`.
Cost        2FK^2N(A1·B1·G + 2 C·U1·V1 + 2 G·U2·V2) operations, 8(7 A1·B1·F·N + 3 A2·B2·D·G + 7 A2·B2·G·N + 2 C·F·K^2 +
            2 C·N·U·V + 3 F·G·K^2 + 11 F·N·U1·V1 + 12 G·N·U2·V2) bytes read and written, 8N(2 A1·B1·F + 2 A2·B2·G +
            F·U1·V1 + G·U2·V2) bytes kept for `backward`, to leading order.
Convention  a maximum gives its gradient to the first that attains it.
Convention  relu'(0) = 0.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/lenet.py by `derive build lenet`; do not edit.
The derivation is typeset in lenet.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    w1: np.ndarray
    b1: np.ndarray
    w2: np.ndarray
    b2: np.ndarray
    W3: np.ndarray
    b3: np.ndarray


def forward(w1, b1, w2, b2, W3, b3, x, y):
    """Return the loss and the residuals that `backward` reads."""
    w1, b1, w2, b2, W3, b3, x, y = _checked(w1, b1, w2, b2, W3, b3, x, y)
    N = len(x)
    C = x.shape[1]
    F = len(w1)
    G = len(w2)
    K = w1.shape[2]
    D = len(b3)
    U = x.shape[2]
    U1 = U + 1 - K
    V = x.shape[3]
    V1 = V + 1 - K
    A1 = U1 // 2
    B1 = V1 // 2
    U2 = A1 + 1 - K
    V2 = B1 + 1 - K
    A2 = W3.shape[1]
    B2 = W3.shape[2]

    windows_x = np.empty((N, C, K, K, U1, V1), x.dtype)  # (N, C, K, K, U1, V1)
    for p in range(K):
        for q in range(K):
            windows_x[:, :, p, q] = x[:, :, p:p + U1, q:q + V1]
    pre_h1 = (
        (w1.reshape(F, -1) @ windows_x.reshape(N, -1, U1 * V1)).reshape(N, F, U1, V1)
        + b1[:, None, None]
    )                                                   # (N, F, U1, V1)
    h1 = np.maximum(pre_h1, 0)                          # (N, F, U1, V1)
    windows_h1 = np.empty((2, 2, N, F, A1, B1), h1.dtype)  # (2, 2, N, F, A1, B1)
    for r in range(2):
        for s in range(2):
            windows_h1[r, s] = h1[:, :, r:r + 2 * A1:2, s:s + 2 * B1:2]
    m1 = windows_h1.max(axis=(0, 1))                    # (N, F, A1, B1)
    first_m1 = _first_maximum(windows_h1.reshape(-1, N, F, A1, B1))  # (N, F, A1, B1)
    windows_m1 = np.empty((N, F, K, K, U2, V2), m1.dtype)  # (N, F, K, K, U2, V2)
    for p in range(K):
        for q in range(K):
            windows_m1[:, :, p, q] = m1[:, :, p:p + U2, q:q + V2]
    pre_h2 = (
        (w2.reshape(G, -1) @ windows_m1.reshape(N, -1, U2 * V2)).reshape(N, G, U2, V2)
        + b2[:, None, None]
    )                                                   # (N, G, U2, V2)
    h2 = np.maximum(pre_h2, 0)                          # (N, G, U2, V2)
    windows_h2 = np.empty((2, 2, N, G, A2, B2), h2.dtype)  # (2, 2, N, G, A2, B2)
    for r in range(2):
        for s in range(2):
            windows_h2[r, s] = h2[:, :, r:r + 2 * A2:2, s:s + 2 * B2:2]
    m2 = windows_h2.max(axis=(0, 1))                    # (N, G, A2, B2)
    first_m2 = _first_maximum(windows_h2.reshape(-1, N, G, A2, B2))  # (N, G, A2, B2)
    z = m2.reshape(N, -1) @ W3.reshape(-1, D) + b3      # (N, D)
    # log sum_d exp z[n, d] = T + log S, shifted by the maxima T so that exp stays in range
    T = _row_maxima(z)                                  # (N,)
    E = np.exp(z - T[:, None])                          # (N, D)
    S = E.sum(axis=1)                                   # (N,)
    loss = _mean(np.log(S) + (T - z[np.arange(N), y]))
    return loss, (w2, W3, y, h1, first_m1, h2, first_m2, m2, E, S, windows_x, windows_m1)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    w2, W3, y, h1, first_m1, h2, first_m2, m2, E, S, windows_x, windows_m1 = residuals
    N = len(y)
    C = windows_x.shape[1]
    F = h1.shape[1]
    G = len(w2)
    K = windows_x.shape[2]
    D = E.shape[1]
    U1 = h1.shape[2]
    V1 = h1.shape[3]
    A1 = first_m1.shape[2]
    B1 = first_m1.shape[3]
    U2 = h2.shape[2]
    V2 = h2.shape[3]
    A2 = W3.shape[1]
    B2 = W3.shape[2]

    # loss = 1/N sum_n (log sum_d exp z[n, d]) - z[n, y[n]]
    dz = E / S[:, None]                                 # (N, D)
    dz[np.arange(N), y] -= 1
    dz /= N
    # z[n, d] = (sum_{g, a, e} m2[n, g, a, e] * W3[g, a, e, d]) + b3[d]
    dW3 = (m2.reshape(N, -1).T @ dz).reshape(G, A2, B2, D)  # (G, A2, B2, D)
    db3 = dz.sum(axis=0)                                # (D,)
    dm2 = (dz @ W3.reshape(-1, D).T).reshape(N, G, A2, B2)  # (N, G, A2, B2)
    # m2[n, g, a, e] = max_{r=0..1} max_{s=0..1} h2[n, g, 2 a + r, 2 e + s]
    dh2 = np.zeros((N, G, U2, V2), dm2.dtype)           # (N, G, U2, V2)
    for r in range(2):
        for s in range(2):
            dh2[:, :, r:r + 2 * A2:2, s:s + 2 * B2:2] = dm2 * (2 * r + s == first_m2)
    # h2[n, g, m, o] = relu(pre_h2[n, g, m, o])
    dpre_h2 = dh2 * (h2 > 0)                            # (N, G, U2, V2)
    # pre_h2[n, g, m, o] = (sum_{f, p, q} m1[n, f, m + p, o + q] * w2[g, f, p, q]) + b2[g]
    dw2 = (
        dpre_h2.reshape(N, G, -1) @ windows_m1.reshape(N, -1, U2 * V2).mT
    ).sum(axis=0).reshape(G, F, K, K)                   # (G, F, K, K)
    db2 = dpre_h2.sum(axis=(0, 2, 3))                   # (G,)
    dwindows_m1 = (w2.reshape(G, -1).T @ dpre_h2.reshape(N, G, -1)).reshape(N, F, K, K, U2, V2)  # (N, F, K, K, U2, V2)
    dm1 = np.zeros((N, F, A1, B1), dwindows_m1.dtype)   # (N, F, A1, B1)
    for p in range(K):
        for q in range(K):
            dm1[:, :, p:p + U2, q:q + V2] += dwindows_m1[:, :, p, q]
    # m1[n, f, i, k] = max_{r=0..1} max_{s=0..1} h1[n, f, 2 i + r, 2 k + s]
    dh1 = np.zeros((N, F, U1, V1), dm1.dtype)           # (N, F, U1, V1)
    for r in range(2):
        for s in range(2):
            dh1[:, :, r:r + 2 * A1:2, s:s + 2 * B1:2] = dm1 * (2 * r + s == first_m1)
    # h1[n, f, u, v] = relu(pre_h1[n, f, u, v])
    dpre_h1 = dh1 * (h1 > 0)                            # (N, F, U1, V1)
    # pre_h1[n, f, u, v] = (sum_{c, p, q} x[n, c, p + u, q + v] * w1[f, c, p, q]) + b1[f]
    dw1 = (
        dpre_h1.reshape(N, F, -1) @ windows_x.reshape(N, -1, U1 * V1).mT
    ).sum(axis=0).reshape(F, C, K, K)                   # (F, C, K, K)
    db1 = dpre_h1.sum(axis=(0, 2, 3))                   # (F,)
    return Params(dw1, db1, dw2, db2, dW3, db3)


def loss_and_grads(w1, b1, w2, b2, W3, b3, x, y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(w1, b1, w2, b2, W3, b3, x, y)
    return loss, backward(residuals)


def predict(w1, b1, w2, b2, W3, b3, x):
    """Return the logits z (N, D)."""
    w1, b1, w2, b2, W3, b3, x, _ = _checked(w1, b1, w2, b2, W3, b3, x)
    N = len(x)
    C = x.shape[1]
    F = len(w1)
    G = len(w2)
    K = w1.shape[2]
    D = len(b3)
    U = x.shape[2]
    U1 = U + 1 - K
    V = x.shape[3]
    V1 = V + 1 - K
    A1 = U1 // 2
    B1 = V1 // 2
    U2 = A1 + 1 - K
    V2 = B1 + 1 - K
    A2 = W3.shape[1]
    B2 = W3.shape[2]

    windows_x = np.empty((N, C, K, K, U1, V1), x.dtype)  # (N, C, K, K, U1, V1)
    for p in range(K):
        for q in range(K):
            windows_x[:, :, p, q] = x[:, :, p:p + U1, q:q + V1]
    pre_h1 = (
        (w1.reshape(F, -1) @ windows_x.reshape(N, -1, U1 * V1)).reshape(N, F, U1, V1)
        + b1[:, None, None]
    )                                                   # (N, F, U1, V1)
    h1 = np.maximum(pre_h1, 0)                          # (N, F, U1, V1)
    windows_h1 = np.empty((2, 2, N, F, A1, B1), h1.dtype)  # (2, 2, N, F, A1, B1)
    for r in range(2):
        for s in range(2):
            windows_h1[r, s] = h1[:, :, r:r + 2 * A1:2, s:s + 2 * B1:2]
    m1 = windows_h1.max(axis=(0, 1))                    # (N, F, A1, B1)
    windows_m1 = np.empty((N, F, K, K, U2, V2), m1.dtype)  # (N, F, K, K, U2, V2)
    for p in range(K):
        for q in range(K):
            windows_m1[:, :, p, q] = m1[:, :, p:p + U2, q:q + V2]
    pre_h2 = (
        (w2.reshape(G, -1) @ windows_m1.reshape(N, -1, U2 * V2)).reshape(N, G, U2, V2)
        + b2[:, None, None]
    )                                                   # (N, G, U2, V2)
    h2 = np.maximum(pre_h2, 0)                          # (N, G, U2, V2)
    windows_h2 = np.empty((2, 2, N, G, A2, B2), h2.dtype)  # (2, 2, N, G, A2, B2)
    for r in range(2):
        for s in range(2):
            windows_h2[r, s] = h2[:, :, r:r + 2 * A2:2, s:s + 2 * B2:2]
    m2 = windows_h2.max(axis=(0, 1))                    # (N, G, A2, B2)
    return m2.reshape(N, -1) @ W3.reshape(-1, D) + b3


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _first_maximum(x):
    """Return which entry along the first axis is the first of the largest: np.argmax is slow on few entries."""
    largest, first = x[0], np.zeros(x.shape[1:], np.min_scalar_type(len(x) - 1))
    for k in range(1, len(x)):
        first = np.maximum(first, first.dtype.type(k) * (x[k] > largest))
        largest = np.maximum(largest, x[k])
    return first


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


def _checked(w1, b1, w2, b2, W3, b3, x, y=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (w1, b1, w2, b2, W3, b3)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    w1, b1, w2, b2, W3, b3, x = [np.asarray(v, dtype) for v in (*floats, x)]
    y = None if y is None else np.asarray(y)
    sizes = _sizes(w1.shape, b1.shape, w2.shape, b2.shape, W3.shape, b3.shape, x.shape, getattr(y, "shape", None))
    if y is not None:
        if y.dtype.kind not in "iu":
            raise ValueError(f"y has dtype {y.dtype}; expected integers, the labels")
        y = y.astype(np.intp, copy=False)
        if y.view(np.uintp).max() >= sizes["D"]:  # negative ones are the largest of all
            raise ValueError(
                f"y holds labels from {y.min()} to {y.max()}; "
                f"expected 0 to D - 1 = {sizes['D'] - 1}"
            )
    return w1, b1, w2, b2, W3, b3, x, y


@lru_cache
def _sizes(w1, b1, w2, b2, W3, b3, x, y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("w1", w1, "FCKK"), ("b1", b1, "F"), ("w2", w2, "GFKK"), ("b2", b2, "G"), ("W3", W3, ("G", "A2", "B2", "D")),
        ("b3", b3, "D"), ("x", x, "NCUV"), ("y", y, "N"),
    ):
        if shape is not None:
            _match(name, shape, axes, sizes)
    _follows("U1", sizes["U"] + 1 - sizes["K"], "U + 1 - K", sizes)
    _follows("V1", sizes["V"] + 1 - sizes["K"], "V + 1 - K", sizes)
    _follows("A1", sizes["U1"] // 2, "U1 // 2", sizes)
    _follows("B1", sizes["V1"] // 2, "V1 // 2", sizes)
    _follows("U2", sizes["A1"] + 1 - sizes["K"], "A1 + 1 - K", sizes)
    _follows("V2", sizes["B1"] + 1 - sizes["K"], "B1 + 1 - K", sizes)
    _follows("A2", sizes["U2"] // 2, "U2 // 2", sizes)
    _follows("B2", sizes["V2"] // 2, "V2 // 2", sizes)
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
