"""Of three arrays with one summed index in common, the two whose product is smallest are multiplied first."""

import numpy as np
import pytest
from sympy import Mul, Sum

import codegen
from benchmarks import networks
from codegen.pairs import with_pairs
from derive import Network, total


def contraction(*letters):
    """Return a program with Sum(a*b*c, r) over arrays with these axes, of which r is the last of each."""
    net = Network("contraction")
    sizes = dict(zip("MNKL", net.sizes("M N K L"), strict=True))
    arrays = [net.input(f"a{k}", *(sizes[c] for c in axes)) for k, axes in enumerate(letters)]
    w = net.parameter("w", sizes["K"])
    index = {c: net.indices(**{c.lower(): s})[0] for c, s in sizes.items()}
    reads = [a[tuple(index[c] for c in axes)] for a, axes in zip(arrays, letters, strict=True)]
    shared = set.intersection(*map(set, letters)).pop()
    free = [index[c] for c in dict.fromkeys("".join(letters)) if c != shared]
    Z = net.define("Z", Sum(Mul(*reads), index[shared]), over=tuple(free))
    net.loss = total(Z) * total(w)
    return net.program()


@pytest.mark.parametrize(("letters", "pair"), [
    (("MN", "NK", "NL"), "pair_a1_a2"),         # M is of examples, N too: N K L entries rather than M N K
    (("NK", "NL", "MN"), ""),                   # they come first already
])
def test_the_smallest_product_is_named(letters, pair):
    lines = [e.name for e in with_pairs(contraction(*letters)).equations]
    assert [n for n in lines if n.startswith("pair_")] == ([pair] if pair else [])


def test_sizes_that_say_nothing_leave_the_order_as_it_is():
    program = networks.deep(2).hessian()
    assert with_pairs(program).equations == program.equations


def test_the_hessian_of_a_masked_factorisation_is_what_a_person_writes():
    random = np.random.default_rng(0)
    M, N, K = 4, 5, 3
    U, V, T = random.normal(size=(M, K)), random.normal(size=(N, K)), random.normal(size=(M, N))
    Omega = (random.random((M, N)) < 0.5).astype(float)
    expected = np.zeros((M, K, M, K))
    for m in range(M):
        expected[m, :, m, :] = V.T @ np.diag(Omega[m]) @ V
    hessian = codegen.lambdify(networks.factorisation().hessian())(U, V, T, Omega)
    np.testing.assert_allclose(hessian, expected, rtol=1e-13, atol=1e-13)
