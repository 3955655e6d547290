"""The judge: differences are as exact as they say, and a wrong gradient is never believed."""

import numpy as np
import pytest

from codegen.differences import (
    central_difference,
    compare,
    complex_step,
    derivative_estimate,
    kinks_crossed,
    step_sweep,
)

rng = np.random.default_rng(0)
X, W, V, TARGET = (rng.normal(size=shape) for shape in ((5, 3), (3, 3), (3,), (5,)))
LINEAR, QUADRATIC = X.T @ (X @ W - TARGET[:, None]), 2 * W      # the two terms of the gradient of `smooth`


def smooth(W):
    """A quadratic whose gradient is a square matrix, without symmetry."""
    return ((X @ W - TARGET[:, None]) ** 2).sum() / 2 + (W**2).sum()


def relu_loss(W, scale=1.0):
    """A hidden layer of relu units, in any units."""
    return scale * ((np.maximum(X @ W, 0) @ V - TARGET) ** 2).mean()


def relu_gradient(W):
    """The gradient of relu_loss."""
    Z = X @ W
    return X.T @ (np.outer(np.maximum(Z, 0) @ V - TARGET, V) * (Z > 0)) * 2 / len(X)


def test_central_difference_prints_what_the_textbook_prints():
    assert str(central_difference(lambda x: x**2, 3, h=1e-5)) == "6.000000000039306"


def test_central_difference_has_the_shape_of_x_and_leaves_it_alone():
    before = W.copy()
    assert central_difference(smooth, W) == pytest.approx(LINEAR + QUADRATIC, rel=1e-8)
    assert (before == W).all()
    assert central_difference(lambda x: (x**2).sum(), [[1, 2]]).shape == (1, 2)


def test_error_falls_as_h_squared_then_rises_as_eps_over_h():
    sweep = {step.h: step.error for step in step_sweep(np.exp, 1.0, exact=np.e)}
    assert sweep[1e-1] / sweep[1e-2] == pytest.approx(100, rel=0.01)
    assert sweep[1e-2] / sweep[1e-3] == pytest.approx(100, rel=0.01)
    assert min(sweep, key=sweep.get) in (1e-5, 1e-6, 1e-7)
    assert 1e-5 < sweep[1e-12] < 1e-2
    assert step_sweep(np.exp, 1.0)[0].error is None


def test_complex_step_is_exact_to_rounding():
    x = np.array([0.5, -2.0])
    assert complex_step(lambda x: np.sum(np.exp(x) / (1 + x**2)), x) == pytest.approx(
        np.exp(x) * (1 - x) ** 2 / (1 + x**2) ** 2, rel=1e-15)
    assert complex_step(np.exp, 1) == pytest.approx(np.e, rel=1e-15)


# function, point, derivative; each hard in its own way
HARD = {
    "smooth": (np.sin, 0.3, np.cos(0.3)),
    "large x": (np.sin, 1e4, np.cos(1e4)),
    "steep": (np.log, 1e-3, 1e3),
    "domain": (np.sqrt, 1e-2, 5.0),
    "overflow": (lambda x: np.exp(1e4 * x), 0.0, 1e4),
    "flat cubic": (lambda x: x**3, 0.0, 0.0),
    "fast": (lambda x: np.sin(1e4 * x), 0.3, 1e4 * np.cos(3e3)),
    "narrow bump": (lambda x: np.exp(-((x / 1e-4) ** 2)), 3e-5, -6e3 * np.exp(-0.09)),
    "period divides the steps": (lambda x: np.sin(20 * np.pi * x), 0.0, 20 * np.pi),
    "large offset": (lambda x: np.sin(x) + 1e6, 0.3, np.cos(0.3)),
    "hidden cancellation": (lambda x: (np.sin(x) + 1e8) - 1e8, 0.3, np.cos(0.3)),
    "kink at 0.05": (lambda x: max(x - 0.05, 0) + np.exp(x), 0.0, 1.0),
    "kink at 1e-5": (lambda x: max(x - 1e-5, 0) + np.exp(x), 0.0, 1.0),
    "kink at 1e-7": (lambda x: max(x - 1e-7, 0) + np.exp(x), 0.0, 1.0),
    "constant": (lambda x: 1.7, 0.3, 0.0),
}


@pytest.mark.parametrize(("f", "x", "exact"), HARD.values(), ids=HARD)
def test_error_bar_covers_the_error(f, x, exact):
    estimate = derivative_estimate(f, x)
    assert abs(estimate.value - exact) <= estimate.error
    assert compare(estimate, exact).agrees
    assert not compare(estimate, -2 * exact - 1e-3).agrees


def test_extrapolation_gives_all_but_a_few_digits():
    estimate = derivative_estimate(smooth, W)
    assert estimate.value == pytest.approx(LINEAR + QUADRATIC, rel=1e-12)
    assert estimate.error.max() < 1e-10


