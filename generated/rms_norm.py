"""Regression with root mean square normalisation: loss and gradients.

    Z = X W1                         (N, H)   pre-activation
    mean_r = 1/H Z^2 1               (N,)
    r = sqrt(mean_r + epsilon 1)     (N,)     root mean square of the layer
    U = diag(r)^(-1) Z               (N, H)   normalised
    pre_A = U diag(gamma)            (N, H)
    sigmoid_pre_A = sigmoid(pre_A)   (N, H)
    A = pre_A * sigmoid_pre_A        (N, H)   hidden units
    Y = A W2                         (N, K)   predictions
    loss = 1/(2 N K) sum_{n, k} (Y[n, k] - T[n, k])^2

Parameters  W1 (D, H), gamma (H,), W2 (H, K); their dtype is the result's.
Inputs      X (N, D), T (N, K), epsilon, a scalar.
Outputs     Y (N, K), by `predict`.
Cost        2HN(2D + 3K) operations, 8(2DH + 2DN + 3HK + 28HN + 8KN) bytes read and written, 8N(5H + K) bytes kept for
            `backward`, to leading order.

Powers, * and / act entry by entry; diag(v)^(-1) is an inverse matrix.
dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/rms_norm.py by `derive build rms_norm`; do not edit.
The derivation is typeset in rms_norm.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W1: np.ndarray
    gamma: np.ndarray
    W2: np.ndarray


def forward(W1, gamma, W2, X, T, epsilon):
    """Return the loss and the residuals that `backward` reads."""
    W1, gamma, W2, X, T, epsilon = _checked(W1, gamma, W2, X, T, epsilon)
    H = len(gamma)

    Z = X @ W1                                          # (N, H)
    mean_r = np.einsum("nh,nh->n", Z, Z) / H            # (N,)
    r = np.sqrt(mean_r + epsilon)                       # (N,)
    U = Z / r[:, None]                                  # (N, H)
    pre_A = gamma * U                                   # (N, H)
    E_pre_A = _capped_exp(pre_A)                        # (N, H)
    sigmoid_pre_A = E_pre_A / (E_pre_A + 1)             # (N, H)
    A = pre_A * sigmoid_pre_A                           # (N, H)
    Y = A @ W2                                          # (N, K)
    diff_loss = Y - T                                   # (N, K)
    loss = _sum_of_squares(diff_loss) / (2 * diff_loss.size)
    return loss, (gamma, W2, X, Z, r, U, pre_A, A, E_pre_A, sigmoid_pre_A, diff_loss)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    gamma, W2, X, Z, r, U, pre_A, A, E_pre_A, sigmoid_pre_A, diff_loss = residuals
    N = len(X)
    H = len(gamma)
    K = diff_loss.shape[1]

    # loss = 1/(2 N K) sum_{n, k} (Y[n, k] - T[n, k])^2
    dY = diff_loss / (K * N)                            # (N, K)
    # Y = A W2
    dW2 = A.T @ dY                                      # (H, K)
    dA = dY @ W2.T                                      # (N, H)
    # A = pre_A * sigmoid_pre_A
    dpre_A = dA * sigmoid_pre_A * (pre_A / (E_pre_A + 1) + 1)  # (N, H)
    # pre_A = U diag(gamma)
    dgamma = np.einsum("nh,nh->h", dpre_A, U)           # (H,)
    dU = gamma * dpre_A                                 # (N, H)
    # U = diag(r)^(-1) Z
    dr = -np.einsum("nh,nh->n", dU, U) / r              # (N,)
    # r = sqrt(mean_r + epsilon 1)
    dmean_r = dr / (2 * r)                              # (N,)
    # mean_r = 1/H Z^2 1
    dZ = dU / r[:, None] + 2 / H * dmean_r[:, None] * Z  # (N, H)
    # Z = X W1
    dW1 = X.T @ dZ                                      # (D, H)
    return Params(dW1, dgamma, dW2)


def loss_and_grads(W1, gamma, W2, X, T, epsilon):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W1, gamma, W2, X, T, epsilon)
    return loss, backward(residuals)


def predict(W1, gamma, W2, X, epsilon):
    """Return the predictions Y (N, K)."""
    W1, gamma, W2, X, _, epsilon = _checked(W1, gamma, W2, X, epsilon=epsilon)
    H = len(gamma)

    Z = X @ W1                                          # (N, H)
    mean_r = np.einsum("nh,nh->n", Z, Z) / H            # (N,)
    r = np.sqrt(mean_r + epsilon)                       # (N,)
    U = Z / r[:, None]                                  # (N, H)
    pre_A = gamma * U                                   # (N, H)
    E_pre_A = _capped_exp(pre_A)                        # (N, H)
    sigmoid_pre_A = E_pre_A / (E_pre_A + 1)             # (N, H)
    A = pre_A * sigmoid_pre_A                           # (N, H)
    return A @ W2


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


def _checked(W1, gamma, W2, X, T=None, epsilon=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W1, gamma, W2)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W1, gamma, W2, X = [np.asarray(v, dtype) for v in (*floats, X)]
    T = None if T is None else np.asarray(T, dtype)
    epsilon = None if epsilon is None else np.asarray(epsilon, dtype)
    _sizes(W1.shape, gamma.shape, W2.shape, X.shape, getattr(T, "shape", None), getattr(epsilon, "shape", None))
    return W1, gamma, W2, X, T, epsilon


@lru_cache
def _sizes(W1, gamma, W2, X, T, epsilon):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("W1", W1, "DH"), ("gamma", gamma, "H"), ("W2", W2, "HK"), ("X", X, "ND"), ("T", T, "NK"),
        ("epsilon", epsilon, ""),
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
