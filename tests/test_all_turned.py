"""All gradients are so many times what they should be, a likelihood climbed, say, and something else is wrong."""

import numpy as np
import pytest
from sympy import exp

from codegen.doctor import diagnose
from derive import Network, total

SLIPS = {       # in the code below: what the first mistake is left with, and what is told of the other one
    "ds = 2 * s * m": ("ds = s * m", "ds: a factor 1/2 too many, or a factor 2 is missing"),
    "+ s**2 * m": ("", "deta: the term -s[n]^2 * exp_eta[n] is missing"),
    "2 * lam * u": ("lam * u", "du: the term -2 lam * u[d] is 1/2 times what it should be"),
}


def poisson():
    net = Network("poisson", "A Poisson regression with a squared offset and priors: several sources of gradients")
    N, D = net.sizes("N D")
    w, b, u = net.parameter("w", D), net.parameter("b"), net.parameter("u", D)
    X, y, lam = net.input("X", N, D), net.input("y", N), net.input("lam")
    eta = net.define("eta", X @ w + b)
    s = net.define("s", X @ u)
    net.loss = total(exp(eta) - y * eta) + total(s**2 * exp(eta)) + lam / 2 * total(w**2) + lam * total(u**2)
    return net


CODE = """
def by_hand(w, b, u, X, y, lam):
    eta, s = X @ w + b, X @ u
    m = np.exp(eta)
    d = m - y + s**2 * m
    ds = 2 * s * m
    return {"w": -(X.T @ d + lam * w), "b": -d.sum(), "u": -(X.T @ ds + 2 * lam * u)}
"""


def written(code):
    scope = {"np": np}
    exec(code, scope)
    return scope["by_hand"]


def test_all_signs_turned_are_one_mistake():
    told = diagnose(poisson(), written(CODE))
    assert told.verdict == "wrong" and len(told.findings) == 1
    assert "all signs are turned" in str(told.findings[0])


@pytest.mark.parametrize("old", SLIPS)
def test_what_else_is_wrong_is_told_beside_it(old):
    new, words = SLIPS[old]
    assert old in CODE
    told = diagnose(poisson(), written(CODE.replace(old, new)))
    assert told.kinds[0] == "sign" and len(told.findings) == 2, str(told)
    assert "all signs are turned" in str(told.findings[0]) and words in str(told.findings[1])


def test_one_number_for_all_and_a_term_lost_where_no_gradient_shows_either_alone():
    net = Network("prior", "A Poisson regression with a prior")
    N, D = net.sizes("N D")
    w = net.parameter("w", D)
    X, y, lam = net.input("X", N, D), net.input("y", N), net.input("lam")
    eta = net.define("eta", X @ w)
    net.loss = total(exp(eta) - y * eta) + lam / 2 * total(w**2)

    told = diagnose(net, lambda w, X, y, lam: {"w": (X.T @ np.exp(X @ w) + lam * w) / len(y)})
    assert "unknown" not in told.kinds and len(told.findings) == 2, str(told)
    assert "a division by N too many" in str(told) and "y[n] is missing" in str(told)
