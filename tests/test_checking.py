"""The checker cannot be fooled: each test is one that a checker somewhere has failed."""

import numpy as np
import pytest

from codegen import check_gradient
from codegen.checking import NOTHING, RIGHT, WRONG

rng = np.random.default_rng(0)
X, W, V, TARGET = (rng.normal(size=shape) for shape in ((5, 3), (3, 3), (3,), (5,)))
UNITS = [1e-9, 1.0, 1e9]


def loss(W, V, X, target, unit=1.0):
    """A hidden layer of relu units, in any units."""
    return unit * ((np.maximum(X @ W, 0) @ V - target) ** 2).mean()


def gradients(W, V, X, target, unit=1.0):
    """Return the gradients of `loss`, as a person writes them."""
    Z = X @ W
    A = np.maximum(Z, 0)
    e = unit * 2 * (A @ V - target) / len(X)
    return X.T @ (np.outer(e, V) * (Z > 0)), A.T @ e


ARGS = (W, V, X, TARGET)
DW, DV = gradients(*ARGS)


def changed(array, index, factor):
    array = array.copy()
    array[index] *= factor
    return array


@pytest.mark.parametrize("unit", UNITS)
def test_a_right_gradient_is_right_in_any_units(unit):
    def scaled(*args):
        return loss(*args, unit=unit)

    report = check_gradient(scaled, (unit * DW, unit * DV), ARGS, names=["W", "V", "X", "target"])
    assert report.verdict == RIGHT and report.passed, report
    assert not report["W"].unresolved.any()


SABOTAGE = {
    "sign": -DW, "sign of one entry": changed(DW, (1, 1), -1), "a thousandth": 1.001 * DW,
    "a thousandth in one entry": changed(DW, (1, 1), 1.001), "transposed": DW.T, "times N": 5 * DW, "zero": 0 * DW,
    "one entry zero": changed(DW, (2, 0), 0),
    "stale mask": X.T @ np.outer(2 * (np.maximum(X @ W, 0) @ V - TARGET) / 5, V),
    "nan": DW + np.nan, "inf": changed(DW, (0, 0), np.inf), "shape": DW[:, :2],
}  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", SABOTAGE)
def test_a_wrong_gradient_is_wrong_in_any_units(name, unit):
    report = check_gradient(lambda *args: loss(*args, unit=unit), (unit * SABOTAGE[name],), ARGS)
    assert report.verdict == WRONG, report


@pytest.mark.parametrize("ratio", [1e-9, 1e-6, 1e6, 1e9])
def test_a_small_gradient_beside_a_large_one_is_wrong_or_not_resolvable_but_never_passes(ratio):
    def unequal(a, b):
        return np.sin(a).sum() + ratio * np.sin(b).sum()

    a, b = rng.normal(size=3), rng.normal(size=3)
    right = {"a": np.cos(a), "b": ratio * np.cos(b)}
    report = check_gradient(unequal, right, {"a": a, "b": b})
    assert {f.verdict for f in report.findings} <= {RIGHT, NOTHING}, report
    for name in right:
        report = check_gradient(unequal, {name: changed(right[name], 1, -1)}, {"a": a, "b": b})
        assert report.verdict == WRONG, report


def test_an_entry_below_the_noise_is_not_resolvable_and_told():
    slopes = np.array([1.0, 1.0, 1e-17, 1.0, *[1.0] * 36])
    report = check_gradient(lambda x: np.sin(x) @ slopes, changed(slopes, 2, -1), np.zeros(40))
    assert report["x"].of_entry(2) == NOTHING and report["x"].of_entry(1) == RIGHT
    assert "not resolvable" in str(report)
    assert check_gradient(lambda x: np.sin(x) @ slopes[:4], slopes[:4], np.zeros(4)).verdict == NOTHING


# ---- a million entries

BATCH = rng.normal(size=(2, 250))
FAR = rng.normal(size=(2, 4000))
MILLION = rng.normal(size=(250, 4000)) / 16


def wide(M):
    return ((np.tanh(BATCH @ M) - FAR) ** 2).mean()


