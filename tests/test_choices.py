"""Choices by real values are taken as they are written: < and <= are not what they are between indices."""

import numpy as np
import pytest
import sympy
from sympy import Abs, And, Eq, Ge, Gt, KroneckerDelta, Le, Lt, Max, Ne, Or, Piecewise, Sum, exp, log

import codegen
from derive import Network, huber, mean, padded


@pytest.mark.parametrize("style", ["plain", "fast"])
@pytest.mark.parametrize("holds", [Le, Lt, Ge, Gt])
def test_a_choice_by_real_values_that_is_0_first_is_the_choice_that_was_written(holds, style):
    net = Network("thresholded", "0 up to a threshold, the square beyond it")
    x, t = net.parameter("x", *net.sizes("N")), net.parameter("t")
    (n,) = net.indices(n=x.shape[0])
    net.loss = Sum(Piecewise((0, holds(x[n], t)), (x[n] ** 2 * t, True)), n)
    f = codegen.lambdify(net.backward(), style=style)
    values, threshold = np.array([-2.5, -0.5, 0.25, 0.5, 0.75, 1.25, 1.5, 3.0]), 0.5
    zero = {Le: values <= threshold, Lt: values < threshold, Ge: values >= threshold, Gt: values > threshold}[holds]
    loss, grads = f(x=values, t=threshold)
    assert loss == np.sum(np.where(zero, 0, values**2 * threshold))
    assert np.array_equal(grads.x, np.where(zero, 0, 2 * values * threshold))
    assert grads.t == np.sum(np.where(zero, 0, values**2))


