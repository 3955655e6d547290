"""Probit and Tobit models where the tail of the normal distribution is 0 for floats: mpmath's to the last digits."""

import mpmath
import numpy as np
import pytest
from sympy import Eq, Piecewise, Rational, erf, erfc, log, pi, sqrt

import codegen
from codegen.verify import finite_differences, referee
from derive import Network, mean, total

pytest.importorskip("scipy", reason="SciPy is an extra")

FAR = (-1e4, -40.0, -5.0, 0.0, 3.0, 40.0, 1e4)


def by_function(net, z, y):
    def below(z):
        return (1 + erf(z / sqrt(2))) / 2

    return -mean(y * log(below(z)) + (1 - y) * log(below(-z)))


def by_name(net, z, y):
    p = net.define("p", (1 + erf(z / sqrt(2))) / 2)
    return -mean(y * log(p) + (1 - y) * log(1 - p))


def by_tail(net, z, y):
    p = net.define("p", erfc(-z / sqrt(2)) / 2)
    return -mean(y * log(p) + (1 - y) * log(1 - p))


def by_choice(net, z, y):
    half = Rational(1, 2)
    return -mean(Piecewise((log(half * erfc(-z / sqrt(2))), Eq(y, 1)), (log(half * erfc(z / sqrt(2))), True)))


def probit(write):
    net = Network("probit", "Probit regression")
    N, D = net.sizes("N D")
    X, y, w = net.input("X", N, D), net.labels("y", N, classes=2), net.parameter("w", D)
    net.loss = write(net, net.define("z", X @ w), y)
    return net


def log_below(z):
    """Return the logarithm of the normal distribution function, and its derivative, to the last digits."""
    with mpmath.workdps(50):
        z = mpmath.mpf(float(z))
        below = mpmath.erfc(-z / mpmath.sqrt(2)) / 2
        return float(mpmath.log(below)), float(mpmath.exp(-z**2 / 2) / mpmath.sqrt(2 * mpmath.pi) / below)


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
@pytest.mark.parametrize("write", [by_function, by_name, by_tail, by_choice])
def test_a_probit_model_is_mpmaths_in_the_tails(write, style):
    f = codegen.lambdify(probit(write).backward(), style=style)
    for dtype in (np.float64, np.float32):
        for z in FAR:
            for label in (0, 1):
                with np.errstate(all="raise", under="ignore"):
                    loss, grads = f(np.array([z], dtype), np.ones((1, 1), dtype), np.array([label]))
                sign = 2 * label - 1
                value, slope = log_below(sign * z)
                tiny, eps = np.finfo(dtype).tiny, np.finfo(dtype).eps
                np.testing.assert_allclose([loss, grads.w[0]], [-value, -sign * slope], 32 * eps, tiny, err_msg=str(z))


@pytest.mark.parametrize("write", [by_function, by_name, by_tail, by_choice])
def test_both_judges_agree(write):
    net = probit(write)
    program = net.backward()
    assert referee(net, program).passed
    assert finite_differences(program, codegen.lambdify(program).module).passed


def test_a_tobit_model_is_mpmaths_where_what_is_censored_is_far():
    """Values below 0 are seen as 0: log(1 - Phi(x w / s)) there, a normal density elsewhere."""
    net = Network("tobit", "Tobit regression")
    N = net.size("N")
    x, y, w, s = net.input("x", N), net.input("y", N), net.parameter("w"), net.parameter("s")
    m = net.define("m", x * w / s)
    seen = log(s) + log(2 * pi) / 2 + (y / s - m) ** 2 / 2
    net.loss = total(Piecewise((-log(1 - erf(m / sqrt(2))) + log(2), y <= 0), (seen, True)))
    x0, y0 = np.array([60.0, 1.0, -2.0]), np.array([0.0, 1.5, 0.0])
    loss, grads = codegen.lambdify(net.backward())(1.2, 0.9, x0, y0)
    values, slopes = np.array([log_below(-m) for m in x0 * 1.2 / 0.9]).T
    density = np.log(0.9) + np.log(2 * np.pi) / 2 + (1.5 - 1.2) ** 2 / 0.81 / 2
    assert np.isclose(loss, density - values[0] - values[2], rtol=1e-13)
    assert np.isclose(grads.w, slopes[[0, 2]] @ x0[[0, 2]] / 0.9 - (1.5 - 1.2) / 0.81, rtol=1e-13)
