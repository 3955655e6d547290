"""Reads at labels that conditions, or zeros around an array, keep in its range."""

import numpy as np
import pytest
from sympy import Piecewise, Sum, exp, log, sqrt

import codegen
from derive import DefinitionError, Network, padded, sigmoid

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

VALUES, LABELS = np.array([1.5, -2.0, 0.7]), np.array([0, 1, 2, 2, 0])
READS = {       # as written; what one label gives
    "zeros after": (lambda c, y, K: padded(c)[y + 1] ** 2, lambda c, y: c[y + 1] ** 2 if y < 2 else 0),
    "zeros before": (lambda c, y, K: padded(c)[y - 2] ** 2, lambda c, y: c[y - 2] ** 2 if y > 1 else 0),
    "a condition": (lambda c, y, K: Piecewise((c[y + 1] ** 3, y + 1 < K), (0, True)),
                    lambda c, y: c[y + 1] ** 3 if y < 2 else 0),
    "a quotient": (lambda c, y, K: Piecewise((c[y + 1] / c[y - 1], (y >= 1) & (y + 1 < K)), (c[0] ** 2, True)),
                   lambda c, y: c[y + 1] / c[y - 1] if y == 1 else c[0] ** 2),
}


@pytest.mark.parametrize("style", ["plain", "fast"])
@pytest.mark.parametrize("name", READS)
def test_labels_that_lead_outside_are_not_followed(name, style):
    ours, theirs = READS[name]
    net = Network("outside")
    N, K = net.sizes("N K")
    c, y = net.parameter("c", K), net.labels("y", N, classes=K)
    [n] = net.indices(n=N)
    net.loss = Sum(ours(c, y[n], K), n)
    loss, grads = codegen.lambdify(net.backward(), style=style)(VALUES, LABELS)
    given = torch.tensor(VALUES, requires_grad=True)
    expected = sum(theirs(given, k) for k in LABELS.tolist())
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-14)
    np.testing.assert_allclose(grads.c, given.grad.numpy(), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("around", [lambda c: c, padded], ids=["bare", "padded"])
def test_ordinal_regression_by_cases(around):
    """P(y = k) is sigmoid(c[k] - z) - sigmoid(c[k - 1] - z), the first and the last without an end of theirs.

    Where c is padded too, SymPy makes a case of log(0 - 0), which is never reached.
    """
    net = Network("ordinal")
    N, K = net.sizes("N K")
    z, g, y = net.parameter("z", N), net.parameter("g", K), net.labels("y", N, classes=K + 1)
    n, k, j = net.indices(n=N, k=K, j=K)
    c = net.define("c", Sum(exp(g[j]), (j, 0, k)), over=k)
    below = Piecewise((1, y[n] >= K), (sigmoid(around(c)[y[n]] - z[n]), True))
    before = Piecewise((0, y[n] <= 0), (sigmoid(around(c)[y[n] - 1] - z[n]), True))
    net.loss = -Sum(log(below - before), n)
    z0, g0, labels = np.array([0.3, -1.2, 0.8, 2.0, -0.4]), np.array([-0.5, 0.1, -0.2]), np.array([0, 1, 2, 3, 2])
    loss, grads = codegen.lambdify(net.backward())(z0, g0, labels)
    tz, tg, ty = torch.tensor(z0, requires_grad=True), torch.tensor(g0, requires_grad=True), torch.tensor(labels)
    inner = torch.sigmoid(tg.exp().cumsum(0) - tz[:, None])
    ends = torch.cat([torch.zeros(5, 1), inner, torch.ones(5, 1)], dim=1)
    expected = -ends.diff(dim=1)[torch.arange(5), ty].log().sum()
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(grads.z, tz.grad.numpy(), rtol=1e-11)
    np.testing.assert_allclose(grads.g, tg.grad.numpy(), rtol=1e-11)


def test_a_case_without_a_value_is_told():
    net = Network("nowhere")
    x = net.parameter("x")
    with pytest.raises(DefinitionError, match=r"zoo in it, which is 1/0 or log\(0\), perhaps in one of its cases"):
        net.loss = Piecewise((x, x > 0), (log(x - x), True))


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
def test_labels_and_sizes_may_be_integers_of_any_width(style):
    """Two times a label of uint8, or a size of it, would wrap around; a size of int64 would make float64 of float32."""
    net = Network("pairs")
    N, V, K = net.sizes("N V K")
    E, y = net.parameter("E", V * K), net.labels("y", N, classes=V)
    n, k = net.indices(n=N, k=K)
    net.loss = Sum(E[K * y[n] + k] ** 2 * (y[n] + y[n]) / sqrt(K), n, k)
    f = codegen.lambdify(net.backward(), style=style)
    table, labels = np.arange(360, dtype=np.float32) / 360, np.array([0, 7, 110, 119])
    read = (table.reshape(120, 3)[labels].astype(float) ** 2).sum(1)
    for dtype in (np.int8, np.uint8, np.uint32, np.uint64):
        loss, grads = f(table, labels.astype(dtype), V=dtype(120), K=dtype(3))
        assert loss == pytest.approx((read * 2 * labels).sum() / 3**0.5, rel=1e-6)
        assert loss.dtype == grads.E.dtype == np.float32


def test_labels_of_the_scalar_style_are_whole_numbers():
    net = Network("doubled")
    N, w = net.size("N"), net.parameter("w")
    y = net.labels("y", N, classes=200)
    [n] = net.indices(n=N)
    net.loss = w * Sum(y[n] + y[n], n)
    f = codegen.lambdify(net.backward(), style="scalar", sizes={"N": 2})
    assert f(0.5, np.array([150, 199], np.uint8)) == (349, (698,))
    with pytest.raises(ValueError, match=r"y holds the label 1\.5"):
        f(0.5, [1.5, 2])


@pytest.mark.parametrize("style", ["plain", "fast"])
@pytest.mark.parametrize("wrong", [
    np.array([0, -1], np.int8), np.array([3, 0], np.uint8), np.array([0, 2**63 + 1], np.uint64),
    np.array([1, -2**63]), np.array([3, 0, -1, 1])[::2], np.full((1,), -3, ">i4"),
], ids=str)
def test_labels_of_every_dtype_are_kept_in_range(wrong, style):
    net = Network("ranged")
    N, K = net.sizes("N K")
    c, y = net.parameter("c", K), net.labels("y", N, classes=K)
    net.loss = Sum(c[y[net.indices(n=N)[0]]] ** 2, net.indices(n=N)[0])
    run = codegen.lambdify(net.backward(), style=style)
    right = np.where((wrong >= 0) & (wrong < 3), wrong, 1).astype(wrong.dtype)
    loss, _ = run(VALUES, right)
    assert loss == pytest.approx(sum(VALUES[k] ** 2 for k in right.tolist()))
    with pytest.raises(ValueError, match=r"y holds labels from .* to .*; expected 0 to K - 1 = 2"):
        run(VALUES, wrong)
