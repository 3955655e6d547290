"""Deep equilibrium network with softmax cross-entropy: loss and gradients.

    W = 1/2 I + B - A' A - B'   (H, H)
    pre_Z = X U + Z W + 1 b'    (N, H)
    Z = tanh(pre_Z)             (N, H)   equilibrium
    F = Z V + 1 c'              (N, C)   logits
    loss = 1/N sum_n (log sum_c exp F[n, c]) - F[n, y[n]]

Parameters  A (H, H), B (H, H), U (D, H), b (H,), V (H, C), c (C,); their dtype is the result's.
Inputs      X (N, D); labels y (N,), integers in [0, C).
Outputs     F (N, C), by `predict`.
Cost        4/3 H^3N operations, 8(3CH + 7CN + 2DH + 2DN + 11H^2 + 17HN) bytes read and written, 8(CN + H^2 + HN) bytes
            kept for `backward`, to leading order; one step of Newton's method for Z is counted.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/deep_equilibrium.py by `derive build deep_equilibrium`; do not edit.
The derivation is typeset in deep_equilibrium.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    A: np.ndarray
    B: np.ndarray
    U: np.ndarray
    b: np.ndarray
    V: np.ndarray
    c: np.ndarray


def forward(A, B, U, b, V, c, X, y):
    """Return the loss and the residuals that `backward` reads."""
    A, B, U, b, V, c, X, y = _checked(A, B, U, b, V, c, X, y)
    N = len(X)
    H = len(A)

    W = B - A.T @ A - B.T                               # (H, H)
    W[np.arange(H), np.arange(H)] += 0.5

    def newton_Z(Z):
        pre_Z = X @ U + Z @ W + b
        tanh_pre_Z = np.tanh(pre_Z)
        residual_Z = Z - tanh_pre_Z
        matrix_Z = (tanh_pre_Z**2 - 1)[:, :, None] * W.T
        matrix_Z[:, np.arange(H), np.arange(H)] += 1
        step_Z = _solved("Z", matrix_Z, residual_Z[..., None])[..., 0]
        return residual_Z, step_Z
    Z = _newton("Z", newton_Z, np.zeros((N, H), b.dtype))  # (N, H)
    F = Z @ V + c                                       # (N, C)
    # log sum_c exp F[n, c] = T + log S, shifted by the maxima T so that exp stays in range
    T = _row_maxima(F)                                  # (N,)
    E = np.exp(F - T[:, None])                          # (N, C)
    S = E.sum(axis=1)                                   # (N,)
    loss = _mean(np.log(S) + (T - F[np.arange(N), y]))
    slope_Z = 1 - Z**2                                  # (N, H)
    return loss, (A, V, X, y, W, Z, slope_Z, E, S)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    A, V, X, y, W, Z, slope_Z, E, S = residuals
    N = len(X)
    H = len(W)

    # loss = 1/N sum_n (log sum_c exp F[n, c]) - F[n, y[n]]
    dF = E / S[:, None]                                 # (N, C)
    dF[np.arange(N), y] -= 1
    dF /= N
    # F = Z V + 1 c'
    dV = Z.T @ dF                                       # (H, C)
    dc = dF.sum(axis=0)                                 # (C,)
    # pre_Z = X U + Z W + 1 b'
    matrix_lam_Z = -W * slope_Z[:, None, :]             # (N, H, H)
    matrix_lam_Z[:, np.arange(H), np.arange(H)] += 1
    lam_Z = _solved("lam_Z", matrix_lam_Z, (dF @ V.T)[..., None])[..., 0]  # (N, H)
    # Z = tanh(pre_Z)
    dpre_Z = lam_Z * slope_Z                            # (N, H)
    # pre_Z = X U + Z W + 1 b'
    dU = X.T @ dpre_Z                                   # (D, H)
    db = dpre_Z.sum(axis=0)                             # (H,)
    dW = Z.T @ dpre_Z                                   # (H, H)
    # W = 1/2 I + B - A' A - B'
    dA = -A @ (dW + dW.T)                               # (H, H)
    dB = dW - dW.T                                      # (H, H)
    return Params(dA, dB, dU, db, dV, dc)


def loss_and_grads(A, B, U, b, V, c, X, y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(A, B, U, b, V, c, X, y)
    return loss, backward(residuals)


def predict(A, B, U, b, V, c, X):
    """Return the logits F (N, C)."""
    A, B, U, b, V, c, X, _ = _checked(A, B, U, b, V, c, X)
    N = len(X)
    H = len(A)

    W = B - A.T @ A - B.T                               # (H, H)
    W[np.arange(H), np.arange(H)] += 0.5

    def newton_Z(Z):
        pre_Z = X @ U + Z @ W + b
        tanh_pre_Z = np.tanh(pre_Z)
        residual_Z = Z - tanh_pre_Z
        matrix_Z = (tanh_pre_Z**2 - 1)[:, :, None] * W.T
        matrix_Z[:, np.arange(H), np.arange(H)] += 1
        step_Z = _solved("Z", matrix_Z, residual_Z[..., None])[..., 0]
        return residual_Z, step_Z
    Z = _newton("Z", newton_Z, np.zeros((N, H), b.dtype))  # (N, H)
    return Z @ V + c


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _solved(name, matrix, right):
    """Return the solution of a linear system that defines a variable."""
    try:
        return np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        raise np.linalg.LinAlgError(f"the matrix of {name} is singular; expected one of full rank") from None


def _newton(name, system, start):
    """Return where a residual vanishes, by Newton's method with each step halved until the residual falls.

    It ends with a step that changes no entry by more than eps^(2/3) of the largest: the next would be lost in rounding.
    Where the system gives its matrix too, that is returned as well, once it is that of the point: the steps are lost.
    """
    value, (residual, step, *matrix) = start, system(start)
    eps, last = np.finfo(step.dtype).eps, np.inf
    for _ in range(100):
        moved, scale = np.abs(step).max(), max(1, np.abs(value).max())
        near = moved <= eps ** (2 / 3) * scale
        if near and (not matrix or moved <= 100 * eps * scale or moved > last / 4):
            return (value - step, *matrix) if matrix else value - step
        size, part, last = np.abs(residual).max(), 1.0, moved
        while True:
            trial = value - part * step
            with np.errstate(all="ignore"):             # a trial may leave the domain: it is halved then
                residual, following, *matrix = system(trial)
            if np.abs(residual).max() < size or part < 1e-3 or near:
                break
            part /= 2
        value, step = trial, following
    raise ArithmeticError(f"{name}: Newton's method does not converge in 100 steps; its equation is off by {size:.1e}")


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


def _checked(A, B, U, b, V, c, X, y=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (A, B, U, b, V, c)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    A, B, U, b, V, c, X = [np.asarray(v, dtype) for v in (*floats, X)]
    y = None if y is None else np.asarray(y)
    sizes = _sizes(A.shape, B.shape, U.shape, b.shape, V.shape, c.shape, X.shape, getattr(y, "shape", None))
    if y is not None:
        if y.dtype.kind not in "iu":
            raise ValueError(f"y has dtype {y.dtype}; expected integers, the labels")
        y = y.astype(np.intp, copy=False)
        if y.view(np.uintp).max() >= sizes["C"]:  # negative ones are the largest of all
            raise ValueError(
                f"y holds labels from {y.min()} to {y.max()}; "
                f"expected 0 to C - 1 = {sizes['C'] - 1}"
            )
    return A, B, U, b, V, c, X, y


@lru_cache
def _sizes(A, B, U, b, V, c, X, y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("A", A, "HH"), ("B", B, "HH"), ("U", U, "DH"), ("b", b, "H"), ("V", V, "HC"), ("c", c, "C"), ("X", X, "ND"),
        ("y", y, "N"),
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
