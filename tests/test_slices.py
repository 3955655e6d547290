"""Slices, new axes, places and labels in brackets mean what they mean in PyTorch, and gradients are added to slices."""

from types import SimpleNamespace

import numpy as np
import pytest
import sympy

import codegen
from derive import Network, mean, sigmoid, total

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

SIZES = {"N": 3, "D": 4, "H": 2, "V": 5}
SYMBOLIC = SimpleNamespace(tanh=sympy.tanh, exp=sympy.exp, sigmoid=sigmoid, total=total, mean=mean,
                           name=lambda net, name, value: net.define(name, value))
NUMBERS = SimpleNamespace(tanh=torch.tanh, exp=torch.exp, sigmoid=torch.sigmoid, mean=torch.mean,
                          total=lambda a, axis=None: torch.sum(a) if axis is None else torch.sum(a, axis),
                          name=lambda net, name, value: value)


def gates(o, net, p):
    """A cell whose gates are stretches of one array: their adjoints tile it."""
    Z, H = o.name(net, "Z", p.X @ p.G + p.b), p.H
    i, f, u, g = (o.name(net, k, act(Z[:, s * H:(s + 1) * H])) for s, (k, act) in enumerate(
        (("i", o.sigmoid), ("f", o.sigmoid), ("u", o.sigmoid), ("g", o.tanh))))
    return o.mean((u * o.tanh(f * p.c + i * g)) ** 2)


def ends(o, net, p):
    """The first column is not shrunk, neighbours are alike, and the last row is that of the first."""
    return o.total(p.X[:, 1:] ** 2) + o.total((p.X[1:] - p.X[:-1]) ** 2) + o.total(p.X[-1] * o.tanh(p.X[0]))


def both_axes(o, net, p):
    """Stretches of two axes at once."""
    return o.total(o.tanh(p.X[1:, :-1] * p.X[:-1, 1:])) + o.mean(p.X**2)


def new_axes(o, net, p):
    """Distances of all pairs, and a vector along the other axis."""
    Q = o.name(net, "Q", o.total((p.X[:, None, :] - p.X[None]) ** 2, axis=-1))
    return o.total(o.exp(-Q)) + o.total((p.X + p.v[:, None]) ** 2)


def dots(o, net, p):
    """`...` stands for the axes that are not told; a slice of what is no array by name."""
    return o.total(o.tanh(p.K[..., 0]) + p.K[0, ..., -1]) + o.total((p.X @ p.G)[..., 1:] ** 2)


def labels(o, net, p):
    """Rows and columns that labels name."""
    return o.total(o.tanh(p.E[p.y] @ p.G)) + o.total(p.F[:, p.y] ** 3)


def embedded_once_more(o, net, p):
    """Labels of two axes."""
    return o.total(p.E[p.Y] ** 2 * o.tanh(p.E[p.Y]))


def by_twos(o, net, p):
    """Every second column."""
    return o.total(o.tanh(p.G[:, ::2]) * p.G[:, 1::2])


def strides(o, net, p):
    """Every second row or column of an axis that may be odd."""
    return o.total(o.tanh(p.X[:, ::2])) + o.mean(p.X**2) + o.total(p.X[1::2] ** 3) + o.total(p.K[::3, 1:, ::2] ** 2)


CASES = [gates, ends, both_axes, new_axes, dots, labels, embedded_once_more, by_twos, strides]


def network(case):
    net = Network(case.__name__, case.__doc__)
    N, D, H, V = net.sizes("N D H V")
    p = SimpleNamespace(
        H=H, X=net.parameter("X", N, D), G=net.parameter("G", D, 4 * H), b=net.parameter("b", 4 * H),
        c=net.input("c", N, H), v=net.parameter("v", N), K=net.parameter("K", N, D, H), E=net.parameter("E", V, D),
        F=net.parameter("F", D, V), y=net.labels("y", N, classes=V), Y=net.labels("Y", N, H, classes=V))
    net.loss = case(SYMBOLIC, net, p)
    return net


def arrays(N, D, H, V):
    random = np.random.default_rng(0)
    shapes = {"X": (N, D), "G": (D, 4 * H), "b": (4 * H,), "c": (N, H), "v": (N,), "K": (N, D, H), "E": (V, D),
              "F": (D, V)}
    return {**{n: random.normal(size=s) for n, s in shapes.items()},
            "y": random.integers(0, V, N), "Y": random.integers(0, V, (N, H))}


def check(case, style, sizes):
    program, given = network(case).backward(), arrays(**sizes)
    there = {n: torch.tensor(a, requires_grad=a.dtype.kind == "f") for n, a in given.items()}
    expected = case(NUMBERS, None, SimpleNamespace(**there, H=sizes["H"]))
    expected.backward()
    loss, grads = codegen.lambdify(program, style)(*(given[v.name] for v in (*program.parameters, *program.inputs)))
    np.testing.assert_allclose(loss, expected.item(), rtol=1e-12)
    for v in program.parameters:
        g = there[v.name].grad
        np.testing.assert_allclose(getattr(grads, v.name), 0 if g is None else g.numpy(), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.__name__)
def test_gradients_are_pytorchs(case, style):
    check(case, style, SIZES)


@pytest.mark.parametrize("case", [ends, both_axes], ids=lambda c: c.__name__)
def test_stretches_may_be_empty(case):
    check(case, "plain", {**SIZES, "N": 1, "D": 1})


