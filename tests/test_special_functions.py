"""Functions that SciPy has: of arrays, of sizes, in float32."""

import numpy as np
import pytest
from sympy import Sum, atan2, besseli, beta, cos, digamma, factorial, gamma, log, loggamma, pi

import codegen
from derive import LogSumExp, Network, mean, sigmoid, softplus, total
from derive.notes import note

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


@pytest.mark.parametrize("style", ["plain", "fast", "compiled", "scalar"])
def test_angles_in_all_four_quarters_are_pytorchs(style):
    """The bearing at which a place is seen, off by what was measured."""
    net = Network("bearing", "Bearings")
    place, seen, angle = net.parameter("place", 2), net.input("seen", 4, 2), net.input("angle", 4)
    n, = net.indices(n=4)
    net.loss = Sum((atan2(seen[n, 1] - place[1], seen[n, 0] - place[0]) - angle[n]) ** 2, n)
    where, angles = np.array([[1.0, 2.0], [-1.0, 2.0], [-1.5, -0.5], [0.7, -2.0]]), random.normal(size=4)
    p = torch.tensor([0.1, -0.2], dtype=torch.float64, requires_grad=True)
    away = torch.tensor(where) - p
    expected = ((torch.atan2(away[:, 1], away[:, 0]) - torch.tensor(angles)) ** 2).sum()
    expected.backward()
    loss, grads = codegen.lambdify(net.backward(), style=style)(np.array([0.1, -0.2]), where, angles)
    assert np.isclose(loss, expected.item(), rtol=1e-12)
    assert np.allclose(grads.place, p.grad, rtol=1e-12)


def test_a_beta_likelihood_is_pytorchs():
    """Beta's function of large numbers is 0 for floats, its logarithm is not."""
    net = Network("shares", "Beta regression")
    N = net.size("N")
    a, b, x = net.parameter("a", N), net.parameter("b", N), net.input("x", N)
    net.loss = total(log(beta(a, b)) - (a - 1) * log(x) - (b - 1) * log(1 - x))
    given = np.array([0.5, 3.0, 2e3]), np.array([2.0, 0.7, 3e3]), np.array([0.2, 0.9, 0.4])
    A, B, X = (torch.tensor(v, requires_grad=True) for v in given)
    expected = -torch.distributions.Beta(A, B).log_prob(X).sum()
    expected.backward()
    loss, grads = codegen.lambdify(net.backward())(*given)
    assert np.isclose(loss, expected.item(), rtol=1e-9)
    assert np.allclose(grads.a, A.grad, rtol=1e-9) and np.allclose(grads.b, B.grad, rtol=1e-9)


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
def test_a_mixture_of_von_mises_distributions_is_pytorchs(style):
    """Bessel functions by SciPy; what the log-sum-exp is of has a name, so that its exponentials are computed once."""
    net = Network("von_mises", "A mixture of von Mises distributions")
    N, K = net.sizes("N K")
    x, mu, kappa, a = net.input("x", N), net.parameter("mu", K), net.parameter("kappa", K), net.parameter("a", K)
    n, k = net.indices(n=N, k=K)
    net.loss = -Sum(LogSumExp(a[k] + kappa[k] * cos(x[n] - mu[k]) - log(2 * pi * besseli(0, kappa[k])), k), n) / N
    program = net.backward()
    assert codegen.source(program).count("np.exp(") == 1
    given = random.normal(size=5), random.normal(size=3), np.array([0.4, 1.5, 3.0]), random.normal(size=3)
    angles, *leaves = (torch.tensor(g, requires_grad=True) for g in given)
    mean_, spread, weight = leaves
    logits = weight + spread * torch.cos(angles[:, None] - mean_) - torch.log(2 * np.pi * torch.special.i0(spread))
    expected = -logits.logsumexp(1).mean()
    expected.backward()
    loss, grads = codegen.lambdify(program, style=style)(*given[1:], given[0])
    assert np.isclose(loss, expected.item(), rtol=1e-12)
    for ours, theirs in zip(grads, leaves, strict=True):
        assert np.allclose(ours, theirs.grad, rtol=1e-10, atol=1e-13)
    single = codegen.lambdify(program, style=style)(*(g.astype(np.float32) for g in (*given[1:], given[0])))
    assert all(g.dtype == np.float32 for g in single[1])
    assert r"\operatorname{I_0}(\kappa)" in note(program)
