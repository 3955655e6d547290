"""The referee agrees with what is derived, and with nothing else: the checker is checked."""

from dataclasses import replace
from functools import cache

import pytest
from sympy import Integer, KroneckerDelta, Piecewise, Rational, S, Sum, sqrt

from derive import DerivationError, Equation, Network, mean, networks, relu, total
from derive.explicit import entries, evaluate, is_rational, point, sizes_for
from derive.functions import step
from derive.referee import TOLERANCE, disagreement

from . import shipped

SHIPPED = shipped.NAMES
FORWARD = cache(lambda name: networks.named(name).program())


@pytest.mark.parametrize("name", SHIPPED)
def test_agrees_on_every_network_and_every_variable_between(name):
    forward, derived = FORWARD(name), shipped.derived(name)
    found = disagreement(forward, derived)
    assert max(found.values()) <= TOLERANCE
    assert set(derived.adjoints.values()) < set(found)


@pytest.mark.parametrize("name", ["square", "chain", "guess", "relu_network"])
def test_rational_programs_are_compared_in_exact_fractions(name):
    found = disagreement(FORWARD(name), shipped.derived(name))
    assert set(found.values()) == {0.0}


# ---- sabotage


def with_equation(program, name, change):
    """Return a program in which the right-hand side of one variable is another."""
    lines = [Equation(e.lhs, change(e.rhs)) if e.name == name else e for e in program.equations]
    assert lines != list(program.equations)
    return program.with_equations(lines)


def transposed(rhs):
    """Read every two-dimensional array the other way round."""
    return rhs.replace(
        lambda t: t.is_Indexed and len(t.indices) == 2, lambda t: t.base[t.indices[::-1]],
    )  # fmt: skip


SABOTAGE = {
    "a sign": ("dZ1", lambda rhs: -rhs),
    "a factor": ("db2", lambda rhs: 2 * rhs),
    "a dropped term": ("dZ2", lambda rhs: rhs.replace(KroneckerDelta, lambda *at: S.Zero)),
    "a lost 1/N": ("dZ2", lambda rhs: rhs * mlp_sizes()["N"]),
    "a transposed read": ("dA1", transposed),
    "a mask of the wrong layer": ("dZ1", lambda rhs: rhs.replace(step, lambda z: step(1 - z))),
    "a lost mask": ("dZ1", lambda rhs: rhs.replace(step, lambda z: S.One)),
    "a lost sum": ("db1", lambda rhs: rhs.replace(Sum, lambda body, limit: body.xreplace({limit[0]: Integer(0)}))),
    "a wrong forward value": ("A1", lambda rhs: rhs + Rational(1, 10**9)),
}


def mlp_sizes():
    return {s.name: s for s in FORWARD("mlp").sizes}


def deep(program):
    """Return sizes at which all shapes of the perceptron fit each other, so that only values can be wrong."""
    return dict.fromkeys(program.sizes, 3)


@pytest.mark.parametrize("what", SABOTAGE)
def test_sabotage_is_caught(what):
    forward, derived = FORWARD("mlp"), shipped.derived("mlp")
    found = disagreement(forward, with_equation(derived, *SABOTAGE[what]), deep(forward))
    assert max(found.values()) > 1e-12
    assert max(found["dW1"], found["db1"], found["dW2"], found["db2"]) > 1e-12


def test_a_mask_that_is_stale_is_caught():
    net = Network("masks")
    N = net.size("N")
    w = net.parameter("w", N)
    a = net.define("a", relu(w))
    b = net.define("b", relu(w - a / 2 - Rational(1, 4)))
    net.loss = total(a * b)
    derived = net.backward()
    [i] = derived.variables["w"].indices
    stale = with_equation(derived, "dpre_b", lambda rhs: rhs.xreplace({b[i]: a[i]}))
    assert max(disagreement(net.program(), derived).values()) == 0
    assert max(disagreement(net.program(), stale, {N: 8}).values()) > 0.01


def read(program, name):
    """Return a read of a variable at its own indices."""
    return program.variables[name].at(*program.variables[name].indices)


@pytest.mark.parametrize(("change", "message"), [
    (lambda p: p.with_equations(e for e in p.equations if e.name != "dW1"), "dW1 has shape"),
    (lambda p: replace(p, adjoints={k: v for k, v in p.adjoints.items() if k != "b1"}), "has no gradient of b1"),
    (lambda p: p.with_equations([*p.equations, p.equations[-1]]), "is defined twice"),
    (lambda p: p.with_equations(e for e in p.equations if e.name != "Z2"), "Z2.* is not defined"),
    (lambda p: with_equation(p, "dZ1", lambda rhs: read(p, "dZ1")), "waits for itself"),
    (lambda p: with_equation(p, "dA1", lambda rhs: p.variables["X"].at(0, 9)), "outside its range"),
    (lambda p: with_equation(p, "db2", lambda rhs: read(p, "X")), "is free"),
    (lambda p: with_equation(p, "loss", lambda rhs: rhs / 0), "no real number"),
])  # fmt: skip
def test_a_program_that_is_none_is_refused(change, message):
    forward, derived = FORWARD("mlp"), shipped.derived("mlp")
    with pytest.raises(DerivationError, match=message):
        disagreement(forward, change(derived))


# ---- programs at explicit sizes


