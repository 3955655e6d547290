"""Small numbers that keep code in range are no mistake; larger ones are."""

import numpy as np
import pytest

from codegen.doctor import diagnose
from derive import Network, binary_cross_entropy, cross_entropy, mean
from derive.networks import named
from tests.coursework.editing import edited

FLOOR = 1e-9


def logistic(w, b, X, y):
    z = X @ w + b
    p = 1 / (1 + np.exp(-z))
    loss = -np.mean(y * np.log(p + 1e-8) + (1 - y) * np.log(1 - p + 1e-8))
    d = (p - y) / len(y)
    return loss, (X.T @ d, d.sum())


def divided(w, b, X, y, eps=1e-10):
    z = X @ w + b
    p = 1 / (1 + np.exp(-z))
    loss = -np.mean(y * np.log(p + eps) + (1 - y) * np.log(1 - p + eps))
    dp = (p - y) / (p * (1 - p) + eps) / len(y)
    d = dp * p * (1 - p)
    return loss, (X.T @ d, d.sum())


def by_a_name(w, b, X, y):
    z = X @ w + b
    p = 1 / (1 + np.exp(-z))
    loss = -np.mean(y * np.log(p + FLOOR) + (1 - y) * np.log(1 - p + FLOOR))
    d = (p - y) / len(y)
    return loss, (X.T @ d, d.sum())


@pytest.mark.parametrize(("code", "guard"), [
    (logistic, "1e-08 in line"), (divided, "1e-10 in line"), (by_a_name, "FLOOR = 1e-09")])
def test_code_is_judged_without_what_keeps_it_in_range(code, guard):
    found = diagnose(named("logistic_regression"), code)
    assert found.right and f"judged without what keeps it in range: {guard}" in str(found)
    assert FLOOR == 1e-9 and divided.__defaults__ == (1e-10,)
    z = np.array([-1.0, 0.5])
    assert code(z, 0.0, np.eye(2), np.array([0.0, 1.0]))[0] != code(z, 0.0, np.eye(2), np.array([1.0, 0.0]))[0]


def test_a_mistake_beside_it_is_named_and_the_code_is_as_it_was():
    slipped = edited(logistic, ("X.T @ d", "X.T @ d * len(y)"))
    ones = np.ones(2), 0.0, np.eye(2), np.zeros(2)
    before = slipped(*ones)[0]
    found = diagnose(named("logistic_regression"), slipped)
    assert found.verdict == "wrong" and len(found.findings) == 1 and "1/N" in str(found.findings[0])
    assert slipped(*ones)[0] == before == logistic(*ones)[0]


def test_a_larger_number_is_another_loss():
    found = diagnose(named("logistic_regression"), edited(logistic, ("p + 1e-8) + (1", "p + 1e-3) + (1")))
    assert found.verdict == "wrong" and "loss" in str(found.findings[0])


def clipped(W, X, y):
    rows = np.arange(len(X))
    Z = 40 * X @ W
    P = np.exp(Z - Z.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    loss = -np.log(np.clip(P[rows, y], 1e-15, 1)).mean()
    P[rows, y] -= 1
    return loss, 40 * X.T @ P / len(X)


def test_code_that_leaves_its_range_is_judged_where_it_is_in_it():
    net = Network("sharp", "Logits far from 0, as a product of two large matrices makes them")
    N, D, C = net.sizes("N D C")
    W, X, y = net.parameter("W", D, C), net.input("X", N, D), net.labels("y", N, classes=C)
    net.loss = mean(cross_entropy(net.define("Z", 40 * X @ W), y))

    found = diagnose(net, clipped)
    assert found.right and found.where in ("", " where parameters are small")
    found = diagnose(net, edited(clipped, ("40 * X.T", "X.T")))
    assert found.verdict == "wrong" and "40" in str(found)


def test_two_mistakes_beside_it_are_told_one_by_one():
    """The first makes all gradients wrong, the second one of them: neither makes one right to the last digit alone."""
    net = Network("doubled", "Logistic regression, half of it twice")
    N, D = net.sizes("N D")
    w, v, b = net.parameter("w", D), net.parameter("v", D), net.parameter("b")
    X, y = net.input("X", N, D), net.input("y", N)
    net.loss = mean(binary_cross_entropy(net.define("z", X @ (2 * w + v) + b), y))

    def by_hand(w, v, b, X, y):
        p = 1 / (1 + np.exp(-X @ (2 * w + v) - b))
        dp = -(y / (p + 1e-12) + (1 - y) / (1 - p + 1e-12))
        d = dp * p * (1 - p) / len(y)
        return 2 * X.T @ d, X.T @ d, d.mean()

    found = diagnose(net, by_hand)
    assert found.kinds == ("sign", "mean") and "1e-12" in str(found) and "parameters are small" not in str(found)
