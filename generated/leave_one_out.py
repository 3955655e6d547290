"""Ridge regression: leave-one-out error; loss and gradients.

    exp_penalty = exp(penalty)     (D,)
    M = X' X + diag(exp_penalty)   (D, D)
    M B = X'                       (D, N)   weights are B y
    f = X B y                      (N,)     predictions
    h = (B' * X) 1                 (N,)     leverages
    e = (y - f) / (1 - h)          (N,)     leave-one-out residuals
    loss = 1/N sum_n e[n]^2

Parameters  penalty (D,); their dtype is the result's.
Inputs      X (N, D), y (N,).
Outputs     e (N,), by `predict`.
Cost        D^2(1/3 D + 8N) operations, 8D(4D + 15N) bytes read and written, 8D(D + N) bytes kept for `backward`, to
            leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/leave_one_out.py by `derive build leave_one_out`; do not edit.
The derivation is typeset in leave_one_out.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve  # NumPy lacks it


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    penalty: np.ndarray


def forward(penalty, X, y):
    """Return the loss and the residuals that `backward` reads."""
    penalty, X, y = _checked(penalty, X, y)
    D = len(penalty)

    exp_penalty = np.exp(penalty)                       # (D,)
    M = X.T @ X                                         # (D, D)
    M[np.arange(D), np.arange(D)] += exp_penalty
    chol_M = _cholesky("M", M)                          # (D, D)
    B = cho_solve((chol_M, True), X.T)                  # (D, N)
    f = X @ (B @ y)                                     # (N,)
    h = np.sum(B * X.T, axis=0)                         # (N,)
    e = (y - f) / (1 - h)                               # (N,)
    loss = _sum_of_squares(e) / e.size
    return loss, (X, y, B, h, e, exp_penalty, chol_M)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    X, y, B, h, e, exp_penalty, chol_M = residuals
    N = len(X)

    # loss = 1/N sum_n e[n]^2
    de = 2 / N * e                                      # (N,)
    # e = (y - f) / (1 - h)
    dh = de * e / (1 - h)                               # (N,)
    df = -de / (1 - h)                                  # (N,)
    # h = (B' * X) 1
    # f = X B y
    # M B = X'
    dB = (df @ X)[:, None] * y + dh * X.T               # (D, N)
    lam_B = cho_solve((chol_M, True), dB)               # (D, N)
    dM = -lam_B @ B.T                                   # (D, D)
    # M = X' X + diag(exp_penalty)
    dpenalty = np.diagonal(dM) * exp_penalty            # (D,)
    return Params(dpenalty)


def loss_and_grads(penalty, X, y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(penalty, X, y)
    return loss, backward(residuals)


def predict(penalty, X, y):
    """Return the leave-one-out residuals e (N,)."""
    penalty, X, y = _checked(penalty, X, y)
    D = len(penalty)

    exp_penalty = np.exp(penalty)                       # (D,)
    M = X.T @ X                                         # (D, D)
    M[np.arange(D), np.arange(D)] += exp_penalty
    chol_M = _cholesky("M", M)                          # (D, D)
    B = cho_solve((chol_M, True), X.T)                  # (D, N)
    f = X @ (B @ y)                                     # (N,)
    h = np.sum(B * X.T, axis=0)                         # (N,)
    return (y - f) / (1 - h)


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _cholesky(name, matrix):
    """Return the lower triangular L with L L' = matrix."""
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise np.linalg.LinAlgError(f"{name} is not positive definite") from None


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


def _checked(penalty, X, y):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (penalty,)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    penalty, X, y = [np.asarray(v, dtype) for v in (*floats, X, y)]
    _sizes(penalty.shape, X.shape, y.shape)
    return penalty, X, y


@lru_cache
def _sizes(penalty, X, y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (("penalty", penalty, "D"), ("X", X, "ND"), ("y", y, "N")):
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
