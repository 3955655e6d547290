"""Generated code reads as an expert's: products where an expert writes products, each line under what it comes from."""

import re

import numpy as np
import pytest
from sympy import Eq, Max, Min, Ne, Piecewise, Sum, exp, log, sqrt, tanh

import codegen
from derive import Network, cross_entropy, huber, matmul, mean, padded, sigmoid, total
from derive.notes import note
from derive.referee import disagreement

random = np.random.default_rng(0)


def comments_over(source, line):
    """Return the comments over a line of code, those that stand over lines before it too where none is its own."""
    lines = [text.strip() for text in source.splitlines()]
    k = next(k for k, text in enumerate(lines) if text.startswith(line))
    while not lines[k].startswith("#"):
        k -= 1
    first = k
    while lines[first - 1].startswith("#"):
        first -= 1
    return [text.split(" = ")[0].removeprefix("# ") for text in lines[first:k + 1] if " = " in text]


def rotary():
    """Return scores of queries and keys that are rotated in pairs: (q0 k0' + q1 k1')/sqrt(E)."""
    net = Network("rotary", "Scores with rotary positions")
    B, T, S, E = net.sizes("B T S E")
    q0, q1 = net.parameter("q0", B, T, E), net.parameter("q1", B, T, E)
    k0, k1 = net.parameter("k0", B, S, E), net.parameter("k1", B, S, E)
    b, t, s, e = net.indices(b=B, t=T, s=S, e=E)
    Z = net.define("Z", Sum(q0[b, t, e] * k0[b, s, e] + q1[b, t, e] * k1[b, s, e], e) / sqrt(E), over=(b, t, s))
    net.loss = mean(tanh(Z))
    return net


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_a_sum_of_products_is_a_sum_of_matrix_products(style):
    source = codegen.source(rotary().backward(), style=style)
    forward = source[source.index("def _computed" if style == "fast" else "def forward"):]
    assert len(re.findall(r" @ |np\.matmul", forward.split("tanh")[0])) == 2
    q0, q1, k0, k1 = (random.normal(size=(2, n, 3)) for n in (4, 4, 5, 5))
    loss, grads = codegen.lambdify(rotary().backward(), style=style)(q0, q1, k0, k1)
    A = np.tanh((q0 @ k0.mT + q1 @ k1.mT) / 3**0.5)
    assert np.isclose(loss, A.mean())
    assert np.allclose(grads.k1, ((1 - A**2) / A.size / 3**0.5).mT @ q1)


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_arrays_alike_are_multiplied_before_a_vector_is_summed_with_them(style):
    net = Network("alike", "A second derivative: of tanh(x w) v, and what is broadcast")
    N, K = net.sizes("N K")
    w, v = net.parameter("w", K), net.parameter("v", K)
    x, B, c = net.input("x", N), net.input("B", N, K), net.input("c", N)
    n, k = net.indices(n=N, k=K)
    h = net.define("h", tanh(x[n] * w[k]), over=(n, k))
    f = net.define("f", Sum((1 - h[n, k] ** 2) * h[n, k] * v[k], k), over=n)
    g = net.define("g", Sum(B[n, k] * h[n, k] * c[n], n), over=k)
    net.loss = total(f**2) + total(g * v) + Sum(B[n, k] * c[n], n, k) + Sum(B[n, k] * (1 - h[n, k] ** 2), n, k)
    source = codegen.source(net.backward(), style=style)
    assert style == "fast" or (source.count("1 - h**2") == 1 and "h * slope_h @ v" in source
                               and "c @ (B * h)" in source and "_inner(B, slope_h)" in source)
    w, v, x, c, B = (random.normal(size=s) for s in (3, 3, 4, 4, (4, 3)))
    h = np.tanh(np.outer(x, w))
    f, g = ((1 - h**2) * h) @ v, c @ (B * h)
    loss, grads = codegen.lambdify(net.backward(), style=style)(w=w, v=v, x=x, B=B, c=c)
    assert np.isclose(loss, f @ f + g @ v + (B * c[:, None]).sum() + (B * (1 - h**2)).sum(), rtol=1e-13)
    assert np.allclose(grads.v, 2 * f @ ((1 - h**2) * h) + g, rtol=1e-12)
    dh = 2 * f[:, None] * v * (1 - 3 * h**2) + c[:, None] * B * v - 2 * B * h
    assert np.allclose(grads.w, x @ (dh * (1 - h**2)), rtol=1e-12)


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_indices_of_one_factor_are_summed_at_once(style):
    net = Network("scaled", "Images scaled by channel, their squares weighted by example")
    N, C, U, V = net.sizes("N C U V")
    g, a, x = net.parameter("g", C), net.parameter("a", N), net.input("x", N, C, U, V)
    n, c, u, v = net.indices(n=N, c=C, u=U, v=V)
    z = net.define("z", tanh(g[c] * x[n, c, u, v]), over=(n, c, u, v))
    net.loss = Sum(a[n] * g[c] * z[n, c, u, v] * x[n, c, u, v], n, c, u, v)
    source = codegen.source(net.backward(), style=style)
    assert source.count("axis=(2, 3)" if style == "plain" else "_row_sums(work, 2)") >= 2
    g, a, x = (random.normal(size=s) for s in (3, 2, (2, 3, 4, 5)))
    z = np.tanh(g[:, None, None] * x)
    loss, grads = codegen.lambdify(net.backward(), style=style)(g, a, x)
    assert np.isclose(loss, np.einsum("n,c,ncuv,ncuv->", a, g, z, x), rtol=1e-12)
    assert np.allclose(grads.a, np.einsum("c,ncuv,ncuv->n", g, z, x), rtol=1e-12)
    assert np.allclose(grads.g, np.einsum("n,ncuv,ncuv->c", a, z + g[:, None, None] * (1 - z**2) * x, x), rtol=1e-12)


