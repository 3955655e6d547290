"""Meta-learning: the loss after one inner step of gradient descent; loss and gradients.

    pre_inner = X W                                                            (N, H)
    tanh_pre_inner = tanh(pre_inner)                                           (N, H)
    pre_inner_2 = tanh_pre_inner v - y                                         (N,)
    inner_pre_inner_2 = 1/N pre_inner_2                                        (N,)
    inner_pre_inner = diag(inner_pre_inner_2) (1 - tanh_pre_inner^2) diag(v)   (N, H)
    W1 = W - alpha X' inner_pre_inner                                          (D, H)   adapted
    v1 = v - alpha tanh_pre_inner' inner_pre_inner_2                           (H,)     adapted
    pre_loss = U W1                                                            (M, H)
    tanh_pre_loss = tanh(pre_loss)                                             (M, H)
    pre_loss_2 = tanh_pre_loss v1 - z                                          (M,)
    loss = 1/(2 M) sum_m pre_loss_2[m]^2

Parameters  W (D, H), v (H,); their dtype is the result's.
Inputs      X (N, D), y (N,), U (M, D), z (M,), alpha, a scalar.
Cost        4DH(M + 2N) operations, 8(8DH + 2DM + 4DN + 8HM + 17HN) bytes read and written, 8H(M + N) bytes kept for
            `backward`, to leading order.

Powers, * and / act entry by entry.
dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/maml.py by `derive build maml`; do not edit.
The derivation is typeset in maml.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W: np.ndarray
    v: np.ndarray


def forward(W, v, X, y, U, z, alpha):
    """Return the loss and the residuals that `backward` reads."""
    W, v, X, y, U, z, alpha = _checked(W, v, X, y, U, z, alpha)
    N = len(X)

    pre_inner = X @ W                                   # (N, H)
    tanh_pre_inner = np.tanh(pre_inner)                 # (N, H)
    pre_inner_2 = tanh_pre_inner @ v - y                # (N,)
    inner_pre_inner_2 = pre_inner_2 / N                 # (N,)
    slope_tanh_pre_inner = 1 - tanh_pre_inner**2        # (N, H)
    inner_pre_inner = inner_pre_inner_2[:, None] * v * slope_tanh_pre_inner  # (N, H)
    W1 = W - alpha * (X.T @ inner_pre_inner)            # (D, H)
    v1 = v - alpha * (inner_pre_inner_2 @ tanh_pre_inner)  # (H,)
    pre_loss = U @ W1                                   # (M, H)
    tanh_pre_loss = np.tanh(pre_loss)                   # (M, H)
    pre_loss_2 = tanh_pre_loss @ v1 - z                 # (M,)
    loss = _sum_of_squares(pre_loss_2) / (2 * pre_loss_2.size)
    return loss, (
        v, X, U, alpha, inner_pre_inner_2, v1, pre_loss_2, tanh_pre_inner, tanh_pre_loss, slope_tanh_pre_inner,
    )


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    v, X, U, alpha, inner_pre_inner_2, v1, pre_loss_2, tanh_pre_inner, tanh_pre_loss, slope_tanh_pre_inner = residuals
    N = len(X)
    M = len(U)

    # loss = 1/(2 M) sum_m pre_loss_2[m]^2
    dpre_loss_2 = pre_loss_2 / M                        # (M,)
    # pre_loss_2 = tanh_pre_loss v1 - z
    dpre_loss = dpre_loss_2[:, None] * v1 * (1 - tanh_pre_loss**2)  # (M, H)
    dv1 = dpre_loss_2 @ tanh_pre_loss                   # (H,)
    # pre_loss = U W1
    dW1 = U.T @ dpre_loss                               # (D, H)
    # W1 = W - alpha X' inner_pre_inner
    dinner_pre_inner = -alpha * (X @ dW1)               # (N, H)
    # v1 = v - alpha tanh_pre_inner' inner_pre_inner_2
    # inner_pre_inner = diag(inner_pre_inner_2) (1 - tanh_pre_inner^2) diag(v)
    dinner_pre_inner_2 = dinner_pre_inner * slope_tanh_pre_inner @ v - alpha * (tanh_pre_inner @ dv1)  # (N,)
    # inner_pre_inner_2 = 1/N pre_inner_2
    dpre_inner_2 = dinner_pre_inner_2 / N               # (N,)
    # pre_inner_2 = tanh_pre_inner v - y
    dv = dpre_inner_2 @ tanh_pre_inner + inner_pre_inner_2 @ (dinner_pre_inner * slope_tanh_pre_inner) + dv1  # (H,)
    dpre_inner = slope_tanh_pre_inner * (
        dpre_inner_2[:, None] * v - alpha * (inner_pre_inner_2[:, None] * dv1)
        - 2 * inner_pre_inner_2[:, None] * v * dinner_pre_inner * tanh_pre_inner
    )                                                   # (N, H)
    # pre_inner = X W
    dW = X.T @ dpre_inner + dW1                         # (D, H)
    return Params(dW, dv)


def loss_and_grads(W, v, X, y, U, z, alpha):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W, v, X, y, U, z, alpha)
    return loss, backward(residuals)


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


def _checked(W, v, X, y, U, z, alpha):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W, v)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W, v, X, y, U, z, alpha = [np.asarray(v, dtype) for v in (*floats, X, y, U, z, alpha)]
    _sizes(W.shape, v.shape, X.shape, y.shape, U.shape, z.shape, alpha.shape)
    return W, v, X, y, U, z, alpha


@lru_cache
def _sizes(W, v, X, y, U, z, alpha):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("W", W, "DH"), ("v", v, "H"), ("X", X, "ND"), ("y", y, "N"), ("U", U, "MD"), ("z", z, "M"),
        ("alpha", alpha, ""),
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
