"""Embeddings in parts, the numbers of complex ones: what labels and a place pick is added there, and nowhere else."""

import numpy as np
import pytest
from sympy import Sum, sqrt

import codegen
from derive import Network, softplus

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

random = np.random.default_rng(0)


def distances():
    """How far apart complex numbers are, and how they lie to each other in one part (Sun et al., 2019)."""
    net = Network("distances", "Distances of embedded complex numbers")
    B, M, N, D = net.sizes("B M N D")
    E, h, t = net.parameter("E", N, D, 2), net.labels("h", B, classes=N), net.labels("t", B, M, classes=N)
    b, m, d = net.indices(b=B, m=M, d=D)
    u, v = E[h[b], d, 0] - E[t[b, m], d, 0], E[h[b], d, 1] - E[t[b, m], d, 1]
    far = net.define("far", Sum(sqrt(u**2 + v**2 + 1), d), over=(b, m))
    net.loss = Sum(softplus(far[b, m]) + Sum(E[h[b], d, 1] * E[t[b, m], d, 0], d), b, m)

    def by_torch(E, h, t):
        apart = E[h][:, None] - E[t]
        far = torch.sqrt((apart**2).sum(-1) + 1).sum(-1)
        return (torch.nn.functional.softplus(far) + (E[h][:, None, :, 1] * E[t][..., 0]).sum(-1)).sum()

    return net, by_torch


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
@pytest.mark.parametrize(("examples", "rows", "width"), [(4, 5, 2), (300, 3, 2), (40, 200, 70), (900, 3, 20)])
def test_gradients_are_pytorchs(examples, rows, width, style):
    net, by_torch = distances()
    given = {"E": random.normal(size=(rows, width, 2)), "h": random.integers(0, rows, examples),
             "t": random.integers(0, rows, (examples, 3))}
    tensors = {name: torch.tensor(value) for name, value in given.items()}
    tensors["E"].requires_grad_()
    expected = by_torch(**tensors)
    expected.backward()
    loss, grads = codegen.lambdify(net.backward(), style=style)(**given)
    assert np.isclose(loss, expected.item(), rtol=1e-12)
    np.testing.assert_allclose(grads.E, tensors["E"].grad, rtol=1e-9, atol=1e-10)


def test_rows_of_parts_are_added_up_without_masks():
    source = codegen.source(distances()[0].backward())
    body = source[source.index("def backward"):source.index("def loss_and_grads")]
    assert "np.arange" not in body and body.count("_add_rows(") == 4 and ".mT" not in body