def wide_gradient():
    A = np.tanh(BATCH @ MILLION)
    return BATCH.T @ (2 * (A - FAR) * (1 - A**2)) / FAR.size


@pytest.mark.parametrize("index", [pytest.param((17, 1234), marks=pytest.mark.slow), None])
def test_one_wrong_entry_among_a_million_is_found(index):
    gradient = wide_gradient()
    if index is None:
        report = check_gradient(wide, gradient, MILLION, calls=300)
        assert report.verdict == RIGHT, report
        return
    report = check_gradient(wide, changed(gradient, index, -1), MILLION, calls=300)
    assert report.verdict == WRONG and report["M"].worst == index, report


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_thousandth_of_a_million_entries_or_of_one(seed):
    gradient, random = wide_gradient(), np.random.default_rng(seed)
    assert check_gradient(wide, 1.001 * gradient, MILLION, calls=300, seed=seed).verdict == WRONG
    index = (int(random.integers(250)), int(random.integers(4000)))
    report = check_gradient(wide, changed(gradient, index, 1.001), MILLION, calls=300, seed=seed)
    assert report.verdict == WRONG or report["M"].unresolved[index], report


def test_errors_that_cancel_in_a_sum_are_seen():
    gradient = np.cos(np.arange(3000.0))
    wrong = changed(changed(gradient, 10, 0), 11, 0)
    wrong[10], wrong[11] = gradient[11], gradient[10]
    for seed in range(3):
        assert check_gradient(lambda x: np.sin(x).sum(), wrong, np.arange(3000.0), seed=seed).verdict == WRONG


@pytest.mark.parametrize("index", [(7, 300), (0, 0)])
def test_one_wrong_entry_among_ten_thousand_is_found(index):
    M = rng.normal(size=(25, 400)) / 5

    def loss(M):
        return ((np.tanh(BATCH[:, :25] @ M) - FAR[:, :400]) ** 2).mean()

    A = np.tanh(BATCH[:, :25] @ M)
    right = BATCH[:, :25].T @ (2 * (A - FAR[:, :400]) * (1 - A**2)) / A.size
    assert check_gradient(loss, right, M).verdict == RIGHT
    for factor in (-1, 0, 1.001):
        report = check_gradient(loss, changed(right, index, factor), M)
        assert report.verdict == WRONG and report["M"].worst == index, report


# ---- kinks


@pytest.mark.parametrize("convention", [0.0, 0.5, 1.0])
def test_at_a_kink_the_interval_of_one_sided_derivatives_judges(convention):
    x = np.array([0.0, 1.0, -1.0])
    report = check_gradient(lambda x: np.maximum(x, 0).sum(), np.array([convention, 1, 0]), x)
    assert report.verdict == RIGHT and list(report["x"].kinks) == [(0,)] and "kink" in str(report)
    for outside in (-0.1, 1.1):
        report = check_gradient(lambda x: np.maximum(x, 0).sum(), np.array([outside, 1, 0]), x)
        assert report.verdict == WRONG and report["x"].worst == (0,), report


@pytest.mark.parametrize("gradient", [(1, 0, 0), (0.5, 0.5, 0), (0, 1, 0)])
def test_ties_of_a_maximum_are_kinks(gradient):
    x = np.array([2.0, 2.0, 1.0])
    report = check_gradient(np.max, np.array(gradient, float), (x,), names=["x"])
    assert report.verdict == RIGHT and sorted(report["x"].kinks) == [(0,), (1,)], report
    assert check_gradient(np.max, np.array([1.5, 0, 0]), (x,)).verdict == WRONG


@pytest.mark.parametrize("distance", [1e-2, 1e-4, 1e-6])
def test_a_kink_nearby_does_not_accuse_a_right_gradient(distance):
    x = np.array([distance, -distance, 0.5])
    assert check_gradient(lambda x: np.abs(x).sum() + np.exp(x).sum(), np.sign(x) + np.exp(x), x).verdict == RIGHT


# ---- blindness


def batch_norm(Z):
    return (Z - Z.mean(0)) / np.sqrt(Z.var(0) + 1e-5)


