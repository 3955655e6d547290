"""Right code that rounds inside is right; wrong code that does is wrong, and its mistake named."""

from types import SimpleNamespace

import numpy as np
import pytest
from sympy import tanh

from codegen.doctor import diagnose
from codegen.doctor.elsewhere import wrong_elsewhere
from codegen.doctor.evidence import Evidence, Seen
from codegen.doctor.patient import Answer
from codegen.doctor.trials import points
from derive import Network, mean, relu, softplus
from tests.coursework.editing import edited


def network():
    net = Network("regression")
    N, D = net.sizes("N D")
    w, b, X, y = net.parameter("w", D), net.parameter("b"), net.input("X", N, D), net.input("y", N)
    a = net.define("a", tanh(X @ w + b))
    net.loss = mean((a - y) ** 2)
    return net


def by_hand(w, b, X, y):
    kind = float
    a = np.tanh(X @ w + b)
    loss = np.mean((a - y) ** 2)
    dz = 2 * (a - y) * (1 - a**2) / len(y)
    dw = np.zeros(w.shape, kind)
    for n in range(len(y)):
        dw += dz[n] * X[n]
    return loss, (dw, dz.sum())


START, SUM = "    kind = float\n", "zeros(w.shape, kind)"
ROUNDED = {
    "all": (START, "    w, b, X, y = (np.float32(v) for v in (w, b, X, y))\n    kind = float\n"),
    "parameters": (START, "    w, b = w.astype(np.float32), np.float32(b)\n    kind = float\n"),
    "data": (START, "    X = X.astype(np.float32)\n    kind = float\n"),
    "a sum": (SUM, "zeros(w.shape, np.float32)"),
    "a step": ("np.tanh(X @ w + b)", "np.tanh(np.float32(X @ w + b)).astype(float)"),
    "the loss": ("np.mean((a - y) ** 2)", "np.mean((a - y) ** 2, dtype=np.float32)"),
}


@pytest.mark.parametrize("rounded", ROUNDED.values(), ids=ROUNDED)
def test_what_rounds_inside_is_right(rounded):
    diagnosis = diagnose(network(), edited(by_hand, rounded))
    assert diagnosis.right and not diagnosis.findings, str(diagnosis)
    assert "rounding explains 3e-04" in str(diagnosis) and "float32" in str(diagnosis)
    assert max(diagnosis.disagreements.values()) > 1e-9 or rounded == ROUNDED["the loss"]


@pytest.mark.parametrize("rounded", ROUNDED.values(), ids=ROUNDED)
def test_a_mistake_in_what_rounds_inside_is_named(rounded):
    diagnosis = diagnose(network(), edited(by_hand, rounded, ("(1 - a**2)", "(1 - a)")))
    assert diagnosis.verdict == "wrong" and "unknown" not in diagnosis.kinds, str(diagnosis)
    assert "the derivative is taken to be 1 - a (" in str(diagnosis), str(diagnosis)


def test_float32_that_cancels_is_right():
    def saturated(w, b, X, y):
        loss, g = by_hand(*(np.float32(v) for v in (w, b, X, y)))
        return loss, tuple(np.float64(v) for v in g)

    X = np.array([[1.01, 1.7], [2.1, 1.3], [2.2, 0.9]])
    at = {"w": np.full(2, 2.1), "b": 0.7, "X": X, "y": np.full(3, 1e4 + 0.5)}
    diagnosis = diagnose(network(), saturated, at=at)
    assert diagnosis.right and max(diagnosis.disagreements.values()) > 1e-3, str(diagnosis)


def test_a_small_mistake_in_float64_is_no_rounding():
    diagnosis = diagnose(network(), edited(by_hand, ("(1 - a**2)", "(1 - a**2 + 1e-6)")))
    assert "float32 inside" not in str(diagnosis) and diagnosis.tolerance == 1e-9, str(diagnosis)


def test_a_number_too_many_is_named_in_float32():
    single = "    w, b, X, y = (np.float32(v) for v in (w, b, X, y))\n    kind = np.float32\n"
    wrong = edited(by_hand, ("2 * (a - y)", "1.5 * (a - y)"), (START, single))
    assert "dw is 3/4 times the derived gradient everywhere" in str(diagnose(network(), wrong))


@pytest.mark.parametrize(("sign", "verdict"), [(1, "right"), (-1, "wrong")])
def test_a_loss_that_leaves_the_range_of_floats_is_told_and_no_mistake_of_the_gradient(sign, verdict):
    net = Network("steep", "A steep softplus")
    (N,) = net.sizes("N")
    x = net.parameter("x", N)
    net.loss = mean(softplus(700 * x))

    def mine(x):
        return np.log(1 + np.exp(700 * x)).mean(), {"x": sign * 700 / (1 + np.exp(-700 * x)) / len(x)}

    found = diagnose(net, mine)
    assert found.verdict == verdict, str(found)
    assert "the loss is inf" in str(found) and "leaves the range of floats" in str(found)


@pytest.mark.parametrize("single", [True, False])
def test_float32_that_cancels_at_further_points_is_rounding_there_too(single):
    net = Network("units", "Relus, the mean of their sum")
    N, D = net.sizes("N D")
    net.loss = mean(relu(net.input("X", N, D) @ net.parameter("w", D)))
    program = net.backward()

    def rounded(point):                         # by 0.4 % of the largest entry
        g = point.ours.gradients()["w"]
        noise = np.sin(1e7 * (g + np.sum(point.arguments["X"])))
        return Answer(gradients={"w": g + 4e-3 * np.abs(g).max() * noise}, single=single)

    patient = SimpleNamespace(program=program, single=False, answer=rounded)
    evidence = Evidence(program, [Seen(p, rounded(p)) for p in points(program)])
    assert bool(wrong_elsewhere(patient, evidence)) == (not single)
