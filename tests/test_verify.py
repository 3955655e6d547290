"""The judges of a build are asked where they have something to say, and where they have not, that is told."""

import numpy as np
import pytest
from sympy import sign, sqrt

import codegen
from codegen.memory import module_from
from codegen.verify import finite_differences, sample
from derive import Network, cross_entropy, mean, relu, sigmoid, total


def test_differences_are_taken_where_gradients_are_not_0():
    net = Network("n", "Four relus: dead at the first points drawn")
    N, D = net.sizes("N D")
    X, W = net.input("X", N, D), net.parameter("W", D, D)
    Z = X
    for k in range(4):
        Z = net.define(f"Z{k}", relu(Z @ W))
    net.loss = mean(Z)
    program = net.backward()
    text = codegen.source(program)
    right, wrong = (module_from("dead", t) for t in (text, text.replace("return Params(dW)", "return Params(2 * dW)")))
    assert any(not np.any(right.loss_and_grads(**sample(program, right, seed))[1].W) for seed in range(9))
    for seed in range(9):
        assert finite_differences(program, right, seed).passed and not finite_differences(program, wrong, seed).passed


def test_a_gradient_that_is_always_0_is_told():
    net = Network("n", "A step")
    w = net.parameter("w", *net.sizes("N"))
    net.loss = total(sign(w) + w**2)
    program = net.backward()
    module = module_from("still", codegen.source(program).replace("return Params(dw)", "return Params(0 * dw)"))
    assert not finite_differences(program, module).passed
    module.forward = lambda w: (1.0, (w,))
    assert "is 0 at all 20 points tried, where differences say nothing" in finite_differences(program, module).notes[0]


@pytest.mark.parametrize("seed", [3, 6, 21])           # p - y is 1e-16 and less, and log p is 0 to the last digit
def test_differences_are_not_taken_where_a_single_example_is_saturated(seed):
    net = Network("n", "One example")
    D, H, C = net.sizes("D H C")
    x, y = net.input("x", D), net.labels("y", classes=C)
    h = net.define("h", relu(net.parameter("W", H, D) @ x + net.parameter("b", H)))
    net.loss = cross_entropy(net.define("z", net.parameter("U", C, H) @ (10 * h) + net.parameter("c", C)), y)
    program = net.backward()
    text = codegen.source(program)
    right, wrong = (module_from("saturated", t) for t in (text, text.replace("Params(dW, db", "Params(2 * dW, db")))
    assert max(np.max(np.abs(g)) for g in right.loss_and_grads(**sample(program, right, seed))[1]) < 1e-9
    assert finite_differences(program, right, seed).passed and not finite_differences(program, wrong, seed).passed


def test_a_gradient_that_is_0_but_for_rounding_is_told_and_no_mistake():
    net = Network("n", "Normalisation twice, of biased units: no bias counts")
    N, D, H, K, C = net.sizes("N D H K C")
    a = net.input("x", N, D)
    for k, (rows, columns) in enumerate([(D, H), (H, K)]):
        W, b = net.parameter(f"W{k}", rows, columns), net.parameter(f"b{k}", columns)
        gamma, beta = net.parameter(f"gamma{k}", columns), net.parameter(f"beta{k}", columns)
        z = net.define(f"z{k}", a @ W + b)
        mu = net.define(f"mu{k}", mean(z, axis=0))
        var = net.define(f"var{k}", mean((z - mu) ** 2, axis=0))
        a = net.define(f"a{k}", sigmoid(gamma * (z - mu) / sqrt(var + 1e-6) + beta))
    y = net.define("y", a @ net.parameter("V", K, C) + net.parameter("c", C))
    net.loss = mean(cross_entropy(y, net.labels("t", N, classes=C)))
    program = net.backward()
    text = codegen.source(program)
    right, wrong = (module_from("twice", t) for t in (text, text.replace("Params(dW0, db0", "Params(dW0, 1e-9 + db0")))
    found = [finite_differences(program, right, seed) for seed in range(2)]
    assert all(verdict.passed for verdict in found) and not finite_differences(program, wrong).passed
    assert any("0 but for the rounding" in note for verdict in found for note in verdict.notes)
