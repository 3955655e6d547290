"""What the planner rewrites is equal to what it was, to the last digits: PyTorch and mpmath say so."""

import re
import warnings

import numpy as np
import pytest
from mpmath import exp as exact_exp
from mpmath import mpf
from sympy import Sum, exp, symbols, tanh

import codegen
from codegen.transposes import laid_out
from derive import Network, cross_entropy, mean, sigmoid, softplus, total


@pytest.mark.parametrize("style", ["plain", "fast"])
@pytest.mark.parametrize(("dtype", "end"), [(np.float32, 87), (np.float64, 708)])
def test_sigmoid_is_exact_at_both_ends(style, dtype, end):
    net = Network("s", "A sigmoid")
    [N] = net.sizes("N")
    x, w = net.parameter("x", N), net.input("w", N)
    net.loss = total(sigmoid(x) * w)
    f = codegen.lambdify(net.backward(), style=style)
    x = np.linspace(-end, end, 41).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        far = f(x=np.array([-1e4, 1e4, -np.inf, np.inf], dtype), w=np.ones(4, dtype))
        single = [float(f(x=v[None], w=np.ones(1, dtype))[0]) for v in x]
    assert far[0] == 2 and far[1].x.max() <= np.finfo(dtype).tiny
    exact = [1 / (1 + exact_exp(-mpf(float(v)))) for v in x]
    assert all(abs(mpf(a) - t) <= 4 * np.finfo(dtype).eps * t for a, t in zip(single, exact, strict=True))


def test_weights_are_laid_out_before_the_loop():
    lines = ["for t in reversed(range(T)):", "    da = dz[t] @ U.T",
             "    dh[t] += da @ V.reshape(K, -1).T + b[t] @ h[t].T"]
    D, K = symbols("D K")

    def put(name, code, shape):
        return f"{name} = np.ascontiguousarray({code})"

    before, inside = laid_out(lines, {"h", "da", "t"}, {"U": (D, K), "V": (K, 2, D), "h": (K, D)}, {"U_T"}, put)
    assert [" ".join(line.split()) for line in before] == [
        "U_T2 = np.ascontiguousarray(U.T) # (K, D)", "V_T = np.ascontiguousarray(V.reshape(K, -1).T) # (2*D, K)"]
    assert inside == [lines[0], "    da = dz[t] @ U_T2", "    dh[t] += da @ V_T + b[t] @ h[t].T"]
    before, inside = laid_out(["z[t] += (h[t] @ V.transpose(1, 0, 2)).mT"], {"h", "z", "t"}, {"V": (K, 2, D)}, (), put)
    assert (before[0].split("  ")[0], inside) == (
        "V_blocks = np.ascontiguousarray(V.transpose(1, 0, 2))", ["z[t] += (h[t] @ V_blocks).mT"])
    line = "np.matmul(h[t], V[:, 1], out=work) + np.matmul(U, h[t]) @ V[t]"
    before, inside = laid_out([line], {"h", "z", "t"}, {"V": (K, 2, D), "U": (K, K)}, (), put, {"V", "U"})
    assert [" ".join(line.split()) for line in before] == ["V_aligned = np.ascontiguousarray(V[:, 1]) # (K, D)"]
    assert inside == [line.replace("V[:, 1]", "V_aligned")]


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
def test_gates_in_blocks_are_those_of_pytorch(style):
    torch = pytest.importorskip("torch")
    net = Network("gated", "A recurrence of two gates in one array")
    T, N, K = net.sizes("T N K")
    U, b, X = net.parameter("U", K, 2, K), net.parameter("b", 2, K), net.input("X", T, N, 2, K)
    t, n, k, j, q = net.indices(t=T, n=N, k=K, j=K, q=2)
    h = net.state("h", T, N, K, initial=0)
    z = net.define("z", X[t, n, q, k] + Sum(h[t - 1, n, j] * U[j, q, k], j) + b[q, k], over=(t, n, q, k))
    i = net.define("i", sigmoid(z[t, n, 0, k]), over=(t, n, k))
    net.define(h, i[t, n, k] * tanh(z[t, n, 1, k]), over=(t, n, k))
    net.loss = mean(h**2)
    rng = np.random.default_rng(0)
    values = {"U": rng.normal(size=(4, 2, 4)), "b": rng.normal(size=(2, 4)), "X": rng.normal(size=(5, 3, 2, 4))}
    loss, grads = codegen.lambdify(net.backward(), style=style)(**values)
    p = {name: torch.tensor(v, requires_grad=name in "Ub") for name, v in values.items()}
    states = [torch.zeros(3, 4, dtype=torch.float64)]
    for x in p["X"]:
        z = x + torch.einsum("nj,jqk->nqk", states[-1], p["U"]) + p["b"]
        states.append(torch.sigmoid(z[:, 0]) * torch.tanh(z[:, 1]))
    truth = (torch.stack(states[1:]) ** 2).mean()
    truth.backward()
    assert np.isclose(loss, truth.item(), rtol=1e-12)
    assert all(np.allclose(getattr(grads, name), p[name].grad, rtol=1e-12, atol=1e-15) for name in "Ub")


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_two_stacked_recurrences_are_those_of_pytorch(style):
    torch = pytest.importorskip("torch")
    net = Network("stacked", "Two recurrences, the second on the first, weights in three axes")
    T, N, D, K = net.sizes("T N D K")
    W, U, V = net.parameter("W", D, K), net.parameter("U", K, K), net.parameter("V", K, 2, K)
    X, Y = net.input("X", T, N, D), net.input("Y", T, N, K)
    t, n, d, k, j = net.indices(t=T, n=N, d=D, k=K, j=K)
    h, g = net.state("h", T, N, K, initial=0), net.state("g", T, N, K, initial=0)
    net.define(h, tanh(Sum(X[t, n, d] * W[d, k], d) + Sum(h[t - 1, n, j] * U[j, k], j)), over=(t, n, k))
    net.define(g, tanh(Sum(h[t, n, j] * V[j, 0, k], j) + Sum(g[t - 1, n, j] * V[j, 1, k], j)), over=(t, n, k))
    net.loss = mean((g - Y) ** 2)
    rng = np.random.default_rng(0)
    shapes = {"W": (3, 4), "U": (4, 4), "V": (4, 2, 4), "X": (5, 2, 3), "Y": (5, 2, 4)}
    values = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    loss, grads = codegen.lambdify(net.backward(), style=style)(**values)
    p = {name: torch.tensor(v, requires_grad=name in "WUV") for name, v in values.items()}
    h, g, rows = torch.zeros(2, 4, dtype=torch.float64), torch.zeros(2, 4, dtype=torch.float64), []
    for x in p["X"]:
        h = torch.tanh(x @ p["W"] + h @ p["U"])
        g = torch.tanh(h @ p["V"][:, 0] + g @ p["V"][:, 1])
        rows.append(g)
    want = ((torch.stack(rows) - p["Y"]) ** 2).mean()
    want.backward()
    assert np.isclose(loss, want.item(), rtol=1e-13)
    for name in "WUV":
        assert np.allclose(getattr(grads, name), p[name].grad, rtol=1e-11, atol=1e-15), name


