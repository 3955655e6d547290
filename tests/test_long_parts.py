"""Layers nested in one expression: gradients against PyTorch, and no longer than the layers are many."""

import numpy as np
import pytest
from sympy import Rational, sqrt

from codegen.memory import lambdify
from derive import Network, matmul, mean, relu, softmax, total
from derive.arrays import Transposed
from derive.terms import reads, subterms

EPS = 0.1


def attention(x, weight, D):
    return matmul(softmax(matmul(x, Transposed(x)) / sqrt(D)), x) * weight


def mixed(x, weight, D):
    return softmax(matmul(x, weight))


def norm(x, weight, D):
    c = x - mean(x, -1, keepdims=True)
    return c / sqrt(mean(c**2, -1, keepdims=True) + Rational(1, 10)) * weight


def layer(x, weight, D):
    return relu(matmul(x, weight))


def block(x, weight, D):
    return x + layer(norm(x, 2, D), weight, D)


LAYERS = {"attention": (attention, 1), "softmax": (mixed, 2), "norm": (norm, 1), "perceptron": (layer, 2),
          "residual": (block, 2)}


def theirs(kind, x, weight):
    """Return the same layer in PyTorch."""
    if kind == "attention":
        return (x @ x.T / x.shape[1] ** 0.5).softmax(-1) @ x * weight
    if kind == "softmax":
        return (x @ weight).softmax(-1)
    if kind == "perceptron":
        return (x @ weight).relu()
    c = x - x.mean(-1, keepdim=True)
    normal = c / ((c**2).mean(-1, keepdim=True) + EPS).sqrt()
    return normal * weight if kind == "norm" else x + (2 * normal @ weight).relu()


def nested(kind, depth):
    """Return a network whose loss is of so many layers, none of them named."""
    make, axes = LAYERS[kind]
    net = Network("nested")
    N, D = net.sizes("N D")
    x = net.input("X", N, D)
    for k in range(depth):
        x = make(x, net.parameter(f"W{k}", *(D,) * axes), D)
    net.loss = total(x**2) / 2
    return net


@pytest.mark.parametrize("kind", LAYERS)
def test_layers_without_names_have_pytorchs_gradients(kind):
    torch = pytest.importorskip("torch", reason="PyTorch is an extra: pip install -e '.[peers]'")
    random = np.random.default_rng(0)
    given = {f"W{k}": random.normal(size=(4,) * LAYERS[kind][1]) for k in range(3)}
    X = random.normal(size=(3, 4))
    weights = [torch.tensor(w, requires_grad=True) for w in given.values()]
    x = torch.tensor(X)
    for w in weights:
        x = theirs(kind, x, w)
    loss = (x**2).sum() / 2
    loss.backward()
    value, grads = lambdify(nested(kind, 3).backward())(**given, X=X)
    np.testing.assert_allclose(value, loss.item(), rtol=1e-13)
    for w, g in zip(weights, grads, strict=True):
        np.testing.assert_allclose(g, w.grad.numpy(), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("kind", ["attention", "softmax", "norm", "perceptron"])
def test_each_layer_more_takes_as_much_more(kind):
    # not of residual layers: SymPy adds up sums of sums, so that each of them reads all before it
    def length(depth):
        return sum(1 for e in nested(kind, depth).backward().equations for _ in subterms(e.rhs))

    two, four, six = map(length, (2, 4, 6))
    assert six - four <= 1.1 * (four - two)


def test_what_is_used_again_in_another_equation_keeps_its_name():
    net = Network("shared")
    N, D = net.sizes("N D")
    X, W = net.input("X", N, D), net.parameter("W", D)
    x = norm(norm(X, W, D), 1, D)
    net.define("Z", attention(x, 1, D))
    net.loss = total(attention(x, 2, D) ** 2)
    lines = [e.rhs for e in net.program().equations]
    assert len(set(lines)) == len(lines) and sum("part_Z" in str(e.lhs) for e in net.program().equations) == 2


def test_a_norm_without_names_subtracts_its_mean_once():
    program = nested("norm", 1).backward()
    assert [e.name for e in program.equations if reads(e.rhs, {"X"})] == ["pre_loss"]
