"""Penalties of logistic regression, by the loss on examples held out: loss and gradients.

    s = X w                           (N,)   training scores
    sigmoid_s = sigmoid(s)            (N,)
    inner_w_s = 1/N (sigmoid_s - y)   (N,)
    exp_rho = exp(rho)                (D,)
    exp_rho * w = -X' inner_w_s       (D,)   weights that minimise the penalised loss
    z = V w                           (M,)   scores held out
    loss = 1/M sum_m softplus(z[m]) - t[m] * z[m]

Parameters  rho (D,); their dtype is the result's.
Inputs      X (N, D), y (N,), V (M, D), t (M,).
Outputs     w (D,), by `predict`.
Cost        D^2(4/3 D + 7N) operations, 8D(2M + 3N) bytes read and written, 8(2D + M + N) bytes kept for `backward`, to
            leading order; one step of Newton's method for w is counted.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/hyperparameters.py by `derive build hyperparameters`; do not edit.
The derivation is typeset in hyperparameters.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    rho: np.ndarray


def forward(rho, X, y, V, t):
    """Return the loss and the residuals that `backward` reads."""
    rho, X, y, V, t = _checked(rho, X, y, V, t)
    N = len(X)
    D = len(rho)

    exp_rho = np.exp(rho)                               # (D,)

    def newton_w(w):
        s = X @ w
        E_s = _capped_exp(s)
        sigmoid_s = E_s / (E_s + 1)
        inner_w_s = (sigmoid_s - y) / N
        residual_w = inner_w_s @ X + exp_rho * w
        weighted_X = (np.sqrt(sigmoid_s / (E_s + 1)) / N**0.5)[:, None] * X
        matrix_w = weighted_X.T @ weighted_X
        matrix_w[np.arange(D), np.arange(D)] += exp_rho
        step_w = _solved("w", matrix_w, residual_w)
        return residual_w, step_w, matrix_w
    w, matrix_w = _newton("w", newton_w, np.zeros((D,), X.dtype))  # (D,), (D, D)
    z = V @ w                                           # (M,)
    exp_z = _capped_exp(z)                              # (M,)
    loss = _mean(_softplus_at(exp_z, z) - t * z)
    return loss, (V, t, w, exp_rho, matrix_w, exp_z)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    V, t, w, exp_rho, matrix_w, exp_z = residuals
    M = len(V)

    # loss = 1/M sum_m softplus(z[m]) - t[m] * z[m]
    dz = (_sigmoid_at(exp_z) - t) / M                   # (M,)
    # s = X w
    lam_w = _solved("lam_w", matrix_w.T, dz @ V)        # (D,)
    # z = V w
    # exp_rho * w = -X' inner_w_s
    drho = -exp_rho * lam_w * w                         # (D,)
    return Params(drho)


def loss_and_grads(rho, X, y, V, t):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(rho, X, y, V, t)
    return loss, backward(residuals)


def predict(rho, X, y):
    """Return the weights that minimise the penalised loss w (D,)."""
    rho, X, y, _, _ = _checked(rho, X, y)
    N = len(X)
    D = len(rho)

    exp_rho = np.exp(rho)                               # (D,)

    def newton_w(w):
        s = X @ w
        E_s = _capped_exp(s)
        sigmoid_s = E_s / (E_s + 1)
        inner_w_s = (sigmoid_s - y) / N
        residual_w = inner_w_s @ X + exp_rho * w
        weighted_X = (np.sqrt(sigmoid_s / (E_s + 1)) / N**0.5)[:, None] * X
        matrix_w = weighted_X.T @ weighted_X
        matrix_w[np.arange(D), np.arange(D)] += exp_rho
        step_w = _solved("w", matrix_w, residual_w)
        return residual_w, step_w
    return _newton("w", newton_w, np.zeros((D,), X.dtype))


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


def _checked(rho, X, y, V=None, t=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (rho,)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    rho, X, y = [np.asarray(v, dtype) for v in (*floats, X, y)]
    V = None if V is None else np.asarray(V, dtype)
    t = None if t is None else np.asarray(t, dtype)
    _sizes(rho.shape, X.shape, y.shape, getattr(V, "shape", None), getattr(t, "shape", None))
    return rho, X, y, V, t


@lru_cache
def _sizes(rho, X, y, V, t):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (
        ("rho", rho, "D"), ("X", X, "ND"), ("y", y, "N"), ("V", V, "MD"), ("t", t, "M"),
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
