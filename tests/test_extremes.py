"""Values and gradients at arguments where the textbook's formula overflows or cancels, against mpmath.

Each function of z is told twice: as a user writes it, and as the terms of the sum that it is, by their definitions. A
result may be off by a few units in the last place of the largest of these terms, and of their derivatives.
"""

from functools import cache

import mpmath
import numpy as np
import pytest
from sympy import Abs, Piecewise, Rational, Sum, Symbol, cosh, diff, exp, lambdify, log, pi, sqrt, tanh

import codegen
from derive import (
    Network, binary_cross_entropy, cross_entropy, elu, gelu, gelu_tanh, logsumexp, mish, sigmoid, silu, softmax,
    softplus, softsign,
)

ULPS = 8
DIGITS = 9000                           # 1 - sigmoid(1e4) is 1e-4343, and its derivative no larger
POINTS = [sign * x for x in (1e4, 745.0, 40.0, 1.0, 1e-20, 0.0) for sign in (1, -1)]
every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])

z = Symbol("z", real=True)
logistic = 1 / (1 + exp(-z))
FUNCTIONS = {                           # as written; the terms of the sum that it is
    "sigmoid": (sigmoid, [logistic]),
    "1/(1 + exp(-z))": (lambda z: 1 / (1 + exp(-z)), [logistic]),
    "exp(z)/(1 + exp(z))": (lambda z: exp(z) / (1 + exp(z)), [logistic]),
    "1 - sigmoid": (lambda z: 1 - sigmoid(z), [1 / (1 + exp(z))]),
    "1 - 1/(1 + exp(-z))": (lambda z: 1 - 1 / (1 + exp(-z)), [1 / (1 + exp(z))]),
    "sigmoid squared": (lambda z: sigmoid(z) ** 2, [logistic**2]),
    "sigmoid (1 - sigmoid)": (lambda z: sigmoid(z) * (1 - sigmoid(z)), [logistic**2, logistic]),
    "softplus": (softplus, [log(1 + exp(z))]),
    "log(1 + exp(z))": (lambda z: log(1 + exp(z)), [log(1 + exp(z))]),
    "-log sigmoid": (lambda z: -log(sigmoid(z)), [log(1 + exp(-z))]),
    "-log(1/(1 + exp(-z)))": (lambda z: -log(1 / (1 + exp(-z))), [log(1 + exp(-z))]),
    "silu": (silu, [z * logistic]),
    "z/(1 + exp(-z))": (lambda z: z / (1 + exp(-z)), [z * logistic]),
    "tanh": (tanh, [tanh(z)]),
    "elu": (elu, [Piecewise((z, z > 0), (exp(z) - 1, True))]),
    "elu by cases": (lambda z: Piecewise((z, z > 0), (exp(z) - 1, True)), [Piecewise((z, z > 0), (exp(z) - 1, True))]),
    "gelu_tanh": (gelu_tanh, [z / 2, z * tanh(sqrt(2 / pi) * (z + Rational(44715, 1000000) * z**3)) / 2]),
    "gelu": (gelu, [z / 2, z * (1 + gelu(z) * 2 / z - 1) / 2]),
    "mish": (mish, [z * tanh(log(1 + exp(z)))]),
    "softsign": (softsign, [z / (1 + Abs(z))]),
    "log cosh": (lambda z: log(cosh(z)), [log(cosh(z)), log(2)]),
    "exp(-z**2)": (lambda z: exp(-(z**2)), [exp(-(z**2))]),
}
FLAT = {"tanh": [1, tanh(z) ** 2], "log cosh": [tanh(z), 1], "softsign": [1 / (1 + Abs(z)), Abs(z) / (1 + Abs(z)) ** 2]}


def scalar(write, *inputs):
    """Return the callable of a network of one parameter z, whose loss a function writes."""
    net = Network("scalar")
    net.loss = write(net.parameter("z"), *(net.input(name) for name in inputs))
    return codegen.lambdify(net.backward())
