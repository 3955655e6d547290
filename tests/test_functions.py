"""Activations and losses by name: values and gradients are PyTorch's, and nothing overflows."""

import inspect

import numpy as np
import pytest

import derive
from codegen import lambdify
from derive import Network, mean, total

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
F = torch.nn.functional
POINTS = np.array([-40.0, -7.3, -3.5, -2.9, -1.2, -0.7, -0.3, 1e-8, 0.2, 0.6, 1.1, 2.4, 3.7, 6.5, 41.0])

ACTIVATIONS = {
    "celu": F.celu,
    "elu": F.elu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "hardshrink": F.hardshrink,
    "hardsigmoid": lambda x: F.relu6(x + 3) / 6,
    "hardswish": F.hardswish,
    "hardtanh": F.hardtanh,
    "leaky_relu": F.leaky_relu,
    "logsigmoid": F.logsigmoid,
    "mish": F.mish,
    "relu": F.relu,
    "relu6": F.relu6,
    "selu": F.selu,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "softplus": lambda x: F.softplus(x, threshold=100.0),
    "softshrink": F.softshrink,
    "softsign": F.softsign,
    "tanhshrink": F.tanhshrink,
}
AT_KINKS = {
    "relu": [0.0],
    "relu6": [0.0, 6.0],
    "hardtanh": [-1.0, 1.0],
    "hardsigmoid": [-3.0, 3.0],
    "leaky_relu": [0.0],
    "elu": [0.0],
    "celu": [0.0],
    "selu": [0.0],
    "softshrink": [-0.5, 0.5],
    "hardshrink": [-0.5, 0.5],
}


def ours(activation, x):
    """Return the value and the derivative of an activation at each point."""
    net = Network("activation")
    N = net.size("N")
    X = net.parameter("X", N)
    Y = net.define("Y", activation(X))
    net.output(Y)
    net.loss = total(Y)
    run = lambdify(net.backward())
    return run.module.predict(x), run(x)[1].X


