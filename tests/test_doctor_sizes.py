"""Sizes at which code is tried: none that leave an axis of one entry where others show more."""

import numpy as np
from sympy import Sum

from codegen.doctor import diagnose
from derive import Network, mean


def _halved():
    """The means of pairs of rows and columns of what is inside an image's border."""
    net = Network("halved", "Means of pairs, and a linear layer of them all in one row")
    U, V, F = net.sizes("U V F")
    I, J = net.size("I", (U - 2) // 2), net.size("J", (V - 2) // 2)
    L = net.size("L", I * J * F)
    x, w, y = net.parameter("x", U, V, F), net.parameter("w", L), net.input("y")
    i, j, f, r, s = net.indices(i=I, j=J, f=F, r=2, s=2)
    P = net.define("P", Sum(x[2 * i + r + 1, 2 * j + s + 1, f], r, s) / 4, over=(i, j, f))
    p = net.define("p", Sum(P[i, j, f] * w[(i * J + j) * F + f], i, j, f))
    net.loss = mean((p - y) ** 2) / 2
    return net


def _gradients(x, w, y, unflattened):
    U, V, F = x.shape
    I, J = (U - 2) // 2, (V - 2) // 2
    P = x[1:2 * I + 1, 1:2 * J + 1].reshape(I, 2, J, 2, F).mean(axis=(1, 3))
    e = P.reshape(-1) @ w - y
    dx = np.zeros_like(x)
    dx[1:2 * I + 1, 1:2 * J + 1] = np.repeat(np.repeat(unflattened(e * w, I, J, F) / 4, 2, axis=0), 2, axis=1)
    return e**2 / 2, {"x": dx, "w": e * P.reshape(-1)}


def test_an_order_of_axes_shows_where_halves_of_sizes_are_more_than_one():
    right = diagnose(_halved(), lambda x, w, y: _gradients(x, w, y, lambda d, I, J, F: d.reshape(I, J, F)))
    assert right.right, str(right)
    wrong = diagnose(_halved(), lambda x, w, y: _gradients(
        x, w, y, lambda d, I, J, F: d.reshape(F, I, J).transpose(1, 2, 0)), seconds=1)
    assert wrong.verdict == "wrong" and wrong.disagreements["x"] > 0.1 > wrong.disagreements["w"], str(wrong)


def upsampled(x, w, target):
    wide = np.repeat(x, 3, axis=1)
    gap = wide * w - target
    return np.sum(gap**2) / 2, (gap * w).reshape(*x.shape, 3).sum(axis=-1), np.sum(gap * wide)


def test_a_place_may_be_a_quotient_rounded_down():
    net = Network("upsampled")
    N, U = net.sizes("N U")
    x, w, target = net.parameter("x", N, U), net.parameter("w"), net.input("target", N, 3 * U)
    n, i = net.indices(n=N, i=3 * U)
    wide = net.define("wide", x[n, i // 3], over=(n, i))
    net.loss = Sum((wide[n, i] * w - target[n, i]) ** 2, n, i) / 2
    assert diagnose(net, upsampled).right
    found = diagnose(net, lambda x, w, target: (*upsampled(x, w, target)[:2], -upsampled(x, w, target)[2]))
    assert not found.right and "sign" in str(found)
