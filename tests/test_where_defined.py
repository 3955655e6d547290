"""Code is judged where the network has a value, and where the code keeps its digits."""

import numpy as np
from sympy import Eq, Piecewise, Sum, exp, log

from codegen.doctor import diagnose
from derive import Network, total
from derive.functions import sigmoid, softplus


def cox():
    net = Network("cox", "Cox's partial likelihood, the mean over events: 0/0 where there are none")
    (N,) = net.sizes("N")
    f, times, events = net.parameter("f", N), net.input("times", N), net.labels("events", N, classes=2)
    i, j = net.indices(i=N, j=N)
    at_risk = net.define("at_risk", Sum(Piecewise((exp(f[j]), times[j] >= times[i]), (0, True)), j), over=i)
    count = net.define("count", Sum(Piecewise((1, Eq(events[i], 1)), (0, True)), i))
    net.loss = Sum(Piecewise((log(at_risk[i]) - f[i], Eq(events[i], 1)), (0, True)), i) / count
    return net


def cox_by_hand(f, times, events, later=np.greater_equal):
    risk, loss, df = np.exp(f), 0.0, np.zeros_like(f)
    for k in np.flatnonzero(events):
        set_of_k = later(times, times[k])
        loss += np.log(risk[times >= times[k]].sum()) - f[k]
        df[k] -= 1
        if set_of_k.any():
            df[set_of_k] += risk[set_of_k] / risk[set_of_k].sum()
    return loss / max(events.sum(), 1), {"f": df / max(events.sum(), 1)}


def test_code_may_have_a_value_where_the_network_has_none():
    told = diagnose(cox(), cox_by_hand)
    assert told.verdict == "right", str(told)


def test_and_is_wrong_where_both_have_one():
    told = diagnose(cox(), lambda f, times, events: cox_by_hand(f, times, events, np.greater))
    assert told.verdict == "wrong", str(told)


def decoder():
    net = Network("decoder", "Pixels of 0 or 1, each by a logit")
    N, Z, D = net.sizes("N Z D")
    W, b, c = net.parameter("W", Z, D), net.parameter("b", D), net.parameter("c")
    z, X = net.input("z", N, Z), net.input("X", N, D, note="0 or 1")
    logits = net.define("logits", 12 * (sigmoid(z @ W) + b) + c)
    net.loss = total(softplus(logits) - X * logits)
    return net


def decoder_by_hand(W, b, c, z, X, factor=1.0):
    s = 1 / (1 + np.exp(-z @ W))
    p = 1 / (1 + np.exp(-12 * (s + b) - c))
    loss = -np.sum(X * np.log(p) + (1 - X) * np.log(1 - p))      # of 1 - 1e-9 seven digits are left
    d = factor * (p - X)
    return loss, {"W": z.T @ (12 * d * s * (1 - s)), "b": 12 * d.sum(axis=0), "c": d.sum()}


def test_digits_that_a_loss_loses_at_large_parameters_are_no_mistake():
    told = diagnose(decoder(), decoder_by_hand)
    assert told.verdict == "right" and "leaves its range" in str(told), str(told)


def test_and_hide_none():
    told = diagnose(decoder(), lambda W, b, c, z, X: decoder_by_hand(W, b, c, z, X, factor=2.0))
    assert told.verdict == "wrong" and "2" in str(told.findings[0]), str(told)
