"""Decimals as a user types them are the fractions that they are written as: 3 times 0.1 is 0.3, and 1.0 x is x."""

import numpy as np
import pytest
from sympy import Max, Piecewise, Rational, Sum, sqrt, tanh

import codegen
from derive import Network, mean
from derive.referee import TOLERANCE, disagreement


def _loss(of):
    net = Network("decimals", "A function of an array")
    (N,) = net.sizes("N")
    x = net.parameter("x", N)
    net.loss = mean(of(x))
    return net.backward()


@pytest.mark.parametrize(("typed", "exact"), [
    (lambda x: 0.1 * x**3, lambda x: Rational(1, 10) * x**3),
    (lambda x: x**2.0 + 1.0 * x, lambda x: x**2 + x),
    (lambda x: (x**2 + 1e-12)**0.5, lambda x: sqrt(x**2 + Rational(1, 10**12))),
    (lambda x: x * tanh(0.7978845608 * (x + 0.044715 * x**3)),
     lambda x: x * tanh(Rational("0.7978845608") * (x + Rational("0.044715") * x**3))),
])
def test_a_decimal_is_the_fraction_that_it_is_written_as(typed, exact):
    typed, exact = _loss(typed), _loss(exact)
    assert str(typed) == str(exact)
    assert codegen.source(typed) == codegen.source(exact)


def test_gelu_with_decimals_agrees_with_the_referee():
    program = _loss(lambda x: x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x**3))) / 2)
    assert max(disagreement(program, program).values()) <= TOLERANCE


@pytest.mark.parametrize("style", ["plain", "fast", "compiled", "scalar"])
def test_integers_longer_than_numpys_are_floats(style):
    net = Network("long", "What cannot be reached")
    x = net.parameter("x", 3)
    (i,) = net.indices(i=3)
    net.loss = Sum(Max(Piecewise((x[i], i >= 1), (-1e30, True)), -10**20) * 10**20, i)
    loss, grads = codegen.lambdify(net.backward(), style=style)(np.array([1.0, 2.0, 3.0]))
    assert loss == (2 + 3 - 1e20) * 1e20
    assert list(grads.x) == [0, 1e20, 1e20]
