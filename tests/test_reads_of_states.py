"""States that other lines read at labels, or join to other arrays: their arrays hold the row -1 first.

And recurrences whose turns read them otherwise than row by row: windows of a padded row, rows kept from some turn on,
several lags.
"""

import numpy as np
import pytest
from sympy import KroneckerDelta, Piecewise, Rational, Sum, tanh

import codegen
from derive import Network, Product, concatenate, padded, sigmoid, total

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

T, K = 5, 3
READERS = {
    "rows at labels": (lambda r: total(r.h[r.y] ** 3), lambda h, y, z, M: (h[y] ** 3).sum()),
    "a row at one label": (lambda r: Sum(r.h[r.y[0], r.k] ** 2, r.k), lambda h, y, z, M: (h[y[0]] ** 2).sum()),
    "entries at two labels": (lambda r: Sum(r.h[r.y[r.t], r.z[r.t]] ** 2, r.t),
                              lambda h, y, z, M: (h[y, z] ** 2).sum()),
    "entries of each row at a label": (lambda r: Sum(r.h[r.t, r.z[r.s]] * r.M[r.s, r.z[r.t]], r.t, r.s),
                                       lambda h, y, z, M: (h[:, z] * M[:, z].T).sum()),
    "rows at labels, one less": (
        lambda r: Sum(r.h[r.y[r.t] - 1, r.k] ** 2, r.t, r.k),
        lambda h, y, z, M: (torch.cat([torch.full((1, K), 0.5, dtype=h.dtype), h])[y] ** 2).sum()),
    "joined to data": (lambda r: total(concatenate(r.h, r.M, axis=1) ** 3),
                       lambda h, y, z, M: (torch.cat([h, M], 1) ** 3).sum()),
}


class Reader:
    """A recurrence h, and what its readers read it with."""

    def __init__(self, net):
        T, K = net.sizes("T K")
        X, self.M, W = net.input("X", T, K), net.input("M", T, K), net.parameter("W", K, K)
        self.y, self.z = net.labels("y", T, classes=T), net.labels("z", T, classes=K)
        self.t, self.s, self.k, j = net.indices(t=T, s=T, k=K, j=K)
        self.h = net.state("h", T, K, initial=Rational(1, 2))
        before = Sum(self.h[self.t - 1, j] * W[j, self.k], j)
        net.define(self.h, tanh(X[self.t, self.k] + before), over=(self.t, self.k))


@pytest.mark.parametrize("style", ["plain", "fast"])
@pytest.mark.parametrize("name", READERS)
def test_pytorch_agrees(name, style):
    ours, theirs = READERS[name]
    net = Network("states")
    net.loss = ours(Reader(net))
    random = np.random.default_rng(0)
    W, X, M = random.normal(size=(K, K)), random.normal(size=(T, K)), random.normal(size=(T, K))
    y, z = np.array([0, 3, 3, 4, 1]), np.array([2, 0, 1, 1, 2])
    w, row, rows = torch.tensor(W, requires_grad=True), torch.full((K,), 0.5, dtype=torch.float64), []
    for x in torch.tensor(X):
        row = torch.tanh(x + row @ w)
        rows.append(row)
    expected = theirs(torch.stack(rows), torch.tensor(y), torch.tensor(z), torch.tensor(M))
    expected.backward()
    loss, grads = codegen.lambdify(net.backward(), style=style)(W, X, M, y, z)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(grads.W, w.grad.numpy(), rtol=1e-10)


def test_second_derivatives_of_a_product_over_a_part_of_an_axis():
    net = Network("product")
    size = net.size("T")
    x = net.parameter("x", size)
    [t] = net.indices(t=size)
    net.loss = Product(x[t], (t, 1, size - 2))
    x0 = np.array([3.0, 2.0, 0.5, -1.5, 7.0])
    [along] = codegen.lambdify(net.hessian_vector_product())(x0, [np.arange(5.0)])
    inner = torch.tensor(x0[1:-1])
    hessian = torch.autograd.functional.hessian(lambda x: x.prod(), inner).numpy()
    np.testing.assert_allclose(along, [0, *(hessian @ np.arange(1.0, 4.0)), 0], rtol=1e-12)