@pytest.mark.parametrize("seed", range(20))
def test_error_bars_cover_relu_networks(seed):
    W = np.random.default_rng(seed).normal(size=(3, 3))
    estimate = derivative_estimate(relu_loss, W)
    assert (abs(estimate.value - relu_gradient(W)) <= estimate.error).all()
    assert compare(estimate, relu_gradient(W)).disagreement < 1e-8


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 1e9])
def test_verdict_does_not_depend_on_the_units_of_the_loss(scale):
    estimate, right = derivative_estimate(lambda W: relu_loss(W, scale), W), scale * relu_gradient(W)
    stale_mask = scale * X.T @ np.outer(np.maximum(X @ W, 0) @ V - TARGET, V) * 2 / len(X)
    one_entry = right + 1e-4 * np.abs(right).max() * np.eye(9)[4].reshape(3, 3)
    assert compare(estimate, right).agrees
    wrong = {"sign": -right, "factor 2": 2 * right, "transposed": right.T, "lost 1/N": 5 * right, "zero": 0 * right,
             "stale mask": stale_mask, "one entry": one_entry, "nan": right * np.nan, "inf": right + np.inf}
    believed = [name for name, gradient in wrong.items() if compare(estimate, gradient).agrees]
    assert believed == []


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_a_dropped_term_is_noticed(scale):
    estimate = derivative_estimate(lambda W: scale * smooth(W), W)
    assert compare(estimate, scale * (LINEAR + QUADRATIC)).agrees
    assert not compare(estimate, scale * LINEAR).agrees
    assert not compare(estimate, scale * QUADRATIC).agrees


def test_a_gradient_lost_in_the_noise_is_not_believed():
    estimate = derivative_estimate(lambda x: 1e-7 * np.sin(1e4 * x) ** 2 + 1e9, 0.3)
    assert not compare(estimate, 1e-3 * np.sin(6e3)).agrees


def test_rounding_in_place_of_an_exact_zero_is_no_error():
    estimate = derivative_estimate(lambda b: np.ptp(W + b) + np.exp(W).sum(), 0.7)
    assert compare(estimate, 1e-17).agrees
    assert not compare(estimate, 1e-6).agrees


def test_kinks_are_found_with_their_one_sided_derivatives():
    x = np.array([0.0, 2e-6, 0.1, -1.0])
    found = kinks_crossed(lambda x: np.abs(x).sum() + np.exp(x).sum(), x)
    assert list(found) == [(0,), (1,)]
    assert found[0,] == pytest.approx((0.0, 2.0), abs=1e-4)
    assert found[1,][0] < 2.0 == pytest.approx(found[1,][1], abs=1e-4)
    assert kinks_crossed(np.exp, 0.0) == {}
    assert list(kinks_crossed(abs, 0.0)) == [()]


@pytest.mark.parametrize("convention", [0.0, 0.3, 1.0])
def test_at_a_kink_any_derivative_between_the_one_sided_ones_will_do(convention):
    comparison = compare(derivative_estimate(lambda x: max(x, 0.0), 0.0), convention)
    assert comparison.agrees and comparison.kinks == 1 and comparison.disagreement == 0


def test_at_a_kink_a_derivative_outside_is_wrong():
    estimate = derivative_estimate(lambda x: np.maximum(x, 0).sum(), np.array([0.0, 1.0]))
    assert list(estimate.kinks) == [(0,)]
    assert not compare(estimate, [-0.1, 1.0]).agrees
    assert not compare(estimate, [1.1, 1.0]).agrees


def test_comparison_says_where():
    wrong = LINEAR + QUADRATIC
    wrong[2, 1] += 1
    comparison = compare(derivative_estimate(smooth, W), wrong)
    assert comparison.index == (2, 1)
    assert str(comparison).startswith(f"gradient[2, 1] is {wrong[2, 1]:.6g}; differences give {wrong[2, 1] - 1:.6g} ± ")


def test_an_array_serves_as_an_exact_estimate():
    assert compare([1.0, 2.0], [1.0, 2.0 + 1e-9]).agrees
    assert not compare([1.0, 2.0], [1.0, 2.1]).agrees
    assert compare(0.0, 0.0).agrees


MISUSES = {
    "vector loss": (lambda: central_difference(lambda x: x, [1, 2]), r"f returned .* shape \(2,\); expected one real"),
    "complex loss": (lambda: derivative_estimate(lambda x: x * 1j, 1.0), "f returned dtype complex128"),
    "real in complex step": (lambda: complex_step(abs, 1.0), "expected one complex number"),
    "text": (lambda: derivative_estimate(len, ["a"]), "x has dtype <U1"),
    "empty": (lambda: derivative_estimate(np.sum, []), r"shape \(0,\); expected real numbers, at least one"),
    "not finite": (lambda: derivative_estimate(lambda x: np.nan, 1.0), r"f\(x\) is nan; expected a finite loss"),
    "shape": (lambda: compare(derivative_estimate(np.sum, np.ones((2, 3))), np.ones((3, 2))),
              r"the gradient has shape \(3, 2\); expected \(2, 3\)"),
}


@pytest.mark.parametrize(("misuse", "message"), MISUSES.values(), ids=MISUSES)
def test_misuse_is_named(misuse, message):
    with pytest.raises(ValueError, match=message):
        misuse()
