"""One sigmoid neuron with half the squared error: loss and gradients.

    z = W' X
    r = sigmoid(z)
    loss = 1/2 (y - r)^2

Parameters  W (D,); their dtype is the result's.
Inputs      X (D,), y, a scalar.
Outputs     r, a scalar, by `predict`.
Cost        3D operations, 32D bytes read and written, 8 bytes kept for `backward`, to leading order.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/neuron.py by `derive build neuron`; do not edit.
The derivation is typeset in neuron.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    W: np.ndarray


def forward(W, X, y):
    """Return the loss and the residuals that `backward` reads."""
    W, X, y = _checked(W, X, y)

    z = X @ W
    r = _sigmoid(z)
    loss = (y - r)**2 / 2
    return loss, (X, y, z, r)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    X, y, z, r = residuals

    # loss = 1/2 (y - r)^2
    dr = r - y
    # r = sigmoid(z)
    dz = dr * _sigmoid_slope(z)
    # z = W' X
    dW = dz * X                                         # (D,)
    return Params(dW)


def loss_and_grads(W, X, y):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(W, X, y)
    return loss, backward(residuals)


def predict(W, X):
    """Return r."""
    W, X, _ = _checked(W, X)

    z = X @ W
    return _sigmoid(z)


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _sigmoid(x):
    """Return 1 / (1 + exp(-x)), exact to the last digits at both ends."""
    with np.errstate(over="ignore"):                    # 1 / inf is the 0 that it should be
        return 1 / (1 + np.exp(-x))


def _sigmoid_slope(x):
    """Return the derivative of the sigmoid, exact to the last digits at both ends, where s (1 - s) is not."""
    e = np.exp(-np.abs(x))
    return e / (1 + e)**2


def _checked(W, X, y=None):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [np.asarray(p) for p in (W,)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    W, X = [np.asarray(v, dtype) for v in (*floats, X)]
    y = None if y is None else np.asarray(y, dtype)
    _sizes(W.shape, X.shape, getattr(y, "shape", None))
    return W, X, y


@lru_cache
def _sizes(W, X, y):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (("W", W, "D"), ("X", X, "D"), ("y", y, "")):
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
