"""The doctor on products with a Hessian, written by hand."""

import re

import numpy as np
import pytest

from codegen.doctor import HessianProduct, diagnose
from derive import Network, binary_cross_entropy, mean


def logistic():
    net = Network("logistic")
    N, D = net.sizes("N D")
    w, X, y = net.parameter("w", D), net.input("X", N, D), net.input("y", N)
    net.loss = mean(binary_cross_entropy(net.define("z", X @ w), y))
    return net


def product(w, X, y, wdot):
    p = 1 / (1 + np.exp(-X @ w))
    return X.T @ (p * (1 - p) * (X @ wdot)) / len(X)


def unscaled(w, X, y, wdot):
    return len(X) * product(w, X, y, wdot)


def curvature_of_squares(w, X, y, wdot):
    return X.T @ (X @ wdot) / len(X)


def test_a_right_product_is_right():
    assert diagnose(HessianProduct(logistic()), product).right


@pytest.mark.parametrize(("function", "words"), [
    (unscaled, "dw is N times the derived gradient everywhere"),
    (curvature_of_squares, r"dz: it is 1/N zdot\[n\] where it should be 1/N sigmoid_z"),
])
def test_a_wrong_one_is_named(function, words):
    diagnosis = diagnose(HessianProduct(logistic()), function)
    assert diagnosis.verdict == "wrong" and "unknown" not in diagnosis.kinds, str(diagnosis)
    assert re.search(words, str(diagnosis.findings[0]))


def test_programs_are_refused_in_one_line():
    with pytest.raises(TypeError, match="Hessian of the loss; the doctor judges gradients"):
        diagnose(logistic().hessian(), product)
