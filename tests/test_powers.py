"""Powers: symbols as exponents, with a derivative at 0 where the mathematics has one; and high integer powers."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.polynomial import Polynomial
from sympy import Sum, log

from codegen import lambdify, source
from derive import Network, softmax, total


def focal_loss():
    net = Network("focal", "Focal loss of a linear classifier, its exponent an input")
    N, D, C = net.sizes("N D C")
    X, y, gamma = net.input("X", N, D), net.labels("y", N, classes=C), net.input("gamma")
    W = net.parameter("W", D, C)
    [n] = net.indices(n=N)
    P = net.define("P", softmax(X @ W))
    net.loss = -Sum((1 - P[n, y[n]])**gamma * log(P[n, y[n]]), n) / N
    return net


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("gamma", [1.0, 1.5, 2.0, 5.0])
def test_a_certain_classifier_has_no_focal_gradient(gamma):
    W = np.array([[400.0, -400.0, 0.0], [-50.0, 50.0, 0.0]])
    loss, grads = lambdify(focal_loss().backward())(W, np.eye(2), np.array([0, 1]), gamma)
    assert abs(loss) < 1e-15
    np.testing.assert_allclose(grads.W, 0, atol=1e-15)


@pytest.mark.parametrize("gamma", [1.0, 2.5])
def test_focal_gradient_is_pytorchs(gamma):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    random = np.random.default_rng(0)
    W, X, y = random.normal(size=(4, 3)), random.normal(size=(6, 4)), random.integers(0, 3, size=6)
    _, grads = lambdify(focal_loss().backward())(W, X, y, gamma)
    w = torch.tensor(W, requires_grad=True)
    logp = torch.log_softmax(torch.tensor(X) @ w, 1)[torch.arange(6), torch.tensor(y)]
    (-((1 - logp.exp())**gamma * logp).mean()).backward()
    np.testing.assert_allclose(grads.W, w.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("power", [3, 4, 7, 8, 15, 31, 100, 1023])
def test_an_integer_power_is_right_and_takes_two_products_a_bit_at_most(power):
    net = Network("power")
    [N] = net.sizes("N")
    x = net.input("x", N)
    w = net.parameter("w")
    net.loss = w * total(x**power)
    text = source(net.backward())
    line = next(line for line in text.splitlines() if "np.sum(" in line)
    code = line[line.index("np.sum(") + 7:line.rindex(")")]
    assert eval(code, {"x": Fraction(-3, 2)}) == Fraction(-3, 2)**power
    assert code.count("**2") + code.count(" * ") <= 2 * (power.bit_length() - 1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
def test_derivatives_of_a_polynomial_have_no_power_below_0(style):
    """x**k by an index, and x**K by a size, at x = 0, where k x**(k - 1) is 0 for k = 0."""
    net = Network("polynomial")
    N, K = net.sizes("N K")
    x, w = net.parameter("x", N), net.parameter("w", K)
    n, k = net.indices(n=N, k=K)
    net.loss = Sum(w[k] * x[n] ** k, n, k) + Sum(x[n] ** K, n)
    points, moved = np.array([0.0, 2.0]), np.array([1.0, -3.0])
    first, second = lambdify(net.backward(), style=style), lambdify(net.hessian_vector_product(), style=style)
    for size in (1, 2, 4):
        weights = np.arange(1.0, size + 1)
        p = Polynomial([*weights, 1.0])
        loss, grads = first(points, weights)
        np.testing.assert_allclose([loss, *grads.x], [p(points).sum(), *p.deriv()(points)], rtol=1e-14)
        product = second(points, weights, [moved, np.zeros(size)])
        np.testing.assert_allclose(product.x, p.deriv(2)(points) * moved, rtol=1e-14)
        np.testing.assert_allclose(product.w, [Polynomial.basis(k).deriv()(points) @ moved for k in range(size)])


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
def test_a_power_by_a_size_is_taken_once_and_right(style):
    net = Network("powers")
    N, d = net.size("N"), net.size("d")
    x, w = net.parameter("x", N), net.parameter("w", N)
    net.loss = total(w * x**d)
    function = lambdify(net.backward(), style=style)
    text = source(net.backward(), style=style).partition("def backward")[2]
    assert style == "compiled" or (text.count("_power(x, d - 1)") == (style == "fast") and "_power(x, d)" not in text)
    points, weights = np.array([-1.75, -0.0625, 0.0, 0.3, 1.1, 3.5]), np.array([1.0, -2.0, 3.0, 0.5, 0.25, 1.0])
    for power in range(1, 14):
        loss, grads = function(points, weights, d=power)
        exact = [(Fraction(p) ** power, Fraction(v) * power * Fraction(p) ** (power - 1)) for p, v in
                 zip(points, weights, strict=True)]
        np.testing.assert_allclose(grads.w, [float(value) for value, _ in exact], rtol=2e-15)
        np.testing.assert_allclose(grads.x, [float(slope) for _, slope in exact], rtol=2e-15)
        terms = [Fraction(v) * value for v, (value, _) in zip(weights, exact, strict=True)]
        assert abs(loss - float(sum(terms))) <= 4e-15 * float(max(map(abs, terms)))


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_a_power_by_a_parameter_that_several_lines_need_is_taken_once(style):
    net = Network("gamma_correction")
    N, g = net.size("N"), net.parameter("g")
    x, w = net.input("x", N), net.parameter("w", N)
    net.loss = total(w * x**g)
    assert source(net.backward(), style=style).partition("def backward")[2].count("x**g") == (style == "fast")
    points, weights = np.array([0.25, 1.0, 3.0]), np.array([1.0, -2.0, 0.5])
    loss, grads = lambdify(net.backward(), style=style)(g=1.7, w=weights, x=points)
    np.testing.assert_allclose([loss, grads.g], [weights @ points**1.7, weights @ (points**1.7 * np.log(points))],
                               rtol=1e-14)
    np.testing.assert_allclose(grads.w, points**1.7, rtol=1e-15)


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_a_power_of_a_power_by_sizes(style):
    net = Network("nested", "Powers of powers by sizes")
    A, B = net.sizes("A B")
    w, X = net.parameter("w", B), net.input("X", A, B)
    net.loss = total((X * w**B) ** A)
    X0, w0 = np.linspace(0.5, 1.5, 12).reshape(3, 4), np.array([0.9, 1.1, 0.7, 1.2])
    loss, grads = lambdify(net.backward(), style=style)(w0, X0)
    assert np.isclose(loss, ((X0 * w0**4) ** 3).sum())
    np.testing.assert_allclose(grads.w, (12 * X0**3 * w0**11).sum(axis=0), rtol=1e-12)
