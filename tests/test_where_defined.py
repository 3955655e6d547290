"""Code is judged where the network has a value, and where the code keeps its digits."""

import numpy as np
import pytest
from scipy.special import erfc
from sympy import Eq, Piecewise, Sum, erf, exp, log, sqrt

from codegen.doctor import diagnose
from codegen.doctor.evidence import Evidence, Seen
from codegen.doctor.judge import Judge
from codegen.doctor.patient import Patient
from codegen.doctor.trials import Point, drawn, is_finite, points
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


def cox_by_hand(f, times, events, of_event=-1.0):
    risk, loss, df = np.exp(f), 0.0, np.zeros_like(f)
    for k in np.flatnonzero(events):
        later = times >= times[k]
        loss += np.log(risk[later].sum()) - f[k]
        df[k] += of_event
        df[later] += risk[later] / risk[later].sum()
    return loss / max(events.sum(), 1), {"f": df / max(events.sum(), 1)}


def test_code_may_have_a_value_where_the_network_has_none():
    told = diagnose(cox(), cox_by_hand)
    assert told.verdict == "right", str(told)


def test_and_is_wrong_where_both_have_one():
    told = diagnose(cox(), lambda f, times, events: cox_by_hand(f, times, events, of_event=1.0))
    assert told.verdict == "wrong" and "unknown" not in told.kinds, str(told)


def test_a_view_that_needs_contiguous_arrays_is_told_and_is_right():
    net = Network("scaled", "Rows of an array, scaled")
    T, N, D = net.sizes("T N D")
    x, s, dout = net.parameter("x", T, N, D), net.parameter("s", D), net.input("dout", T, N, D)
    net.loss = total(dout * x * s)

    def by_hand(x, s, dout):
        dx = np.zeros_like(x)
        dx.reshape(-1, len(s))[:] = (dout * s).reshape(-1, len(s))
        return (dout * x * s).sum(), {"x": dx, "s": (dout * x).sum(axis=(0, 1))}

    told = diagnose(net, by_hand)
    assert told.verdict == "right" and "where arrays are not contiguous" in str(told), str(told)


def log_normal():
    net = Network("probit", "A probit regression, as it is written: log Phi loses digits where it is small")
    N, D = net.sizes("N D")
    w, X, y = net.parameter("w", D), net.input("X", N, D), net.input("y", N)
    net.loss = -total(log((1 + erf(y * (X @ w) / sqrt(2))) / 2))
    return net


def log_normal_by_hand(w, X, y):
    z = y * (X @ w)
    value = np.log(erfc(z / np.sqrt(2)) / 2)                # of -z
    slope = np.exp(-(z**2) / 2 - value) / np.sqrt(2 * np.pi)
    return -value.sum(), {"w": -X.T @ (slope * y)}


def test_an_edit_is_right_though_the_network_loses_digits_elsewhere():
    told = diagnose(log_normal(), log_normal_by_hand)
    assert told.verdict == "wrong" and "unknown" not in told.kinds and "the sign is wrong" in str(told), str(told)


def decoder(scale=12):
    net = Network("decoder", "Pixels of 0 or 1, each by a logit")
    N, Z, D = net.sizes("N Z D")
    W, b, c = net.parameter("W", Z, D), net.parameter("b", D), net.parameter("c")
    z, X = net.input("z", N, Z), net.input("X", N, D, note="0 or 1")
    logits = net.define("logits", scale * (sigmoid(z @ W) + b) + c)
    net.loss = total(softplus(logits) - X * logits)
    return net


def decoder_by_hand(W, b, c, z, X, factor=1.0, scale=12):
    s = 1 / (1 + np.exp(-z @ W))
    p = 1 / (1 + np.exp(-scale * (s + b) - c))
    loss = -np.sum(X * np.log(p) + (1 - X) * np.log(1 - p))      # of 1 - 1e-9 seven digits are left
    d = factor * (p - X)
    return loss, {"W": z.T @ (scale * d * s * (1 - s)), "b": scale * d.sum(axis=0), "c": d.sum()}


@pytest.mark.parametrize("scale", [12, 20, 25])
def test_digits_that_a_loss_loses_at_large_parameters_are_no_mistake(scale):
    """At 20 they are three in 100,000 of the loss, at other points it is infinite."""
    told = diagnose(decoder(scale), lambda W, b, c, z, X: decoder_by_hand(W, b, c, z, X, scale=scale))
    assert told.verdict == "right" and ("leaves its range" in str(told) or "left out" in str(told)), str(told)


def test_and_hide_none():
    told = diagnose(decoder(), lambda W, b, c, z, X: decoder_by_hand(W, b, c, z, X, factor=2.0))
    assert told.verdict == "wrong" and "2" in str(told.findings[0]), str(told)


def test_edits_are_tried_where_the_network_has_a_value():
    net = Network("roots", "Roots of what has to be less than 0.8")
    U = net.parameter("U", *net.sizes("N D"))
    net.loss = total(sqrt(0.8 - U))
    program = net.backward()
    sizes = points(program)[0].sizes
    point = Point("here", program, sizes, drawn(program, sizes, 0))
    patient = Patient(program, lambda U: {"U": 0 * U})
    judge = Judge(patient, Evidence(program, [Seen(point, patient.answer(point))]), frozenset({"U"}))
    assert judge.others and all(is_finite(p.ours) for p in judge.others)
