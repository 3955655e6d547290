"""Derivatives inside a loss, and mixtures: gradients against PyTorch's double backward; what is refused."""

import numpy as np
import pytest
from sympy import KroneckerDelta, Sum, exp, sin, tanh

import codegen
from codegen.memory import lambdify
from derive import DefinitionError, Network, derivative, mean, total
from derive.bracket import collapsed
from derive.networks import named
from derive.ranges import Prover
from derive.simplify import tidied

from .shipped import arguments, with_sizes

NAMES = ["gaussian_mixture", "mixture_density_network", "matrix_factorisation", "physics_informed", "gradient_penalty",
         "maml"]


@pytest.mark.parametrize("name", NAMES)
def test_gradients_agree_with_pytorch(name):
    torch = pytest.importorskip("torch", reason="PyTorch is an extra: pip install -e '.[peers]'")
    from . import higher_torch

    program = named(name).program()
    sizes, given = arguments(program)
    tensors = {n: torch.tensor(v) for n, v in given.items()}
    parameters = [tensors[p.name].requires_grad_() for p in program.parameters]
    loss = getattr(higher_torch, name)(*tensors.values())
    theirs = torch.autograd.grad(loss, parameters)
    function = lambdify(named(name).backward())
    value, ours = function(*given.values(), **with_sizes(function, sizes))
    assert np.isclose(value, loss.item(), rtol=1e-12)
    for p, a, b in zip(program.parameters, ours, theirs, strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-10, atol=1e-12, err_msg=p.name)


def sine(order):
    """Return a network whose loss is the sum of a derivative of sin(a x), in index notation."""
    net = Network("sine")
    N = net.size("N")
    a, x = net.parameter("a"), net.input("x", N)
    n = net.indices(n=N)[0]
    u = net.define("u", sin(a * x[n]), over=n)
    for k in range(order):
        u = net.define(f"u{k + 1}", derivative(u[n], x[n]), over=n)
    net.loss = total(u)
    return net


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_nest(order):
    a, x = 0.7, np.array([0.3, -1.2, 2.0])
    loss, grads = codegen.lambdify(sine(order).backward())(a, x)
    phase = a * x + order * np.pi / 2
    assert np.isclose(loss, np.sum(a**order * np.sin(phase)), rtol=1e-14)
    assert np.isclose(grads.a, np.sum(order * a ** (order - 1) * np.sin(phase) + a**order * x * np.cos(phase)))


def test_a_matrix_of_slopes_is_a_jacobian():
    net = Network("rows")
    N, D, C = net.sizes("N D C")
    W, X = net.parameter("W", D, C), net.input("X", N, D)
    Z = net.define("Z", tanh(X @ W))
    J = net.define("J", derivative(Z, X))
    net.loss = total(J**2)
    random = np.random.default_rng(0)
    W0, X0 = random.normal(size=(3, 2)), random.normal(size=(4, 3))
    loss, _ = codegen.lambdify(net.backward())(W0, X0)
    slopes = (1 - np.tanh(X0 @ W0) ** 2)[:, :, None] * W0.T
    assert np.isclose(loss, np.sum(slopes**2))


def test_the_derivative_of_a_scalar_by_a_parameter_has_its_shape():
    net = Network("inner_step")
    N, D = net.sizes("N D")
    w, X = net.parameter("w", D), net.input("X", N, D)
    inner = net.define("inner", mean(exp(X @ w)))
    v = net.define("v", w - derivative(inner, w))
    net.loss = total(v**2)
    random = np.random.default_rng(1)
    w0, X0 = random.normal(size=3), random.normal(size=(5, 3))
    loss, grads = codegen.lambdify(net.backward())(w0, X0)
    e = np.exp(X0 @ w0)
    step = w0 - X0.T @ e / 5
    assert np.isclose(loss, step @ step)
    np.testing.assert_allclose(grads.w, 2 * (step - X0.T @ (e * (X0 @ step)) / 5))


def mixing():
    net = Network("mixing")
    N = net.size("N")
    a, x = net.parameter("a"), net.input("x", N)
    u = net.define("u", a * x - mean(x))
    net.loss = total(derivative(u, x) ** 2)
    return net


def constant():
    net = Network("constant")
    N = net.size("N")
    a, x = net.parameter("a"), net.input("x", N)
    u = net.define("u", a**2)
    net.loss = total(derivative(u, x))
    return net


def by_a_variable():
    net = Network("by_a_variable")
    a = net.parameter("a")
    u = net.define("u", a**2)
    net.loss = derivative(net.define("v", u**2), u)
    return net


@pytest.mark.parametrize(("network", "told"), [
    (mixing, "a row of u depends on other rows of x"),
    (constant, "u does not depend on x"),
    (by_a_variable, "expected an input or a parameter"),
])
def test_what_has_no_meaning_is_refused(network, told):
    with pytest.raises(DefinitionError, match=told):
        network().program()


def test_brackets_in_a_term_are_solved():
    net = Network("one_hot")
    N, C = net.sizes("N C")
    W, y = net.parameter("W", N, C), net.labels("y", N, classes=C)
    n, c, m = net.indices(n=N, c=C, m=N)
    picked = Sum(KroneckerDelta(c, y[n]) * W[n, c], c) + Sum(KroneckerDelta(n, m) * W[m, y[m]], m)
    net.define("p", picked, over=n)
    net.loss = Sum(KroneckerDelta(n, m) * W[n, y[m]], n, m)
    program = tidied(net.program())
    assert program.defining("p")[0].rhs == 2 * W[n, y[n]]
    assert program.defining("loss")[0].rhs == Sum(W[n, y[n]], n)


def test_a_bracket_that_leaves_the_range_is_guarded():
    net = Network("shifted")
    T = net.size("T")
    x = net.parameter("x", T)
    t, s = net.indices(t=T, s=T)
    value = collapsed(Sum(KroneckerDelta(t - 1, s) * x[s], s), Prover({T: 1}))
    assert value.subs(T, 3) is not None and value.has(x) and not value.has(Sum)
    net.loss = Sum(Sum(KroneckerDelta(t - 1, s) * x[s] * 1, s) * x[t], t)
    x0 = np.array([1.0, 2.0, 5.0, 11.0])
    loss, grads = codegen.lambdify(net.backward())(x0)
    assert loss == x0[1:] @ x0[:-1]
    np.testing.assert_array_equal(grads.x, np.append(x0[1:], 0) + np.append(0, x0[:-1]))



def test_a_named_value_has_the_axes_of_what_it_reads_in_their_order():
    net = Network("scaled", "Columns scaled inside a function")
    N, D = net.sizes("N D")
    X, w = net.input("X", N, D), net.parameter("w", D)
    net.loss = total(tanh(X * w))
    assert net.backward().variables["tanh_loss"].shape == (N, D)
