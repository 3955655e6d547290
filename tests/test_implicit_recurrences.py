"""Unknowns inside recurrences: Newton's method in every turn, against PyTorch and against differences."""

import numpy as np
import pytest
from sympy import Eq, Piecewise, Sum, sin, tanh

import codegen
from codegen import verify
from derive import DefinitionError, Network, mean, sigmoid
from derive.referee import TOLERANCE, disagreement

SIZES = {"T": 3, "N": 2, "K": 2, "D": 1}


def implicit_euler():
    net = Network("implicit_euler")
    T, N, K = net.sizes("T N K")
    W, b = net.parameter("W", K, K), net.parameter("b", K)
    X, h0 = net.input("X", T, N, K), net.input("h0", N, K)
    t, n, k, j = net.indices(t=T, n=N, k=K, j=K)
    h, y = net.state("h", T, N, K, initial=h0), net.unknown("y", T, N, K)
    slope = sigmoid(Sum(y[t, n, j] * W[j, k], j) / 4 + X[t, n, k] + b[k])
    net.implicitly(y, Eq(y[t, n, k], h[t - 1, n, k] + slope / 3), over=(t, n, k), start=h[t - 1, n, k])
    net.define(h, y[t, n, k], over=(t, n, k))
    net.loss = mean(h**2) / 2
    return net


def one_number_a_turn():
    net = Network("one_number_a_turn")
    (T,) = net.sizes("T")
    a, h0, x = net.parameter("a"), net.parameter("h0"), net.input("x", T)
    (t,) = net.indices(t=T)
    h, y = net.state("h", T, initial=h0), net.unknown("y", T)
    net.implicitly(y, Eq(y[t] + y[t] ** 3, a * h[t - 1] + x[t]), over=t)
    net.define(h, y[t], over=t)
    net.loss = mean(h**2)
    return net


def pendulum():
    """The implicit midpoint rule: the angle halfway is the unknown, two states follow from it."""
    net = Network("pendulum")
    (T,) = net.sizes("T")
    g, p0, q0, dt = net.parameter("g"), net.parameter("p0"), net.parameter("q0"), net.input("dt")
    (t,) = net.indices(t=T)
    q, p, m = net.state("q", T, initial=q0), net.state("p", T, initial=p0), net.unknown("m", T)
    net.implicitly(m, Eq(m[t], q[t - 1] + dt / 2 * (p[t - 1] - dt / 2 * g * sin(m[t]))), over=t)
    net.define(p, p[t - 1] - dt * g * sin(m[t]), over=t)
    net.define(q, 2 * m[t] - q[t - 1], over=t)
    net.loss = mean((q - 1) ** 2)
    return net


def two_layers_a_turn():
    net = Network("two_layers_a_turn")
    T, K, D = net.sizes("T K D")
    W, V, U = net.parameter("W", K, D), net.parameter("V", D, K), net.parameter("U", K, K)
    X, h0, Y = net.input("X", T, K), net.input("h0", K), net.input("Y", T, K)
    t, k, j, d = net.indices(t=T, k=K, j=K, d=D)
    h, y = net.state("h", T, K, initial=h0), net.unknown("y", T, K)
    a = net.define("a", tanh(Sum(W[k, d] * y[t, k], k)), over=(t, d))
    right = Sum(a[t, d] * V[d, k], d) + Sum(h[t - 1, j] * U[j, k], j) + X[t, k]
    net.implicitly(y, Eq(4 * y[t, k], right), over=(t, k))
    net.define(h, tanh(y[t, k]), over=(t, k))
    net.loss = mean((h - Y) ** 2) / 2
    return net


def input_in_some_turns():
    net = Network("input_in_some_turns")
    T, K = net.sizes("T K")
    W, X, h0 = net.parameter("W", K, K), net.input("X", T, K), net.input("h0", K)
    t, k, j = net.indices(t=T, k=K, j=K)
    h, y = net.state("h", T, K, initial=h0), net.unknown("y", T, K)
    late = Piecewise((X[t, k], t >= 2), (0, True))
    net.implicitly(y, Eq(4 * y[t, k], tanh(Sum(W[k, j] * y[t, j], j)) + h[t - 1, k] + late), over=(t, k))
    net.define(h, y[t, k], over=(t, k))
    net.loss = mean(h**2)
    return net


ALL = [implicit_euler, one_number_a_turn, pendulum, two_layers_a_turn, input_in_some_turns]
each = pytest.mark.parametrize("made", ALL, ids=lambda made: made.__name__)


def values(program):
    """Return random parameters and inputs by name, and the sizes that no argument shows."""
    random = np.random.default_rng(0)
    drawn = {v.name: np.asarray(random.normal(size=[SIZES[s.name] for s in v.shape]) / 2)
             for v in (*program.parameters, *program.inputs) if not v.tangent_of}
    return drawn, {} if any(v.shape and v.shape[0].name == "T" for v in program.inputs) else {"T": SIZES["T"]}


@each
def test_gradients_are_pytorchs(made):
    judge = pytest.importorskip("tests.torch_programs", reason="PyTorch is an extra: pip install -e '.[peers]'")
    net = made()
    program = net.backward()
    drawn, sizes = values(program)
    loss, grads = codegen.lambdify(program)(**drawn, **sizes)
    theirs = judge.loss_and_grads(net.program(), {s: SIZES[s.name] for s in program.sizes}, drawn)
    assert np.isclose(loss, theirs[0], rtol=1e-12)
    for name, value in theirs[1].items():
        assert np.allclose(getattr(grads, name), value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("made", [implicit_euler, pendulum], ids=lambda made: made.__name__)
def test_second_derivatives_are_differences_of_the_gradient(made):
    net = made()
    program = net.hessian_vector_product()
    drawn, sizes = values(program)
    random = np.random.default_rng(1)
    names = [p.name for p in program.parameters]
    direction = tuple(np.asarray(random.normal(size=drawn[n].shape)) for n in names)
    ours = codegen.lambdify(program)(**drawn, direction=direction, **sizes)
    gradient, h = codegen.lambdify(net.backward()), 1e-5
    moved = [{n: drawn[n] + s * d for n, d in zip(names, direction, strict=True)} for s in (h, -h)]
    up, down = (gradient(**{**drawn, **there}, **sizes)[1] for there in moved)
    for a, b, c in zip(ours, up, down, strict=True):
        assert np.allclose(a, (b - c) / (2 * h), rtol=1e-6, atol=1e-9)


def test_the_referee_and_differences_agree():
    net = two_layers_a_turn()
    program = net.backward()
    assert max(disagreement(net.program(), program, dict.fromkeys(program.sizes, 2)).values()) <= TOLERANCE
    verdict = verify.finite_differences(program, codegen.lambdify(program).module)
    assert verdict.passed, verdict.complaints


def test_a_turn_has_one_function_and_a_state_is_no_unknown():
    text = codegen.source(implicit_euler().backward())
    assert "        def newton_y(y_t):" in text and 'y[t] = _newton("y", newton_y,' in text
    assert text.count("_solved(") == 3                          # in Newton's method, on the way back, its definition
    net = Network("direct")
    (T,) = net.sizes("T")
    (t,) = net.indices(t=T)
    h = net.state("h", T, initial=net.parameter("h0"))
    with pytest.raises(DefinitionError, match="h is a state; define an unknown y of its shape"):
        net.implicitly(h, Eq(h[t] + h[t] ** 3, h[t - 1]), over=t)
