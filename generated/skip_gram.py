"""Skip-gram with negative sampling: loss and gradients.

    A[n, d] = E[w[n], d]                   (N, D)      words, embedded
    B[n, d] = F[c[n], d]                   (N, D)      their contexts, embedded
    R[n, k, d] = F[r[n, k], d]             (N, K, D)   random words, embedded
    s = (A * B) 1                          (N,)        scores of the contexts
    q[n, k] = sum_d A[n, d] * R[n, k, d]   (N, K)      scores of the random words
    loss = 1/N sum_n (sum_k softplus(q[n, k])) + softplus(-s[n])

Parameters  E (V, D), F (V, D); their dtype is the result's.
Inputs      labels w (N,), integers in [0, V); labels c (N,), integers in [0, V); labels r (N, K), integers in [0, V).
Cost        6DKN operations, 48DKN bytes read and written, 8DKN bytes kept for `backward`, to leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/skip_gram.py by `derive build skip_gram`; do not edit.
The derivation is typeset in skip_gram.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    E: np.ndarray
    F: np.ndarray


def forward(E, F, w, c, r):
    """Return the loss and the residuals that `backward` reads."""
    E, F, w, c, r = _checked(E, F, w, c, r)

    A = E[w]                                            # (N, D)
    B = F[c]                                            # (N, D)
    R = F[r]                                            # (N, K, D)
    s = np.einsum("nd,nd->n", A, B)                     # (N,)
    q = (R @ A[:, :, None])[:, :, 0]                    # (N, K)
    exp_q = _capped_exp(q)                              # (N, K)
    loss = _mean(_softplus_at(exp_q, q).sum(axis=1) + _softplus(-s))
    return loss, (E, F, w, c, r, A, B, R, s, exp_q)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    E, F, w, c, r, A, B, R, s, exp_q = residuals
    N = len(w)

    # loss = 1/N sum_n (sum_k softplus(q[n, k])) + softplus(-s[n])
    dq = _sigmoid_at(exp_q) / N                         # (N, K)
    ds = -_sigmoid(-s) / N                              # (N,)
    # q[n, k] = sum_d A[n, d] * R[n, k, d]
    dR = dq[:, :, None] * A[:, None, :]                 # (N, K, D)
    # s = (A * B) 1
    dB = ds[:, None] * A                                # (N, D)
    dA = ds[:, None] * B + (dq[:, None, :] @ R)[:, 0]   # (N, D)
    # R[n, k, d] = F[r[n, k], d]
    # B[n, d] = F[c[n], d]
    dF = np.zeros_like(F)                               # (V, D)
    _add_rows(dF, c, dB)
    _add_rows(dF, r, dR)
    # A[n, d] = E[w[n], d]
    dE = np.zeros_like(E)                               # (V, D)
    _add_rows(dE, w, dA)
    return Params(dE, dF)


def loss_and_grads(E, F, w, c, r):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(E, F, w, c, r)
    return loss, backward(residuals)


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _sigmoid(x):
    """Return 1 / (1 + exp(-x)), exact to the last digits at both ends."""
    with np.errstate(over="ignore"):                    # 1 / inf is the 0 that it should be
        return 1 / (1 + np.exp(-x))


def _softplus(x):
    """Return log(1 + exp(x)) without an overflow."""
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


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


def _capped_exp(x):
    """Return exp(x), or the exponential of nearly the largest number that has one where x is larger.

    With e = exp(z), e / (e + 1) is the sigmoid of z, and 1 / (e + 1) what it leaves of 1, to the last digits.
    """
    largest = x.max(initial=0)
    if largest < 9 or largest < (top := np.log(np.finfo(x.dtype).max) - 1):     # of 9 all have one
        return np.exp(x)
    return np.exp(np.minimum(x, top))


def _softplus_at(e, x):
    """Return log(1 + exp(x)), e being exp(x), or less where x is as large as that."""
    return np.maximum(np.log1p(e), x)


def _sigmoid_at(e):
    """Return 1 / (1 + exp(-x)), e being exp(x)."""
    return e / (e + 1)


def _mean(x):
    """Return the mean of all entries: np.mean takes three times as long on a few numbers."""
    return x.sum() / x.size


def _checked(E, F, w, c, r):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (E, F)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    E, F = [np.asarray(v, dtype) for v in floats]
    w = np.asarray(w)
    c = np.asarray(c)
    r = np.asarray(r)
    sizes = _sizes(E.shape, F.shape, w.shape, c.shape, r.shape)
    if w.dtype.kind not in "iu":
        raise ValueError(f"w has dtype {w.dtype}; expected integers, the labels")
    w = w.astype(np.intp, copy=False)
    if w.view(np.uintp).max() >= sizes["V"]:  # negative ones are the largest of all
        raise ValueError(
            f"w holds labels from {w.min()} to {w.max()}; "
            f"expected 0 to V - 1 = {sizes['V'] - 1}"
        )
    if c.dtype.kind not in "iu":
        raise ValueError(f"c has dtype {c.dtype}; expected integers, the labels")
    c = c.astype(np.intp, copy=False)
    if c.view(np.uintp).max() >= sizes["V"]:  # negative ones are the largest of all
        raise ValueError(
            f"c holds labels from {c.min()} to {c.max()}; "
            f"expected 0 to V - 1 = {sizes['V'] - 1}"
        )
    if r.dtype.kind not in "iu":
        raise ValueError(f"r has dtype {r.dtype}; expected integers, the labels")
    r = r.astype(np.intp, copy=False)
    if r.view(np.uintp).max() >= sizes["V"]:  # negative ones are the largest of all
        raise ValueError(
            f"r holds labels from {r.min()} to {r.max()}; "
            f"expected 0 to V - 1 = {sizes['V'] - 1}"
        )
    return E, F, w, c, r


@lru_cache
def _sizes(E, F, w, c, r):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("E", E, "VD"), ("F", F, "VD"), ("w", w, "N"), ("c", c, "N"), ("r", r, "NK"),
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
