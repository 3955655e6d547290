"""Two mistakes in one gradient, of which one is in some of its columns only."""

import numpy as np
from sympy import exp

from codegen.doctor import diagnose
from derive import Network, mean
from tests.coursework.editing import edited
from tests.test_repairs import examined


def both_heads():
    net = Network("both_heads", "A mean and the logarithm of a variance by one matrix")
    N, D = net.sizes("N D")
    W, X, y = net.parameter("W", D, 2), net.input("X", N, D), net.input("y", N)
    m, s = net.define("m", X @ W[:, 0]), net.define("s", X @ W[:, 1])
    net.loss = mean((y - m) ** 2 * exp(-s) + s)
    return net


def packed(W, X, y):
    N = len(X)
    m, s = X @ W[:, 0], X @ W[:, 1]
    r = y - m
    v = np.exp(s)
    loss = np.mean(r**2 / v + s)
    dm = -2 * r / v
    ds = 1 - r**2 / v
    back = np.stack([dm, ds], axis=1) / N
    return loss, {"W": X.T @ back}


def test_what_makes_some_columns_right_is_one_of_two():
    assert diagnose(both_heads(), packed).right
    wrong = edited(packed, ("axis=1) / N", "axis=1) / np.sqrt(N)"), ("1 - r**2 / v", "1 - r / v"))
    found, _ = examined(both_heads(), wrong)
    assert len(found) == 2, found
    assert any("np.sqrt(N)" in f.words for f in found) and any("`r` should be `r ** 2`" in f.words for f in found), found
