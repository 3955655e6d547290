"""Networks without time or space: generated gradients against PyTorch, a person, differences and the referee."""

from functools import cache

import numpy as np
import pytest
from sympy import tanh

from codegen.memory import lambdify
from codegen.verify import finite_differences, handwritten_function, referee, relative
from derive import elu, gelu_tanh, mish, relu, sigmoid, softplus
from derive.networks import named
from derive.networks.perceptron import from_widths

CLOSE = 1e-10
TORCH = "PyTorch is an extra: pip install -e '.[peers]'"
USUAL = {"N": 7, "D": 5, "H": 6, "K": 4, "M": 3, "C": 3, "E": 4, "F": 6, "V": 9, "G": 2, "W": 4}
ALONE = dict.fromkeys(USUAL, 1) | {"C": 2, "V": 2}            # one example, one unit, one of everything
SIZES = {                                                     # other sizes than these two, where one makes no sense
    "batch_norm": [USUAL, ALONE | {"N": 2, "D": 2}],          # PyTorch refuses to normalise one example
    "layer_norm": [USUAL, ALONE | {"H": 2}],                  # one unit has no variance
    "group_norm": [USUAL, ALONE | {"W": 2}],
}
NETWORKS = [
    "linear_regression", "ridge_regression", "logistic_regression", "perceptron", "autoencoder", "vae", "batch_norm",
    "layer_norm", "group_norm", "rms_norm", "dropout", "skip_gram", "graph_convolution", "mixture_of_experts",
    "info_nce", "hyperparameters", "whitened_process",
]
BITS = {("logistic_regression", "y"), ("dropout", "mask"), ("graph_convolution", "A"), ("graph_convolution", "known")}
every_network = pytest.mark.parametrize("name", NETWORKS)
both_sizes = pytest.mark.parametrize("which", [0, 1], ids=["usual", "alone"])


@cache
def made(name):
    """Return a network, its derived program and its generated module."""
    net = named(name)
    derived = net.backward()
    return net, derived, lambdify(derived).module


def arguments(name, which=0):
    """Return random arguments at one of two sets of sizes, and the sizes that are given by keyword."""
    _, program, module = made(name)
    sizes = {s: SIZES.get(name, [USUAL, ALONE])[which][s.name] for s in program.sizes if s not in program.derived}
    sizes |= {s: int(value.xreplace(sizes)) for s, value in program.derived.items()}
    random = np.random.default_rng(which)

    def value(v):
        shape = tuple(int(s.xreplace(sizes)) for s in v.shape)
        if v.kind == "labels":
            return random.integers(0, int(v.classes.xreplace(sizes)), shape)
        if (name, v.name) in BITS:
            bits = random.integers(0, 2, shape).astype(float)
            return np.maximum(bits, bits.T) if v.name == "A" else bits
        positive = (not shape and v.kind == "input") or (name, v.name) == ("vae", "X")
        return np.float64(random.uniform(0.2, 1, shape) if positive else random.normal(size=shape))

    code = module.forward.__code__
    names = code.co_varnames[code.co_argcount:code.co_argcount + code.co_kwonlyargcount]
    keywords = {s.name: n for s, n in sizes.items() if s.name in names}
    return {v.name: value(v) for v in (*program.parameters, *program.inputs)}, keywords


def assert_agree(theirs, ours):
    """Assert that two judges have the same loss and the same gradients."""
    assert np.isclose(theirs[0], ours[0], rtol=CLOSE, atol=1e-15)
    assert {n: d for n, g in theirs[1].items() if not (d := relative(g, getattr(ours[1], n))) <= CLOSE} == {}


def by_torch(loss, values, parameters, **keywords):
    """Return a loss in PyTorch and its gradients by autograd."""
    torch = pytest.importorskip("torch", reason=TORCH)
    tensors = {n: torch.tensor(v) for n, v in values.items()}
    for n in parameters:
        tensors[n].requires_grad_()
    result = loss(*tensors.values(), **keywords)
    result.backward()
    return result.item(), {n: tensors[n].grad.numpy() for n in parameters}


@both_sizes
@every_network
def test_agrees_with_pytorch(name, which):
    pytest.importorskip("torch", reason=TORCH)
    from tests import networks_torch

    _, program, module = made(name)
    values, keywords = arguments(name, which)
    theirs = by_torch(getattr(networks_torch, name), values, [p.name for p in program.parameters], **keywords)
    assert_agree(theirs, module.loss_and_grads(**values, **keywords))


@both_sizes
@every_network
def test_agrees_with_a_person(name, which):
    values, keywords = arguments(name, which)
    theirs = handwritten_function(name)(*(np.array(v) for v in values.values()), **keywords)
    assert_agree(theirs, made(name)[2].loss_and_grads(**values, **keywords))


@every_network
def test_agrees_with_differences(name):
    _, program, module = made(name)
    assert finite_differences(program, module).complaints == ()


@every_network
def test_agrees_with_the_referee(name):
    net, program, _ = made(name)
    assert referee(net, program).complaints == ()


@pytest.mark.parametrize("activations", [[], [tanh], [relu, elu, sigmoid, gelu_tanh, mish, softplus]], ids=len)
def test_perceptrons_of_any_depth(activations):
    torch = pytest.importorskip("torch", reason=TORCH)
    F = torch.nn.functional
    known = {tanh: torch.tanh, relu: F.relu, elu: F.elu, sigmoid: torch.sigmoid, mish: F.mish, softplus: F.softplus,
             gelu_tanh: lambda z: F.gelu(z, approximate="tanh")}

    def loss(*arguments):
        *weights, A, y = arguments
        for k, (W, b) in enumerate(zip(weights[::2], weights[1::2], strict=True)):
            A = A @ W + b
            if k < len(activations):
                A = known[activations[k]](A)
        return F.cross_entropy(A, y)

    random = np.random.default_rng(0)
    widths = [4, *range(5, 5 + len(activations)), 3]
    program = from_widths(widths, activations).backward()
    values = {p.name: random.normal(size=tuple(map(int, p.shape))) for p in program.parameters}
    values |= {"X": random.normal(size=(6, 4)), "y": random.integers(0, 3, 6)}
    theirs = by_torch(loss, values, [p.name for p in program.parameters])
    assert_agree(theirs, lambdify(program)(**values))


def test_running_statistics_move_towards_those_of_the_batch():
    module = made("batch_norm")[2]
    values, _ = arguments("batch_norm")
    Z, weight = values["X"] @ values["W1"], values["momentum"]
    del values["y"]
    _, mean, variance = module.predict(**values)
    assert np.allclose(mean, (1 - weight) * values["running_m"] + weight * Z.mean(axis=0), rtol=1e-14)
    assert np.allclose(variance, (1 - weight) * values["running_v"] + weight * Z.var(axis=0), rtol=1e-14)


def test_a_batch_of_one_normalises_to_nothing():
    values, _ = arguments("batch_norm")
    values |= {"X": values["X"][:1], "y": values["y"][:1]}
    loss, grads = made("batch_norm")[2].loss_and_grads(**values)
    assert np.isfinite(loss) and not grads.W1.any() and not grads.gamma.any() and grads.b2.any()


def test_gates_of_experts_are_a_distribution():
    values, _ = arguments("mixture_of_experts")
    del values["T"]
    _, gates = made("mixture_of_experts")[2].predict(**values)
    assert (gates > 0).all() and np.allclose(gates.sum(axis=1), 1, rtol=1e-14)
