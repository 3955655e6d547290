"""Contractions of two arrays, over any of their axes in any order, are printed as code that computes them."""

import numpy as np
import pytest
from sympy import Idx, Sum, Symbol

from codegen import lambdify, source
from codegen.contractions import contraction
from codegen.numpy_text import NumpyPrinter
from derive import Network, padded, total
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


def computed(left, right, kept, arrays, joined=False):
    over = axes_of(i for i in left if i in right and i not in kept)
    node = Product(axes_of(kept), Read(axes_of(left), "left"), Read(axes_of(right), "right"), over)
    code = contraction(node, NumpyPrinter(joined=joined)).code
    return code, eval(code, {"np": np, **arrays, **{i.upper(): n for i, n in SIZES.items()}})


@pytest.mark.parametrize("seed", range(400))
def test_computes_the_contraction(seed):
    random = np.random.default_rng(seed)
    left, right, kept = drawn(random)
    if len(left) + len(right) < 3:
        pytest.skip("an inner product of two vectors is printed elsewhere")
    arrays = {n: random.normal(size=[SIZES[i] for i in letters]) for n, letters in (("left", left), ("right", right))}
    wanted = np.einsum(f"{''.join(left)},{''.join(right)}->{''.join(kept)}", arrays["left"], arrays["right"])
    for joined in (False, True):
        code, value = computed(left, right, kept, arrays, joined)
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


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_products_of_three_rows_multiply_what_a_slope_is_taken_of_first(style):
    net = Network("bilinear", "A bilinear layer")
    N, D, E, K = net.sizes("N D E K")
    W, X, Y = net.parameter("W", K, D, E), net.input("X", N, D), net.input("Y", N, E)
    n, k, d, e = net.indices(n=N, k=K, d=D, e=E)
    net.loss = total(net.define("Z", Sum(X[n, d] * W[k, d, e] * Y[n, e], d, e), over=(n, k)) ** 2) / 2
    rng = np.random.default_rng(0)
    W, X, Y = (rng.normal(size=shape) for shape in ((2, 3, 4), (5, 3), (5, 4)))
    function = lambdify(net.backward(), style=style)
    Z = np.einsum("nd,kde,ne->nk", X, W, Y)
    assert "Y * dZ.T[:, :, None]" in (code := function.module.__source__) or "(Y, dZ.T[:, :, None]" in code
    assert np.allclose(function(W, X, Y)[1].W, np.einsum("nk,nd,ne->kde", Z, X, Y))


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_kernels_of_single_channels_are_matrix_products(style):
    net = Network("depthwise", "A kernel for each channel, one of an image, one of a sequence")
    N, C, U, V, K = net.sizes("N C U V K")
    x, w, a = net.parameter("x", N, C, U, V), net.parameter("w", C, 3, 3), net.parameter("a", C, K)
    n, c, u, v, p, q, k = net.indices(n=N, c=C, u=U, v=V, p=3, q=3, k=K)
    Z = net.define("Z", Sum(padded(x)[n, c, u + p - 1, v + q - 1] * w[c, p, q], p, q), over=(n, c, u, v))
    S = net.define("S", Sum(padded(Z)[n, c, u, v - k] * a[c, k], k), over=(n, c, u, v))
    net.loss = total(S**2) / 2
    program = net.backward()
    assert "np.sum(" not in source(program).partition("def backward")[2].partition("def loss_and_grads")[0]

    random = np.random.default_rng(0)
    x, w, a = random.normal(size=(2, 3, 5, 4)), random.normal(size=(3, 3, 3)), random.normal(size=(3, 2))
    loss, grads = lambdify(program, style=style)(x, w, a)
    x_padded, Z, S = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), np.zeros(x.shape), np.zeros(x.shape)
    dZ, dx, dw, da = np.zeros(x.shape), np.zeros(x_padded.shape), np.zeros(w.shape), np.zeros(a.shape)
    for n, c, u, v in np.ndindex(x.shape):
        Z[n, c, u, v] = np.sum(w[c] * x_padded[n, c, u:u + 3, v:v + 3])
    for n, c, u, v, k in np.ndindex(*x.shape, 2):
        S[n, c, u, v] += Z[n, c, u, v - k] * a[c, k] if v >= k else 0
    for n, c, u, v, k in np.ndindex(*x.shape, 2):
        if v >= k:
            dZ[n, c, u, v - k] += S[n, c, u, v] * a[c, k]
            da[c, k] += S[n, c, u, v] * Z[n, c, u, v - k]
    for n, c, u, v in np.ndindex(x.shape):
        dw[c] += dZ[n, c, u, v] * x_padded[n, c, u:u + 3, v:v + 3]
        dx[n, c, u:u + 3, v:v + 3] += dZ[n, c, u, v] * w[c]
    assert np.isclose(loss, np.sum(S**2) / 2)
    for have, want in ((grads.x, dx[:, :, 1:-1, 1:-1]), (grads.w, dw), (grads.a, da)):
        np.testing.assert_allclose(have, want, rtol=1e-11, atol=1e-11)