def factorisation_machine():
    """Return pairwise interactions by factors, ((X V)^2 - X^2 V^2) 1/2 (Rendle, 2010)."""
    net = Network("machine", "A factorisation machine")
    N, D, K = net.sizes("N D K")
    V, X, y = net.parameter("V", D, K), net.input("X", N, D), net.input("y", N)
    s, q = net.define("s", X @ V), net.define("q", matmul(X**2, V**2))
    f = net.define("f", total(s**2 - q, axis=1) / 2)
    net.loss = mean((f - y) ** 2) / 2
    return net


def test_adjoints_that_are_the_same_along_an_axis_are_not_spread():
    program = factorisation_machine().backward()
    source = codegen.source(program)
    assert "broadcast_to" not in source and "(df @ X**2)[:, None]" in source
    assert r"\delta_q &= -\tfrac12 \delta_f \mathbf 1_K^\top" in re.sub(" +", " ", note(program))
    V, X, y = random.normal(size=(3, 2)), random.normal(size=(4, 3)), random.normal(size=4)
    df = (((X @ V) ** 2 - X**2 @ V**2).sum(1) / 2 - y) / 4
    _, grads = codegen.lambdify(program)(V, X, y)
    assert np.allclose(grads.V, X.T @ (df[:, None] * (X @ V)) - V * (df @ X**2)[:, None])


def test_adjoints_in_a_loop_stand_under_the_lines_that_send_them():
    net = Network("cell", "A gated cell that looks at its memory")
    T, K = net.sizes("T K")
    U, w, x = net.parameter("U", K, K), net.parameter("w", K), net.input("x", T, K)
    t, j, k = net.indices(t=T, j=K, k=K)
    h, c = net.state("h", T, K, initial=0), net.state("c", T, K, initial=0)
    i = net.define("i", sigmoid(Sum(h[t - 1, j] * U[j, k], j) + w[k] * c[t - 1, k] + x[t, k]), over=(t, k))
    net.define(c, c[t - 1, k] + i[t, k] * x[t, k], over=(t, k))
    net.define(h, tanh(c[t, k]), over=(t, k))
    net.loss = mean(h**2)
    source = codegen.source(net.backward())
    assert comments_over(source, "dc[t + 1] +=") == ["h[t, k]"]
    assert comments_over(source, "dpre_i[t] =") == ["i"]
    assert comments_over(source, "dU =") == ["pre_i[t, k]"]


