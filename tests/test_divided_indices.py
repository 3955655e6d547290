"""Reads at an index divided by a number, as nearest-neighbour upsampling does; PyTorch is the judge."""

import numpy as np
import pytest
from sympy import KroneckerDelta, Sum, floor

import codegen
from derive import DefinitionError, Network
from derive.notes import note

torch = pytest.importorskip("torch", reason="PyTorch is an extra")


def _twice():
    """Twice as many rows, and a skip connection beside them."""
    net = Network("twice", "Nearest-neighbour upsampling")
    N, I, C = net.sizes("N I C")
    A, V = net.parameter("A", N, I, C), net.parameter("V", N, 2 * I, C)
    n, i, c = net.indices(n=N, i=2 * I, c=C)
    U = net.define("U", A[n, floor(i / 2), c] * V[n, i, c], over=(n, i, c))
    net.loss = Sum(U[n, i, c] ** 3, n, i, c)
    return net


def _plane():
    """A symbolic factor in two dimensions."""
    net = Network("plane", "Nearest-neighbour upsampling of images")
    I, J, S = net.sizes("I J S")
    A, V = net.parameter("A", I, J), net.parameter("V", I * S, J * S)
    i, j = net.indices(i=I * S, j=J * S)
    net.loss = Sum(A[floor(i / S), floor(j / S)] ** 2 * V[i, j], i, j)
    return net


def _shifted():
    """Pairs that begin at the second entry: the first and the last are read once."""
    net = Network("shifted", "Pairs from the second entry on")
    I = net.size("I")
    A, V = net.parameter("A", I + 1), net.parameter("V", 2 * I)
    (i,) = net.indices(i=2 * I)
    net.loss = Sum(A[floor((i + 1) / 2)] ** 2 * V[i], i)
    return net


def _repeated(x, times, axis):
    return x.repeat_interleave(times, dim=axis)


CASES = {
    "twice": (_twice, {"A": (3, 4, 2), "V": (3, 8, 2)}, {}, lambda A, V: ((_repeated(A, 2, 1) * V) ** 3).sum()),
    "plane": (_plane, {"A": (2, 3), "V": (6, 9)}, {"S": 3},
              lambda A, V: (_repeated(_repeated(A, 3, 0), 3, 1) ** 2 * V).sum()),
    "shifted": (_shifted, {"A": (5,), "V": (8,)}, {}, lambda A, V: (_repeated(A, 2, 0)[1:-1] ** 2 * V).sum()),
}


@pytest.mark.parametrize("style", ["plain", "fast"])
@pytest.mark.parametrize("name", CASES)
def test_pytorch_agrees(name, style):
    made, shapes, sizes, theirs = CASES[name]
    random = np.random.default_rng(0)
    values = {n: random.normal(size=shape) for n, shape in shapes.items()}
    tensors = {n: torch.tensor(v, requires_grad=True) for n, v in values.items()}
    loss = theirs(**tensors)
    loss.backward()
    value, grads = codegen.lambdify(made().backward(), style=style)(*values.values(), **sizes)
    assert value == pytest.approx(loss.item(), rel=1e-13)
    for n, tensor in tensors.items():
        np.testing.assert_allclose(getattr(grads, n), tensor.grad.numpy(), rtol=1e-12)


def test_the_adjoint_adds_up_what_reads_one_entry():
    """Of the rows 2 i and 2 i + 1: a sum of two, no scatter."""
    program = _twice().backward()
    assert "Sum(" in str(program.gradients["A"].rhs) and "2*i + r" in str(program.gradients["A"].rhs)
    assert "add.at" not in codegen.source(program)
    assert r"\lfloor i/2 \rfloor" in note(program) or r"\lfloor i/2\rfloor" in note(program)


def test_a_bracket_with_a_divided_index_is_solved_for_the_other():
    """[j = floor(i/2)] summed over j is one read; summed over i it is two."""
    net = Network("bracket", "A bracket written by hand")
    I = net.size("I")
    a, v = net.parameter("a", I), net.parameter("v", 2 * I)
    i, j = net.indices(i=2 * I, j=I)
    twice = net.define("twice", Sum(KroneckerDelta(j, floor(i / 2)) * a[j], j), over=i)
    pairs = net.define("pairs", Sum(KroneckerDelta(j, floor(i / 2)) * v[i], i), over=j)
    net.loss = Sum(twice[i] ** 2, i) + Sum(pairs[j] ** 2, j)
    a0, v0 = np.arange(1.0, 4.0), np.arange(6.0)
    value, grads = codegen.lambdify(net.backward())(a0, v0)
    assert value == 2 * np.sum(a0**2) + np.sum(v0.reshape(3, 2).sum(1) ** 2)
    np.testing.assert_array_equal(grads.a, 4 * a0)
    np.testing.assert_array_equal(grads.v, np.repeat(2 * v0.reshape(3, 2).sum(1), 2))


def test_a_read_beyond_the_end_is_refused():
    net = Network("beyond", "One row too many")
    I = net.size("I")
    A = net.parameter("A", I)
    (i,) = net.indices(i=2 * I + 1)
    with pytest.raises(DefinitionError, match="may leave its range"):
        net.loss = Sum(A[floor(i / 2)], i)
