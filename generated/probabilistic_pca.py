"""Probabilistic principal component analysis: loss and gradients.

    exp_t = exp t
    C = W W' + exp_t I        (D, D)   covariance of the model
    C solve_C = S             (D, D)
    logdet_C = logdet(C)
    C' inverse_logdet_C = I   (D, D)
    loss = 1/2 ((sum_d solve_C[d, d]) + logdet_C)

Parameters  W (D, K), t, a scalar; their dtype is the result's.
Inputs      S (D, D).
Assumes     S is symmetric: S[d2, d] = S[d, d2].
Cost        D^2(19/3 D + 4K) operations, 8D(16D + 3K) bytes read and written, 16D^2 bytes kept for `backward`, to
            leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/probabilistic_pca.py by `derive build probabilistic_pca`; do not edit.
The derivation is typeset in probabilistic_pca.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve  # NumPy lacks it


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W: np.ndarray
    t: np.ndarray


def forward(W, t, S):
    """Return the loss and the residuals that `backward` reads."""
    W, t, S = _checked(W, t, S)
    D = len(S)

    exp_t = np.exp(t)
    C = W @ W.T                                         # (D, D)
    C[np.arange(D), np.arange(D)] += exp_t
    chol_C = _cholesky("C", C)                          # (D, D)
    solve_C = cho_solve((chol_C, True), S)              # (D, D)
    logdet_C = 2 * np.log(np.diagonal(chol_C)).sum()
    inverse_logdet_C = cho_solve((chol_C, True), np.eye(D, dtype=chol_C.dtype))  # (D, D)
    loss = (logdet_C + np.trace(solve_C)) / 2
    return loss, (W, solve_C, inverse_logdet_C, exp_t)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    W, solve_C, inverse_logdet_C, exp_t = residuals

    # loss = 1/2 ((sum_d solve_C[d, d]) + logdet_C)
    # C solve_C = S
    lam_solve_C = inverse_logdet_C / 2                  # (D, D)
    dC = inverse_logdet_C / 2 - lam_solve_C @ solve_C.T  # (D, D)
    # C = W W' + exp_t I; since dC is symmetric
    dW = 2 * (dC @ W)                                   # (D, K)
    # C = W W' + exp_t I
    dt = exp_t * np.trace(dC)
    return Params(dW, dt)


def loss_and_grads(W, t, S):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W, t, S)
    return loss, backward(residuals)


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _cholesky(name, matrix):
    """Return the lower triangular L with L L' = matrix."""
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise np.linalg.LinAlgError(f"{name} is not positive definite") from None


def _checked(W, t, S):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [p if isinstance(p, int | float) else np.asarray(p) for p in (W, t)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W, t, S = [np.asarray(v, dtype) for v in (*floats, S)]
    _sizes(W.shape, t.shape, S.shape)
    _assume("S", "S is symmetric", S, S.T)
    return W, t, S


def _assume(name, fact, left, right):
    """Raise ValueError where a fact that the gradients rely on does not hold; rounding is allowed for."""
    largest = np.abs(left - right).max()
    allowed = np.sqrt(np.finfo(left.dtype).eps)
    if not largest <= allowed:
        allowed *= max(1.0, np.abs(left).max())
    if not largest <= allowed:
        raise ValueError(f"{name} is off by {largest:.2g} where {fact}; expected at most {allowed:.1g}")


@lru_cache
def _sizes(W, t, S):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (("W", W, "DK"), ("t", t, ""), ("S", S, "DD")):
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
