"""Two summands in the place of one: the residual of another model's loss, named from the numbers alone."""

import math

import numpy as np
import pytest
from sympy import Sum, erf, log, sqrt

from codegen.doctor import diagnose
from codegen.doctor.domains import narrower
from codegen.doctor.trials import points
from codegen.doctor.two_summands import pairs
from derive import Network


@pytest.fixture(scope="module")
def probit():
    net = Network("probit", "Probit regression, labels of 1 and -1")
    N, D = net.sizes("N D")
    w, b, X, y = net.parameter("w", D), net.parameter("b"), net.input("X", N, D), net.input("y", N)
    (n,) = net.indices(n=N)
    f = net.define("f", X @ w + b)
    net.loss = -Sum(log((1 + erf(y[n] * f[n] / sqrt(2))) / 2), n)
    return net


def normal(z):
    return np.array([(1 + math.erf(v / math.sqrt(2))) / 2 for v in z])


def by_residuals(w, b, X, y):
    f = X @ w + b
    residual = normal(f) - (y + 1) / 2          # as if the link were a logistic loss's own
    return -np.sum(np.log(normal(y * f))), {"w": X.T @ residual, "b": np.sum(residual)}


def by_density(w, b, X, y):
    f = X @ w + b
    df = -y * np.exp(-f**2 * y**2 / 2) / np.sqrt(2 * np.pi) / normal(y * f)
    return -np.sum(np.log(normal(y * f))), {"w": X.T @ df, "b": np.sum(df)}


def test_the_residual_of_another_loss_is_told(probit):
    assert diagnose(probit, by_density).right
    found = diagnose(probit, by_residuals)
    assert found.verdict == "wrong" and "unknown" not in found.kinds
    assert "df: it is 1/2 (erf(1/sqrt(2) f[n]) - y[n]) where it should be" in str(found)


def test_pairs_that_give_a_target_are_found_and_no_others():
    random = np.random.default_rng(0)
    rows = random.normal(size=(20, 6))
    assert list(pairs(rows, 3 * rows[4] - rows[11] / 7)) == [(4, 11)]
    assert list(pairs(rows, rows[4])) == []                     # one does it alone
    assert list(pairs(rows, random.normal(size=6))) == []


def test_an_input_that_is_all_ones_is_not_told_to_be_0_or_1():
    """Where what must be positive was made 0 or 1, it was 1 everywhere, and hid what depends on it."""
    net = Network("weighted", "Squares over given variances")
    S = net.size("S")
    r, v = net.parameter("r", S), net.input("v", S, note="positive")
    (s,) = net.indices(s=S)
    net.loss = Sum(r[s] ** 2 / v[s], s)
    kinds = [words for words, _ in narrower(net.backward(), points(net.backward()), True)]
    assert "v is 0 or 1" not in kinds and "v is one-hot in each row" not in kinds
