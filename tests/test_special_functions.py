"""Functions that SciPy has: of arrays, of sizes, in float32."""

import numpy as np
import pytest
from sympy import Sum, digamma, factorial, gamma, log, loggamma

import codegen
from derive import Network, mean, sigmoid, softplus, total

torch = pytest.importorskip("torch", reason="PyTorch is an extra")
pytest.importorskip("scipy", reason="SciPy is an extra")

random = np.random.default_rng(0)


def evidence():
    """The divergence of a Dirichlet distribution from the uniform one (Sensoy et al., 2018)."""
    net = Network("evidence", "Evidence for classes")
    N, C = net.sizes("N C")
    Z = net.parameter("Z", N, C)
    n, c = net.indices(n=N, c=C)
    a = net.define("a", softplus(Z) + 1)
    s = net.define("s", total(a, axis=1))
    net.loss = mean(loggamma(s) - loggamma(C)) + Sum(
        (a[n, c] - 1) * (digamma(a[n, c]) - digamma(s[n])) - loggamma(a[n, c]), n, c) / N
    return net


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
def test_a_dirichlet_divergence_is_pytorchs(style):
    Z = random.normal(size=(4, 3))
    z = torch.tensor(Z, requires_grad=True)
    a = torch.nn.functional.softplus(z) + 1
    expected = torch.distributions.kl_divergence(
        torch.distributions.Dirichlet(a), torch.distributions.Dirichlet(torch.ones_like(a))).mean()
    expected.backward()
    f = codegen.lambdify(evidence().backward(), style=style)
    for dtype, tolerance in ((np.float64, 1e-10), (np.float32, 1e-4)):
        loss, grads = f(Z.astype(dtype))
        assert grads.Z.dtype == dtype
        assert np.isclose(loss, expected.item(), rtol=tolerance)
        assert np.allclose(grads.Z, z.grad, rtol=tolerance, atol=tolerance)


def test_functions_of_sizes_are_numbers():
    net = Network("sizes")
    N = net.size("N")
    w = net.parameter("w", N)
    net.loss = total(w) * (loggamma(N) + digamma(N) + factorial(N) + gamma(N + 2))
    _, grads = codegen.lambdify(net.backward())(np.ones(4, np.float32))
    assert grads.w.dtype == np.float32                  # log 3! + psi(4) + 4! + 5!
    assert np.allclose(grads.w, np.log(6) - np.euler_gamma + 1 + 1 / 2 + 1 / 3 + 24 + 120)


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
def test_sizes_do_not_carry_what_a_sigmoid_leaves_of_1_out_of_range(style):
    """The mean of t (1 - p) log p at z = 1e3, where 1/(1 - p) is as large as numbers are."""
    net = Network("saturated")
    N, C = net.sizes("N C")
    Z, t = net.parameter("Z", N, C), net.input("t", N, C)
    p = net.define("p", sigmoid(Z))
    net.loss = mean(t * (1 - p) * log(p))
    with np.errstate(all="raise", under="ignore"):
        loss, grads = codegen.lambdify(net.backward(), style=style)(np.full((5, 7), 1e3), np.ones((5, 7)))
    assert loss == 0 and not grads.Z.any()
