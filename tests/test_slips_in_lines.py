"""Slips that are in the text alone: a letter of einsum, an attribute that another method sets, a line in a loop."""

import ast

import numpy as np
import pytest
from sympy import Eq, Ne, Piecewise, Sum, log

from codegen.doctor import diagnose
from codegen.doctor.edits import Surroundings
from codegen.doctor.subscripts import are_subscripts, off_diagonal, relettered
from derive import Network, mean, total
from tests.coursework.editing import edited
from tests.test_repairs import examined


@pytest.mark.parametrize(("wrong", "meant"), [
    ("bhss, bshm -> bshm", "bhsz, bzhm -> bshm"), ("ii,ij->ij", "ik,kj->ij"), ("ijj->i", "ijk->i"),
])
def test_a_diagonal_may_have_been_meant_to_be_all(wrong, meant):
    assert meant in set(off_diagonal(wrong, [wrong, meant]))


def test_letters_are_exchanged_whatever_spaces_there_are():
    assert "nk,dk -> nd" not in set(relettered("nk,kd->nd"))
    assert {"nk, dk -> nd", "kn, kd -> nd"} <= set(relettered("nk, kd -> nd"))


def scores():
    net = Network("scores", "A product of three")
    N, D, K = net.sizes("N D K")
    W, V, X = net.parameter("W", D, K), net.parameter("V", K, K), net.input("X", N, D)
    net.loss = total((X @ W @ V) ** 2) / 2
    return net


def by_einsum(W, V, X):
    Z = X @ W
    Y = np.einsum("nk, kj -> nj", Z, V)
    dZ = np.einsum("nj, kj -> nk", Y, V)
    return (Y**2).sum() / 2, {"W": X.T @ dZ, "V": np.einsum("nk, nj -> kj", Z, Y)}


def test_a_diagonal_in_the_text_is_told_with_what_it_should_be():
    told = diagnose(scores(), edited(by_einsum, ('"nj, kj -> nk"', '"nj, kk -> nk"')))
    assert told.verdict == "wrong" and "'nj, kj -> nk'" in str(told), str(told)


def normalised():
    net = Network("normalised", "All entries normalised together, one gain and one shift")
    N, D = net.sizes("N D")
    X, gain, shift = net.parameter("X", N, D), net.parameter("gain"), net.parameter("shift")
    dout = net.input("dout", N, D)
    mu = net.define("mu", mean(X))
    std = net.define("std", (mean((X - mu) ** 2) + 1e-5) ** 0.5)
    net.loss = total(dout * net.define("Y", gain * (X - mu) / std + shift))
    return net


class Normalisation:
    """One that knows its parameters; the way back reads another one."""

    def __init__(self, gain, shift):
        self.scale, self.offset = gain, shift

    def forward(self, X):
        self.std = np.sqrt(X.var() + 1e-5)
        self.normal, self.count = (X - X.mean()) / self.std, X.size
        return self.scale * self.normal + self.offset

    def backward(self, dout):
        d = self.offset * dout
        inner = (d * self.normal).sum() * self.normal
        return (d - (d.sum() + inner) / self.count) / self.std, (dout * self.normal).sum(), dout.sum()


def by_a_class(X, gain, shift, dout):
    layer = Normalisation(gain, shift)
    return (dout * layer.forward(X)).sum(), layer.backward(dout)


@pytest.mark.slow
def test_an_attribute_that_another_method_sets_is_what_should_be_read():
    told = diagnose(normalised(), by_a_class)
    assert told.verdict == "wrong" and "unknown" not in told.kinds, str(told)
    assert "`self.offset` should be `self.scale`" in str(told) or "shift is read where gain should be" in str(told)


def embedding():
    net = Network("embedding", "A neighbour embedding: KL of given similarities and those of the points")
    N, K = net.sizes("N K")
    Y, P = net.parameter("Y", N, K), net.input("P", N, N, note="positive")
    i, j, k, l, c = net.indices(i=N, j=N, k=N, l=N, c=K)
    near = net.define("near", Piecewise((1 / (1 + Sum((Y[i, c] - Y[j, c]) ** 2, c)), Ne(i, j)), (0, True)), over=(i, j))
    Q = net.define("Q", near[i, j] / Sum(near[k, l], k, l), over=(i, j))
    net.loss = -Sum(Piecewise((0, Eq(i, j)), (P[i, j] * log(Q[i, j]), True)), i, j)
    return net


def by_rows(Y, P):
    N = len(Y)
    Q, near = np.empty((N, N)), np.empty((N, N))
    for n in range(N):
        q = 1 / (1 + ((Y - Y[n]) ** 2).sum(axis=1))
        q[n] = 0
        near[n] = q
        q = q.copy()
        q /= q.sum()
        Q[n] = q
    off = ~np.eye(N, dtype=bool)
    weights = (P * off).sum() * Q - P * off
    weights = -(weights + weights.T) * near
    return -(P[off] * np.log(Q[off])).sum(), {"Y": 2 * (weights.sum(axis=1)[:, None] * Y - weights @ Y)}


@pytest.mark.slow
def test_what_is_done_to_each_row_should_be_done_to_all_of_them():
    told = diagnose(embedding(), by_rows)
    assert told.verdict == "wrong" and "come after the loop, for all of Q" in str(told), str(told)


def test_the_steps_that_other_methods_have_may_be_meant():
    forward = ast.parse("def forward(self, x): wide[:, ::self.step] = x").body[0]
    backward = ast.parse("def backward(self, d): return d[:, :n]").body[0]
    other = ast.parse("def other(k): return z[::k]").body[0]
    assert set(Surroundings.of(backward, [forward, other]).slices) == {":n", "::self.step"}


def test_several_terms_of_a_sum_forgotten_together():
    net = Network("paths", "Four paths to one array")
    (N,) = net.sizes("N")
    w, X, g = net.parameter("w", N), net.input("X", N, 4), net.input("g", N, 4)
    h = net.define("h", w * X[:, 0])
    parts = [net.define("p", h**2), net.define("q", h * X[:, 1]), net.define("r", X[:, 2] / (1 + h**2))]
    net.loss = total(g[:, 0] * parts[0] + g[:, 1] * parts[1] + g[:, 2] * parts[2] + g[:, 3] * h**3)

    def by_hand(w, X, g):
        h = w * X[:, 0]
        loss = np.sum(g[:, 0] * h**2 + g[:, 1] * h * X[:, 1] + g[:, 2] * X[:, 2] / (1 + h**2) + g[:, 3] * h**3)
        return loss, {"w": X[:, 0] * (2 * g[:, 0] * h + g[:, 1] * X[:, 1])}

    told = diagnose(net, by_hand)
    assert told.verdict == "wrong" and "are missing" in str(told), str(told)


def told_what_it_does(W, x):
    """x -> W x -> its sum of squares, and back."""
    y = W @ x
    return np.sum(y**2), {"W": np.outer(y, x)}


def test_arrows_in_a_text_are_no_subscripts():
    net = Network("arrows")
    D, K = net.sizes("D K")
    W, x = net.parameter("W", K, D), net.input("x", D)
    net.loss = total((W @ x) ** 2)
    found, _ = examined(net, told_what_it_does)
    assert len(found) == 1 and "2" in found[0].words, found
    assert are_subscripts("nk, kd -> nd") and are_subscripts("ij->") and not are_subscripts("a -> b -> c")
    assert not are_subscripts("x to y -> z")
