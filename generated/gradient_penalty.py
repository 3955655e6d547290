"""Critic of a Wasserstein GAN with a gradient penalty: loss and gradients.

    pre_p = X W + 1 b'                     (N, H)
    tanh_pre_p = tanh(pre_p)               (N, H)
    p = tanh_pre_p v                       (N,)     scores of what is real
    pre_q = Y W + 1 b'                     (N, H)
    tanh_pre_q = tanh(pre_q)               (N, H)
    q = tanh_pre_q v                       (N,)     scores of what is generated
    pre_f = M W + 1 b'                     (N, H)
    tanh_pre_f = tanh(pre_f)               (N, H)
    f_pre_f = (1 - tanh_pre_f^2) diag(v)   (N, H)
    S = f_pre_f W'                         (N, D)   slopes in between
    sum_r = S^2 1                          (N,)
    r = sqrt(sum_r)                        (N,)     their lengths
    loss = 1/N ((penalty * sum_n (r[n] - 1)^2) + (sum_n q[n]) - sum_n p[n])

Parameters  W (D, H), b (H,), v (H,); their dtype is the result's.
Inputs      X (N, D), Y (N, D), M (N, D), penalty, a scalar.
Cost        18DHN operations, 24(2DH + 4DN + 11HN) bytes read and written, 8N(D + 4H) bytes kept for `backward`, to
            leading order.

Powers, * and / act entry by entry.
dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/gradient_penalty.py by `derive build gradient_penalty`; do not edit.
The derivation is typeset in gradient_penalty.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W: np.ndarray
    b: np.ndarray
    v: np.ndarray


def forward(W, b, v, X, Y, M, penalty):
    """Return the loss and the residuals that `backward` reads."""
    W, b, v, X, Y, M, penalty = _checked(W, b, v, X, Y, M, penalty)
    N = len(X)

    pre_p = X @ W + b                                   # (N, H)
    tanh_pre_p = np.tanh(pre_p)                         # (N, H)
    p = tanh_pre_p @ v                                  # (N,)
    pre_q = Y @ W + b                                   # (N, H)
    tanh_pre_q = np.tanh(pre_q)                         # (N, H)
    q = tanh_pre_q @ v                                  # (N,)
    pre_f = M @ W + b                                   # (N, H)
    tanh_pre_f = np.tanh(pre_f)                         # (N, H)
    slope_tanh_pre_f = 1 - tanh_pre_f**2                # (N, H)
    f_pre_f = v * slope_tanh_pre_f                      # (N, H)
    S = f_pre_f @ W.T                                   # (N, D)
    sum_r = np.einsum("nd,nd->n", S, S)                 # (N,)
    r = np.sqrt(sum_r)                                  # (N,)
    loss = (penalty * _sum_of_squares(r - 1) + q.sum() - p.sum()) / N
    return loss, (W, v, X, Y, M, penalty, f_pre_f, S, r, tanh_pre_p, tanh_pre_q, tanh_pre_f, slope_tanh_pre_f)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    W, v, X, Y, M, penalty, f_pre_f, S, r, tanh_pre_p, tanh_pre_q, tanh_pre_f, slope_tanh_pre_f = residuals
    N = len(X)

    # loss = 1/N ((penalty * sum_n (r[n] - 1)^2) + (sum_n q[n]) - sum_n p[n])
    dr = 2 / N * penalty * (r - 1)                      # (N,)
    # r = sqrt(sum_r)
    dsum_r = dr / (2 * r)                               # (N,)
    # sum_r = S^2 1
    dS = 2 * dsum_r[:, None] * S                        # (N, D)
    # S = f_pre_f W'
    df_pre_f = dS @ W                                   # (N, H)
    # f_pre_f = (1 - tanh_pre_f^2) diag(v)
    dpre_f = -2 * v * df_pre_f * slope_tanh_pre_f * tanh_pre_f  # (N, H)
    # q = tanh_pre_q v
    dpre_q = v / N * (1 - tanh_pre_q**2)                # (N, H)
    # p = tanh_pre_p v
    dv = tanh_pre_q.mean(axis=0) + np.einsum("nh,nh->h", df_pre_f, slope_tanh_pre_f) - tanh_pre_p.mean(axis=0)  # (H,)
    dpre_p = -v / N * (1 - tanh_pre_p**2)               # (N, H)
    # pre_f = M W + 1 b'
    # pre_q = Y W + 1 b'
    # pre_p = X W + 1 b'
    dW = M.T @ dpre_f + X.T @ dpre_p + Y.T @ dpre_q + dS.T @ f_pre_f  # (D, H)
    db = dpre_f.sum(axis=0) + dpre_p.sum(axis=0) + dpre_q.sum(axis=0)  # (H,)
    return Params(dW, db, dv)


def loss_and_grads(W, b, v, X, Y, M, penalty):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W, b, v, X, Y, M, penalty)
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


def _checked(W, b, v, X, Y, M, penalty):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W, b, v)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W, b, v, X, Y, M, penalty = [np.asarray(v, dtype) for v in (*floats, X, Y, M, penalty)]
    _sizes(W.shape, b.shape, v.shape, X.shape, Y.shape, M.shape, penalty.shape)
    return W, b, v, X, Y, M, penalty


@lru_cache
def _sizes(W, b, v, X, Y, M, penalty):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("W", W, "DH"), ("b", b, "H"), ("v", v, "H"), ("X", X, "ND"), ("Y", Y, "ND"), ("M", M, "ND"),
        ("penalty", penalty, ""),
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
