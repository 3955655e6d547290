"""Neighbours beyond the border of a grid, of which there are none: read at the other end, as Python and np.roll do."""

import numpy as np

from codegen.doctor import diagnose
from derive import Network, total
from tests.coursework.editing import edited


def smooth():
    net = Network("smooth", "A smooth image beside a given one")
    H, W = net.sizes("H W")
    u, g, c = net.parameter("u", H, W), net.input("g", H, W), net.input("c")
    net.loss = (total((u - g) ** 2) + c * total((u[1:] - u[:-1]) ** 2) + c * total((u[:, 1:] - u[:, :-1]) ** 2)) / 2
    return net


def by_pixels(u, g, c):
    H, W = u.shape
    loss, du = np.sum((u - g) ** 2) / 2, u - g
    loss += c / 2 * (np.sum(np.diff(u, axis=0) ** 2) + np.sum(np.diff(u, axis=1) ** 2))
    for y in range(H):
        for x in range(W):
            if y > 0:
                du[y, x] += c * (u[y, x] - u[y - 1, x])
            if y < H - 1:
                du[y, x] += c * (u[y, x] - u[y + 1, x])
            if x > 0:
                du[y, x] += c * (u[y, x] - u[y, x - 1])
            if x < W - 1:
                du[y, x] += c * (u[y, x] - u[y, x + 1])
    return loss, {"u": du}


def rolled(u, g, c):
    loss = np.sum((u - g) ** 2) / 2
    loss += c / 2 * (np.sum(np.diff(u, axis=0) ** 2) + np.sum(np.diff(u, axis=1) ** 2))
    neighbours = sum(np.roll(u, by, axis=axis) for by in (1, -1) for axis in (0, 1))
    return loss, {"u": u - g + c * (4 * u - neighbours)}


def test_index_minus_1_is_the_last_one():
    assert diagnose(smooth(), by_pixels).right
    wrong = edited(by_pixels, ("if y > 0:", "if True:"), ("if x > 0:", "if True:"))
    assert "at the border the other end is read: index -1 is the last one" in str(diagnose(smooth(), wrong))


def test_rolling_reads_around_both_ends():
    assert "the other end is read: it is read around both ends" in str(diagnose(smooth(), rolled))
