"""Arrays whose ends are joined, repeated or reflected, by pieces joined end to end: beside PyTorch."""

import re

import numpy as np
import pytest
from sympy import Abs, Max, Mod, Piecewise, Sum, exp, sin

import codegen
from derive import DefinitionError, Network, concatenate, total

torch = pytest.importorskip("torch", reason="PyTorch is in the peers extra: pip install -e '.[peers]'")


def test_rolled_repeated_and_reflected_rows_are_pytorchs():
    net = Network("ring", "A chain whose ends are joined, repeated, reflected")
    T, K = net.sizes("T K")
    W, X = net.parameter("W", T, K), net.input("X", T, K)
    rolled = net.define("rolled", concatenate(W[1:], W[:1]))
    back = net.define("back", concatenate(W[:, -1:], W[:, :-1], axis=1))
    repeated = net.define("repeated", concatenate(W[:1], W[:1], W, W[-1:]))
    net.loss = total(W * rolled * back * X) + total(repeated[:-3] ** 2 * repeated[3:] * X)
    program = net.backward()
    for T0 in (1, 2, 5):
        w, x = np.random.default_rng(T0).normal(size=(2, T0, 3))
        leaf, data = torch.tensor(w, requires_grad=True), torch.tensor(x)
        long = torch.cat([leaf[:1], leaf[:1], leaf, leaf[-1:]])
        loss = (leaf * leaf.roll(-1, 0) * leaf.roll(1, 1) * data).sum() + (long[:-3] ** 2 * long[3:] * data).sum()
        loss.backward()
        for style in ("plain", "fast"):
            found, grads = codegen.lambdify(program, style=style)(w, x)
            assert np.isclose(found, loss.item(), rtol=1e-12)
            np.testing.assert_allclose(grads.W, leaf.grad, rtol=1e-10, atol=1e-13)


def test_a_sum_of_what_counts_at_one_end_alone_is_its_value_there():
    net = Network("ends")
    T = net.size("T")
    w, x = net.parameter("w", T), net.input("x", T)
    net.loss = total(net.define("r", concatenate(w[1:], w[:1])) * w * x)
    rhs = net.backward().gradients["w"].rhs
    assert not rhs.has(Sum)                         # w[0] is read at the last place alone
    assert "r = np.concatenate([w[1:], w[:1]], axis=0)" in codegen.source(net.backward())


@pytest.mark.parametrize(("place", "remedy"), [
    (lambda t, T: Mod(t + 1, T), r"concatenate(W[:, 1:], W[:, :1], axis=1)"),
    (lambda t, T: Max(0, t - 1), r"concatenate(W[:, :1], W[:, :-1], axis=1)"),
    (lambda t, T: Abs(t - 1), r"concatenate(W[:, :1], W[:, :-1], axis=1)"),
])
def test_the_way_to_write_it_is_told(place, remedy):
    net = Network("places")
    T, K = net.sizes("T K")
    W = net.parameter("W", K, T)
    t, k = net.indices(t=T, k=K)
    with pytest.raises(DefinitionError) as told:
        net.loss = Sum(W[k, place(t, T)], t, k)
    assert remedy in str(told.value)


def test_the_way_to_write_it_in_a_recurrence_is_told():
    net = Network("ring")
    T, U = net.sizes("T U")
    t, r = net.indices(t=T, r=U)
    u = net.state("u", T, U, initial=net.parameter("u0", U))
    with pytest.raises(DefinitionError) as told:
        net.define(u, u[t - 1, Mod(r + 1, U)] / 2, over=(t, r))
    remedy = "Piecewise((u[t - 1, r + 1], r + 1 < U), (u[t - 1, 0], True))"
    assert remedy in str(told.value)
    net.define(u, eval(remedy, {"Piecewise": Piecewise, "u": u, "t": t, "r": r, "U": U}) / 2, over=(t, r))


def periodic(u, t, i, U):
    """Return the neighbours of u[t - 1, i] on a ring, chosen at its ends."""
    right = Piecewise((u[t - 1, i + 1], i < U - 1), (u[t - 1, 0], True))
    left = Piecewise((u[t - 1, i - 1], i > 0), (u[t - 1, U - 1], True))
    return right, left


STEPS = {           # of a state on a ring, by its neighbours; the second of whole rows
    "burgers": (lambda u, right, left, nu: u + exp(nu) * (right - 2 * u + left) / 5 - u * (right - left) / 10,
                lambda u, right, left, nu: u + nu.exp() * (right - 2 * u + left) / 5 - u * (right - left) / 10),
    "function": (lambda u, right, left, nu: sin(left * nu) * u + right,
                 lambda u, right, left, nu: (left * nu).sin() * u + right),
}


@pytest.mark.parametrize("style", ["plain", "fast"])
@pytest.mark.parametrize("name", STEPS)
def test_a_recurrence_on_a_ring(name, style):
    ours, theirs = STEPS[name]
    net = Network("ring", "Steps in time on a periodic grid")
    T, U = net.sizes("T U")
    u0, nu, w = net.parameter("u0", U), net.parameter("nu"), net.input("w", T, U)
    t, i = net.indices(t=T, i=U)
    u = net.state("u", T, U, initial=u0)
    net.define(u, ours(u[t - 1, i], *periodic(u, t, i, U), nu), over=(t, i))
    net.loss = total(w * u**2)
    program = net.backward()
    assert not re.search(r"arange\(U\)+\[:, None\]", codegen.source(program))             # no array has the grid twice
    for U0 in (1, 5):
        given = np.random.default_rng(U0).normal(size=U0), np.array(0.3), np.random.default_rng(7).normal(size=(3, U0))
        start, slope, data = (torch.tensor(g, requires_grad=True) for g in given)
        row, loss = start, 0
        for k in range(3):
            row = theirs(row, row.roll(-1), row.roll(1), slope)
            loss = loss + (data[k] * row**2).sum()
        loss.backward()
        found, grads = codegen.lambdify(program, style=style)(*given)
        assert np.isclose(found, loss.item(), rtol=1e-12)
        np.testing.assert_allclose(grads.u0, start.grad, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(grads.nu, slope.grad, rtol=1e-10, atol=1e-13)