BLIND = {
    "all zero": (lambda w: 0 * w.sum() + 3.0, np.zeros(3), np.ones(3), "zero here"),
    "all zero, claimed rounding": (lambda w: 0 * w.sum() + 3.0, np.full(3, 1e-18), np.ones(3), "zero here"),
    "saturated": (lambda w: np.tanh(50 + w).sum(), np.full(3, 1e-40), np.ones(3), "zero here"),
    "one example under batch normalisation": (
        lambda w: (batch_norm(X[:1] @ w) ** 2).sum() + 1.0, np.zeros((3, 3)), W, "zero here"),
    "integers": (lambda w: (w**2).sum(), np.array([2, 4]), np.array([1, 2]), "int64"),
    "float32": (lambda w: np.float32((w**2).sum()), np.array([2.0, 4.0]), np.array([1.0, 2.0]), "float32"),
    "float32 inside": (
        lambda w: float((w.astype(np.float32) ** 2).sum()), np.array([2.0, 4.2]), np.array([1.0, 2.1]), "float32"),
    "random": (lambda w: (w**2).sum() + rng.normal(), np.array([2.0, 4.0]), np.array([1.0, 2.0]), "another value"),
    "lost in an offset": (
        lambda w: 1e-7 * np.sin(w).sum() + 1e9, np.full(2, 1e-7), np.zeros(2), "too small to be seen"),
}


@pytest.mark.parametrize(("f", "gradient", "point", "told"), BLIND.values(), ids=BLIND)
def test_what_says_nothing_never_passes(f, gradient, point, told):
    report = check_gradient(f, gradient, (point,), names=["w"])
    assert report.verdict == NOTHING and not report.passed and not report, report
    assert told in str(report)


def test_float32_differences_still_accuse_what_is_far_off():
    report = check_gradient(lambda w: np.float32((w**2).sum()), np.array([2.0, -4.0]), np.array([1.0, 2.0]))
    assert report.verdict == WRONG


def test_a_claim_where_the_loss_is_flat_is_wrong():
    assert check_gradient(lambda w: 0 * w.sum() + 3.0, np.array([0.0, 1e-3]), np.ones(2)).verdict == WRONG


def test_float32_arguments_are_judged_in_float64():
    single = tuple(a.astype(np.float32) for a in ARGS)
    report = check_gradient(loss, gradients, single)
    assert report.verdict == RIGHT, report


# ---- complex steps: where the function allows them, seen and not assumed


def test_complex_steps_see_what_differences_cannot():
    w = np.array([0.3, 0.7, 0.2])
    slopes = np.array([1.0, 1.0, 1e-15])
    report = check_gradient(lambda w: np.sin(w) @ slopes, np.cos(w) * slopes * [1, 1, -1], w)
    assert "complex" in str(report) or report["w"].of_entry(2) != RIGHT


@pytest.mark.parametrize("f", [
    lambda w: np.abs(w).sum() + (w**2).sum(), lambda w: np.linalg.norm(w) + w.sum(),
    lambda w: w.real @ w.real + w.sum()])
def test_a_function_that_drops_the_imaginary_part_is_judged_by_differences(f):
    w = np.array([0.3, 0.7])
    gradient = np.array([(f(w + h) - f(w - h)) / 2e-5 for h in 1e-5 * np.eye(2)])
    report = check_gradient(f, np.round(gradient, 9), w)
    assert "complex" not in str(report)
    assert check_gradient(f, gradient + np.array([0, 1e-3]), w).verdict == WRONG


# ---- how it is called


def test_gradients_come_in_any_form():
    for grads in (gradients, (DW, DV), [DW, DV], {"W": DW, "V": DV}, {"dW": DW, "dV": DV}):
        assert check_gradient(loss, grads, ARGS).verdict == RIGHT
    assert check_gradient(lambda *args: (loss(*args), gradients(*args)), None, ARGS).verdict == RIGHT


def test_a_function_that_modifies_its_argument_is_told():
    def spoils(w):
        w *= 2
        return (w**2).sum()

    report = check_gradient(spoils, np.array([8.0, 16.0]), np.array([1.0, 2.0]))
    assert report.verdict == RIGHT and "modifies its argument w" in str(report)