def test_a_slice_backwards():
    net = Network("backwards", "Columns, last first")
    X = net.parameter("X", *net.sizes("N D"))
    net.loss = total(X[:, ::-1] * X)
    value = np.arange(6.0).reshape(2, 3)
    loss, grads = codegen.lambdify(net.backward())(value)
    assert loss == np.sum(value[:, ::-1] * value)
    np.testing.assert_array_equal(grads.X, 2 * value[:, ::-1])


def test_the_hessian_of_halves_that_a_recurrence_reads():
    """A block's sum over the turns reads rows from K on: it has a name where that is in range."""
    net = Network("halves")
    T, K = net.sizes("T K")
    b, x = net.parameter("b", 2 * K), net.input("x", T, K)
    t, k = net.indices(t=T, k=K)
    h = net.state("h", T, K, initial=0)
    net.define(h, sympy.tanh(b[k] * h[t - 1, k] + b[K + k] + x[t, k]), over=(t, k))
    net.loss = total(h**2) / 2
    random = np.random.default_rng(0)
    b0, x0 = random.normal(size=4), random.normal(size=(3, 2))

    def loss(b):
        h, value = 0.0, 0.0
        for row in torch.tensor(x0):
            h = torch.tanh(b[:2] * h + b[2:] + row)
            value = value + (h**2).sum() / 2
        return value

    want = torch.autograd.functional.hessian(loss, torch.tensor(b0)).numpy()
    np.testing.assert_allclose(codegen.lambdify(net.hessian())(b0, x0), want, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(codegen.lambdify(net.hessian_trace())(b0, x0), np.trace(want))


def test_the_trace_of_the_hessian_where_ends_may_be_one_entry():
    net = Network("ends")
    W = net.parameter("W", *net.sizes("N D"))
    net.loss = total(W[-1] * W[0] * W[0])
    trace = codegen.lambdify(net.hessian_trace())
    value = np.random.default_rng(0).normal(size=(3, 2))
    assert trace(value) == pytest.approx(2 * value[-1].sum())
    assert trace(value[:1]) == pytest.approx(6 * value[0].sum())        # of W cubed


def test_adjoints_are_added_to_slices():
    """As one writes it by hand: no array is padded with zeros, and no entry is chosen by a condition."""
    text = codegen.source(network(ends).backward())
    assert "dX[1:] += 2 * (X[1:] - X[:-1])" in text and "dX[:, 1:] += 2 * X[:, 1:]" in text
    text = codegen.source(network(strides).backward())
    assert "dX[1::2] += 3 * X[1::2]**2" in text and "dX[:, ::2] += 1 - tanh_X[:, ::2]**2" in text
    text = codegen.source(network(gates).backward())
    assert "dZ[:, 3 * H:] = dg * (1 - g**2)" in text and "pad" not in text and "np.where" not in text


def test_sizes_are_read_off_lengths_that_they_make():
    """Both axes of theta's network are D + 1 long, b alone tells H: no size has to be given by keyword."""
    net = Network("ridge", "A straight line with its intercept first, which is not shrunk")
    N, D = net.sizes("N D")
    X, y, theta = net.input("X", N, D + 1), net.input("y", N), net.parameter("theta", D + 1)
    net.loss = mean((X @ theta - y) ** 2) + total(theta[1:] ** 2) / D
    f = codegen.lambdify(net.backward())
    given, x, t = np.array([3.0, 1.0, 2.0]), np.arange(12.0).reshape(4, 3), np.ones(4)
    assert f(given, x, t)[0] == np.mean((x @ given - t) ** 2) + 2.5
    with pytest.raises(ValueError, match=r"D = theta.shape\[0\] - 1 is 0; expected at least 1"):
        f(np.ones(1), np.ones((4, 1)), t)
    with pytest.raises(ValueError, match=r"X has shape \(4, 2\); expected \(N=4, 3\)"):
        f(given, x[:, :2], t)
    net = Network("parts", "Four parts of an array")
    H = net.size("H")
    b = net.parameter("b", 4 * H)
    net.loss = total(b[:H] * b[3 * H:]) / H
    for style in ("plain", "fast", "compiled"):
        f = codegen.lambdify(net.backward(), style)
        assert f(np.arange(8.0))[0] == 3.5
        with pytest.raises(ValueError, match=r"b.shape\[0\] is 9; expected 4 \* H = 8"):
            f(np.arange(9.0))


def test_a_length_of_two_sizes_tells_the_one_that_is_not_known():
    """W is 3 R + O wide: O is known by its rows, or by those of y."""
    for rows in ("O", "O + 1"):
        net = Network("sums", "A row of W at each label")
        O, R, C = net.sizes("O R C")
        W, y = net.parameter("W", C, 3 * R + O), net.labels("y", O if rows == "O" else O + 1, classes=C)
        net.loss = total(W[0, :R] ** 2) + total(W[y]) / R
        f = codegen.lambdify(net.backward())
        y, w = np.arange(3), np.arange(24.0).reshape(3, 8) if rows == "O + 1" else np.arange(27.0).reshape(3, 9)
        assert f(w, y)[0] == 1 + w.sum() / 2
        with pytest.raises(ValueError, match=r"W.shape\[1\] is 10; expected 3 \* R \+ O = "):
            f(np.ones((3, 10)), y)
