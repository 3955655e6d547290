"""Graph convolutional network of two layers: loss and gradients.

    degree = 1 + A 1                     (N,)     neighbours, the node itself among them
    S = (I + A) / sqrt(degree degree')   (N, N)   normalised
    sum_A1 = S X                         (N, D)
    pre_A1 = sum_A1 W1                   (N, H)
    A1 = relu(pre_A1)                    (N, H)   hidden units
    sum_Z = S A1                         (N, H)
    Z = sum_Z W2                         (N, C)   logits
    loss = sum_i known[i] * ((log sum_c exp Z[i, c]) - Z[i, y[i]])

Parameters  W1 (D, H), W2 (H, C); their dtype is the result's.
Inputs      X (N, D), A (N, N), known (N,); labels y (N,), integers in [0, C).
Outputs     Z (N, C), by `predict`.
Cost        2N(3CH + 2DH + DN + 2HN) operations, 8(3CH + 6CN + 2DH + 4DN + 14HN + 6N^2) bytes read and written, 8N(C + D
            + 2H + N) bytes kept for `backward`, to leading order.
Convention  relu'(0) = 0.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/graph_convolution.py by `derive build graph_convolution`; do not edit.
The derivation is typeset in graph_convolution.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W1: np.ndarray
    W2: np.ndarray


def forward(W1, W2, X, A, y, known):
    """Return the loss and the residuals that `backward` reads."""
    W1, W2, X, A, y, known = _checked(W1, W2, X, A, y, known)
    N = len(X)

    degree = A.sum(axis=1) + 1                          # (N,)
    S = np.array(A)                                     # (N, N)
    S[np.arange(N), np.arange(N)] += 1
    S /= np.sqrt(degree[:, None] * degree)
    sum_A1 = S @ X                                      # (N, D)
    pre_A1 = sum_A1 @ W1                                # (N, H)
    A1 = np.maximum(pre_A1, 0)                          # (N, H)
    sum_Z = S @ A1                                      # (N, H)
    Z = sum_Z @ W2                                      # (N, C)
    # log sum_c exp Z[i, c] = T_Z + log S_Z, shifted by the maxima T_Z so that exp stays in range
    T_Z = _row_maxima(Z)                                # (N,)
    E_Z = np.exp(Z - T_Z[:, None])                      # (N, C)
    S_Z = E_Z.sum(axis=1)                               # (N,)
    loss = (np.log(S_Z) + (T_Z - Z[np.arange(N), y])) @ known
    return loss, (W2, y, known, S, sum_A1, A1, sum_Z, E_Z, S_Z)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    W2, y, known, S, sum_A1, A1, sum_Z, E_Z, S_Z = residuals
    N = len(y)

    # loss = sum_i known[i] * ((log sum_c exp Z[i, c]) - Z[i, y[i]])
    dZ = E_Z / S_Z[:, None]                             # (N, C)
    dZ[np.arange(N), y] -= 1
    dZ *= known[:, None]
    # Z = sum_Z W2
    dW2 = sum_Z.T @ dZ                                  # (H, C)
    dsum_Z = dZ @ W2.T                                  # (N, H)
    # sum_Z = S A1
    dA1 = S.T @ dsum_Z                                  # (N, H)
    # A1 = relu(pre_A1)
    dpre_A1 = dA1 * (A1 > 0)                            # (N, H)
    # pre_A1 = sum_A1 W1
    dW1 = sum_A1.T @ dpre_A1                            # (D, H)
    return Params(dW1, dW2)


def loss_and_grads(W1, W2, X, A, y, known):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W1, W2, X, A, y, known)
    return loss, backward(residuals)


def predict(W1, W2, X, A):
    """Return the logits Z (N, C)."""
    W1, W2, X, A, _, _ = _checked(W1, W2, X, A)
    N = len(X)

    degree = A.sum(axis=1) + 1                          # (N,)
    S = np.array(A)                                     # (N, N)
    S[np.arange(N), np.arange(N)] += 1
    S /= np.sqrt(degree[:, None] * degree)
    sum_A1 = S @ X                                      # (N, D)
    pre_A1 = sum_A1 @ W1                                # (N, H)
    A1 = np.maximum(pre_A1, 0)                          # (N, H)
    sum_Z = S @ A1                                      # (N, H)
    return sum_Z @ W2


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


def _checked(W1, W2, X, A, y=None, known=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W1, W2)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W1, W2, X, A = [np.asarray(v, dtype) for v in (*floats, X, A)]
    known = None if known is None else np.asarray(known, dtype)
    y = None if y is None else np.asarray(y)
    sizes = _sizes(W1.shape, W2.shape, X.shape, A.shape, getattr(y, "shape", None), getattr(known, "shape", None))
    if y is not None:
        if y.dtype.kind not in "iu":
            raise ValueError(f"y has dtype {y.dtype}; expected integers, the labels")
        y = y.astype(np.intp, copy=False)
        if y.view(np.uintp).max() >= sizes["C"]:  # negative ones are the largest of all
            raise ValueError(
                f"y holds labels from {y.min()} to {y.max()}; "
                f"expected 0 to C - 1 = {sizes['C'] - 1}"
            )
    return W1, W2, X, A, y, known


@lru_cache
def _sizes(W1, W2, X, A, y, known):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("W1", W1, "DH"), ("W2", W2, "HC"), ("X", X, "ND"), ("A", A, "NN"), ("y", y, "N"), ("known", known, "N"),
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
