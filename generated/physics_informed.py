"""Physics-informed network for u'' + u = f on an interval: loss and gradients.

    pre_u = x w' + 1 b'                                 (N, K)
    tanh_pre_u = tanh(pre_u)                            (N, K)
    u = tanh_pre_u v                                    (N,)     the solution inside
    v_w = v * w                                         (K,)
    v_w_w = v_w * w                                     (K,)
    u_xx = -2 (tanh_pre_u * (1 - tanh_pre_u^2)) v_w_w   (N,)     its curvature
    pre_e = z w' + 1 b'                                 (M, K)
    tanh_pre_e = tanh(pre_e)                            (M, K)
    e = tanh_pre_e v - g                                (M,)     errors on the boundary
    loss = (1/N sum_n (u[n] + u_xx[n] - f[n])^2) + 1/M sum_m e[m]^2

Parameters  w (K,), b (K,), v (K,); their dtype is the result's.
Inputs      x (N,), f (N,), z (M,), g (M,).
Outputs     u (N,), by `predict`.
Cost        3K(5M + 14N) operations, 8K(9M + 11N) bytes read and written, 8K(M + N) bytes kept for `backward`, to
            leading order.

Powers, * and / act entry by entry.
dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/physics_informed.py by `derive build physics_informed`; do not edit.
The derivation is typeset in physics_informed.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    w: np.ndarray
    b: np.ndarray
    v: np.ndarray


def forward(w, b, v, x, f, z, g):
    """Return the loss and the residuals that `backward` reads."""
    w, b, v, x, f, z, g = _checked(w, b, v, x, f, z, g)

    pre_u = x[:, None] * w + b                          # (N, K)
    tanh_pre_u = np.tanh(pre_u)                         # (N, K)
    u = tanh_pre_u @ v                                  # (N,)
    v_w = v * w                                         # (K,)
    v_w_w = v_w * w                                     # (K,)
    slope_tanh_pre_u = 1 - tanh_pre_u**2                # (N, K)
    u_xx = -2 * (slope_tanh_pre_u * tanh_pre_u @ v_w_w)  # (N,)
    pre_e = z[:, None] * w + b                          # (M, K)
    tanh_pre_e = np.tanh(pre_e)                         # (M, K)
    e = tanh_pre_e @ v - g                              # (M,)
    sum_loss = u + u_xx - f                             # (N,)
    loss = _sum_of_squares(e) / e.size + _sum_of_squares(sum_loss) / sum_loss.size
    return loss, (w, v, x, z, v_w, v_w_w, e, tanh_pre_u, tanh_pre_e, slope_tanh_pre_u, sum_loss)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    w, v, x, z, v_w, v_w_w, e, tanh_pre_u, tanh_pre_e, slope_tanh_pre_u, sum_loss = residuals
    N = len(x)
    M = len(z)

    # loss = (1/N sum_n (u[n] + u_xx[n] - f[n])^2) + 1/M sum_m e[m]^2
    de = 2 / M * e                                      # (M,)
    du_xx = 2 / N * sum_loss                            # (N,)
    du = du_xx                                          # (N,)
    # e = tanh_pre_e v - g
    dpre_e = de[:, None] * v * (1 - tanh_pre_e**2)      # (M, K)
    # u_xx = -2 (tanh_pre_u * (1 - tanh_pre_u^2)) v_w_w
    dv_w_w = -2 * (du_xx @ (slope_tanh_pre_u * tanh_pre_u))  # (K,)
    # v_w_w = v_w * w
    dv_w = dv_w_w * w                                   # (K,)
    # v_w = v * w
    # u = tanh_pre_u v
    dv = de @ tanh_pre_e + du @ tanh_pre_u + dv_w * w   # (K,)
    dpre_u = (
        du_xx[:, None] * v_w_w * (4 * slope_tanh_pre_u * tanh_pre_u**2 - 2 * slope_tanh_pre_u**2)
        + du[:, None] * v * slope_tanh_pre_u
    )                                                   # (N, K)
    # pre_e = z w' + 1 b'
    # pre_u = x w' + 1 b'
    dw = x @ dpre_u + z @ dpre_e + dv_w * v + dv_w_w * v_w  # (K,)
    db = dpre_e.sum(axis=0) + dpre_u.sum(axis=0)        # (K,)
    return Params(dw, db, dv)


def loss_and_grads(w, b, v, x, f, z, g):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(w, b, v, x, f, z, g)
    return loss, backward(residuals)


def predict(w, b, v, x):
    """Return the the solution inside u (N,)."""
    w, b, v, x, _, _, _ = _checked(w, b, v, x)

    pre_u = x[:, None] * w + b                          # (N, K)
    tanh_pre_u = np.tanh(pre_u)                         # (N, K)
    return tanh_pre_u @ v


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


def _checked(w, b, v, x, f=None, z=None, g=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (w, b, v)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    w, b, v, x = [np.asarray(v, dtype) for v in (*floats, x)]
    f = None if f is None else np.asarray(f, dtype)
    z = None if z is None else np.asarray(z, dtype)
    g = None if g is None else np.asarray(g, dtype)
    _sizes(
        w.shape, b.shape, v.shape, x.shape, getattr(f, "shape", None), getattr(z, "shape", None),
        getattr(g, "shape", None)
    )
    return w, b, v, x, f, z, g


@lru_cache
def _sizes(w, b, v, x, f, z, g):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("w", w, "K"), ("b", b, "K"), ("v", v, "K"), ("x", x, "N"), ("f", f, "N"), ("z", z, "M"), ("g", g, "M"),
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