def test_sizes_are_small_distinct_and_follow_from_each_other():
    net = Network("sizes")
    U, K = net.sizes("U K")
    P = net.size("P", least=0)
    I = net.size("I", (U + 2 * P - K) // 2 + 1)
    net.loss = total(net.parameter("x", I))
    sizes = sizes_for(net.program())
    assert sizes[I] == (sizes[U] + 2 * sizes[P] - sizes[K]) // 2 + 1 >= 1
    assert len(set(sizes.values())) == 4 and max(sizes.values()) <= 6


@pytest.mark.parametrize("name", ["gpt", "lenet", "convolution_2d", "max_pooling"])
def test_sizes_of_one_are_not_chosen_where_others_fit(name):
    program = networks.named(name).backward()       # a context of one token, a kernel of one place would show nothing
    sizes = sizes_for(program)
    assert all(sizes[s] > 1 for s in program.sizes if s not in program.derived)


def test_sizes_that_cannot_be_are_refused():
    net = Network("sizes")
    N = net.size("N")
    net.size("M", N / 7)
    net.loss = total(net.parameter("x", N))
    with pytest.raises(DerivationError, match="no sizes up to 5 fit M"):
        sizes_for(net.program())


def test_axes_of_computed_lengths_have_entries():
    net = Network("computed")
    N, H, K = net.sizes("N H K")                    # taken one by one these would be 3, 4 and 2
    net.loss = total(net.parameter("x", N - H + 1)) + total(net.parameter("w", K))
    sizes = sizes_for(net.program())
    assert sizes[N] - sizes[H] + 1 >= 1
    net = Network("never")
    N = net.size("N")
    net.loss = total(net.parameter("x", 1 - N))
    with pytest.raises(DerivationError, match="an axis of 1 - N"):
        sizes_for(net.program())


def test_a_state_has_one_row_more():
    net = Network("state")
    T = net.size("T")
    [t] = net.indices(t=T)
    h = net.state("h", T, initial=2)
    net.define(h, h[t - 1] ** 2, over=t)
    net.loss = h[T - 1]
    program = net.program()
    assert list(entries(program.variables["h"], {T: 2})) == [(-1,), (0,), (1,)]
    assert evaluate(program, {T: 3}, {})["h"] == {(-1,): 2, (0,): 4, (1,): 16, (2,): 256}


def test_long_chains_do_not_exhaust_the_stack():
    net = Network("chain")
    T = net.size("T")
    [t] = net.indices(t=T)
    a = net.parameter("a")
    h = net.state("h", T, initial=a)
    net.define(h, h[t - 1] / 2 + 1, over=t)
    net.loss = h[T - 1]
    assert disagreement(net.program(), net.backward(), {T: 1500})["da"] == 0


def test_a_read_outside_a_guard_is_never_made():
    net = Network("guard")
    T = net.size("T")
    x = net.parameter("x", T)
    [t] = net.indices(t=T)
    z = net.define("z", Piecewise((x[t - 1], t > 0), (7, True)), over=t)
    net.loss = total(z)
    assert evaluate(net.program(), {T: 2}, {"x": {(0,): Integer(5), (1,): Integer(6)}})["z"] == {(0,): 7, (1,): 5}


@pytest.mark.parametrize(("of", "rational"), [
    (relu, True), (lambda x: x**-3, True), (abs, True), (lambda x: 0.5 * x, True),
    (lambda x: x ** Rational(1, 2), False), (lambda x: S.Pi * x, False), (lambda x: 2**x, False),
])  # fmt: skip
def test_rational_programs_are_known(of, rational):
    net = Network("rational")
    x = net.parameter("x")
    net.loss = of(x)
    assert is_rational(net.program()) is rational


def test_points_are_the_same_every_time_and_differ_by_seed():
    forward = FORWARD("mlp")
    sizes = sizes_for(forward)
    assert point(forward, sizes, 1) == point(forward, sizes, 1) != point(forward, sizes, 2)
    assert all(0 <= v < sizes[mlp_sizes()["C"]] for v in point(forward, sizes, 1)["y"].values())


def test_where_values_are_real_only_at_positive_points_one_is_taken():
    net = Network("roots")
    x = net.parameter("x", net.size("N"))
    net.loss = mean(x ** Rational(1, 2))
    assert disagreement(net.program(), net.backward(), seed=5)["dx"] <= TOLERANCE


def test_what_stands_beside_a_bracket_needs_a_value_only_where_it_counts():
    """Off the diagonal, roots are of negative numbers: nothing there is asked for its sign."""
    net = Network("n", "Lengths of rows")
    E, D = net.sizes("E D")
    X = net.parameter("X", E, D)
    [e] = net.indices(e=E)
    K = net.define("K", X @ X.T)
    net.loss = Sum(relu(9 - sqrt(K[e, e] - Rational(1, 100))), e)
    derived = net.backward()
    sizes = sizes_for(derived)
    products = [evaluate(derived, sizes, point(derived, sizes, seed), 60)["K"].values() for seed in range(3)]
    assert any(value < 0 for entries_of_one in products for value in entries_of_one)
    for seed in range(3):
        assert max(disagreement(net.program(), derived, seed=seed).values()) < 1e-50


def test_where_a_gradient_is_0_other_points_are_tried():
    """Three relus in a row are dead at some points, where any gradient would agree."""
    net = Network("n", "Three relus")
    N, D = net.sizes("N D")
    X, W = net.input("X", N, D), net.parameter("W", D, D)
    net.loss = mean(relu(relu(relu(X @ W) @ W) @ W))
    derived = net.backward()
    sizes = sizes_for(derived)
    wrong = with_equation(derived, "dW", lambda rhs: 2 * rhs)
    seeds = [s for s in range(40) if not any(evaluate(derived, sizes, point(derived, sizes, s))["dW"].values())]
    assert seeds
    for seed in seeds[:3]:
        assert disagreement(net.program(), wrong, seed=seed)["dW"] > 0.1
        assert disagreement(net.program(), derived, seed=seed)["dW"] == 0