def regression(loss):
    """Return a linear model under a loss of its outputs, targets and weights of examples, all of one size."""
    net = Network("regression", "A linear model")
    N, D = net.sizes("N D")
    w, X = net.parameter("w", D), net.input("X", N, D)
    y, a = net.input("y", N), net.input("a", N)
    z = net.define("z", X @ w)
    net.loss = total(loss(z, y, a))
    return net


LOSSES = {          # a loss, its second derivative by hand, whether the sign of that is known
    "Poisson": (lambda z, y, a: exp(z) - y * z, lambda z, a: np.exp(z), True),
    "logistic": (lambda z, y, a: softplus(z) - y * z, lambda z, a: np.exp(z) / (1 + np.exp(z)) ** 2, True),
    "squared weights": (lambda z, y, a: a**2 * (z - y) ** 2, lambda z, a: 2 * a**2, True),
    "weights of any sign": (lambda z, y, a: a * (z - y) ** 2, lambda z, a: 2 * a, False),
    "a cube": (lambda z, y, a: z**3, lambda z, a: 6 * z, False),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_hessians_of_known_sign_are_a_matrix_times_itself(kind):
    loss, second, known = LOSSES[kind]
    program = regression(loss).hessian()
    assert ("weighted_X.T @ weighted_X" in codegen.source(program)) is known
    rng = np.random.default_rng(0)
    w, X, y, a = rng.normal(size=4), rng.normal(size=(9, 4)), rng.normal(size=9), rng.normal(size=9)
    want = X.T @ np.diag(second(X @ w, a)) @ X
    assert np.allclose(codegen.lambdify(program)(w=w, X=X, y=y, a=a), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_hessians_by_a_softmax_are_a_matrix_times_itself_less_a_diagonal(style):
    net = Network("multinomial", "Multinomial regression")
    N, D, C = net.sizes("N D C")
    W, X, y = net.parameter("W", D, C), net.input("X", N, D), net.labels("y", N, classes=C)
    net.loss = mean(cross_entropy(net.define("Z", X @ W), y))
    program = net.hessian()
    rows = "X[:, :, None] * softmax_Z[:, None, :]" if style == "plain" else 'np.einsum("nd,nc->ndc", X, softmax_Z, out='
    assert rows in (source := codegen.source(program, style=style))
    assert "X.T[:, None, :]" not in source and "J_softmax_Z = " not in source
    rng = np.random.default_rng(0)
    W, X, y = rng.normal(size=(4, 3)), rng.normal(size=(9, 4)), rng.integers(0, 3, 9)
    P = np.exp(X @ W) / np.exp(X @ W).sum(axis=1, keepdims=True)
    curvature = P[:, :, None] * np.eye(3) - P[:, :, None] * P[:, None, :]
    want = np.einsum("nd,ne,ncf->dcef", X, X, curvature) / 9
    assert np.allclose(codegen.lambdify(program, style=style)(W=W, X=X, y=y), want, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_of_examples_far_out_are_0(dtype):
    hessian = codegen.lambdify(regression(LOSSES["logistic"][0]).hessian())
    X, zeros = np.array([[1e4], [-1e4], [0.5]], dtype), np.zeros(3, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        H = hessian(w=np.ones(1, dtype), X=X, y=zeros, a=zeros)
    s = 1 / (1 + np.exp(-0.5))
    assert H.dtype == dtype and np.allclose(H, 0.25 * s * (1 - s), rtol=1e-6)


@pytest.mark.parametrize("style", ["plain", "fast"])
@pytest.mark.parametrize("places", [(0, 1, 2), (0, 2), (0, 1, 1), (2, 1, 0)])
def test_entries_at_every_place_are_set_and_others_are_0(style, places):
    net = Network("places", "Some of three weights, each of which multiplies a matrix")
    N, D = net.sizes("N D")
    W, X = net.parameter("W", D, 3), net.input("X", N, D)
    Y = net.input("Y", N)
    n, d, q = net.indices(n=N, d=D, q=3)
    V = net.define("V", tanh(W[d, q]), over=(d, q))
    net.loss = Sum((Sum(sum((k + 1) * X[n, d] ** (k + 1) * V[d, p] for k, p in enumerate(places)), d) - Y[n]) ** 2, n)
    program = net.backward()
    rng = np.random.default_rng(0)
    W, X, Y = rng.normal(size=(4, 3)), rng.normal(size=(5, 4)), rng.normal(size=5)
    f = codegen.lambdify(program, style=style)
    outer = sum((k + 1) * X ** (k + 1) * np.tanh(W[:, p]) for k, p in enumerate(places)).sum(1) - Y
    want = np.zeros((4, 3))
    for k, p in enumerate(places):
        want[:, p] += 2 * outer @ ((k + 1) * X ** (k + 1))
    want *= 1 - np.tanh(W) ** 2
    workspace = {"workspace": f.module.Workspace()} if style == "fast" else {}
    for _ in range(2):                  # the second time in arrays that hold something
        loss, grads = f(W=W, X=X, Y=Y, **workspace)
        assert np.isclose(loss, outer @ outer, rtol=1e-12)
        assert np.allclose(grads.W, want, rtol=1e-11)


def squared_error():
    """Return the squared distance of two matrices, by rows and in all."""
    net = Network("distance", "The rows of a difference, squared")
    N, D = net.sizes("N D")
    X, Y = net.parameter("X", N, D), net.input("Y", N, D)
    n, d = net.indices(n=N, d=D)
    R = net.define("R", X - Y)
    v = net.define("v", Sum(R[n, d] ** 2, d) / D, over=n)
    net.loss = Sum(R[n, d] ** 2, n, d) / N + Sum(v[n] ** 2, n)
    return net


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_sums_of_products_are_as_exact_as_sums(style):
    rng = np.random.default_rng(0)
    X, Y = rng.random((2, 300, 7001)).astype(np.float32)
    loss, _ = codegen.lambdify(squared_error().backward(), style=style)(X=X, Y=Y)
    R = X.astype(float) - Y
    want = (R**2).sum() / 300 + ((R**2).mean(axis=1) ** 2).sum()
    assert loss.dtype == np.float32 and abs(loss - want) <= 5e-7 * want


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_pairs_far_from_the_origin_keep_their_digits(style):
    net = Network("embedding", "Points whose squared distances are near given ones, as in multidimensional scaling")
    N, D = net.sizes("N D")
    Z, P = net.parameter("Z", N, D), net.input("P", N, N)
    Q = net.define("Q", total((Z[:, None] - Z[None]) ** 2, axis=-1))
    net.loss = total(P * Q**2)
    near = np.random.default_rng(0).integers(-64, 64, (40, 3)) / 8
    P = np.random.default_rng(1).random((40, 40)).astype(np.float32)
    R = near[:, None] - near                            # exact, and so is Z
    G = 2 * P * (R**2).sum(axis=2)
    want = 2 * ((G + G.T)[:, :, None] * R).sum(axis=1)
    _, grads = codegen.lambdify(net.backward(), style=style)((near + 2**16).astype(np.float32), P)
    assert np.allclose(grads.Z, want, rtol=1e-5, atol=1e-6 * np.abs(want).max())


def test_gradients_with_rows_are_filled_block_by_block():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 300, 7001))
    f = codegen.lambdify(squared_error().backward(), style="fast")
    workspace, R = f.module.Workspace(), X - Y
    for sign in (1, -1):                # the second time in arrays that hold something
        _, grads = f(X=X if sign == 1 else 2 * Y - X, Y=Y, workspace=workspace)
        want = sign * 2 * R * (1 / 300 + 2 * (R**2).mean(axis=1, keepdims=True) / 7001)
        assert np.allclose(grads.X, want, rtol=1e-12)


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_sums_of_products_conjugate_nothing(style):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 3, 7001))
    f = codegen.lambdify(squared_error().backward(), style=style)
    step = np.zeros(X.shape, complex)
    step[1, 2] = 1e-30j
    assert np.isclose(f(X=X + step, Y=Y)[0].imag / 1e-30, f(X=X, Y=Y)[1].X[1, 2], rtol=1e-13)