def test_the_gradient_by_hubers_threshold():
    net = Network("robust", "Huber's loss, its threshold a parameter")
    [N] = net.sizes("N")
    p, t, delta = net.parameter("p", N), net.input("t", N), net.parameter("delta")
    net.loss = mean(huber(p, t, delta))
    f = codegen.lambdify(net.backward())
    e = np.array([-2.5, -1.2, -0.3, 0.1, 0.9, 1.4, 3.0])
    loss, grads = f(p=e, t=np.zeros(7), delta=0.75)
    far = np.abs(e) > 0.75
    assert np.isclose(loss, np.mean(np.where(far, 0.75 * (np.abs(e) - 0.375), e**2 / 2)), rtol=1e-14)
    assert np.isclose(grads.delta, np.mean(np.where(far, np.abs(e) - 0.75, 0)), rtol=1e-14)


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_hubers_slope_is_an_error_that_is_clipped(style):
    net = Network("robust", "Huber's loss of a linear model")
    N, D = net.sizes("N D")
    w, X, t = net.parameter("w", D), net.input("X", N, D), net.input("t", N)
    net.loss = mean(huber(X @ w, t, 2))
    program = net.backward()
    assert "np.clip(" in codegen.source(program, style=style)
    X = np.random.default_rng(0).normal(size=(50, 3)) * 2
    e = X @ [1.0, -1, 2] - 1          # |x| is written as |-x|
    grads = codegen.lambdify(program, style=style)(w=np.array([1.0, -1, 2]), X=X, t=np.ones(50))[1]
    assert np.allclose(grads.w, np.where(np.abs(e) <= 2, e, 2 * np.sign(e)) @ X / 50, rtol=1e-13)


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_a_recurrence_that_chooses_where_one_of_two_conditions_holds(style):
    """The paths through a grid, from above and from the left: at the borders the entry alone."""
    net = Network("grid")
    N, M = net.sizes("N M")
    x = net.parameter("x", N, M)
    n, m = net.indices(n=N, m=M)
    h = net.state("h", N, M, initial=0)
    inner = x[n, m] * (h[n - 1, m] + padded(h)[n, m - 1])
    net.define(h, Piecewise((x[n, m], Or(Eq(n, 0), Eq(m, 0))), (inner, True)), over=(n, m))
    net.loss = h[N - 1, M - 1]
    given = np.arange(1.0, 13.0).reshape(3, 4) / 5
    entries = sympy.Matrix(3, 4, lambda i, k: sympy.Symbol(f"x{i}{k}"))
    rows = [[None] * 4 for _ in range(3)]
    for i, k in np.ndindex(3, 4):
        rows[i][k] = entries[i, k] * (rows[i - 1][k] + rows[i][k - 1] if i and k else 1)
    at = dict(zip(entries, given.ravel(), strict=True))
    loss, grads = codegen.lambdify(net.backward(), style=style)(given)
    assert loss == pytest.approx(float(rows[2][3].subs(at)), rel=1e-13)
    expected = [float(rows[2][3].diff(entry).subs(at)) for entry in entries]
    np.testing.assert_allclose(grads.x.ravel(), expected, rtol=1e-13)


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_products_of_choices_stay_products(style):
    """The quantile Huber loss (Dabney et al., 2018), whose slope is |tau - [e < 0]| clip(e)."""
    net = Network("quantile_huber")
    N, Q = net.sizes("N Q")
    q, t = net.parameter("q", N, Q), net.input("t", N, Q)
    n, i, k = net.indices(n=N, i=Q, k=Q)
    error = t[n, k] - q[n, i]
    weight = Abs((2 * i + 1) / (2 * Q) - Piecewise((1, error < 0), (0, True)))
    net.loss = Sum(weight * huber(t[n, k], q[n, i]), n, i, k)
    program = net.backward()
    random = np.random.default_rng(0)
    q0, t0 = random.normal(size=(2, 4, 3))
    e = t0[:, None, :] - q0[:, :, None]
    weights = np.abs((np.arange(3) + 0.5)[:, None] / 3 - (e < 0))
    loss, grads = codegen.lambdify(program, style=style)(q0, t0)
    assert np.isclose(loss, np.sum(weights * np.where(np.abs(e) <= 1, e**2 / 2, np.abs(e) - 0.5)))
    assert np.allclose(grads.q, -np.sum(weights * np.clip(e, -1, 1), axis=2))
    assert codegen.source(program).count("np.where(") <= 4


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_taps_are_masked_by_any_condition(style):
    """A convolution of PixelCNN (van den Oord et al., 2016): rows above, and what is on the left in the same row."""
    torch = pytest.importorskip("torch", reason="PyTorch is an extra")
    net = Network("pixel_cnn")
    N, C, D, U = net.sizes("N C D U")
    w, x = net.parameter("w", D, C, 3, 3), net.parameter("x", N, C, U, U)
    n, c, d, u, v, p, q = net.indices(n=N, c=C, d=D, u=U, v=U, p=3, q=3)
    term = w[d, c, p, q] * padded(x)[n, c, u + p - 1, v + q - 1]
    y = net.define("y", Sum(Piecewise((term, Or(p < 1, And(Eq(p, 1), q < 1))), (0, True)), c, p, q), over=(n, d, u, v))
    net.loss = Sum(y[n, d, u, v] ** 2, n, d, u, v)
    random = np.random.default_rng(0)
    given = [random.normal(size=(2, 3, 3, 3)), random.normal(size=(2, 3, 4, 4))]
    weights, images = (torch.tensor(a, requires_grad=True) for a in given)
    mask = torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 0, 0]])
    expected = (torch.nn.functional.conv2d(images, weights * mask, padding=1) ** 2).sum()
    expected.backward()
    loss, grads = codegen.lambdify(net.backward(), style=style)(*given)
    assert loss == pytest.approx(expected.item())
    assert np.allclose(grads.w, weights.grad) and np.allclose(grads.x, images.grad)
    assert "np.arange(U)" not in codegen.source(net.backward())


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_labels_are_compared_where_another_condition_keeps_them_in_range(style):
    """The terms of CTC that skip a blank: where there are two labels before, and the first of them is another one."""
    net = Network("skip")
    S, K = net.sizes("S K")
    x, y = net.parameter("x", S), net.labels("y", S, classes=K)
    (s,) = net.indices(s=S)
    other, same = And(s > 1, Ne(y[s], y[s - 2])), Or(s < 1, Eq(y[s], y[s - 1]))
    net.loss = Sum(Piecewise((x[s] ** 2, other), (x[s], same), (0, True)), s)
    labels = np.array([0, 0, 1, 0, 1, 1])
    x0 = np.arange(1.0, 7.0)
    loss, grads = codegen.lambdify(net.backward(), style=style)(x0, labels, K=2)
    squared = np.array([False, False, True, False, False, True])
    linear = np.array([True, True, False, False, False, False])
    assert loss == np.sum(x0[squared] ** 2) + np.sum(x0[linear])
    assert np.allclose(grads.x, 2 * x0 * squared + linear)


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_what_is_0_but_on_a_diagonal_takes_no_array_of_triples(style):
    net = Network("neighbours", "Neighbourhood components analysis (Goldberger et al., 2004)")
    N, C = net.sizes("N C")
    Q, y = net.parameter("Q", N, N), net.labels("y", N, classes=C)
    i, j = net.indices(i=N, j=N)

    def others(value):
        return Sum(Piecewise((value, Ne(i, j)), (0, True)), j)

    s = net.define("s", others(exp(-Q[i, j])), over=i)
    p = net.define("p", others(exp(-Q[i, j]) * KroneckerDelta(y[i], y[j])), over=i)
    net.loss = -Sum(log(p[i] / s[i]), i) / N
    program = net.backward()
    assert "[:, :, None]" not in codegen.source(program, style=style)
    Q, y = np.random.default_rng(0).normal(size=(6, 6)), np.array([0, 1, 0, 1, 1, 0])
    E = np.exp(-Q) * (1 - np.eye(6))
    P, same = E / E.sum(axis=1, keepdims=True), y[:, None] == y
    among = (P * same).sum(axis=1, keepdims=True)
    loss, grads = codegen.lambdify(program, style=style)(Q=Q, y=y, C=2)
    assert np.isclose(loss, -np.log(among).mean(), rtol=1e-13)
    assert np.allclose(grads.Q, P * (same / among - 1) / 6, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_margins_to_all_other_classes_take_no_array_of_pairs_of_classes(style):
    net = Network("margins", "Multiclass hinge loss (Weston and Watkins, 1999)")
    N, D, C = net.sizes("N D C")
    W, X, y = net.parameter("W", D, C), net.input("X", N, D), net.labels("y", N, classes=C)
    n, c = net.indices(n=N, c=C)
    Z = net.define("Z", X @ W)
    margin = Max(0, Z[n, c] - Z[n, y[n]] + 1)
    net.loss = Sum(Piecewise((margin, Ne(c, y[n])), (0, True)), n, c) / N
    program = net.backward()
    assert "[:, None, :]" not in codegen.source(program, style=style)
    rng = np.random.default_rng(0)
    W, X, y = rng.normal(size=(3, 4)), rng.normal(size=(5, 3)), rng.integers(0, 4, 5)
    loss, grads = codegen.lambdify(program, style=style)(W, X, y)
    margins = X @ W - (X @ W)[np.arange(5), y][:, None] + 1
    margins[np.arange(5), y] = 0
    dZ = (margins > 0) / 5
    dZ[np.arange(5), y] = -dZ.sum(axis=1)
    assert np.isclose(loss, np.maximum(margins, 0).sum() / 5, rtol=1e-14)
    assert np.allclose(grads.W, X.T @ dZ, rtol=1e-13)
