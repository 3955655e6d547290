"""Hand-written backprop is right: by differences, by PyTorch, and by numbers worked out on paper."""

import numpy as np
import pytest

from codegen.differences import compare, derivative_estimate
from tests.handwritten import chain, guess, mlp, neuron, relu_network, softmax_regression, square

rng = np.random.default_rng(0)


def layers(D, H, K):
    """Return random weights and biases for two layers."""
    shapes = {"W1": (D, H), "b1": H, "W2": (H, K), "b2": K}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


LABELLED = {"X": rng.normal(size=(6, 4)), "y": rng.integers(0, 3, 6)}
NETWORKS = [                                            # network, parameters, inputs
    (square, {"x": 3.0}, {}),
    (chain, {"x": 3.0}, {}),
    (neuron, {"W": rng.normal(size=4)}, {"X": rng.normal(size=4), "y": 1.0}),
    (relu_network, layers(4, 5, 3), {"x": rng.normal(size=4), "y": np.ones(3)}),
    (guess, {"g": -0.758}, {"target": 42.0}),
    (softmax_regression, {"W": rng.normal(size=(4, 3)), "b": rng.normal(size=3)}, LABELLED),
    (mlp, layers(4, 5, 3), LABELLED),
]
TORCH = {                                               # the losses again, from their definitions
    square: lambda torch, x: x**2,
    chain: lambda torch, x: 2 * x**2,
    neuron: lambda torch, W, X, y: (y - torch.sigmoid(X @ W)) ** 2 / 2,
    relu_network: lambda torch, W1, b1, W2, b2, x, y:
        ((torch.relu(torch.relu(x @ W1 + b1) @ W2 + b2) - y) ** 2).sum() / 2,
    guess: lambda torch, g, target: (g - target) ** 2 / 2,
    softmax_regression: lambda torch, W, b, X, y: torch.nn.functional.cross_entropy(X @ W + b, y),
    mlp: lambda torch, W1, b1, W2, b2, X, y:
        torch.nn.functional.cross_entropy(torch.relu(X @ W1 + b1) @ W2 + b2, y),
}
every_network = pytest.mark.parametrize(
    ("network", "params", "inputs"), NETWORKS, ids=[n.__name__.rpartition(".")[2] for n, _, _ in NETWORKS]
)


def loss_along(name, network, params, inputs):
    """Return the loss as a function of one parameter."""
    return lambda value: network.loss_and_grads(**{**params, name: value}, **inputs)[0]


@every_network
def test_agrees_with_differences(network, params, inputs):
    _, grads = network.loss_and_grads(*params.values(), *inputs.values())
    assert list(grads) == list(params)
    for name, value in params.items():
        comparison = compare(derivative_estimate(loss_along(name, network, params, inputs), value), grads[name], 1e-9)
        assert comparison.agrees, f"{name}: {comparison}"


@every_network
def test_agrees_with_pytorch(network, params, inputs):
    torch = pytest.importorskip("torch", reason="PyTorch is an extra: pip install -e '.[peers]'")
    tensors = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in params.items()}
    theirs = TORCH[network](torch, **tensors, **{name: torch.as_tensor(value) for name, value in inputs.items()})
    theirs.backward()
    loss, grads = network.loss_and_grads(**params, **inputs)
    assert loss == pytest.approx(theirs.item(), rel=1e-14)
    for name, tensor in tensors.items():
        assert grads[name] == pytest.approx(tensor.grad.numpy(), rel=1e-12, abs=1e-15), name


def test_square_and_chain_at_3():
    assert square.loss_and_grads(3.0) == (9.0, {"x": 6.0})
    assert chain.loss_and_grads(3.0) == (18.0, {"x": 12.0})


def test_one_step_of_the_neuron():
    W = np.array([0.2, 0.4])
    _, grads = neuron.loss_and_grads(W, np.array([0.5, 0.8]), 1)
    assert str(W - 0.1 * grads["W"]) == "[0.20474415 0.40759064]"


def test_one_step_of_the_relu_network():
    W1, b1 = np.array([[0.2, 0.4], [0.1, 0.3]]), np.array([0.1, 0.2])
    W2, b2 = np.array([[0.5], [0.6]]), np.array([0.3])
    _, grads = relu_network.loss_and_grads(W1, b1, W2, b2, np.array([0.5, 0.8]), np.array([1.0]))
    assert grads["b2"] == pytest.approx([-0.176], rel=1e-14)
    assert grads["b1"] == pytest.approx([-0.088, -0.1056], rel=1e-14)
    assert W2 - 0.01 * grads["W2"] == pytest.approx(np.array([[0.5004928], [0.6011264]]), rel=1e-14)
    assert W1 - 0.01 * grads["W1"] == pytest.approx(np.array([[0.20044, 0.400528], [0.100704, 0.3008448]]), rel=1e-14)


def test_500_steps_of_the_guess():
    g, losses, guesses = -0.7580416795667336, [], []
    for _ in range(500):
        loss, grads = guess.loss_and_grads(g, 42)
        g -= 0.1 * grads["g"]
        losses.append(loss)
        guesses.append(g)
    assert losses[0] == pytest.approx(914.125, abs=5e-4)
    assert losses[50] == 0.024280440461652383
    assert [guesses[step - 1] for step in (1, 51, 101, 500)] == [
        3.51776248838994, 41.80167119839046, 41.998977857939366, 41.99999999999997,
    ]


@pytest.mark.parametrize("logits", [1e4, -1e4])
def test_large_logits_do_not_overflow(logits):
    W, b, X, y = np.zeros((1, 3)), np.array([logits, 0.0, -logits]), np.zeros((1, 1)), np.array([1])
    loss, grads = softmax_regression.loss_and_grads(W, b, X, y)
    assert loss == 1e4
    assert grads["b"] == pytest.approx([float(logits > 0), -1, float(logits < 0)])