def test_a_generated_function_is_checked_like_any_other():
    from generated import mlp

    random = np.random.default_rng(1)
    args = {"W1": random.normal(size=(3, 4)), "b1": random.normal(size=4), "W2": random.normal(size=(4, 3)),
            "b2": random.normal(size=3), "X": random.normal(size=(6, 3)), "y": random.integers(0, 3, 6)}
    assert check_gradient(mlp.forward, mlp.loss_and_grads, args).verdict == RIGHT


MISUSES = {
    "too many gradients": (lambda: check_gradient(np.sum, (1.0, 2.0), (np.ones(2),)), "2 gradients of 1 arguments"),
    "a stranger": (lambda: check_gradient(loss, {"Q": DW}, ARGS), "gradient of Q, which is no argument"),
    "a vector": (lambda: check_gradient(np.exp, np.ones(2), np.ones(2)), r"shape \(2,\); expected one real number"),
    "not finite": (lambda: check_gradient(lambda w: np.nan, np.ones(2), np.ones(2)), "expected a finite loss"),
}


@pytest.mark.parametrize(("misuse", "message"), MISUSES.values(), ids=MISUSES)
def test_misuse_is_named(misuse, message):
    with pytest.raises(ValueError, match=message):
        misuse()


SMALL = {       # a function of a parameter's ratio to its unit, its slope
    "log": (np.log, lambda w: 1 / w), "tanh": (np.tanh, lambda w: 1 - np.tanh(w) ** 2), "sin": (np.sin, np.cos),
    "gaussian": (lambda w: np.exp(-(w**2)), lambda w: -2 * w * np.exp(-(w**2))), "length": (np.abs, np.sign),
}


@pytest.mark.parametrize("count", [3, 250])
@pytest.mark.parametrize("name", SMALL)
def test_a_parameter_may_be_in_any_unit(name, count):
    """Wide steps pass over what a function of 1e-10 does: a right gradient was wrong, and a wrong one right."""
    f, slope = SMALL[name]
    w = np.random.default_rng(0).uniform(0.3, 2, count)
    for unit in (1e-30, 1e-10, 1e-6, 1e6):
        right = slope(w) / unit
        verdicts = [check_gradient(lambda w, unit=unit: f(w / unit).sum(), g, w * unit).verdict
                    for g in (right, changed(right, (1,), 1.5))]
        assert verdicts == [RIGHT, WRONG], unit


def test_small_entries_of_what_is_not_small_are_judged_as_others_are():
    w, shift = 1e-12 * rng.normal(size=4), rng.normal(size=4)
    right = 1 - np.tanh(w + shift) ** 2
    for offset in (0, 1e6):
        assert check_gradient(lambda w, c=offset: np.tanh(w + shift).sum() + c, right, w).verdict == RIGHT
        assert check_gradient(lambda w, c=offset: np.tanh(w + shift).sum() + c, 1.01 * right, w).verdict == WRONG


def test_a_number_at_a_kink_or_a_jump():
    assert check_gradient(abs, 0.5, 0.0).verdict == RIGHT
    report = check_gradient(lambda w: w + 1.0 if w > 0 else w, 1.0, 0.0)
    assert report.verdict == NOTHING and "jumps at the point where w moves" in str(report)


@pytest.mark.parametrize("form", [
    lambda loss, a, b: (loss, a, b), lambda loss, a, b: [loss, [a, b]],
    lambda loss, a, b: [loss, {"grad_v": a, "c_grad": b}],
])
def test_a_loss_may_come_first_in_what_its_function_returns(form):
    def both(v, c):
        return form((v**3).sum() * c, 3 * v**2 * c, (v**3).sum())

    assert check_gradient(both, None, (V, 2.0)).verdict == RIGHT


def test_what_is_no_array_is_told_by_name():
    report = check_gradient(lambda v: v.sum(), {"v": None}, {"v": V})
    assert "its gradient is None; expected an array of shape (3,)" in str(report)
    with pytest.raises(ValueError, match="the argument layers is no array, but a list of several shapes"):
        check_gradient(lambda layers: 0.0, None, {"layers": [V, X]})
