"""States that other lines read at labels, or join to other arrays: their arrays hold the row -1 first."""

import numpy as np
import pytest
from sympy import Rational, Sum, tanh

import codegen
from derive import Network, Product, concatenate, total

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

T, K = 5, 3
READERS = {
    "rows at labels": (lambda r: total(r.h[r.y] ** 3), lambda h, y, z, M: (h[y] ** 3).sum()),
    "a row at one label": (lambda r: Sum(r.h[r.y[0], r.k] ** 2, r.k), lambda h, y, z, M: (h[y[0]] ** 2).sum()),
    "entries at two labels": (lambda r: Sum(r.h[r.y[r.t], r.z[r.t]] ** 2, r.t),
                              lambda h, y, z, M: (h[y, z] ** 2).sum()),
    "entries of each row at a label": (lambda r: Sum(r.h[r.t, r.z[r.s]] * r.M[r.s, r.z[r.t]], r.t, r.s),
                                       lambda h, y, z, M: (h[:, z] * M[:, z].T).sum()),
    "rows at labels, one less": (
        lambda r: Sum(r.h[r.y[r.t] - 1, r.k] ** 2, r.t, r.k),
        lambda h, y, z, M: (torch.cat([torch.full((1, K), 0.5, dtype=h.dtype), h])[y] ** 2).sum()),
    "joined to data": (lambda r: total(concatenate(r.h, r.M, axis=1) ** 3),
                       lambda h, y, z, M: (torch.cat([h, M], 1) ** 3).sum()),
}


class Reader:
    """A recurrence h, and what its readers read it with."""

    def __init__(self, net):
        T, K = net.sizes("T K")
        X, self.M, W = net.input("X", T, K), net.input("M", T, K), net.parameter("W", K, K)
        self.y, self.z = net.labels("y", T, classes=T), net.labels("z", T, classes=K)
        self.t, self.s, self.k, j = net.indices(t=T, s=T, k=K, j=K)
        self.h = net.state("h", T, K, initial=Rational(1, 2))
        before = Sum(self.h[self.t - 1, j] * W[j, self.k], j)
        net.define(self.h, tanh(X[self.t, self.k] + before), over=(self.t, self.k))


@pytest.mark.parametrize("style", ["plain", "fast"])
@pytest.mark.parametrize("name", READERS)
def test_pytorch_agrees(name, style):
    ours, theirs = READERS[name]
    net = Network("states")
    net.loss = ours(Reader(net))
    random = np.random.default_rng(0)
    W, X, M = random.normal(size=(K, K)), random.normal(size=(T, K)), random.normal(size=(T, K))
    y, z = np.array([0, 3, 3, 4, 1]), np.array([2, 0, 1, 1, 2])
    w, row, rows = torch.tensor(W, requires_grad=True), torch.full((K,), 0.5, dtype=torch.float64), []
    for x in torch.tensor(X):
        row = torch.tanh(x + row @ w)
        rows.append(row)
    expected = theirs(torch.stack(rows), torch.tensor(y), torch.tensor(z), torch.tensor(M))
    expected.backward()
    loss, grads = codegen.lambdify(net.backward(), style=style)(W, X, M, y, z)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(grads.W, w.grad.numpy(), rtol=1e-10)


def test_second_derivatives_of_a_product_over_a_part_of_an_axis():
    net = Network("product")
    size = net.size("T")
    x = net.parameter("x", size)
    [t] = net.indices(t=size)
    net.loss = Product(x[t], (t, 1, size - 2))
    x0 = np.array([3.0, 2.0, 0.5, -1.5, 7.0])
    [along] = codegen.lambdify(net.hessian_vector_product())(x0, [np.arange(5.0)])
    inner = torch.tensor(x0[1:-1])
    hessian = torch.autograd.functional.hessian(lambda x: x.prod(), inner).numpy()
    np.testing.assert_allclose(along, [0, *(hessian @ np.arange(1.0, 4.0)), 0], rtol=1e-12)
