"""Two-layer perceptron with softmax cross-entropy: product of the Hessian with a direction.

    Z1 = X W1 + 1 b1'                                  (N, H)   pre-activation
    Z1dot = X W1dot + 1 b1dot'                         (N, H)
    A1 = relu(Z1)                                      (N, H)   hidden units
    A1dot = Z1dot * [Z1 > 0]                           (N, H)
    Z2 = A1 W2 + 1 b2'                                 (N, C)   logits
    Z2dot = A1dot W2 + A1 W2dot + 1 b2dot'             (N, C)
    softmax_Z2 = softmax(Z2)                           (N, C)
    lse_Z2dot = (Z2dot * softmax_Z2) 1                 (N,)
    dZ2 = 1/N (softmax_Z2 - onehot(y))                 (N, C)
    dZ2dot = 1/N softmax_Z2 * (Z2dot - lse_Z2dot 1')   (N, C)
    dW2dot = A1' dZ2dot + A1dot' dZ2                   (H, C)
    db2dot = dZ2dot' 1                                 (C,)
    dA1dot = dZ2dot W2' + dZ2 W2dot'                   (N, H)
    dZ1dot = dA1dot * [Z1 > 0]                         (N, H)
    dW1dot = X' dZ1dot                                 (D, H)
    db1dot = dZ1dot' 1                                 (H,)

Parameters  W1 (D, H), b1 (H,), W2 (H, C), b2 (C,); their dtype is the result's.
Inputs      X (N, D); labels y (N,), integers in [0, C).
Cost        2HN(7C + 3D) operations, 8(6CH + 17CN + 3DH + 3DN + 18HN) bytes read and written, to leading order.
Convention  relu'(0) = 0.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Vdot is the tangent of V: its derivative in the direction, which has an array for each parameter.
Generated from derive/networks/mlp.py by `derive build mlp --of hessian_vector_product`; do not edit.
The derivation is typeset in mlp_hessian_vector_product.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W1: np.ndarray
    b1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray


def hessian_vector_product(W1, b1, W2, b2, X, y, direction):
    """Return the product of the Hessian with a direction: an array for each parameter."""
    W1, b1, W2, b2, X, y, W1dot, b1dot, W2dot, b2dot = _checked(W1, b1, W2, b2, X, y, *direction)
    N = len(X)

    Z1 = X @ W1 + b1                                    # (N, H)
    Z1dot = X @ W1dot + b1dot                           # (N, H)
    A1 = np.maximum(Z1, 0)                              # (N, H)
    A1dot = Z1dot * (A1 > 0)                            # (N, H)
    Z2 = A1 @ W2 + b2                                   # (N, C)
    Z2dot = A1 @ W2dot + A1dot @ W2 + b2dot             # (N, C)
    # log sum_c exp Z2[n, c] = T + log S, shifted by the maxima T so that exp stays in range
    T = _row_maxima(Z2)                                 # (N,)
    E = np.exp(Z2 - T[:, None])                         # (N, C)
    S = E.sum(axis=1)                                   # (N,)
    softmax_Z2 = E / S[:, None]                         # (N, C)
    lse_Z2dot = np.einsum("nc,nc->n", Z2dot, softmax_Z2)  # (N,)
    dZ2 = np.array(softmax_Z2)                          # (N, C)
    dZ2[np.arange(N), y] -= 1
    dZ2 /= N
    dZ2dot = softmax_Z2 * (Z2dot - lse_Z2dot[:, None]) / N  # (N, C)
    dW2dot = A1.T @ dZ2dot + A1dot.T @ dZ2              # (H, C)
    db2dot = dZ2dot.sum(axis=0)                         # (C,)
    dA1dot = dZ2dot @ W2.T + dZ2 @ W2dot.T              # (N, H)
    dZ1dot = dA1dot * (A1 > 0)                          # (N, H)
    dW1dot = X.T @ dZ1dot                               # (D, H)
    db1dot = dZ1dot.sum(axis=0)                         # (H,)
    return Params(dW1dot, db1dot, dW2dot, db2dot)


def _row_maxima(x):
    """Return the maxima over the last axis: of short rows as of columns, of others by their places, which is faster."""
    if x.size < 32 * x.shape[-1]:                       # few rows: NumPy starts each anew
        return x.max(axis=-1)
    rows = x.reshape(-1, x.shape[-1])
    if rows.shape[1] < 32:
        return np.ascontiguousarray(rows.T).max(axis=0).reshape(x.shape[:-1])
    return rows[np.arange(len(rows)), rows.argmax(axis=1)].reshape(x.shape[:-1])


def _checked(W1, b1, W2, b2, X, y, W1dot, b1dot, W2dot, b2dot):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W1, b1, W2, b2)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    (
        W1, b1, W2, b2, X, W1dot, b1dot, W2dot, b2dot,
    ) = [np.asarray(v, dtype) for v in (*floats, X, W1dot, b1dot, W2dot, b2dot)]
    y = np.asarray(y)
    sizes = _sizes(
        W1.shape, b1.shape, W2.shape, b2.shape, X.shape, y.shape, W1dot.shape, b1dot.shape, W2dot.shape, b2dot.shape
    )
    if y.dtype.kind not in "iu":
        raise ValueError(f"y has dtype {y.dtype}; expected integers, the labels")
    y = y.astype(np.intp, copy=False)
    if y.view(np.uintp).max() >= sizes["C"]:  # negative ones are the largest of all
        raise ValueError(
            f"y holds labels from {y.min()} to {y.max()}; "
            f"expected 0 to C - 1 = {sizes['C'] - 1}"
        )
    return W1, b1, W2, b2, X, y, W1dot, b1dot, W2dot, b2dot


@lru_cache
def _sizes(W1, b1, W2, b2, X, y, W1dot, b1dot, W2dot, b2dot):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("W1", W1, "DH"), ("b1", b1, "H"), ("W2", W2, "HC"), ("b2", b2, "C"), ("X", X, "ND"), ("y", y, "N"),
        ("W1dot", W1dot, "DH"), ("b1dot", b1dot, "H"), ("W2dot", W2dot, "HC"), ("b2dot", b2dot, "C"),
    ):
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