@pytest.mark.parametrize("style", ["plain", "fast"])
@pytest.mark.parametrize(("dtype", "end"), [(np.float32, 86), (np.float64, 700)])
def test_slopes_of_named_sigmoids_are_exact_at_both_ends(style, dtype, end):
    net = Network("s", "A sigmoid with a name")
    x = net.parameter("x", *net.sizes("N"))
    s = net.define("s", sigmoid(x))
    net.loss = total(s)
    f = codegen.lambdify(net.backward(), style=style)
    x = np.linspace(-end, end, 41).astype(dtype)
    exact = [exact_exp(-abs(mpf(float(v)))) / (1 + exact_exp(-abs(mpf(float(v))))) ** 2 for v in x]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        slopes = f(x=x)[1].x
        assert f(x=np.array([-1e4, 1e4, -np.inf, np.inf], dtype))[1].x.max() <= np.finfo(dtype).tiny
    assert all(abs(mpf(float(a)) - t) <= 6 * np.finfo(dtype).eps * t for a, t in zip(slopes, exact, strict=True))


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_slopes_of_gates_that_share_an_array_come_from_their_values(style):
    net = Network("g", "Two gates, side by side")
    N, K = net.sizes("N K")
    z = net.parameter("z", N, 2 * K)
    a, b = net.define("a", sigmoid(z[:, :K])), net.define("b", sigmoid(z[:, K:]))
    net.loss = total(a) + 2 * total(b)
    program = net.backward()
    own = codegen.source(program, style=style)
    assert not re.search(r"_sigmoid\w*\(", own)
    x = np.linspace(-700, 700, 60).reshape(5, 12)
    exact = [exact_exp(-abs(mpf(float(v)))) / (1 + exact_exp(-abs(mpf(float(v))))) ** 2 for v in x.flat]
    slopes = codegen.lambdify(program, style=style)(z=x)[1].z / ([1] * 6 + [2] * 6)
    assert all(abs(mpf(float(s)) - t) <= 6 * np.finfo(float).eps * t for s, t in zip(slopes.flat, exact, strict=True))
