"""Convolutions with a kernel for each channel, channels last: added up place by place, PyTorch is the judge."""

import numpy as np
import pytest
from sympy import Sum

import codegen
from derive import Network, mean, padded

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

random = np.random.default_rng(0)


def sequences():
    """A causal convolution of what is computed, dilated, as long as the sequence or not."""
    net = Network("sequences", "A causal convolution of each channel")
    N, T, C, K, L = net.sizes("N T C K L")
    X, u, w = net.input("X", N, T, C), net.parameter("u", C), net.parameter("w", K, C)
    n, t, c, k = net.indices(n=N, t=T, c=C, k=K)
    a = net.define("a", X * u)
    y = net.define("y", Sum(padded(a)[n, t - L * k, c] * w[k, c], k) + u[c] * X[n, t, c], over=(n, t, c))
    net.loss = mean(y**3)

    def by_torch(X, u, w, L):
        a = torch.nn.functional.pad((X * u).mT, (L * (len(w) - 1), 0))
        y = torch.nn.functional.conv1d(a, w.flip(0).T[:, None], groups=len(u), dilation=L).mT + u * X
        return (y**3).mean()

    return net, {"X": random.normal(size=(2, 6, 3)), "u": random.normal(size=3), "w": random.normal(size=(4, 3)),
                 "L": 2}, by_torch


def images():
    """Windows of images, strided, with zeros around them."""
    net = Network("images", "A convolution of each channel of images")
    N, H, W, C, K, S = net.sizes("N H W C K S")
    P = net.size("P", least=0)
    I, J = net.size("I", (H + 2 * P - K) // S + 1), net.size("J", (W + 2 * P - K) // S + 1)
    x, w = net.parameter("x", N, H, W, C), net.parameter("w", K, K, C)
    n, i, j, c, p, q = net.indices(n=N, i=I, j=J, c=C, p=K, q=K)
    y = net.define("y", Sum(padded(x)[n, S * i + p - P, S * j + q - P, c] * w[p, q, c], p, q), over=(n, i, j, c))
    net.loss = mean(y**2)

    def by_torch(x, w, S, P, **_):
        y = torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), w.permute(2, 0, 1)[:, None], stride=S, padding=P,
                                       groups=w.shape[2])
        return (y**2).mean()

    return net, {"x": random.normal(size=(2, 5, 6, 3)), "w": random.normal(size=(3, 3, 3)), "S": 2, "P": 1}, by_torch


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
@pytest.mark.parametrize("network", [sequences, images])
def test_loss_and_gradients_are_pytorchs(network, style):
    net, given, by_torch = network()
    program = net.backward()
    tensors = {name: v if isinstance(v, int) else torch.tensor(v) for name, v in given.items()}
    for name in program.gradients:
        tensors[name].requires_grad_()
    expected = by_torch(**tensors)
    expected.backward()
    loss, grads = codegen.lambdify(program, style)(**given)
    assert np.isclose(loss, expected.item(), rtol=1e-12)
    for name in program.gradients:
        np.testing.assert_allclose(getattr(grads, name), tensors[name].grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("style", ["plain", "fast"])
@pytest.mark.parametrize("network", [sequences, images])
def test_no_array_of_windows_is_made(network, style):
    source = codegen.source(network()[0].backward(), style)
    assert "windows_" not in source and "in range(T)" not in source and "in range(H)" not in source
