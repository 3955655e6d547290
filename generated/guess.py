"""Guessing a number by gradient descent: loss and gradients.

    loss = 1/2 (g - target)^2

Parameters  g, a scalar; their dtype is the result's.
Inputs      target, a scalar.
Cost        6 operations, 48 bytes read and written, 0 bytes kept for `backward`.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/guess.py by `derive build guess`; do not edit.
The derivation is typeset in guess.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    g: np.ndarray


def forward(g, target):
    """Return the loss and the residuals that `backward` reads."""
    g, target = _checked(g, target)

    loss = (g - target)**2 / 2
    return loss, (g, target)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    g, target = residuals

    # loss = 1/2 (g - target)^2
    dg = g - target
    return Params(dg)


def loss_and_grads(g, target):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(g, target)
    return loss, backward(residuals)


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _checked(g, target):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [p if isinstance(p, int | float) else np.asarray(p) for p in (g,)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    g, target = [np.asarray(v, dtype) for v in (*floats, target)]
    _sizes(g.shape, target.shape)
    return g, target


@lru_cache
def _sizes(g, target):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    for name, shape, axes in (("g", g, ""), ("target", target, "")):
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
