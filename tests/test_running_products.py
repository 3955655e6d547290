"""Running products, from either end, with and without the entry itself: beside PyTorch, also where factors are 0."""

import numpy as np
import pytest
from sympy import Product, Sum, log

import codegen
from derive import Network

torch = pytest.importorskip("torch", reason="PyTorch is in the peers extra: pip install -e '.[peers]'")


def network():
    net = Network("products", "Transmittance, sticks that are broken, and what is left from the end")
    N, S = net.sizes("N S")
    a, b, c = net.parameter("a", N, S), net.parameter("b", S), net.input("c", N, S)
    n, s, r = net.indices(n=N, s=S, r=S)
    before = net.define("before", Product(1 - a[n, r], (r, 0, s - 1)), over=(n, s))
    after = net.define("after", Product(b[r] * a[n, r], (r, s + 1, S - 1)) ** 2, over=(s, n))
    net.loss = Sum(c[n, s] * before[n, s] * a[n, s] * after[s, n], n, s) / N + Sum(
        c[n, s] * Product(b[r], (r, 0, s)) * Product(1 - a[n, r], (r, s, S - 1)), n, s) + Sum(
        c[n, s] * log(1 + Product(1 - a[n, r], (r, 0, s - 1)) ** 2), n, s)
    return net


def in_torch(a, b, c):
    def upto(x, dim):
        return torch.cat([torch.ones_like(x.narrow(dim, 0, 1)), x], dim).cumprod(dim)

    S = len(b)
    before, after = upto(1 - a, 1)[:, :S], upto((b * a).flip(1), 1)[:, :S].flip(1) ** 2
    onwards = (1 - a).flip(1).cumprod(1).flip(1)
    return (c * before * a * after).sum() / len(a) + (c * b.cumprod(0) * onwards).sum() + (
        c * torch.log(1 + before**2)).sum()


@pytest.mark.parametrize(("N", "S"), [(3, 5), (2, 1)])
def test_gradients_are_pytorchs(N, S):
    program, random = network().backward(), np.random.default_rng(S)
    a, b, c = random.normal(size=(N, S)), random.normal(size=S), random.normal(size=(N, S))
    a[0, S // 2], a[1, 0] = 1, 0                    # factors that are 0
    leaves = [torch.tensor(v, requires_grad=True) for v in (a, b)]
    loss = in_torch(*leaves, torch.tensor(c))
    loss.backward()
    for style in ("plain", "fast", "compiled"):
        found, grads = codegen.lambdify(program, style=style)(a, b, c)
        assert np.isclose(found, loss.item(), rtol=1e-12)
        for own, leaf in zip(grads, leaves, strict=True):
            np.testing.assert_allclose(own, leaf.grad, rtol=1e-10, atol=1e-13)


def test_second_derivatives_are_pytorchs():
    program, random = network().hessian_vector_product(), np.random.default_rng(1)
    a, b, c = random.normal(size=(2, 4)), random.normal(size=4), random.normal(size=(2, 4))
    directions = random.normal(size=(2, 4)), random.normal(size=4)
    expected = torch.autograd.functional.hvp(
        lambda a, b: in_torch(a, b, torch.tensor(c)), (torch.tensor(a), torch.tensor(b)),
        tuple(map(torch.tensor, directions)))[1]
    found = codegen.lambdify(program)(a, b, c, directions)
    for own, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(own, theirs, rtol=1e-9, atol=1e-12)


def test_all_of_them_cost_what_one_product_costs():
    """One pass along the axis, and one state for products of the same factors."""
    program = network().backward()
    assert not any(e.rhs.has(Product) for e in program.equations)
    assert sum(v.state and v.primal is None for v in program.variables.values()) == 4
    costs = program.cost().together.operations
    [N, S] = program.sizes
    assert costs.as_poly(N, S).degree(S) == 1


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
@pytest.mark.parametrize(("N", "L", "K"), [(4, 3, 5), (3, 2, 2), (2, 2, 1)])
def test_products_of_all_others_come_from_both_ends(N, L, K, style):
    net = Network("tree", "Leaves of a tree of decisions, each of which may be certain")
    n, k, p = net.indices(n=(sizes := net.sizes("N L K"))[0], k=sizes[2], p=sizes[1])
    a, b = net.parameter("a", sizes[0], sizes[2]), net.parameter("b", sizes[1], sizes[2])
    net.loss = Sum(Product(a[n, k] * b[p, k] + (1 - a[n, k]) * (1 - b[p, k]), k) ** 2, n, p)
    random = np.random.default_rng(0)
    given = random.integers(0, 3, (N, K)) / 2, random.integers(0, 3, (L, K)) / 2        # factors of 0, one or several
    tensors = [torch.tensor(x, requires_grad=True) for x in given]
    expected = ((tensors[0][:, None] * tensors[1] + (1 - tensors[0][:, None]) * (1 - tensors[1])).prod(-1) ** 2).sum()
    expected.backward()
    program = net.backward()
    loss, grads = codegen.lambdify(program, style)(*given)
    assert loss == pytest.approx(expected.item(), rel=1e-14)
    for ours, tensor in zip(grads, tensors, strict=True):
        np.testing.assert_allclose(ours, tensor.grad, rtol=1e-12, atol=1e-14)
    assert "_products_of_others(" in codegen.source(program, style)
