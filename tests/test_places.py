"""Where a mistake may be, and what stands there: judged by mistakes that are made on purpose, and hand-written code."""

import re

import numpy as np
import pytest
from sympy import IndexedBase, Sum, Symbol

from codegen.doctor import diagnose
from codegen.doctor.influence import FITS, Influence
from codegen.doctor.trials import points
from derive import Network, mean, padded
from derive.networks import loading
from tests.coursework import slips
from tests.coursework.editing import edited


def added_to(equation, name):
    """Return an equation that gives so much more as an array says."""
    more = IndexedBase(name, real=True)[equation.indices] if equation.indices else Symbol(name, real=True)
    return equation.with_rhs(equation.rhs + more)


@pytest.mark.parametrize("name", ["mlp", "elman_rnn", "layer_norm", "attention", "deep_equilibrium"])
def test_the_reach_of_an_equation_is_what_a_change_of_it_does(name):
    program = loading.named(name).backward()
    ours = points(program)[0].ours
    influence = Influence(program, ours, ours.values, {})
    right, random = ours.gradients(), np.random.default_rng(0)
    for place in [v for v in influence.linear if not any(e.implicit for e in program.defining(v))]:
        much = random.normal(size=np.shape(ours.values[place]))
        if place in ours.scope.states:
            ours.scope.states |= {"much"}
        values = ours.changed([added_to(e, "much") for e in program.defining(place)], {**ours.values, "much": much})
        ours.scope.states -= {"much"}
        gaps = {n: g - right[n] for n, g in ours.gradients(values).items()}
        for n, rows in influence.rows.items():
            told = np.reshape(influence.reach[place][rows] @ np.ravel(much), np.shape(gaps[n]))
            assert np.allclose(told, gaps[n], rtol=1e-7, atol=1e-9), (place, n)
        scales = {n: np.max(np.abs(g)) or 1.0 for n, g in right.items()}
        wrong = {n for n, g in gaps.items() if np.any(g)}
        assert not wrong or influence.explained(gaps, scales, FITS)[place] == wrong


def test_no_single_mistake_explains_what_is_out_of_reach():
    program = loading.named("mlp").backward()
    ours = points(program)[0].ours
    influence = Influence(program, ours, ours.values, {})
    random = np.random.default_rng(0)
    gaps = {n: np.zeros_like(g) for n, g in ours.gradients().items()} | {"W1": random.normal(size=np.shape(
        ours.gradients()["W1"]))}
    may = influence.explained(gaps, dict.fromkeys(gaps, 1.0), FITS)
    assert set(may) == {"dW1"}                  # b1 is right, so what both come from is


@pytest.mark.parametrize(("row", "words"), [
    ((*slips.A, [("* out * (1 - out)", "* z3 * (1 - z3)")]), r"dz3: .*z3\[n, d\] \* \(1 - z3\[n, d\]\).* stands where"),
    ((*slips.A, [("return loss, {", "db1 = db1 + 0.01 * b1\n    return loss, {")]), r"db1: 0.01 b1\[h\] is added"),
    ((*slips.F, [("dV = o.T @ dz / tau", "dV = u.T @ dz / tau")]), r"dV: u is read where factor_z should be"),
    pytest.param((*slips.F, [("(1 - h**2)", "(1 - (h * M / keep) ** 2)")]),     # M is 0 or 1; h counts where it is 1
                 r"dpre_h: 1 - .*M.*h.*keep.* stands where 1 - h|line \d+: `h \* M / keep` should be `h \* M`",
                 marks=pytest.mark.slow),
])
def test_what_stands_in_a_place_is_named(row, words):
    network, function, edits = row
    diagnosis = diagnose(network(), edited(function, *edits))
    assert diagnosis.verdict == "wrong" and "unknown" not in diagnosis.kinds, str(diagnosis)
    assert re.search(words, " ".join(map(str, diagnosis.findings))), str(diagnosis)


@pytest.mark.parametrize(("places", "told"), [((0, 1, 2), "right"), ((1,), "only the middle p counts")])
def test_neighbours_that_are_left_out(places, told):
    net = Network("neighbours", "Numbers over the squares of their neighbours")
    N, C = net.sizes("N C")
    x, G = net.parameter("x", N, C), net.input("G", N, C)
    n, c, p = net.indices(n=N, c=C, p=3)
    s = net.define("s", 2 + Sum(padded(x)[n, c + p - 1] ** 2, p), over=(n, c))
    net.loss = Sum(G[n, c] * x[n, c] / s[n, c], n, c)

    def by_hand(x, G):
        C = x.shape[1]
        wide = np.pad(x, ((0, 0), (1, 1)))
        s = 2 + sum(wide[:, p:p + C] ** 2 for p in range(3))
        ds = np.pad(-G * x / s**2, ((0, 0), (1, 1)))
        return np.sum(G * x / s), G / s + 2 * x * sum(ds[:, p:p + C] for p in places)

    assert told in str(diagnose(net, by_hand))


def test_a_mean_over_what_goes_to_the_same_entry():
    net = Network("rated", "A number for each item, half the mean squared error of its ratings")
    R, M = net.sizes("R M")
    u, r, item = net.parameter("u", M), net.input("r", R), net.labels("item", R, classes=M)
    net.loss = mean((u[item] - r) ** 2) / 2

    def by_item(u, r, item):
        own = [np.flatnonzero(item == m) for m in range(len(u))]
        return [sum(u[m] - r[i] for i in rated) / max(len(rated), 1) for m, rated in enumerate(own)]

    [finding] = diagnose(net, by_item).findings
    assert "the sum over r is divided by how many of these go to the same entry, not by R" in str(finding)