def convolved(net):
    T, U, K = net.sizes("T U K")
    h0, w, x = net.parameter("h0", U), net.parameter("w", 2 * K + 1, 2 * K + 1), net.input("x", T, U)
    t, u, p, q = net.indices(t=T, u=U, p=2 * K + 1, q=2 * K + 1)
    h = net.state("h", T, U, initial=h0)
    net.define(h, tanh(x[t, u] + Sum(padded(h)[t - 1, u + p - K] * w[p, q] ** 2, p, q)), over=(t, u))
    net.loss = total(h**2)


def convolved_in_torch(h0, w, x):
    rows, edge = [h0], len(w) // 2
    for row in x:
        wide = torch.nn.functional.pad(rows[-1], (edge, edge))
        rows.append(torch.tanh(row + sum((w[p] ** 2).sum() * wide[p:p + len(h0)] for p in range(len(w)))))
    return sum((row**2).sum() for row in rows[1:])


def kept_after_its_length(net):
    T, N = net.sizes("T N")
    w, x, last = net.parameter("w", N), net.input("x", T, N), net.labels("last", N, classes=T)
    t, n = net.indices(t=T, n=N)
    h, z = net.state("h", T, N), net.state("z", T, N)
    net.define(z, sigmoid(x[t, n] - w[n] * h[t - 1, n]), over=(t, n))
    new = (1 - z[t, n]) * tanh(x[t, n] + w[n] * h[t - 1, n]) + z[t, n] * h[t - 1, n]
    net.define(h, Piecewise((new, t <= last[n]), (h[t - 1, n], True)), over=(t, n))
    net.loss = Sum(h[T - 1, n] ** 3, n)


def kept_after_its_length_in_torch(w, x, last):
    row = torch.zeros_like(w)
    for t, new in enumerate(x):
        gate = torch.sigmoid(new - w * row)
        row = torch.where(t <= last, (1 - gate) * torch.tanh(new + w * row) + gate * row, row)
    return (row**3).sum()


def at_lags(net):
    T, N = net.sizes("T N")
    w, x = net.parameter("w", 3, N), net.input("x", T, N)
    t, n = net.indices(t=T, n=N)
    h = net.state("h", T, N)
    lags = [Piecewise((w[k, n] * h[t - 1 - k, n], t >= k), (0, True)) for k in range(3)]
    net.define(h, tanh(x[t, n] + sum(lags)), over=(t, n))
    net.loss = total(h**2) + total(w**2)


def at_lags_in_torch(w, x):
    rows = []
    for row in x:
        rows.append(torch.tanh(row + sum(a * b for a, b in zip(w, rows[::-1], strict=False))))
    return sum((row**2).sum() for row in rows) + (w**2).sum()


def on_edges(net):
    """Messages along edges, and receivers that read every state at two labels."""
    T, V, E, R = net.sizes("T V E R")
    w, x, D = net.parameter("w", V, 2), net.input("x", E), net.input("D", T, R)
    src, dst = net.labels("src", E, classes=V), net.labels("dst", E, classes=V)
    y, z = net.labels("y", R, classes=V), net.labels("z", R, classes=2)
    t, v, e, d, r = net.indices(t=T, v=V, e=E, d=2, r=R)
    h = net.state("h", T, V, 2, initial=w)
    sent = Sum(KroneckerDelta(dst[e], v) * x[e] * h[t - 1, src[e], d], e)
    a = net.define("a", sent + h[t - 1, v, d], over=(t, v, d))
    net.define(h, tanh(a[t, v, d]) * w[v, d], over=(t, v, d))
    net.loss = Sum((h[t, y[r], z[r]] - D[t, r]) ** 2, t, r)


def on_edges_in_torch(w, x, D, src, dst, y, z):
    h, loss = w, 0
    for data in D:
        h = torch.tanh(h.index_add(0, dst, x[:, None] * h[src])) * w
        loss = loss + ((h[y, z] - data) ** 2).sum()
    return loss