def test_lines_that_nothing_is_computed_for_are_told_with_the_next():
    net = Network("counts", "Poisson regression")
    N, D = net.sizes("N D")
    w, X, y = net.parameter("w", D), net.input("X", N, D), net.input("y", N)
    eta = net.define("eta", X @ w)
    net.loss = mean(exp(eta) - y * eta)
    assert comments_over(codegen.source(net.backward()), "deta =") == ["loss", "exp_eta"]


def test_exponentials_with_weights_over_their_sum_are_read_as_one_line():
    net = Network("weights", "Attention over the edges of a graph")
    N, K = net.sizes("N K")
    S, M, V, Y = net.parameter("S", N, N), net.input("M", N, N), net.parameter("V", N, K), net.input("Y", N, K)
    i, j = net.indices(i=N, j=N)
    A = net.define("A", M[i, j] * exp(S[i, j]) / Sum(M[i, j] * exp(S[i, j]), j), over=(i, j))
    net.loss = mean((A @ V - Y) ** 2)
    assert max(disagreement(net.program(), net.backward()).values()) < 1e-50


def test_slopes_of_maxima_are_told_by_what_differs():
    net = Network("pinball", "Quantile regression, and a clipped ratio")
    N, Q = net.sizes("N Q")
    e, tau, r, eps = net.parameter("e", N, Q), net.input("tau", Q), net.parameter("r", N), net.input("eps")
    ratio = net.define("ratio", exp(r))
    net.loss = mean(Max(tau * e, (tau - 1) * e)) - mean(Min(Max(ratio, 1 - eps), 1 + eps))
    source = codegen.source(net.backward())
    assert "de = (np.heaviside(e, 0.5) + tau - 1) / (N * Q)" in source
    assert "expm1" not in source
    e0, tau0, r0 = random.normal(size=(4, 3)), random.random(3), 0.3 * random.normal(size=4)
    _, grads = codegen.lambdify(net.backward())(e0, r0, tau0, 0.2)
    assert np.allclose(grads.e, (tau0 - (e0 < 0)) / 12)
    assert np.allclose(grads.r, -np.exp(r0) * (np.abs(np.exp(r0) - 1) < 0.2) / 4)


def ordinal():
    """Return proportional odds: P(y <= k) = sigmoid(a[k] - x), of K classes by K - 1 thresholds (McCullagh, 1980)."""
    net = Network("ordinal", "Ordinal regression")
    N, K = net.sizes("N K")
    x, a, y = net.parameter("x", N), net.parameter("a", K - 1), net.labels("y", N, classes=K)
    (n,) = net.indices(n=N)
    above = Piecewise((sigmoid(a[y[n]] - x[n]), y[n] < K - 1), (1, True))
    below = Piecewise((sigmoid(a[y[n] - 1] - x[n]), y[n] > 0), (0, True))
    net.loss = -Sum(log(net.define("p", above - below, over=n)[n]), n) / N
    return net


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
def test_thresholds_that_labels_choose_are_added_at_their_places(style):
    program = ordinal().backward()
    assert "np.arange(K - 1)" not in codegen.source(program, style=style)
    assert "K >= y" not in codegen.source(program, style=style)
    x, a, y = random.normal(size=7), np.array([-1.0, 0.3, 1.2]), np.array([0, 3, 1, 2, 3, 0, 1])
    c = np.concatenate([[-np.inf], a, [np.inf]])
    s = 1 / (1 + np.exp(-(c[:, None] - x)))
    above, below, n = s[y + 1, np.arange(7)], s[y, np.arange(7)], len(x)
    slopes = (above * (1 - above), below * (1 - below))
    da = np.zeros(5)
    np.add.at(da, y + 1, -slopes[0] / (above - below) / n)
    np.add.at(da, y, slopes[1] / (above - below) / n)
    loss, grads = codegen.lambdify(program, style=style)(x, a, y)
    assert np.isclose(loss, -np.mean(np.log(above - below)))
    assert np.allclose(grads.a, da[1:-1]) and np.allclose(grads.x, (slopes[0] - slopes[1]) / (above - below) / n)