def assert_pytorch_agrees(values, theirs, x):
    t = torch.tensor(x, requires_grad=True)
    theirs(t).sum().backward()
    np.testing.assert_allclose(values[0], theirs(t).detach().numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(values[1], t.grad.numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_is_pytorchs(name):
    assert_pytorch_agrees(ours(getattr(derive, name), POINTS), ACTIVATIONS[name], POINTS)


@pytest.mark.parametrize("name", AT_KINKS)
def test_activation_is_pytorchs_at_its_kinks(name):
    x = np.array(AT_KINKS[name])
    assert_pytorch_agrees(ours(getattr(derive, name), x), ACTIVATIONS[name], x)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.filterwarnings("error")
def test_activation_never_overflows(name):
    value, slope = ours(getattr(derive, name), np.array([-1e4, -745.0, 1e-20, 0.0, 745.0, 1e4]))
    assert np.all(np.isfinite(value))
    assert np.all(np.isfinite(slope))


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("style", ["plain", "fast"])
def test_activation_of_a_layer_is_pytorchs_and_multiplies_once(name, style):
    """What is not named, X @ W + b, is computed once, however often the activation reads it."""
    net = Network("layer")
    N, D, H = net.sizes("N D H")
    W, b, X = net.parameter("W", D, H), net.parameter("b", H), net.input("X", N, D)
    net.loss = total(getattr(derive, name)(X @ W + b) ** 2)
    run = lambdify(net.backward(), style=style)
    where, product = ("forward", "X @ W") if style == "plain" else ("_computed", "np.matmul(X, W,")
    assert inspect.getsource(getattr(run.module, where)).count(product) == 1
    random = np.random.default_rng(0)
    values = [2 * random.normal(size=s) for s in ((3, 4), (4,), (50, 3))]
    loss, grads = run(*values)
    weights, bias, x = (torch.tensor(v, requires_grad=True) for v in values)
    theirs = (ACTIVATIONS[name](x @ weights + bias) ** 2).sum()
    theirs.backward()
    np.testing.assert_allclose(loss, theirs.item(), rtol=1e-12)
    np.testing.assert_allclose(grads.W, weights.grad.numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(grads.b, bias.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_threshold_and_prelu():
    assert_pytorch_agrees(
        ours(lambda x: derive.threshold(x, 0.1, 20), POINTS), lambda x: F.threshold(x, 0.1, 20), POINTS
    )
    assert_pytorch_agrees(ours(lambda x: derive.prelu(x, 0.3), POINTS), lambda x: F.leaky_relu(x, 0.3), POINTS)


def binary_loss(loss):
    """Return a loss of A (N, D) and B (N, D) as a network's."""
    net = Network("loss")
    N, D = net.sizes("N D")
    A, B, s = net.parameter("A", N, D), net.input("B", N, D), net.input("s", N)
    net.loss = mean(loss(A, B, s))
    return lambdify(net.backward())


LOSSES = {
    "squared_error": (lambda a, b, s: derive.squared_error(a, b), lambda a, b, s: F.mse_loss(a, b)),
    "absolute_error": (lambda a, b, s: derive.absolute_error(a, b), lambda a, b, s: F.l1_loss(a, b)),
    "huber": (lambda a, b, s: derive.huber(a, b, 0.7), lambda a, b, s: F.huber_loss(a, b, delta=0.7)),
    "smooth_l1": (lambda a, b, s: derive.smooth_l1(a, b, 0.7), lambda a, b, s: F.smooth_l1_loss(a, b, beta=0.7)),
    "soft_margin": (lambda a, b, s: derive.soft_margin(a, b), lambda a, b, s: F.softplus(-a * b).mean()),
    "hinge": (lambda a, b, s: derive.hinge(a, b), lambda a, b, s: F.relu(1 - a * b).mean()),
    "poisson_nll": (lambda a, b, s: derive.poisson_nll(a, b), lambda a, b, s: F.poisson_nll_loss(a, b)),
    "gaussian_nll": (lambda a, b, s: derive.gaussian_nll(a, 1.3, b),
                     lambda a, b, s: F.gaussian_nll_loss(a, b, torch.full_like(a, 1.3))),
    "kl_divergence": (lambda a, b, s: derive.kl_divergence(a, b**2),
                      lambda a, b, s: F.kl_div(a, b**2, reduction="none").mean()),
    "margin_ranking": (lambda a, b, s: derive.margin_ranking(total(a, axis=1), total(b, axis=1), s, 0.2),
                       lambda a, b, s: F.margin_ranking_loss(a.sum(1), b.sum(1), s, margin=0.2)),
    "cosine_embedding": (lambda a, b, s: derive.cosine_embedding(a, b, s, 0.1),
                         lambda a, b, s: F.cosine_embedding_loss(a, b, s, margin=0.1)),
    "triplet": (lambda a, b, s: derive.triplet(a, b, -b, 1, 1e-6),
                lambda a, b, s: F.triplet_margin_loss(a, b, -b, margin=1.0, eps=1e-6)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_loss_is_pytorchs(name):
    random = np.random.default_rng(0)
    a, b, s = random.normal(size=(5, 3)), random.normal(size=(5, 3)), random.choice([-1.0, 1.0], 5)
    mine, theirs = LOSSES[name]
    run = binary_loss(mine)
    given = {"A": a, "B": b, "s": s}
    loss, grads = run(**given)
    t = torch.tensor(a, requires_grad=True)
    value = theirs(t, torch.tensor(b), torch.tensor(s))
    value.backward()
    assert np.isclose(loss, value.item(), rtol=1e-10)
    np.testing.assert_allclose(grads.A, t.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_smoothed_cross_entropy_is_pytorchs():
    net = Network("smoothed")
    N, C = net.sizes("N C")
    Z, y = net.parameter("Z", N, C), net.labels("y", N, classes=C)
    net.loss = mean(derive.smoothed_cross_entropy(Z, y, 0.1))
    random = np.random.default_rng(0)
    z, labels = random.normal(size=(6, 4)), random.integers(0, 4, 6)
    loss, grads = lambdify(net.backward())(z, labels)
    t = torch.tensor(z, requires_grad=True)
    value = F.cross_entropy(t, torch.tensor(labels), label_smoothing=0.1)
    value.backward()
    assert np.isclose(loss, value.item(), rtol=1e-12)
    np.testing.assert_allclose(grads.Z, t.grad.numpy(), rtol=1e-10, atol=1e-14)