EDGES = {"x": (4,), "D": (3, 3), "src": [0, 2, 1, 0], "dst": [1, 1, 2, 1], "y": [0, 1, 1], "z": [1, 0, 0]}
RECURRENCES = [
    (convolved, convolved_in_torch, "plain", {"h0": (4,), "w": (3, 3)}, {"x": (3, 4)}),
    (convolved, convolved_in_torch, "compiled", {"h0": (1,), "w": (3, 3)}, {"x": (2, 1)}),
    (kept_after_its_length, kept_after_its_length_in_torch, "plain", {"w": (3,)}, {"x": (4, 3), "last": [0, 3, 1]}),
    (at_lags, at_lags_in_torch, "plain", {"w": (3, 2)}, {"x": (5, 2)}),
    (on_edges, on_edges_in_torch, "plain", {"w": (3, 2)}, EDGES),
    (on_edges, on_edges_in_torch, "fast", {"w": (3, 2)}, EDGES),
]


def test_what_a_turn_pads_for_itself_has_no_rows():
    net = Network("convolved")
    convolved(net)
    source = codegen.source(net.backward())
    assert "wide_h[" in source and "wide_h[t" not in source


def test_messages_along_edges_take_no_masks_of_nodes_by_edges():
    net = Network("edges")
    on_edges(net)
    source = codegen.source(net.backward())
    assert "np.arange(V)" not in source and source.count("_add_rows(") == 3        # two calls, and where it is defined


@pytest.mark.parametrize(("declare", "theirs", "style", "parameters", "inputs"), RECURRENCES,
                         ids=lambda v: getattr(v, "__name__", ""))
def test_recurrences_agree_with_pytorch(declare, theirs, style, parameters, inputs):
    net, random, given = Network("recurrence"), np.random.default_rng(0), parameters | inputs
    declare(net)
    given = {n: random.normal(size=s) if isinstance(s, tuple) else np.array(s) for n, s in given.items()}
    tensors = {n: torch.tensor(v, requires_grad=n in parameters) for n, v in given.items()}
    expected = theirs(**tensors)
    expected.backward()
    loss, grads = codegen.lambdify(net.backward(), style=style)(**given)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    for n, g in zip(parameters, grads, strict=True):
        np.testing.assert_allclose(g, tensors[n].grad.numpy(), rtol=1e-10, atol=1e-13)


def joined_to_itself(net):
    T, N = net.sizes("T N")
    w, x = net.parameter("w", 3, N), net.input("x", T, N)
    t, n = net.indices(t=T, n=N)
    h = net.state("h", T, N)
    net.define(h, tanh(x[t, n] + w[0, n] * h[t - 1, n]), over=(t, n))
    net.loss = total(concatenate(h, h, axis=0) ** 3)


def joined_to_itself_in_torch(w, x):
    rows = [torch.zeros_like(w[0])]
    for row in x:
        rows.append(torch.tanh(row + w[0] * rows[-1]))
    return 2 * sum((row**3).sum() for row in rows)


@pytest.mark.parametrize(("declare", "theirs", "turns"), [
    (at_lags, at_lags_in_torch, 1), (at_lags, at_lags_in_torch, 4), (joined_to_itself, joined_to_itself_in_torch, 4)])
def test_second_derivatives_of_recurrences_agree_with_pytorch(declare, theirs, turns):
    net = Network("recurrence")
    declare(net)
    random = np.random.default_rng(0)
    w, x, v = random.normal(size=(3, 2)), random.normal(size=(turns, 2)), random.normal(size=(3, 2))
    [along] = codegen.lambdify(net.hessian_vector_product())(w, x, [v])
    hessian = torch.autograd.functional.hessian(lambda w: theirs(w, torch.tensor(x)), torch.tensor(w)).numpy()
    np.testing.assert_allclose(along, np.einsum("ijkl,kl->ij", hessian, v), rtol=1e-9, atol=1e-12)
