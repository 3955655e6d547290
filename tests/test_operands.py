"""Layers written on one line: nothing is multiplied twice, and gradients are PyTorch's."""

import inspect
import re

import numpy as np
import pytest
from sympy import Max, Sum, sqrt, tanh

from codegen import lambdify, source
from derive import Network, concatenate, cross_entropy, gelu_tanh, mean, padded, relu, silu, softmax, total

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
F = torch.nn.functional


def gated():
    net = Network("gated")
    N, D, H = net.sizes("N D H")
    Wg, Wu, Wd = net.parameter("Wg", D, H), net.parameter("Wu", D, H), net.parameter("Wd", H, D)
    X, Y = net.input("X", N, D), net.input("Y", N, D)
    net.loss = mean(((silu(X @ Wg) * (X @ Wu)) @ Wd - Y) ** 2)
    return net


def attention():
    net = Network("attention")
    N, T, D = net.sizes("N T D")
    Wq, Wk, Wv = (net.parameter(name, D, D) for name in ("Wq", "Wk", "Wv"))
    X, Y = net.input("X", N, T, D), net.input("Y", N, T, D)
    net.loss = mean((softmax((X @ Wq) @ (X @ Wk).mT / sqrt(D), axis=-1) @ (X @ Wv) - Y) ** 2)
    return net


def modulated():
    net = Network("modulated")
    N, D, K, H = net.sizes("N D K H")
    W, b, Wg, v = net.parameter("W", D, H), net.parameter("b", H), net.parameter("Wg", K, H), net.parameter("v", H)
    X, C, y = net.input("X", N, D), net.input("C", N, K), net.input("y", N)
    net.loss = mean((relu((1 + C @ Wg) * (X @ W + b)) @ v - y) ** 2)
    return net


def pooled():
    net = Network("pooled")
    N, T, D, H, K = net.sizes("N T D H K")
    W, b, V = net.parameter("W", D, H), net.parameter("b", H), net.parameter("V", H, K)
    X, Y = net.input("X", N, T, D), net.input("Y", N, K)
    net.loss = mean((mean(relu(X @ W + b), axis=1) @ V - Y) ** 2)
    return net


def convolved():
    net = Network("convolved")
    N, C, A, B, K = net.sizes("N C A B K")
    w, b = net.parameter("w", K, C, 3, 3), net.parameter("b", K)
    x, Y = net.input("x", N, C, A, B), net.input("Y", N, K, A, B)
    n, c, i, j, k = net.indices(n=N, c=C, i=A, j=B, k=K)
    p, q = net.indices(p=3, q=3)
    Z = Sum(padded(x)[n, c, i + p - 1, j + q - 1] * w[k, c, p, q], c, p, q) + b[k]
    net.loss = Sum((silu(Z) - Y[n, k, i, j]) ** 2, n, k, i, j)
    return net


def feed_forward():
    net = Network("feed_forward")
    N, T, D, H = net.sizes("N T D H")
    g, W1, b1, W2 = net.parameter("g", D), net.parameter("W1", D, H), net.parameter("b1", H), net.parameter("W2", H, D)
    X, Y = net.input("X", N, T, D), net.input("Y", N, T, D)
    normal = X / sqrt(mean(X**2, axis=-1, keepdims=True) + 1e-5)
    net.loss = mean((X + gelu_tanh((normal * g) @ W1 + b1) @ W2 - Y) ** 2)
    return net


def fused():
    net = Network("fused")
    N, T, D = net.sizes("N T D")
    W, V = net.parameter("W", D, 6 * D), net.parameter("V", 2 * D, D)
    X, Y = net.input("X", N, T, D), net.input("Y", N, T, D)
    P = net.define("P", X @ W)
    q, k, v = ([P[:, :, (2 * j + h) * D:(2 * j + h + 1) * D] for h in range(2)] for j in range(3))
    heads = [softmax(q[h] @ k[h].mT / sqrt(D), axis=-1) @ v[h] for h in range(2)]
    net.loss = mean((concatenate(*heads, axis=2) @ V - Y) ** 2)
    return net


def fused_in_pytorch(W, V, X, Y):
    q, k, v = (x.unflatten(-1, (2, -1)).transpose(1, 2) for x in (X @ W).chunk(3, dim=-1))
    heads = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    return ((heads @ V - Y) ** 2).mean()


def excited():
    net = Network("excited")
    N, C, A, K = net.sizes("N C A K")
    W, V, g = net.parameter("W", C, K), net.parameter("V", K, C), net.parameter("g", C)
    X, Y = net.input("X", N, C, A), net.input("Y", N, C, A)
    s = net.define("s", silu(relu(mean(g[:, None] * X, axis=2) @ W) @ V))
    net.loss = mean((g[:, None] * X * s[:, :, None] - Y) ** 2)
    return net


