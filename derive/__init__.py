"""Derive the gradients of a network symbolically: notation, programs, the rule, paper.

    >>> from derive import Network, mean, relu
    >>> net = Network("line")
    >>> N, D = net.sizes("N D")
    >>> X, y, w = net.input("X", N, D), net.input("y", N), net.parameter("w", D)
    >>> net.loss = mean((X @ w - y)**2)/2
    >>> print(net.backward().gradients["w"].rhs)
"""

from .arrays import (
    Array,
    binary_cross_entropy,
    cross_entropy,
    log_softmax,
    logsumexp,
    matmul,
    maximum,
    mean,
    softmax,
    total,
)
from .binders import FirstMaximum, LogSumExp, Maximum
from .errors import DefinitionError, DerivationError
from .functions import elu, gelu, gelu_tanh, leaky_relu, mish, relu, sigmoid, silu, softplus, softsign
from .joins import concatenate, cut
from .network import Network, padded
from .pipeline import derived
from .program import Equation, Program
from .rule import backward
from .simplify import simplified

__all__ = [
    "Array",
    "DefinitionError",
    "DerivationError",
    "Equation",
    "FirstMaximum",
    "LogSumExp",
    "Maximum",
    "Network",
    "Program",
    "backward",
    "binary_cross_entropy",
    "concatenate",
    "cross_entropy",
    "cut",
    "derived",
    "elu",
    "gelu",
    "gelu_tanh",
    "leaky_relu",
    "log_softmax",
    "logsumexp",
    "matmul",
    "maximum",
    "mean",
    "mish",
    "padded",
    "relu",
    "sigmoid",
    "silu",
    "simplified",
    "softmax",
    "softplus",
    "softsign",
    "total",
]
