"""Two links of a chain: loss and gradients.

    y = x^2
    z = 2 y
    loss = z

Parameters  x, a scalar; their dtype is the result's.
Cost        3 operations, 64 bytes read and written, 0 bytes kept for `backward`.

dV is the adjoint of V: the gradient of the loss with respect to V, in V's shape.
Generated from derive/networks/chain.py by `derive build chain`; do not edit.
The derivation is typeset in chain.tex.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters, or anything with one entry for each of them: gradients, updates."""

    x: np.ndarray


def forward(x):
    """Return the loss and the residuals that `backward` reads."""
    (x,) = _checked(x)

    y = x**2
    z = 2 * y
    loss = z
    return loss, (x,)


def backward(residuals):
    """Return the gradients: each line of `forward` reversed in turn."""
    (x,) = residuals

    # loss = z
    # z = 2 y
    # y = x^2
    dx = 4 * x
    return Params(dx)


def loss_and_grads(x):
    """Return the loss and its gradients, a `Params`."""
    loss, residuals = forward(x)
    return loss, backward(residuals)


def sgd_step(params, grads, learning_rate):
    """Return the parameters moved against their gradients: W - learning_rate dW."""
    return Params(*(p - g.dtype.type(learning_rate) * g for p, g in zip(params, grads, strict=True)))


def _checked(x):
    """Return the arguments as arrays; raise ValueError where a shape, a size or a label is wrong."""
    floats = [p if isinstance(p, int | float) else np.asarray(p) for p in (x,)]
    dtype = np.result_type(*floats)
    if dtype.kind not in "fc":
        dtype = np.float64
    (x,) = [np.asarray(v, dtype) for v in floats]
    _sizes(x.shape)
    return (x,)


@lru_cache
def _sizes(x):
    """Return the sizes by name, given shapes; raise ValueError where one does not fit those before it."""
    sizes = {}
    _match("x", x, "", sizes)
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
