"""What an input's note says its numbers are is what it is drawn as, and data that hide a mistake excuse nothing."""

import numpy as np
from sympy import Piecewise, Sum

from codegen.doctor import diagnose
from codegen.doctor.domains import narrower
from codegen.doctor.trials import points
from derive import Network, softplus
from tests.coursework.editing import edited


def spins(note=""):
    net = Network("spins", "Pseudo-likelihood of spins, one coupling for each pair")
    M, N = net.sizes("M N")
    h, J, s = net.parameter("h", N), net.parameter("J", N, N), net.input("s", M, N, note=note)
    m, r, i = net.indices(m=M, r=N, i=N)
    K = net.define("K", Piecewise((J[r, i], i > r), (J[i, r], i < r), (0, True)), over=(r, i))
    field = net.define("field", h[r] + Sum(K[r, i] * s[m, i], i), over=(m, r))
    net.loss = Sum(softplus(-2 * s[m, r] * field[m, r]), m, r)
    return net


def both_ways(h, J, s):
    K = np.triu(J, 1) + np.triu(J, 1).T
    z = 2 * s * (h + s @ K)
    back = -2 * s / (1 + np.exp(z))
    dK = back.T @ s
    return np.sum(np.log(1 + np.exp(-z))), {"h": back.sum(0), "J": np.triu(dK + dK.T, 1)}


def test_data_at_which_gradients_vanish_excuse_nothing():
    """Of one-hot rows all products of two spins are 0, and so are the gradients of what couples them."""
    for note in ("", "1 or -1"):
        assert diagnose(spins(note), both_ways).right
        found = diagnose(spins(note), edited(both_ways, ("np.triu(dK + dK.T, 1)", "np.triu(dK, 1)")))
        assert found.verdict == "wrong" and "dK" in str(found.findings[0]), found


def test_what_a_note_says_is_drawn_so():
    net = Network("noted")
    N = net.size("N")
    w = net.parameter("w", N)
    a, b = net.input("a", N, note="labels of 1 and -1"), net.input("b", N, note="1 or 0, the turn at each node")
    (n,) = net.indices(n=N)
    net.loss = Sum(w[n] ** 2 * (a[n] + b[n]), n)
    tried = points(net.backward())
    assert all(set(np.unique(p.arguments["a"])) <= {-1.0, 1.0} for p in tried)
    assert all(set(np.unique(p.arguments["b"])) <= {0.0, 1.0} for p in tried)
    assert not [words for words, _ in narrower(net.backward(), tried, True) if words.startswith(("a ", "b "))]
