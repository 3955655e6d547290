"""Diagonals and traces: read as an expert reads them, right in every place among the axes."""

import numpy as np
import pytest
from sympy import Ne, Piecewise, Sum, log, sqrt

import codegen
from derive import Network, relu

torch = pytest.importorskip("torch", reason="PyTorch is an extra")


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_diagonals_of_matrices_and_of_stacks(style):
    net = Network("diagonals", "A stack of matrices by its diagonals")
    T, K = net.sizes("T K")
    a, B = net.parameter("a", K, T, K), net.parameter("B", K, K)
    t, k = net.indices(t=T, k=K)
    r = net.define("r", a[k, t, k] * B[k, k], over=(t, k))
    net.loss = Sum(r[t, k] ** 2, t, k) + 3 * Sum(B[k, k], k)
    generator = torch.Generator().manual_seed(0)
    A = torch.randn(3, 5, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    b = torch.randn(3, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    loss = ((A.diagonal(dim1=0, dim2=2) * b.diagonal()) ** 2).sum() + 3 * b.trace()
    loss.backward()
    value, grads = codegen.lambdify(net.backward(), style=style)(A.detach().numpy(), b.detach().numpy())
    assert value == pytest.approx(loss.item(), rel=1e-13)
    np.testing.assert_allclose(grads.a, A.grad.numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(grads.B, b.grad.numpy(), rtol=1e-12, atol=1e-14)


def test_a_gradient_that_is_a_diagonal_can_be_written_to():
    net = Network("own", "The diagonal of a product")
    K = net.size("K")
    d, M = net.parameter("d", K), net.input("M", K, K)
    k = net.indices(k=K)[0]
    net.loss = Sum(d[k] * M[k, k], k)
    M0 = np.arange(9.0).reshape(3, 3)
    grads = codegen.lambdify(net.backward())(np.ones(3), M0)[1]
    grads.d[0] = 5
    assert M0[0, 0] == 0 and grads.d[0] == 5


def test_traces_and_strict_masks_read_well():
    net = Network("read", "A trace, and what lies below the diagonal")
    K = net.size("K")
    B = net.parameter("B", K, K)
    i, j = net.indices(i=K, j=K)
    net.loss = Sum(B[i, i], i) ** 2 + Sum(Piecewise((B[i, j] ** 2, i > j), (0, True)), i, j)
    source = codegen.source(net.backward())
    assert "np.trace(B)" in source and "np.arange(K)[:, None] > np.arange(K)" in source
    b = np.random.default_rng(0).normal(size=(4, 4))
    value, grads = codegen.lambdify(net.backward())(b)
    assert value == pytest.approx(np.trace(b) ** 2 + np.sum(np.tril(b, -1) ** 2), rel=1e-14)
    np.testing.assert_allclose(grads.B, 2 * np.trace(b) * np.eye(4) + 2 * np.tril(b, -1), rtol=1e-14)


@pytest.mark.parametrize("style", ["plain", "fast"])
@pytest.mark.parametrize("chosen", ["diagonal", "label", "from the end"])
def test_second_derivatives_of_logarithms_ask_for_no_value_of_what_is_not_read(chosen, style):
    net = Network("chosen", "Logarithms of some entries, as of a triangular factor's diagonal")
    N, C = net.size("N"), 3
    x, y = net.parameter("x", N, N), net.labels("y", N, classes=N)
    n = net.indices(n=N)[0]
    net.loss = Sum(log(x[n, {"diagonal": n, "label": y[n], "from the end": N - 1 - n}[chosen]]), n)
    labels = np.array([2, 0, 1])
    places = np.arange(C), {"diagonal": np.arange(C), "label": labels, "from the end": np.arange(C)[::-1]}[chosen]
    entries, direction = np.array([0.5, 2.0, 3.0]), np.random.default_rng(0).normal(size=(C, C))
    x0, gradient, along, hessian = (np.zeros((C,) * axes) for axes in (2, 2, 2, 4))
    x0[places], gradient[places], along[places] = entries, 1 / entries, -direction[places] / entries**2
    hessian[places + places] = -1 / entries**2                  # 0 elsewhere, where x is 0
    given = {"x": x0, "y": labels}
    with np.errstate(all="raise"):
        np.testing.assert_allclose(codegen.lambdify(net.backward(), style)(**given)[1].x, gradient)
        np.testing.assert_allclose(codegen.lambdify(net.hessian(), style)(**given), hessian)
        assert codegen.lambdify(net.hessian_trace(), style)(**given) == pytest.approx(-np.sum(1 / entries**2))
        product = codegen.lambdify(net.hessian_vector_product(), style)
        np.testing.assert_allclose(product(x0, labels, [direction])[0], along)


def test_functions_of_a_diagonal_are_taken_of_it_alone():
    net = Network("deviations", "Hinges of standard deviations, off the diagonal squares (Bardes et al., 2022)")
    K = net.size("K")
    S = net.parameter("S", K, K)
    i, j = net.indices(i=K, j=K)
    net.loss = Sum(relu(1 - sqrt(S[i, i])), i) + Sum(Piecewise((S[i, j] ** 2, Ne(i, j)), (0, True)), i, j)
    assert codegen.source(net.backward()).count("np.sqrt(np.diagonal(S))") == 1
    direction = np.random.default_rng(0).normal(size=(2, 2))
    with np.errstate(all="raise"):                              # of -1 there is no root
        along = codegen.lambdify(net.hessian_vector_product())(np.array([[0.25, -1], [-1, 4]]), [direction])[0]
    np.testing.assert_allclose(along, direction * [[2, 2], [2, 0]])
