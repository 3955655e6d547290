"""The doctor names sums over an axis too many, which broadcast back, by formulas and by edits of axes."""

import ast

import numpy as np
import pytest
from sympy import sqrt

from codegen.doctor import diagnose
from codegen.doctor.reductions import over_axes
from derive import Network, mean, total
from tests.coursework.editing import edited


def group_norm():
    net = Network("groups", "Rows of each group normalised for themselves")
    N, G, K = net.sizes("N G K")
    X, gamma, dout = net.parameter("X", N, G, K), net.parameter("gamma", G, 1), net.input("dout", N, G, K)
    R = net.define("R", X - mean(X, axis=2, keepdims=True))
    v = net.define("v", mean(R**2, axis=2, keepdims=True))
    net.loss = total(dout * gamma * R / sqrt(v + 0.001))
    return net


def by_hand(X, gamma, dout):
    R = X - X.mean(axis=2, keepdims=True)
    s = np.sqrt((R**2).mean(axis=2, keepdims=True) + 0.001)
    dR = dout * gamma / s
    dv = (-dR * R / (2 * s**2)).sum(axis=2, keepdims=True)
    dR = dR + 2 * dv * R / X.shape[2]
    dX = dR - dR.mean(axis=2, keepdims=True)
    return np.sum(dout * gamma * R / s), (dX, (dout * R / s).sum(axis=(0, 2))[:, None])


@pytest.mark.parametrize(("axes", "told"), [
    ("(0, 2)", "dv: it is summed over n too, and broadcast back"),
    ("(0, 1, 2)", "dv: it is summed over n and g too, and broadcast back"),
])  # fmt: skip
def test_a_variance_of_the_whole_batch(axes, told):
    assert diagnose(group_norm(), by_hand).right
    wrong = edited(by_hand, ("s**2)).sum(axis=2,", f"s**2)).sum(axis={axes},"))
    diagnosis = diagnose(group_norm(), wrong)
    assert len(diagnosis.findings) == 1 and told in str(diagnosis), str(diagnosis)


@pytest.mark.parametrize(("call", "meant"), [
    ("np.sum(a, axis=(0, 2, 3))", "np.sum(a, axis=(2, 3))"),
    ("a.mean((1, 3), keepdims=True)", "a.mean(axis=(0, 1, 3), keepdims=True)"),
    ("a.sum((1, 3))", "a.sum(axis=3)"),
])  # fmt: skip
def test_axes_one_more_or_one_less(call, meant):
    node = ast.parse(call, mode="eval").body
    assert meant in [ast.unparse(new) for new, *_ in over_axes(node, node.func.attr)]
