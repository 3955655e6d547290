"""The rule: what it derives agrees with the referee, and with differences of brute-force evaluation."""

from functools import cache

import pytest
from sympy import Add, Float, Function, Integer, KroneckerDelta, Max, Rational, Sum, tanh

from derive import DerivationError, Network, maximum, relu, total
from derive.explicit import evaluate, point, sizes_for
from derive.referee import TOLERANCE, disagreement
from derive.terms import canonical, subterms
from tests.rule_zoo import ZOO, sizes_of

DIGITS, STEP = 60, Rational(1, 10**20)


@cache
def built(name):
    """Return a network of the zoo: as it was written, derived, and the sizes to look at it."""
    net = ZOO[name]()
    forward = net.program()
    return forward, net.backward(), sizes_of(forward, name) or sizes_for(forward)


def loss_at(program, sizes, values):
    return evaluate(program, sizes, values, DIGITS)["loss"][()]


def moved(values, name, direction, step):
    return {**values, name: {index: v + step * direction[index] for index, v in values[name].items()}}


def slope(program, sizes, values, name, direction):
    """Return the central difference of the loss as one parameter moves in a direction: right to about STEP**2."""
    up, down = (loss_at(program, sizes, moved(values, name, direction, s)) for s in (STEP, -STEP))
    return (up - down) / (2 * STEP)


@pytest.mark.parametrize("name", ZOO)
def test_agrees_with_the_referee(name):
    forward, derived, sizes = built(name)
    found = disagreement(forward, derived, sizes, seed=1)
    assert {v: d for v, d in found.items() if d > TOLERANCE} == {}


@pytest.mark.parametrize("name", ZOO)
def test_agrees_with_differences(name):
    forward, derived, sizes = built(name)
    values = point(forward, sizes, seed=2)
    ours = evaluate(derived, sizes, values, DIGITS)
    for parameter in forward.parameters:
        direction = point(forward, sizes, seed=3)[parameter.name]
        predicted = [ours[f"d{parameter.name}"][index] * v for index, v in direction.items()]
        measured = slope(forward, sizes, values, parameter.name, direction)
        assert abs(Add(*predicted) - measured) <= Float("1e-30") * (1 + max(map(abs, predicted)))


@pytest.mark.parametrize("name", ZOO)
def test_no_adjoint_recomputes_a_sum_of_the_forward_pass(name):
    _, derived, _ = built(name)
    sums = [{canonical(t) for e in lines for t in subterms(e.rhs) if isinstance(t, Sum)}
            for lines in (derived.forward, derived.backward)]
    assert sums[0] & sums[1] == set()


@pytest.mark.parametrize("name", ZOO)
def test_gradients_have_the_shapes_of_the_parameters_and_labels_have_none(name):
    forward, derived, _ = built(name)
    assert list(derived.gradients) == [p.name for p in forward.parameters]
    assert all(derived.variables[f"d{p.name}"].shape == p.shape for p in forward.parameters)
    assert not {v.name for v in forward.inputs} & set(derived.adjoints)


def gradient(name, parameter):
    return str(built(name)[1].gradients[parameter].rhs)


@pytest.mark.parametrize(("name", "parameter", "expected"), [
    ("unused_parameter", "b", "0"),
    ("unused_parameter", "c", "0"),
    ("unused_parameter", "a", "2*a[d]"),
    ("diagonal", "W", "3*KroneckerDelta(n, n2)*W[n, n2]**2"),
    ("recurrence_with_loss_on_the_last_state", "h0", "dh[-1, n, k]"),
    ("embedding_read", "E", "Sum(KroneckerDelta(v, w[n, t])*dX[n, t, d], (n, 0, N - 1), (t, 0, T - 1))"),
    ("strided_convolution_inside", "X", "Sum(KroneckerDelta(S*i + p, u)*W[p]*dZ[i], (i, 0, I - 1), (p, 0, K - 1))"),
])  # fmt: skip
def test_gradient_reads(name, parameter, expected):
    assert gradient(name, parameter) == expected


@pytest.mark.parametrize("name", [n for n in ZOO if "recurrence" in n or n == "sliding_window"])
def test_shifts_are_solved(name):
    assert not any(e.rhs.has(KroneckerDelta) for e in built(name)[1].equations if e.name in ("dW", "dX"))


def values_of(net, **given):
    """Return the values of a derived one-parameter network at a list of entries."""
    derived = net.backward()
    [size] = derived.sizes
    values = {name: {(k,): Integer(v) for k, v in enumerate(entries)} for name, entries in given.items()}
    return evaluate(derived, {size: len(next(iter(given.values())))}, values)


def on_a_vector(of):
    net = Network("vector")
    N = net.size("N")
    z = net.parameter("z", N)
    net.loss = of(z)
    return net


@pytest.mark.parametrize(("of", "at", "expected"), [
    ("largest", [1, 3, 3, 2], [0, Rational(1, 2), Rational(1, 2), 0]),
    ("largest", [5, 5, 5], [Rational(1, 3)] * 3),
    ("relu", [-1, 0, 2], [0, 0, 1]),
    ("Max(0, z)", [-1, 0, 2], [0, 0, 1]),
    ("Max(z, 1)", [0, 1, 2], [0, Rational(1, 2), 1]),
    ("abs", [-3, 0, 3], [-1, 0, 1]),
])  # fmt: skip
def test_kinks_follow_the_conventions(of, at, expected):
    losses = {
        "largest": maximum, "relu": lambda z: total(relu(z)), "Max(0, z)": lambda z: total(Max(0, z)),
        "Max(z, 1)": lambda z: total(Max(z, 1)), "abs": lambda z: total(abs(z)),
    }  # fmt: skip
    net = on_a_vector(losses[of])
    assert list(values_of(net, z=at)["dz"].values()) == expected


def test_forward_values_are_reused():
    net = Network("reused")
    x = net.parameter("x")
    a = net.define("a", tanh(x))
    net.loss = a**2
    assert str(net.backward().gradients["x"].rhs) == "da*(1 - a**2)"


def test_a_function_without_a_derivative_is_named():
    net = Network("unknown")
    x = net.parameter("x")
    net.loss = Function("f")(x) ** 2
    with pytest.raises(DerivationError, match=r"no derivative is known of f\(.*\)"):
        net.backward()
