"""Conditions on labels that are in range only where an index is: connectionist temporal classification, written so."""

from itertools import groupby, product

import numpy as np
import pytest
from sympy import And, Eq, KroneckerDelta, Ne, Or, Piecewise, Sum, exp, log

from codegen import lambdify
from derive import Network, padded

FORMS = {       # the probability a label before adds where it is another one
    "guarded": lambda a, y, t, j: Piecewise((a[t - 1, j - 1], And(j >= 1, Ne(y[j - 1], y[j]))), (0, True)),
    "refused": lambda a, y, t, j: Piecewise((0, Or(j < 1, Eq(y[j - 1], y[j]))), (a[t - 1, j - 1], True)),
    "padded": lambda a, y, t, j: Piecewise((padded(a)[t - 1, j - 1], Ne(padded(y)[j - 1], y[j])), (0, True)),
}


def ctc(form):
    net = Network("ctc")
    S, R, Q = net.sizes("S R Q")
    T, P = net.size("T", 2 * S + R), net.size("P", Q + 1)
    logits, y = net.parameter("logits", P, T), net.labels("y", S, classes=P)
    t, p, k, j = net.indices(t=T, p=P, k=S + 1, j=S)
    Y = net.define("Y", exp(logits[p, t]) / Sum(exp(logits[p, t]), p), over=(p, t))
    start = net.define("start", KroneckerDelta(k, 0), over=k)
    b, a = net.state("b", T, S + 1, initial=start), net.state("a", T, S)
    net.define(b, (b[t - 1, k] + padded(a)[t - 1, k - 1]) * Y[P - 1, t], over=(t, k))
    net.define(a, (a[t - 1, j] + b[t - 1, j] + FORMS[form](a, y, t, j)) * Y[y[j], t], over=(t, j))
    net.loss = -log(b[T - 1, S] + a[T - 1, S - 1])
    return net


def over_all_paths(logits, y):
    """Minus the log of the probability of all paths that are y without repetitions and blanks, the last class."""
    Y, blank = np.exp(logits) / np.exp(logits).sum(axis=0), len(logits) - 1
    total = 0.0
    for path in product(range(len(logits)), repeat=logits.shape[1]):
        if [c for c, _ in groupby(path) if c != blank] == list(y):
            total += np.prod(Y[path, np.arange(len(path))])
    return -np.log(total)


@pytest.mark.parametrize("form", FORMS)
def test_a_condition_reads_where_another_one_says(form):
    module = lambdify(ctc(form).backward()).module
    for y in ([0, 0], [0, 1], [1]):
        logits = np.random.default_rng(0).normal(size=(3, 2 * len(y) + 1))
        loss, gradients = module.loss_and_grads(logits=logits, y=np.array(y))
        assert loss == pytest.approx(over_all_paths(logits, y), rel=1e-12)
        step, apart = 1e-5, np.zeros_like(logits)
        for at in np.ndindex(*logits.shape):
            moved = np.zeros_like(logits)
            moved[at] = step
            apart[at] = (over_all_paths(logits + moved, y) - over_all_paths(logits - moved, y)) / (2 * step)
        assert np.allclose(gradients.logits, apart, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("asked", [
    lambda x, t, T: Piecewise((x[0], Eq(t, 0)), (x[t - 1], True)),
    lambda x, t, T: Piecewise((x[t - 1], Ne(t, 0)), (x[0], True)),
    lambda x, t, T: Piecewise((x[T - 1], Eq(1 + t, T)), (x[t + 1], True)),
    lambda x, t, T: Piecewise((x[t + 1], Ne(T - 1, t)), (x[T - 1], True)),
])
def test_an_end_is_asked_for_by_equality(asked):
    net = Network("differences")
    T = net.size("T")
    x = net.parameter("x", T)
    (t,) = net.indices(t=T)
    net.loss = Sum((x[t] - asked(x, t, T)) ** 2, t)
    loss, grads = lambdify(net.backward())(np.array([1.0, 4, 9]))
    assert loss == 34 and np.array_equal(grads.x, [-6, -4, 10])