def hinges():
    net = Network("hinges")
    N, D, K = net.sizes("N D K")
    W, X, y = net.parameter("W", D, K), net.input("X", N, D), net.labels("y", N, classes=K)
    n, k = net.indices(n=N, k=K)
    S = net.define("S", X @ W)
    net.loss = Sum(Max(0, 1 + S[n, k] - S[n, y[n]]), n, k) / N
    return net


def weighted():
    net = Network("weighted")
    N, T, D, K = net.sizes("N T D K")
    W, a = net.parameter("W", D, K), net.parameter("a", N, T)
    X, Y = net.input("X", N, T, D), net.input("Y", N, K)
    n, t, d = net.indices(n=N, t=T, d=D)
    c = net.define("c", Sum(a[n, t] * X[n, t, d], t), over=(n, d))
    net.loss = total((c @ W - Y) ** 2)
    return net


def normalised():
    net = Network("normalised")
    N, D, H, K = net.sizes("N D H K")
    W, g, b, V = net.parameter("W", D, H), net.parameter("g", H), net.parameter("b", H), net.parameter("V", H, K)
    X, Y = net.input("X", N, D), net.input("Y", N, K)
    Z = net.define("Z", X @ W)
    apart = Z - mean(Z, axis=0)
    net.loss = mean((relu(g * apart / sqrt(mean(apart**2, axis=0) + 1e-5) + b) @ V - Y) ** 2)
    return net


def tied():
    net = Network("tied")
    N, T, D, K = net.sizes("N T D K")
    E, W = net.parameter("E", K, D), net.parameter("W", D, D)
    x, y, M = net.labels("x", N, T, classes=K), net.labels("y", N, T, classes=K), net.input("M", N, T)
    net.loss = total(M * cross_entropy(tanh(E[x] @ W) @ E.T, y))
    return net


def rms(x):
    return x / torch.sqrt((x**2).mean(-1, keepdim=True) + 1e-5)


# the network, how many products and sums of products over columns an expert writes, the loss in PyTorch
LAYERS = {
    "gated": (gated, 3 + 2 + 3 - 1, lambda Wg, Wu, Wd, X, Y: (((F.silu(X @ Wg) * (X @ Wu)) @ Wd - Y) ** 2).mean()),
    "attention": (attention, 5 + 4 + 3, lambda Wq, Wk, Wv, X, Y: (
        (F.softmax(X @ Wq @ (X @ Wk).mT / X.shape[-1] ** 0.5, -1) @ (X @ Wv) - Y) ** 2).mean()),
    "modulated": (modulated, 3 + 3, lambda W, b, Wg, v, X, C, y: (
        (F.relu((1 + C @ Wg) * (X @ W + b)) @ v - y) ** 2).mean()),
    "pooled": (pooled, 2 + 3, lambda W, b, V, X, Y: ((F.relu(X @ W + b).mean(1) @ V - Y) ** 2).mean()),
    "convolved": (convolved, 1 + 1, lambda w, b, x, Y: ((F.silu(F.conv2d(x, w, b, padding=1)) - Y) ** 2).sum()),
    "feed_forward": (feed_forward, 2 + 3, lambda g, W1, b1, W2, X, Y: (
        (X + F.gelu((rms(X) * g) @ W1 + b1, approximate="tanh") @ W2 - Y) ** 2).mean()),
    "fused": (fused, 1 + 4 + 1 + 2 + 8 + 1, fused_in_pytorch),
    "excited": (excited, 2 + 3, lambda W, V, g, X, Y: (
        (g[:, None] * X * F.silu(F.relu((g[:, None] * X).mean(2) @ W) @ V)[:, :, None] - Y) ** 2).mean()),
    "hinges": (hinges, 1 + 1, lambda W, X, y: F.relu(
        1 + X @ W - (X @ W)[torch.arange(len(X)), y][:, None]).sum() / len(X)),
    "normalised": (normalised, 2 + 3, lambda W, g, b, V, X, Y: (
        (F.relu(F.batch_norm(X @ W, None, None, g, b, training=True)) @ V - Y) ** 2).mean()),
    "tied": (tied, 2 + 4, lambda E, W, x, y, M: (
        M * F.cross_entropy((torch.tanh(E[x] @ W) @ E.T).mT, y, reduction="none")).sum()),
    "weighted": (weighted, 2 + 3, lambda W, a, X, Y: (((a[:, None] @ X)[:, 0] @ W - Y) ** 2).sum()),
}
SIZES = {"N": 5, "T": 4, "D": 6, "H": 7, "K": 3, "C": 2, "A": 5, "B": 4}