def test_a_mask_of_several_lines_has_a_name():
    net = Network("contrast", "Supervised contrast (Khosla et al., 2020)")
    N, E, C = net.sizes("N E C")
    Z, y = net.parameter("Z", N, E), net.labels("y", N, classes=C)
    i, j, k = net.indices(i=N, j=N, k=N)
    S = net.define("S", Z @ Z.T)
    L = net.define("L", log(Sum(Piecewise((exp(S[i, k]), Ne(i, k)), (0, True)), k)), over=i)
    P = net.define("P", Sum(Piecewise((1, Eq(y[i], y[j]) & Ne(i, j)), (0, True)), j), over=i)
    net.loss = Sum(Piecewise((L[i] - S[i, j], Eq(y[i], y[j]) & Ne(i, j)), (0, True)) / P[i], i, j) / N
    source = codegen.source(net.backward())
    assert "P = np.sum(mask, axis=1, dtype=Z.dtype)" in source and source.count("y[:, None] == y") == 2
    Z0, labels = random.normal(size=(6, 3)), np.array([0, 1, 0, 1, 1, 0])
    same = (labels[:, None] == labels) & ~np.eye(6, dtype=bool)
    A = np.exp(Z0 @ Z0.T) * ~np.eye(6, dtype=bool)
    dS = (A / A.sum(1, keepdims=True) - same / same.sum(1, keepdims=True)) / 6
    for style in ("plain", "fast"):
        loss, grads = codegen.lambdify(net.backward(), style=style)(Z0, labels, C=2)
        assert np.isclose(loss, np.mean(np.log(A.sum(1)) - (same * (Z0 @ Z0.T)).sum(1) / same.sum(1)))
        assert np.allclose(grads.Z, (dS + dS.T) @ Z0)


@pytest.mark.parametrize("name", ["a", "yhat"])
def test_hubers_slope_is_an_error_kept_between(name):
    net = Network("huber", "Two losses, weighted by numbers")
    N, C = net.sizes("N C")
    p, y, u = net.parameter(name, N), net.input("y", N), net.input("u")
    Z, c = net.parameter("Z", N, C), net.labels("c", N, classes=C)
    net.loss = mean((1 - u) * cross_entropy(Z, c) + u * huber(p, y))
    source = codegen.source(net.backward())
    assert f"np.clip({name} - y, -1, 1)" in source and "broadcast_to" not in source
    p0, y0, Z0 = random.normal(size=5), 2 * random.normal(size=5), random.normal(size=(5, 3))
    c0 = np.array([0, 2, 1, 1, 0])
    _, grads = codegen.lambdify(net.backward())(p0, Z0, y0, 0.3, c0)
    assert np.allclose(grads[0], 0.3 * np.clip(p0 - y0, -1, 1) / 5)
    P = np.exp(Z0) / np.exp(Z0).sum(1, keepdims=True)
    assert np.allclose(grads.Z, 0.7 * (P - np.eye(3)[c0]) / 5)


def test_windows_of_a_dilated_causal_convolution_are_told_by_their_distance():
    net = Network("dilated", "A dilated causal convolution")
    T, K, L = net.sizes("T K L")
    w, x = net.parameter("w", K), net.input("x", T)
    t, k = net.indices(t=T, k=K)
    net.loss = total(net.define("y", Sum(padded(x)[t - L * k] * w[k], k), over=t) ** 2)
    source = codegen.source(net.backward())
    assert "np.pad(x, (((K - 1) * L, 0),))" in source and "x_padded[(K - k - 1) * L:(K - k - 1) * L + T]" in source
    w0, x0 = random.normal(size=3), random.normal(size=9)
    X = np.array([[x0[t - 2 * k] if t >= 2 * k else 0 for k in range(3)] for t in range(9)])
    _, grads = codegen.lambdify(net.backward())(w0, x0, L=2)
    assert np.allclose(grads.w, 2 * X.T @ (X @ w0))


def test_adjoints_of_others_stay_where_a_line_reads_both():
    net = Network("residual", "A residual layer")
    N, D = net.sizes("N D")
    W, X, T = net.parameter("W", D, D), net.input("X", N, D), net.input("T", N, D)
    Z = net.define("Z", X @ W)
    net.loss = mean((net.define("R", net.define("A", tanh(Z)) + Z) - T) ** 2)
    assert "dZ = dA * (1 - A**2) + dR" in codegen.source(net.backward())
