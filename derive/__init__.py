"""Derive the gradients of a network symbolically: notation, programs, the rule, paper.

    >>> from derive import Network, mean, relu
    >>> net = Network("line")
    >>> N, D = net.sizes("N D")
    >>> X, y, w = net.input("X", N, D), net.input("y", N), net.parameter("w", D)
    >>> net.loss = mean((X @ w - y)**2)/2
    >>> print(net.backward().gradients["w"].rhs)
"""

from .activations import (
    celu,
    elu,
    gelu,
    gelu_tanh,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    logsigmoid,
    mish,
    prelu,
    relu6,
    selu,
    silu,
    softshrink,
    softsign,
    tanhshrink,
    threshold,
)
from .arrays import (
    Array,
    binary_cross_entropy,
    cross_entropy,
    log_softmax,
    logsumexp,
    matmul,
    maximum,
    mean,
    product,
    softmax,
    total,
    transpose,
)
from .binders import FirstMaximum, LogSumExp, Maximum, Product
from .determinants import LogDeterminant
from .errors import DefinitionError, DerivationError
from .functions import relu, sigmoid, softplus
from .joins import concatenate, cut
from .linear_algebra import cholesky, det, diagonal, eye, inverse, logdet, solve
from .losses import (
    absolute_error,
    cosine_embedding,
    cosine_similarity,
    gaussian_nll,
    hinge,
    huber,
    kl_divergence,
    margin_ranking,
    poisson_nll,
    smooth_l1,
    smoothed_cross_entropy,
    soft_margin,
    squared_error,
    triplet,
)
from .matrix_calculus import matrix_gradient, matrix_hessian, matrix_jacobian, network_of
from .network import Network
from .padding import padded
from .pipeline import derived
from .program import Equation, Program
from .rule import backward
from .simplify import simplified
from .slopes import derivative

__all__ = [
    "Array",
    "DefinitionError",
    "DerivationError",
    "Equation",
    "FirstMaximum",
    "LogDeterminant",
    "LogSumExp",
    "Maximum",
    "Network",
    "Product",
    "Program",
    "absolute_error",
    "backward",
    "binary_cross_entropy",
    "celu",
    "cholesky",
    "concatenate",
    "cosine_embedding",
    "cosine_similarity",
    "cross_entropy",
    "cut",
    "derivative",
    "derived",
    "det",
    "diagonal",
    "elu",
    "eye",
    "gaussian_nll",
    "gelu",
    "gelu_tanh",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge",
    "huber",
    "inverse",
    "kl_divergence",
    "leaky_relu",
    "log_softmax",
    "logdet",
    "logsigmoid",
    "logsumexp",
    "margin_ranking",
    "matmul",
    "matrix_gradient",
    "matrix_hessian",
    "matrix_jacobian",
    "maximum",
    "mean",
    "mish",
    "network_of",
    "padded",
    "poisson_nll",
    "prelu",
    "product",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "simplified",
    "smooth_l1",
    "smoothed_cross_entropy",
    "soft_margin",
    "softmax",
    "softplus",
    "softshrink",
    "softsign",
    "solve",
    "squared_error",
    "tanhshrink",
    "threshold",
    "total",
    "transpose",
    "triplet",
]
