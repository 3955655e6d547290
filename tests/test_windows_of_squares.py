"""Windows of products and of squares: what a place has multiplies all that is added up there, and needs no window."""

import numpy as np
import pytest
from sympy import Sum

import codegen
from derive import Network, mean, padded, total

torch = pytest.importorskip("torch", reason="PyTorch is an extra")
nn = torch.nn.functional

random = np.random.default_rng(0)


def similarity():
    """Structural similarity by uniform windows (Wang et al., 2004)."""
    net = Network("similarity", "Structural similarity by uniform windows")
    N, H, W, K = net.sizes("N H W K")
    I, J = net.size("I", H - K + 1), net.size("J", W - K + 1)
    X, Y, c, d = net.parameter("X", N, H, W), net.parameter("Y", N, H, W), net.input("c"), net.input("d")
    n, i, j, p, q = net.indices(n=N, i=I, j=J, p=K, q=K)
    at = n, i + p, j + q
    mx, my, xx, yy, xy = (
        net.define(name, Sum(of, p, q) / K**2, over=(n, i, j)) for name, of in {
            "mx": X[at], "my": Y[at], "xx": X[at] ** 2, "yy": Y[at] ** 2, "xy": X[at] * Y[at]}.items())
    s = (2 * mx * my + c) * (2 * (xy - mx * my) + d) / ((mx**2 + my**2 + c) * (xx - mx**2 + yy - my**2 + d))
    net.loss = 1 - mean(net.define("s", s))

    def by_torch(X, Y, c, d, K):
        mx, my, xx, yy, xy = (nn.avg_pool2d(a[:, None], K, 1) for a in (X, Y, X * X, Y * Y, X * Y))
        s = (2 * mx * my + c) * (2 * (xy - mx * my) + d) / ((mx**2 + my**2 + c) * (xx - mx**2 + yy - my**2 + d))
        return 1 - s.mean()

    return net, {"X": random.random((2, 6, 5)), "Y": random.random((2, 6, 5)), "c": np.array(0.01),
                 "d": np.array(0.03), "K": 3}, by_torch


def energies():
    """Squares in strided and dilated windows with zeros around them, weighted."""
    net = Network("energies", "Energies of a signal in windows")
    N, U, K, S, L = net.sizes("N U K S L")
    P = net.size("P", least=0)
    I = net.size("I", (U + 2 * P - L * (K - 1) - 1) // S + 1)
    x, w = net.parameter("x", N, U), net.parameter("w", K)
    n, i, k = net.indices(n=N, i=I, k=K)
    e = net.define("e", Sum(padded(x)[n, S * i + L * k - P] ** 2 * w[k], k), over=(n, i))
    net.loss = total(e**2)

    def by_torch(x, w, S, L, P, **_):
        return (nn.conv1d(x[:, None] ** 2, w[None, None], stride=S, dilation=L, padding=P) ** 2).sum()

    return net, {"x": random.normal(size=(3, 9)), "w": random.normal(size=3), "S": 2, "L": 2, "P": 1}, by_torch


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
@pytest.mark.parametrize("network", [similarity, energies])
def test_loss_and_gradients_are_pytorchs(network, style):
    net, given, by_torch = network()
    program = net.backward()
    tensors = {n: v if isinstance(v, int) else torch.tensor(v) for n, v in given.items()}
    for name in program.gradients:
        tensors[name].requires_grad_()
    expected = by_torch(**tensors)
    expected.backward()
    loss, grads = codegen.lambdify(program, style=style)(**given)
    assert np.isclose(loss, expected.item(), rtol=1e-12)
    for name in program.gradients:
        np.testing.assert_allclose(getattr(grads, name), tensors[name].grad, rtol=1e-9, atol=1e-12)


def test_adjoints_are_added_up_by_taps_before_they_are_multiplied():
    source = codegen.source(similarity()[0].backward())
    assert "in range(H)" not in source and "windows_d" not in source


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_sums_that_a_quotient_and_its_slopes_need_are_made_once(style):
    source = codegen.source(similarity()[0].backward(), style)
    body = source[source.index("\ndef "):]
    square = "mx**2" if style == "plain" else "np.square(mx"
    assert sum(square in line for line in body.splitlines() if "#" not in line.strip()[:1]) == 2    # in two sums
