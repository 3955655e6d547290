"""What sweeps found about places: labels and slices at the edges, brackets and what stands in them twice."""

import pytest
from sympy import Piecewise, Sum, floor, sqrt, tanh

from derive import LogSumExp, Maximum, Network, padded, relu

pytest.importorskip("tests.torch_programs", reason="PyTorch is an extra", exc_type=ImportError)

from tests import sweep_judges


def _labels_in_a_choice(A, B, C, P, I, net):
    """The adjoint of a log-sum-exp of guarded reads chooses between terms that read labels one row on."""
    a, b = net.indices(a=A, b=B)
    w, u, y = net.parameter("w", A, B), net.parameter("u", B), net.labels("y", A, classes=B)
    v = net.define("v", LogSumExp(padded(w)[a - 1, y[a]] + 2 * padded(u)[b + 1], a), over=b)
    return Sum(v[b] ** 2, b)


def _labels_of_the_row_before_the_first(A, B, C, P, I, net):
    """The adjoint of a state has a row -1, which has no label; a choice that is no guard says so."""
    a, b = net.indices(a=A, b=B)
    w, y = net.parameter("w", B, A), net.labels("y", A, classes=B)
    h = net.state("h", A, initial=w[0, 0])
    net.define(h, tanh(h[a - 1] + w[0, a]), over=a)
    v = net.define("v", Piecewise((w[0, a] * h[a], b >= 1), (w[y[a], A - 1] * h[a], True)), over=(a, b))
    return Sum(v[a, b] ** 2, a, b)


def _windows_backwards(A, B, C, P, I, net):
    """The adjoint of what is read backwards takes windows of stride 2 backwards, down to the first row."""
    b, i = net.indices(b=B, i=I)
    w, k = net.parameter("w", A), net.parameter("k", I)
    v = net.define("v", tanh(padded(w)[2 * i + b - P] * k[I - 1 - i]), over=(i, b))
    return Sum(v[i, b] ** 2, i, b)


def _minus_before_a_bracket(A, B, C, P, I, net):
    """An adjoint begins with a product of a comparison and a vector; NumPy has no minus for True."""
    a, b = net.indices(a=A, b=B)
    w, u, y = net.parameter("w", A), net.parameter("u", C, B), net.labels("y", A, classes=B)
    v = net.define("v", (w[a] - u[0, y[a]]) * relu(padded(w)[a - 1]), over=(a, b))
    return Sum(v[a, b] ** 2, a, b)


def _terms_of_a_maximum_twice(A, B, C, P, I, net):
    """What a maximum is taken of stands beside it too: it has one name, and one adjoint."""
    a, b = net.indices(a=A, b=B)
    (a2,) = net.indices(a2=A)
    w, x = net.parameter("w", A, B), net.input("x", A, B)
    v = net.define("v", sqrt(w[a, b] ** 2 + 1) - Maximum(sqrt(w[a2, b] ** 2 + 1), a2), over=(a, b))
    return Sum((v[a, b] - x[a, b]) ** 2, a, b)


def _counted_by_an_index(A, B, C, P, I, net):
    """A sum counts by the index that the axis of an array is called by, which is read at labels."""
    a, b = net.indices(a=A, b=B)
    w, y = net.parameter("w", B), net.labels("y", A, classes=B)
    v = net.define("v", Sum(w[b] + 2 * w[y[a]], b), over=a)
    return Sum(v[a] ** 2, a)


def _halves_from_the_end(A, B, C, P, I, net):
    """Rows are chosen by halves counted from the end: each is chosen twice."""
    a, c = net.indices(a=A, c=C)
    w, x = net.parameter("w", A, C), net.input("x", A)
    v = net.define("v", w[floor((A - 1 - a) / 2), floor(c / 2)] * x[a], over=(a, c))
    return Sum(v[a, c] ** 2, a, c)


def _fractions_of_an_index(A, B, C, P, I, net):
    """An index in a sum is divided by a number."""
    (a,) = net.indices(a=A)
    w = net.parameter("w", A)
    v = net.define("v", w[a] * (a / 2 + 1) + w[a] ** 2 * floor((A - a) / 3), over=a)
    return Sum(v[a] ** 2, a)


NETWORKS = {f.__name__.strip("_"): f for f in (
    _labels_in_a_choice, _labels_of_the_row_before_the_first, _windows_backwards, _minus_before_a_bracket,
    _terms_of_a_maximum_twice, _counted_by_an_index, _halves_from_the_end, _fractions_of_an_index)}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("sizes", [{"A": 4, "B": 3, "C": 3, "P": 1, "I": 2}, {"A": 3, "B": 3, "C": 2, "P": 0, "I": 1}])
def test_what_a_sweep_found_stays_mended(name, sizes):
    net = Network(name)
    A, B, C = net.sizes("A B C")
    P = net.size("P", least=0)
    net.loss = NETWORKS[name](A, B, C, P, net.size("I", (A + 2 * P - B) // 2 + 1), net)
    judges = ("torch", "referee") if NETWORKS[name] is _terms_of_a_maximum_twice else ("torch", "differences")
    sweep_judges.judge(net, sizes, judges=judges)
