"""Contractions of two arrays, over any of their axes in any order, are printed as code that computes them."""

import numpy as np
import pytest
from sympy import Idx, Symbol

from codegen import lambdify
from codegen.contractions import contraction
from codegen.numpy_text import NumpyPrinter
from derive import Network, total
from derive.nodes import Product, Read

SIZES = dict(zip("abcdef", (2, 3, 4, 5, 6, 7), strict=True))


def axes_of(letters):
    return tuple(Idx(Symbol(i, integer=True), Symbol(i.upper(), integer=True, positive=True)) for i in letters)


def drawn(random):
    """Return the axes of two operands and of their contraction: some shared, some summed."""
    letters = list(random.permutation(list(SIZES))[: random.integers(2, 7)])
    kinds = random.choice(["over", "batch", "left", "right"], len(letters))
    kinds[0] = "over"
    sides = [[i for i, k in zip(letters, kinds, strict=True) if k != other] for other in ("right", "left")]
    kept = [i for i, k in zip(letters, kinds, strict=True) if k != "over"]
    return *(list(random.permutation(side)) for side in sides), list(random.permutation(kept))


def computed(left, right, kept, arrays):
    over = axes_of(i for i in left if i in right and i not in kept)
    node = Product(axes_of(kept), Read(axes_of(left), "left"), Read(axes_of(right), "right"), over)
    code = contraction(node, NumpyPrinter()).code
    return code, eval(code, {"np": np, **arrays, **{i.upper(): n for i, n in SIZES.items()}})


@pytest.mark.parametrize("seed", range(400))
def test_computes_the_contraction(seed):
    random = np.random.default_rng(seed)
    left, right, kept = drawn(random)
    if len(left) + len(right) < 3:
        pytest.skip("an inner product of two vectors is printed elsewhere")
    arrays = {n: random.normal(size=[SIZES[i] for i in letters]) for n, letters in (("left", left), ("right", right))}
    code, value = computed(left, right, kept, arrays)
    wanted = np.einsum(f"{''.join(left)},{''.join(right)}->{''.join(kept)}", arrays["left"], arrays["right"])
    assert value.shape == wanted.shape, code
    assert np.allclose(value, wanted, rtol=1e-12, atol=1e-12), code


@pytest.mark.parametrize(("left", "right", "kept", "code"), [
    ("abc", "abd", "cd", "left.reshape(-1, C).T @ right.reshape(-1, D)"),
    ("abc", "bcd", "ad", "left.reshape(A, -1) @ right.reshape(-1, D)"),
    ("abcd", "abde", "abce", "left @ right"),
    ("abcd", "abed", "abce", "left @ right.mT"),
    ("acbd", "aebd", "abce", "left.transpose(0, 2, 1, 3) @ right.transpose(0, 2, 3, 1)"),
    ("bc", "acd", "abd", "left @ right"),
    ("bcd", "acdef", "abef", "(left.reshape(B, -1) @ right.reshape(A, -1, E * F)).reshape(A, B, E, F)"),
    ("ab", "bac", "c", "left.T.reshape(-1) @ right.reshape(-1, C)"),
    ("cab", "ba", "c", "left.reshape(C, -1) @ right.T.reshape(-1)"),
    ("abd", "acd", "bc", "(left @ right.mT).sum(axis=0)"),
    ("acbd", "ced", "abe", "np.tensordot(left, right, axes=((1, 3), (0, 2)))"),
    ("ab", "acb", "ac", 'np.einsum("ab,acb->ac", left, right)'),
])  # fmt: skip
def test_reads(left, right, kept, code):
    arrays = {n: np.ones([SIZES[i] for i in letters]) for n, letters in (("left", left), ("right", right))}
    assert computed(left, right, kept, arrays)[0] == code


@pytest.mark.parametrize("order", ["C", "F"])
def test_repeated_rows_add_up_whatever_the_memory_order(order):
    net = Network("bag")
    N, T, V, D = net.sizes("N T V D")
    E, w = net.parameter("E", V, D), net.labels("w", N, T, classes=V)
    n, t, d = net.indices(n=N, t=T, d=D)
    x = net.define("x", E[w[n, t], d], over=(n, t, d))
    net.loss = total(x**2) / 2 + total(E**2)
    run = lambdify(net.backward())
    random = np.random.default_rng(0)
    table, words = np.asarray(random.normal(size=(4, 3)), order=order), random.integers(0, 4, (5, 6)).astype(np.int8)
    expected = 2 * table + np.array([table[v] * np.sum(words == v) for v in range(4)])
    np.testing.assert_allclose(run(table, words)[1].E, expected, rtol=1e-13)
