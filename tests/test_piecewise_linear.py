"""Losses whose gradients do not move: second derivatives are zeros of the right shape, in modules and in notes."""

import numpy as np
import pytest

import codegen
from derive import Network, mean, relu, total
from derive.notes import note


def _network():
    """Mean absolute error, which is linear between its kinks, and a square that is not."""
    net = Network("absolute", "Mean absolute error of a linear model, and a square")
    N, D = net.sizes("N D")
    X, y = net.input("X", N, D), net.input("y", N)
    w, b, c = net.parameter("w", D), net.parameter("b"), net.parameter("c")
    net.loss = mean(abs(X @ w + b - y)) + 3 * c**2
    return net


ARGUMENTS = (np.ones(3), 1.0, 2.0, np.ones((4, 3)), np.zeros(4))


def test_the_product_with_a_direction():
    program = _network().hessian_vector_product()
    w, b, c = codegen.lambdify(program)(*ARGUMENTS, (np.ones(3), 1.0, 5.0))
    np.testing.assert_array_equal(w, np.zeros(3))
    assert b == 0 and c == 30
    assert "absolute" in note(program)


@pytest.mark.parametrize("derived", ["hessian", "hessian_trace"])
def test_the_hessian_and_its_trace(derived):
    found = codegen.lambdify(getattr(_network(), derived)())(*ARGUMENTS)
    if derived == "hessian_trace":
        assert found == 6
    else:
        np.testing.assert_array_equal(found.w_w, np.zeros((3, 3)))
        assert found.c_c == 6 and found.b_c == 0


def test_float32_stays_where_a_number_stands_before_a_mask():
    net = Network("margins", "Squared hinge of squared lengths")
    N, D, H = net.sizes("N D H")
    W, g, X = net.parameter("W", D, H), net.parameter("g", H), net.input("X", N, D)
    q = net.define("q", total(net.define("P", (X @ W) * g) ** 2, axis=1))
    net.loss = mean(relu(1 - q) ** 2)
    found = codegen.lambdify(net.hessian())(np.full((2, 3), 0.1, np.float32), np.ones(3, np.float32), np.ones((4, 2)))
    assert {block.dtype for block in found} == {np.dtype(np.float32)}
