"""The textbook's numbers, to every digit shown, from the generated modules."""

import numpy as np
import pytest

from codegen.differences import central_difference
from generated import chain, guess, neuron, relu_network, square


@pytest.mark.parametrize(("module", "loss", "gradient"), [(square, "9.0", "6.0"), (chain, "18.0", "12.0")])
def test_square_and_chain_at_3(module, loss, gradient):
    value, grads = module.loss_and_grads(3)
    assert (str(value), str(grads.x)) == (loss, gradient)


def test_central_difference_beside_the_gradient_of_the_square():
    assert str(central_difference(lambda x: square.forward(x)[0], 3, h=1e-5)) == "6.000000000039306"


def test_one_step_of_the_neuron():
    W = neuron.Params(np.array([0.2, 0.4]))
    _, grads = neuron.loss_and_grads(*W, X=[0.5, 0.8], y=1)
    assert str(neuron.sgd_step(W, grads, 0.1).W) == "[0.20474415 0.40759064]"


def test_one_step_of_the_relu_network():
    params = relu_network.Params(
        W1=np.array([[0.2, 0.4], [0.1, 0.3]]), b1=np.array([0.1, 0.2]), W2=np.array([[0.5], [0.6]]), b2=np.array([0.3]))
    _, grads = relu_network.loss_and_grads(*params, x=[0.5, 0.8], y=[1])
    assert str(grads.b2) == "[-0.176]"                  # the adjoints of z2 and z1
    assert str(grads.b1) == "[-0.088  -0.1056]"
    stepped = relu_network.sgd_step(params, grads, 0.01)
    assert str(stepped.W2) == "[[0.5004928]\n [0.6011264]]"
    assert str(stepped.W1) == "[[0.20044   0.400528 ]\n [0.100704  0.3008448]]"


def test_500_steps_of_the_guess():
    params, losses, guesses = guess.Params(-0.7580416795667336), [], []
    for _ in range(500):
        loss, grads = guess.loss_and_grads(*params, target=42)
        params = guess.sgd_step(params, grads, 0.1)
        losses.append(float(loss))
        guesses.append(str(params.g))
    assert f"{losses[0]:.3f}" == "914.125"
    assert losses[50] == 0.024280440461652383
    assert {step: guesses[step - 1] for step in (1, 51, 101, 500)} == {
        1: "3.51776248838994", 51: "41.80167119839046", 101: "41.998977857939366", 500: "41.99999999999997"}