def arguments(program):
    random = np.random.default_rng(0)
    found = {}
    for v in (*program.parameters, *program.inputs):
        shape = tuple(int(s.xreplace({t: SIZES[t.name] for t in s.free_symbols})) for s in v.shape)
        whole = v.kind == "labels"
        found[v.name] = random.integers(0, SIZES[v.classes.name], shape) if whole else random.normal(size=shape)
    return found


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_on_one_line_is_pytorchs(name, style):
    network, _, theirs = LAYERS[name]
    program = network().backward()
    values = arguments(program)
    loss, grads = lambdify(program, style=style)(**values)
    tensors = {n: torch.tensor(v, requires_grad=n in grads._fields) for n, v in values.items()}
    expected = theirs(*tensors.values())
    expected.backward()
    np.testing.assert_allclose(loss, expected.item(), rtol=1e-12)
    for n, g in grads._asdict().items():
        np.testing.assert_allclose(g, tensors[n].grad.numpy(), rtol=1e-9, atol=1e-11, err_msg=n)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_on_one_line_multiplies_as_often_as_an_expert(name):
    network, products, _ = LAYERS[name]
    module = lambdify(network().backward()).module
    code = inspect.getsource(module.forward) + inspect.getsource(module.backward)
    code = re.sub(r"#.*|np\.einsum\(.(\w+),\1-.*", "", code)                # rows of products added up are no products
    assert len(re.findall(r" @ |np\.outer|np\.tensordot|np\.einsum", code)) == products, code


def test_a_sum_that_is_a_number_is_shared_too():
    """u = (s + r^2) x: the gradients of s and of r are du'x, and 2 r times that."""
    net = Network("numbers")
    N = net.size("N")
    s, r, x, y = net.parameter("s"), net.parameter("r"), net.input("x", N), net.input("y", N)
    u = net.define("u", (s + r**2) * x)
    net.loss = total((u - y) ** 2) / 2
    random = np.random.default_rng(0)
    values = random.normal(size=(2, 5))
    run = lambdify(net.backward())
    found = run(0.5, -1.5, *values)[1]
    slope = ((0.5 + 1.5**2) * values[0] - values[1]) @ values[0]
    np.testing.assert_allclose([found.s, found.r], [slope, -3 * slope], rtol=1e-13)
    assert inspect.getsource(run.module.backward).count(" @ ") == 1


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_the_sides_of_an_outer_product_are_multiplied_first(style):
    """In products of a row's number with two of its vectors, and of two vectors over the same axis with another."""
    net = Network("outer")
    N, I, J = net.sizes("N I J")
    s, a, b = net.parameter("s", N), net.input("a", N, I), net.input("b", N, I)
    c, X = net.input("c", N, J), net.input("X", N, I, J)
    n, i, j = net.indices(n=N, i=I, j=J)
    A = net.define("A", X[n, i, j] + s[n] * a[n, i] * b[n, i] * c[n, j], over=(n, i, j))
    net.loss = total(A**2)
    program = net.backward()
    [line] = re.findall(r"^    A = .*", source(program), re.MULTILINE)
    assert line.count("[:, :, None]") == line.count("[:, None, :]") == 1
    random = np.random.default_rng(0)
    given = random.normal(size=4), random.normal(size=(4, 3)), random.normal(size=(4, 3)), random.normal(size=(4, 2))
    X0 = random.normal(size=(4, 3, 2))
    loss, grads = lambdify(program, style=style)(*given, X0)
    A0 = X0 + np.einsum("n,ni,ni,nj->nij", *given)
    assert np.isclose(loss, np.sum(A0**2), rtol=1e-13)
    assert np.allclose(grads.s, np.einsum("nij,ni,ni,nj->n", 2 * A0, *given[1:]), rtol=1e-12)


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_short_causal_kernels_along_the_first_axis_are_pytorchs(style):
    """Channels last: what each place of the kernels gives is added up, without an array of windows."""
    net = Network("short", "A short causal convolution of each channel")
    T, D, K = net.sizes("T D K")
    u, w, Y = net.parameter("u", T, D), net.parameter("w", D, K), net.input("Y", T, D)
    t, d, k = net.indices(t=T, d=D, k=K)
    net.loss = total(net.define("c", Sum(padded(u)[t - k, d] * w[d, k], k), over=(t, d)) * Y)
    program = net.backward()
    text = source(program)
    assert text.count("w[:, k] * ") == 2 and "einsum" not in text and "windows" not in text
    random = np.random.default_rng(0)
    given = [random.normal(size=shape) for shape in ((7, 3), (3, 4), (7, 3))]
    rows, kernels, weights = (torch.tensor(g, requires_grad=True) for g in given)
    expected = (F.conv1d(F.pad(rows.T[None], (3, 0)), kernels.flip(1)[:, None], groups=3)[0].T * weights).sum()
    expected.backward()
    loss, grads = lambdify(program, style=style)(*given)
    assert np.isclose(loss, expected.item(), rtol=1e-12)
    np.testing.assert_allclose(grads.u, rows.grad, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(grads.w, kernels.grad, rtol=1e-11, atol=1e-13)
