"""Perceptron of 4 layers with softmax cross-entropy: loss and gradients.

    Z1 = X W1 + 1 b1'          (N, H)   pre-activation
    A1 = relu(Z1)              (N, H)   hidden units
    Z2 = A1 W2 + 1 b2'         (N, K)   pre-activation
    A2 = tanh(Z2)              (N, K)   hidden units
    Z3 = A2 W3 + 1 b3'         (N, M)   pre-activation
    sigmoid_Z3 = sigmoid(Z3)   (N, M)
    A3 = Z3 * sigmoid_Z3       (N, M)   hidden units
    Z4 = A3 W4 + 1 b4'         (N, C)   logits
    loss = 1/N sum_n (log sum_c exp Z4[n, c]) - Z4[n, y[n]]

Parameters  W1 (D, H), b1 (H,), W2 (H, K), b2 (K,), W3 (K, M), b3 (M,), W4 (M, C), b4 (C,); their dtype is the result's.
Inputs      X (N, D); labels y (N,), integers in [0, C).
Outputs     Z4 (N, C), by `predict`.
Cost        2N(3CM + 2DH + 3HK + 3KM) operations, 8(3CM + 7CN + 2DH + 2DN + 3HK + 11HN + 3KM + 12KN + 16MN) bytes read
            and written, 8N(C + H + K + 3M) bytes kept for `backward`, to leading order.
Convention  relu'(0) = 0.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/perceptron.py by `derive build perceptron`; do not edit.
The derivation is typeset in perceptron.tex.
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
    W3: np.ndarray
    b3: np.ndarray
    W4: np.ndarray
    b4: np.ndarray


def forward(W1, b1, W2, b2, W3, b3, W4, b4, X, y):
    """Return the loss and the residuals that `backward` reads."""
    W1, b1, W2, b2, W3, b3, W4, b4, X, y = _checked(W1, b1, W2, b2, W3, b3, W4, b4, X, y)
    N = len(X)

    Z1 = X @ W1 + b1                                    # (N, H)
    A1 = np.maximum(Z1, 0)                              # (N, H)
    Z2 = A1 @ W2 + b2                                   # (N, K)
    A2 = np.tanh(Z2)                                    # (N, K)
    Z3 = A2 @ W3 + b3                                   # (N, M)
    E_Z3 = _capped_exp(Z3)                              # (N, M)
    sigmoid_Z3 = E_Z3 / (E_Z3 + 1)                      # (N, M)
    A3 = Z3 * sigmoid_Z3                                # (N, M)
    Z4 = A3 @ W4 + b4                                   # (N, C)
    # log sum_c exp Z4[n, c] = T + log S, shifted by the maxima T so that exp stays in range
    T = _row_maxima(Z4)                                 # (N,)
    E = np.exp(Z4 - T[:, None])                         # (N, C)
    S = E.sum(axis=1)                                   # (N,)
    loss = _mean(np.log(S) + (T - Z4[np.arange(N), y]))
    return loss, (W2, W3, W4, X, y, A1, A2, Z3, A3, E_Z3, sigmoid_Z3, E, S)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    W2, W3, W4, X, y, A1, A2, Z3, A3, E_Z3, sigmoid_Z3, E, S = residuals
    N = len(X)

    # loss = 1/N sum_n (log sum_c exp Z4[n, c]) - Z4[n, y[n]]
    dZ4 = E / S[:, None]                                # (N, C)
    dZ4[np.arange(N), y] -= 1
    dZ4 /= N
    # Z4 = A3 W4 + 1 b4'
    dW4 = A3.T @ dZ4                                    # (M, C)
    db4 = dZ4.sum(axis=0)                               # (C,)
    dA3 = dZ4 @ W4.T                                    # (N, M)
    # A3 = Z3 * sigmoid_Z3
    dZ3 = dA3 * sigmoid_Z3 * (Z3 / (E_Z3 + 1) + 1)      # (N, M)
    # Z3 = A2 W3 + 1 b3'
    dW3 = A2.T @ dZ3                                    # (K, M)
    db3 = dZ3.sum(axis=0)                               # (M,)
    dA2 = dZ3 @ W3.T                                    # (N, K)
    # A2 = tanh(Z2)
    dZ2 = dA2 * (1 - A2**2)                             # (N, K)
    # Z2 = A1 W2 + 1 b2'
    dW2 = A1.T @ dZ2                                    # (H, K)
    db2 = dZ2.sum(axis=0)                               # (K,)
    dA1 = dZ2 @ W2.T                                    # (N, H)
    # A1 = relu(Z1)
    dZ1 = dA1 * (A1 > 0)                                # (N, H)
    # Z1 = X W1 + 1 b1'
    dW1 = X.T @ dZ1                                     # (D, H)
    db1 = dZ1.sum(axis=0)                               # (H,)
    return Params(dW1, db1, dW2, db2, dW3, db3, dW4, db4)


def loss_and_grads(W1, b1, W2, b2, W3, b3, W4, b4, X, y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W1, b1, W2, b2, W3, b3, W4, b4, X, y)
    return loss, backward(residuals)


def predict(W1, b1, W2, b2, W3, b3, W4, b4, X):
    """Return the logits Z4 (N, C)."""
    W1, b1, W2, b2, W3, b3, W4, b4, X, _ = _checked(W1, b1, W2, b2, W3, b3, W4, b4, X)

    Z1 = X @ W1 + b1                                    # (N, H)
    A1 = np.maximum(Z1, 0)                              # (N, H)
    Z2 = A1 @ W2 + b2                                   # (N, K)
    A2 = np.tanh(Z2)                                    # (N, K)
    Z3 = A2 @ W3 + b3                                   # (N, M)
    E_Z3 = _capped_exp(Z3)                              # (N, M)
    sigmoid_Z3 = E_Z3 / (E_Z3 + 1)                      # (N, M)
    A3 = Z3 * sigmoid_Z3                                # (N, M)
    return A3 @ W4 + b4


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


def _checked(W1, b1, W2, b2, W3, b3, W4, b4, X, y=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W1, b1, W2, b2, W3, b3, W4, b4)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W1, b1, W2, b2, W3, b3, W4, b4, X = [np.asarray(v, dtype) for v in (*floats, X)]
    y = None if y is None else np.asarray(y)
    sizes = _sizes(
        W1.shape, b1.shape, W2.shape, b2.shape, W3.shape, b3.shape, W4.shape, b4.shape, X.shape,
        getattr(y, "shape", None)
    )
    if y is not None:
        if y.dtype.kind not in "iu":
            raise ValueError(f"y has dtype {y.dtype}; expected integers, the labels")
        y = y.astype(np.intp, copy=False)
        if y.view(np.uintp).max() >= sizes["C"]:  # negative ones are the largest of all
            raise ValueError(
                f"y holds labels from {y.min()} to {y.max()}; "
                f"expected 0 to C - 1 = {sizes['C'] - 1}"
            )
    return W1, b1, W2, b2, W3, b3, W4, b4, X, y


@lru_cache
def _sizes(W1, b1, W2, b2, W3, b3, W4, b4, X, y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("W1", W1, "DH"), ("b1", b1, "H"), ("W2", W2, "HK"), ("b2", b2, "K"), ("W3", W3, "KM"), ("b3", b3, "M"),
        ("W4", W4, "MC"), ("b4", b4, "C"), ("X", X, "ND"), ("y", y, "N"),
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
