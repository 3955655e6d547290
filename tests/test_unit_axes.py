"""What keepdims=True leaves of an axis is no axis in equations and modules; arguments and outputs keep their shapes."""

import numpy as np
import pytest
from sympy import sqrt, tanh

import codegen
from derive import Network, mean, softmax, total

torch = pytest.importorskip("torch", reason="PyTorch is an extra")


def normalised(axis):
    """A normalisation as one writes it in NumPy, over one axis or all."""
    net = Network("normalised", "Normalisation with axes kept")
    N, D = net.sizes("N D")
    x, g, b, dout = net.parameter("x", N, D), net.parameter("g", D), net.parameter("b", 1, D), net.input("dout", N, D)
    m = net.define("m", mean(x, axis=axis, keepdims=True))
    v = net.define("v", mean((x - m) ** 2, axis=axis, keepdims=True))
    Y = net.define("Y", g * ((x - m) / sqrt(v + 1e-5)) + b)
    net.loss = total(dout * tanh(Y))
    return net


def pytorchs(axis, x, g, b, dout):
    dims = (0, 1) if axis is None else axis
    there = [torch.tensor(a, requires_grad=True) for a in (x, g, b)]
    x, g, b = there
    m = x.mean(dims, keepdim=True)
    loss = (torch.tensor(dout) * torch.tanh(g * ((x - m) / ((x - m) ** 2).mean(dims, keepdim=True).add(1e-5).sqrt())
                                            + b)).sum()
    loss.backward()
    return loss.item(), [a.grad.numpy() for a in there]


def values():
    random = np.random.default_rng(0)
    return [random.normal(size=s) for s in ((3, 4), (4,), (1, 4), (3, 4))]


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_gradients_are_pytorchs(axis, style):
    loss, grads = codegen.lambdify(normalised(axis).backward(), style)(*values())
    expected, true = pytorchs(axis, *values())
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    for found, gradient in zip(grads, true, strict=True):
        assert found.shape == gradient.shape
        np.testing.assert_allclose(found, gradient, rtol=1e-9, atol=1e-12)


def test_it_reads_as_without_them():
    program = normalised(1).backward()
    assert "[:, 0]" not in (text := codegen.source(program)) and "broadcast_to" not in text
    assert not any(str(e).count("(i, 0, 0)") or "KroneckerDelta" in str(e) for e in program.equations)


def test_a_root_with_an_axis_kept_is_read_by_its_name():
    net = Network("batch", "Batch normalisation, line by line")
    N, D = net.sizes("N D")
    x, dout = net.parameter("x", N, D), net.input("dout", N, D)
    c = net.define("c", x - mean(x, axis=0, keepdims=True))
    s = net.define("s", sqrt(mean(c**2, axis=0, keepdims=True) + 1e-5))
    net.loss = total(dout * net.define("y", c / s))
    text = codegen.source(net.backward())
    assert "s = np.sqrt(" in text and "sqrt_" not in text


def test_products_with_the_hessian_are_pytorchs():
    x, g, b, dout = values()
    v = np.random.default_rng(1).normal(size=(3, 4))

    def gradient(x):
        return pytorchs(1, x, g, b, dout)[1][0]

    net = normalised(1)
    product = codegen.lambdify(net.hessian_vector_product())
    found = product(x, g, b, dout, product.module.Params(v, np.zeros_like(g), np.zeros_like(b)))
    h = 1e-5
    np.testing.assert_allclose(found[0], (gradient(x + h * v) - gradient(x - h * v)) / (2 * h), rtol=1e-6, atol=1e-8)


def test_an_output_keeps_its_shape():
    net = Network("pooled", "Attention over examples")
    N, D = net.sizes("N D")
    X, w = net.input("X", N, D), net.parameter("w", D)
    s = net.define("s", mean(X, axis=0, keepdims=True))
    P = net.define("P", softmax(X @ w))
    Y = net.define("Y", total(P[:, None] * X, axis=0, keepdims=True) - s)
    net.output(Y)
    net.loss = total(Y**2)
    module = codegen.lambdify(net.backward()).module
    x, weights = np.arange(6.0).reshape(2, 3), np.ones(3)
    p = np.exp(x @ weights - (x @ weights).max())
    np.testing.assert_allclose(module.predict(weights, x), (p / p.sum() @ x)[None] - x.mean(axis=0, keepdims=True))
