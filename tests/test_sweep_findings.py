"""What sweeps of random programs found, each fault in the smallest program that has it; PyTorch is the judge."""

import pytest
from sympy import Sum, exp, tanh

from derive import Network, padded, relu, sigmoid, softplus

pytest.importorskip("tests.torch_programs", reason="PyTorch is an extra", exc_type=ImportError)

from tests import sweep


def _first_row_shifted(shift):
    """The first row of a state reads an array at shifted places."""
    net = Network("first_row")
    A, C = net.sizes("A C")
    a, c = net.indices(a=A, c=C)
    w, v = net.parameter("w", C), net.parameter("v", A)
    h = net.state("h", A, C, initial=padded(w)[c + shift])
    net.define(h, tanh(h[a - 1, c] + v[a]), over=(a, c))
    net.loss = Sum(h[a, c] ** 2, a, c)
    return net


def _last_row_unset():
    """What counts at all turns but the last is known before the loop; the last row holds nothing then."""
    net = Network("last_row")
    A = net.size("A")
    (a,) = net.indices(a=A)
    w, v = net.parameter("w", A), net.parameter("v")
    h = net.state("h", A, initial=v)
    net.define(h, padded(w)[a + 1] * Sum(w[a], a) + sigmoid(h[a - 1]) * h[a - 1], over=a)
    net.loss = Sum(h[a] ** 2, a)
    return net


def _another_recurrence():
    """A recurrence reads another one, finished before, at shifted places inside a function."""
    net = Network("another")
    A, C = net.sizes("A C")
    a, c = net.indices(a=A, c=C)
    w = net.parameter("w", A, C)
    g = net.state("g", A, C, initial=w[0, c])
    net.define(g, tanh(g[a - 1, c] + w[a, c]), over=(a, c))
    h = net.state("h", A, C, initial=w[A - 1, c])
    net.define(h, tanh(relu(padded(g)[a - 1, c - 1]) + h[a - 1, c]), over=(a, c))
    net.loss = Sum(h[a, c] ** 2, a, c)
    return net


def _function_of_a_scalar(function):
    """A function of a parameter without axes is a factor of what is summed."""
    net = Network("scalar")
    A = net.size("A")
    (a,) = net.indices(a=A)
    w, u, x = net.parameter("w"), net.parameter("u"), net.input("x", A)
    v = net.define("v", padded(x)[a + 1] * x[a] * u * function(w), over=a)
    net.loss = Sum(v[a] ** 2, a)
    return net


NETWORKS = {
    "the row above": lambda: _first_row_shifted(-1),
    "the row below": lambda: _first_row_shifted(1),
    "the last row": _last_row_unset,
    "another recurrence": _another_recurrence,
    **{f.__name__: lambda f=f: _function_of_a_scalar(f) for f in (relu, sigmoid, softplus, exp)},
    "softplus of 0": lambda: _function_of_a_scalar(lambda w: w * softplus(0)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_a_sweep_found_stays_mended(name):
    sweep.judge(NETWORKS[name](), {"A": 4, "C": 3}, judges=("torch", "differences"))
