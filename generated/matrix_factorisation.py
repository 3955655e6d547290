"""Matrix factorisation with biases: penalised squared error of known ratings; loss and gradients.

    e[n] = r[n] - (sum_k P[who[n], k] * Q[what[n], k]) - b[who[n]] - c[what[n]] - mu   (N,)   errors
    loss = (sum_n e[n]^2) + penalty * ((sum_u b[u]^2) + (sum_{u, k} P[u, k]^2) + (sum_i c[i]^2)
        + sum_{i, k} Q[i, k]^2)

Parameters  P (U, K), b (U,), Q (I, K), c (I,), mu, a scalar; their dtype is the result's.
Inputs      r (N,), penalty, a scalar; labels who (N,), integers in [0, U); labels what (N,), integers in [0, I).
Cost        6K(I + N + U) operations, 8K(3I + 4N + 3U) bytes read and written, 8N bytes kept for `backward`, to leading
            order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/matrix_factorisation.py by `derive build matrix_factorisation`; do not edit.
The derivation is typeset in matrix_factorisation.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    P: np.ndarray
    b: np.ndarray
    Q: np.ndarray
    c: np.ndarray
    mu: np.ndarray


def forward(P, b, Q, c, mu, who, what, r, penalty):
    """Return the loss and the residuals that `backward` reads."""
    P, b, Q, c, mu, who, what, r, penalty = _checked(P, b, Q, c, mu, who, what, r, penalty)

    e = r - b[who] - c[what] - np.sum(P[who] * Q[what], axis=1) - mu  # (N,)
    loss = (
        penalty * (_sum_of_squares(b) + _sum_of_squares(c) + _sum_of_squares(P) + _sum_of_squares(Q))
        + _sum_of_squares(e)
    )
    return loss, (P, b, Q, c, who, what, penalty, e)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    P, b, Q, c, who, what, penalty, e = residuals

    # loss = (sum_n e[n]^2) + penalty * ((sum_u b[u]^2) + (sum_{u, k} P[u, k]^2) + (sum_i c[i]^2)
    #     + sum_{i, k} Q[i, k]^2)
    de = 2 * e                                          # (N,)
    # e[n] = r[n] - (sum_k P[who[n], k] * Q[what[n], k]) - b[who[n]] - c[what[n]] - mu
    dP = 2 * penalty * P                                # (U, K)
    _add_rows(dP, who, -(de[:, None] * Q[what]))
    db = 2 * penalty * b                                # (U,)
    np.subtract.at(db, who, de)
    dQ = 2 * penalty * Q                                # (I, K)
    _add_rows(dQ, what, -(de[:, None] * P[who]))
    dc = 2 * penalty * c                                # (I,)
    np.subtract.at(dc, what, de)
    dmu = -de.sum()
    return Params(dP, db, dQ, dc, dmu)


def loss_and_grads(P, b, Q, c, mu, who, what, r, penalty):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(P, b, Q, c, mu, who, what, r, penalty)
    return loss, backward(residuals)


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _add_rows(total, rows, values):
    """Add each of the values to the row that it belongs to; rows may repeat, which `+=` would forget."""
    width = total[0].size
    if rows.size * width < 512:                         # few numbers: what follows takes longer to begin
        np.add.at(total, rows, values)
        return
    values = np.broadcast_to(values, (*rows.shape, *total.shape[1:]))
    places = (rows.reshape(-1, 1).astype(np.intp) * width + np.arange(width)).reshape(-1)  # of the numbers in all rows
    if total.size <= values.size and total.dtype in (np.float32, np.float64):
        total += np.bincount(places, values.reshape(-1), total.size).reshape(total.shape)  # which adds up in double
    elif total.flags.c_contiguous:
        np.add.at(total.reshape(-1), places, values.reshape(-1))                           # faster than row by row
    else:
        np.add.at(total, rows, values)


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


def _checked(P, b, Q, c, mu, who, what, r, penalty):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [p if isinstance(p, int | float) else np.asarray(p) for p in (P, b, Q, c, mu)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    P, b, Q, c, mu, r, penalty = [np.asarray(v, dtype) for v in (*floats, r, penalty)]
    who = np.asarray(who)
    what = np.asarray(what)
    sizes = _sizes(P.shape, b.shape, Q.shape, c.shape, mu.shape, who.shape, what.shape, r.shape, penalty.shape)
    if who.dtype.kind not in "iu":
        raise ValueError(f"who has dtype {who.dtype}; expected integers, the labels")
    who = who.astype(np.intp, copy=False)
    if who.view(np.uintp).max() >= sizes["U"]:  # negative ones are the largest of all
        raise ValueError(
            f"who holds labels from {who.min()} to {who.max()}; "
            f"expected 0 to U - 1 = {sizes['U'] - 1}"
        )
    if what.dtype.kind not in "iu":
        raise ValueError(f"what has dtype {what.dtype}; expected integers, the labels")
    what = what.astype(np.intp, copy=False)
    if what.view(np.uintp).max() >= sizes["I"]:  # negative ones are the largest of all
        raise ValueError(
            f"what holds labels from {what.min()} to {what.max()}; "
            f"expected 0 to I - 1 = {sizes['I'] - 1}"
        )
    return P, b, Q, c, mu, who, what, r, penalty


@lru_cache
def _sizes(P, b, Q, c, mu, who, what, r, penalty):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("P", P, "UK"), ("b", b, "U"), ("Q", Q, "IK"), ("c", c, "I"), ("mu", mu, ""), ("who", who, "N"),
        ("what", what, "N"), ("r", r, "N"), ("penalty", penalty, ""),
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
