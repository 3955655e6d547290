"""Alignment of two sequences by a dynamic programme: its log likelihood; loss and gradients.

    S[i, j, n] = sum_{d, e} x[i, n, d] * y[j, n, e] * W[d, e]                  (I, J, N)   scores of pairs
    V[-1, m, n] = -g * m                                                       (I, M, N)
        (value of the first i + 1 against the first m)
    V[i, m, n] = (softplus(softplus(S[i, m - 1, n] + V[i - 1, m - 1, n] + g - V[i, m - 1, n])   (I, M, N)
        + V[i, m - 1, n] - V[i - 1, m, n]) + V[i - 1, m, n] - g if m >= 1 else g * (-i - 1))
        (value of the first i + 1 against the first m)
    loss = -1/N sum_n V[I - 1, J, n]

Parameters  W (D, E), g, a scalar; their dtype is the result's.
Inputs      x (I, N, D), y (J, N, E).
where       M = J + 1.
Cost        6DEIJN operations, 8N(2DI + 2EJ + 7IJ + 10IM) bytes read and written, 8IN(J + M) bytes kept for `backward`,
            to leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/alignment.py by `derive build alignment`; do not edit.
The derivation is typeset in alignment.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W: np.ndarray
    g: np.ndarray


def forward(W, g, x, y):
    """Return the loss and the residuals that `backward` reads."""
    W, g, x, y = _checked(W, g, x, y)
    I = len(x)
    J = len(y)
    N = x.shape[1]
    M = J + 1

    S = ((x @ W).transpose(1, 0, 2) @ y.transpose(1, 2, 0)).transpose(1, 2, 0)  # (I, J, N)
    V = np.empty((I + 1, M, N), g.dtype)                # (I + 1, M, N)
    V[0] = (-g * np.arange(M, dtype=g.dtype))[:, None]
    for i in range(I):
        for m in range(M):
            if m <= 0:
                V[i + 1, m] = (-i - 1) * g
            else:
                V[i + 1, m] = np.logaddexp(V[i, m], np.logaddexp(V[i + 1, m - 1], S[i, m - 1] + V[i, m - 1] + g)) - g
    loss = -_mean(V[I, J])
    return loss, (g, x, y, S, V)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    g, x, y, S, V = residuals
    I = len(x)
    J = len(y)
    N = x.shape[1]
    D = x.shape[2]
    E = y.shape[2]
    M = V.shape[1]

    dV = np.zeros((I + 1, M, N), V.dtype)               # (I + 1, M, N)
    dV[I, J] -= 1 / N
    for i in reversed(range(I)):
        for m in reversed(range(M)):
            # V[i, m, n] = (softplus(softplus(S[i, m - 1, n] + V[i - 1, m - 1, n] + g - V[i, m - 1, n])
            #     + V[i, m - 1, n] - V[i - 1, m, n]) + V[i - 1, m, n] - g if m >= 1 else g * (-i - 1))
            if m >= 1:
                dV[i + 1, m - 1] += (
                    dV[i + 1, m] * _sigmoid(np.logaddexp(V[i + 1, m - 1], S[i, m - 1] + V[i, m - 1] + g) - V[i, m])
                    * _sigmoid(V[i + 1, m - 1] - S[i, m - 1] - V[i, m - 1] - g)
                )
        dV[i, 1:] += dV[i + 1, 1:] * _sigmoid(V[i, 1:] - np.logaddexp(V[i + 1, :-1], S[i, :M - 1] + V[i, :-1] + g))
        dV[i, :-1] += (
            dV[i + 1, 1:] * _sigmoid(np.logaddexp(V[i + 1, :-1], S[i, :M - 1] + V[i, :-1] + g) - V[i, 1:])
            * _sigmoid(S[i, :M - 1] + V[i, :-1] + g - V[i + 1, :-1])
        )
    # V[-1, m, n] = -g * m
    V_padded = np.pad(V, ((0, 0), (1, 0), (0, 0)))      # (I + 1, M + 1, N)
    S_padded = np.pad(S, ((0, 0), (1, 0), (0, 0)))      # (I, J + 1, N)
    dg = (
        np.where(
            (np.arange(M) >= 1)[:, None],
            dV[1:]
            * (
                _sigmoid(np.logaddexp(V_padded[1:, :-1], S_padded[:, :M] + V_padded[:-1, :-1] + g) - V[:-1])
                * _sigmoid(S_padded[:, :M] + V_padded[:-1, :-1] + g - V_padded[1:, :-1])
                - 1
            ),
            (-np.arange(I) - 1).astype(dV.dtype)[:, None, None] * dV[1:]
        ).sum()
        - np.arange(M, dtype=dV.dtype) @ np.sum(dV[0], axis=1)
    )
    # V[i, m, n] = (softplus(softplus(S[i, m - 1, n] + V[i - 1, m - 1, n] + g - V[i, m - 1, n]) + V[i, m - 1, n]
    #     - V[i - 1, m, n]) + V[i - 1, m, n] - g if m >= 1 else g * (-i - 1))
    dS = (
        dV[1:, 1:1 + J] * _sigmoid(np.logaddexp(V[1:, :J], S + V[:-1, :J] + g) - V[:-1, 1:1 + J])
        * _sigmoid(S + V[:-1, :J] + g - V[1:, :J])
    )                                                   # (I, J, N)
    # S[i, j, n] = sum_{d, e} x[i, n, d] * y[j, n, e] * W[d, e]
    dW = (x.transpose(1, 2, 0) @ dS.transpose(2, 0, 1)).transpose(1, 2, 0).reshape(D, -1) @ y.reshape(-1, E)  # (D, E)
    return Params(dW, dg)


def loss_and_grads(W, g, x, y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W, g, x, y)
    return loss, backward(residuals)


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _sigmoid(x):
    """Return 1 / (1 + exp(-x)), exact to the last digits at both ends."""
    with np.errstate(over="ignore"):                    # 1 / inf is the 0 that it should be
        return 1 / (1 + np.exp(-x))


def _mean(x):
    """Return the mean of all entries: np.mean takes three times as long on a few numbers."""
    return x.sum() / x.size


def _checked(W, g, x, y):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [p if isinstance(p, int | float) else np.asarray(p) for p in (W, g)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W, g, x, y = [np.asarray(v, dtype) for v in (*floats, x, y)]
    _sizes(W.shape, g.shape, x.shape, y.shape)
    return W, g, x, y


@lru_cache
def _sizes(W, g, x, y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (("W", W, "DE"), ("g", g, ""), ("x", x, "IND"), ("y", y, "JNE")):
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
