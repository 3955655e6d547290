"""Values, gradients and second derivatives of every activation and loss where floats end, against 50 digits.

A result may be off by a few units in the last place of the largest term of the sum that it is (`true_values`).
"""

from itertools import combinations_with_replacement, product

import numpy as np
import pytest
from sympy import Abs, Integer, Piecewise, Rational, erf, exp, log, pi, sqrt, symbols, tanh
from sympy.codegen.cfunctions import expm1

import codegen
from derive import (
    Network,
    activations,
    arrays,
    binary_cross_entropy,
    cross_entropy,
    functions,
    log_softmax,
    losses,
    total,
)

from .true_values import Exactly, assert_close, length, logistic, logsumexp, minus, ramp, softmax, softplus

z, p, q, t, m, v = symbols("z p q t m v", real=True)
SIGNS, SOME, POSITIVE = [1.0, -1.0], [1e4, -40.0, 1e-20, 0.0], [1e4, 40.0, 1.0, 1e-20]
X = [sign * x for x in (1e4, 40.0, 1.0, 1e-20, 0.0) for sign in (1, -1)]
AWAY = [x for x in X if abs(x) != 1]           # from where 1 + 1e-20 is on the other side of an edge, and rounded to 1
every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])

HALF, SLOPE = Rational(1, 2), Rational(1, 100)
ALPHA, SCALE = Rational("1.6732632423543772848170429916717"), Rational("1.0507009873554804934193349852946")
INNER = sqrt(2 / pi) * (z + Rational(44715, 10**6) * z**3)
FUNCTIONS = {
    functions.relu: ramp(z),
    functions.sigmoid: logistic(z),
    functions.softplus: softplus(z),
    activations.leaky_relu: Piecewise((z, z > 0), (SLOPE * z, True)),
    activations.relu6: Piecewise((0, z <= 0), (6, z >= 6), (z, True)),
    activations.elu: Piecewise((z, z > 0), (expm1(z), True)),
    activations.celu: Piecewise((z, z > 0), (expm1(z), True)),
    activations.selu: SCALE * Piecewise((z, z > 0), (ALPHA * expm1(z), True)),
    activations.silu: z * logistic(z),
    activations.gelu: z / 2 + z * erf(z / sqrt(2)) / 2,
    activations.gelu_tanh: z / 2 + z * tanh(INNER) / 2,
    activations.mish: z * tanh(softplus(z)),
    activations.softsign: z / (1 + Abs(z)),
    activations.tanhshrink: z - tanh(z),
    activations.softshrink: Piecewise((z - HALF, z > HALF), (z + HALF, z < -HALF), (0, True)),
    activations.hardshrink: Piecewise((z, Abs(z) > HALF), (0, True)),
    activations.hardtanh: Piecewise((-1, z <= -1), (1, z >= 1), (z, True)),
    activations.hardsigmoid: Piecewise((0, z <= -3), (1, z >= 3), (z / 6 + HALF, True)),
    activations.hardswish: Piecewise((0, z <= -3), (z, z >= 3), (z**2 / 6 + z / 2, True)),
    activations.logsigmoid: -softplus(-z),
}


def derived(write, *names, size=None):
    """Return gradients and Hessian of a loss in parameters, scalars or vectors of a size, as two callables."""
    net = Network("extreme")
    net.loss = write(*(net.parameter(name, *([] if size is None else [size])) for name in names))
    return codegen.lambdify(net.backward()), codegen.lambdify(net.hessian())


def in_range(numbers, dtype):
    """Tell whether a dtype can hold numbers: none overflows, none but 0 is below the least normal one."""
    info = np.finfo(dtype)
    return all(n == 0 or info.tiny <= abs(n) <= info.max for n in numbers)


def assert_true(found, formula, point, dtype):
    """Assert that value, gradients and Hessian are the formula's; tell whether the dtype could hold all terms.

    The point has symbols for scalars, tuples of symbols for vectors.
    """
    gradients, hessian = found
    numbers = {s: x for key, x in point.items() for s, x in zip(as_tuple(key), as_tuple(x), strict=True)}
    pairs = [(a, b) for key, other in combinations_with_replacement(point, 2)
             for a in as_tuple(key) for b in as_tuple(other)]
    orders = [(), *((a,) for a in numbers), *pairs]
    exactly = Exactly(numbers)
    true = {by: exactly.terms(formula, *by) for by in orders}
    holds = {by: in_range([*true[by], *exactly.powers(formula, *by)], dtype) for by in orders}
    with np.errstate(all="raise" if all(holds.values()) else "ignore", under="ignore"):
        loss, grads = gradients(*(np.array(x, dtype) for x in point.values()))
        second = hessian(*(np.array(x, dtype) for x in point.values()))
    got = [loss, *(x for g in grads for x in np.ravel(g)),
           *(x for h in ([second] if len(point) == 1 else second) for x in np.ravel(h))]
    for by, number in zip(orders, got, strict=True):
        if holds[by]:
            told = f"derivative by {by}" if by else "value"
            assert_close(number, true[by], dtype, f"{told} at {tuple(point.values())}")
    return all(holds.values())


def as_tuple(x):
    return x if isinstance(x, tuple) else (x,)


@every_dtype
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_activations(function, dtype):
    found = derived(function, "z")
    for x in X:
        assert_true(found, FUNCTIONS[function], {z: dtype(x)}, dtype)


ERROR = minus(p, t)
LOSSES = {
    "squared_error": (losses.squared_error, "p t", ERROR**2, (X, X)),
    "absolute_error": (losses.absolute_error, "p t", Abs(ERROR), (X, X)),
    "huber": (losses.huber, "p t",
              Piecewise((ERROR**2 / 2, Abs(ERROR) <= 1), (Abs(ERROR) - HALF, True)), (AWAY, AWAY)),
    "smooth_l1": (lambda p, t: losses.smooth_l1(p, t, Rational(1, 4)), "p t",
                  Piecewise((2 * ERROR**2, Abs(ERROR) <= Rational(1, 4)), (Abs(ERROR) - Rational(1, 8), True)), (X, X)),
    "hinge": (losses.hinge, "p t", ramp(minus(1, p * t)), (X, SIGNS)),
    "soft_margin": (losses.soft_margin, "p t", softplus(-p * t), (X, SIGNS)),
    "gaussian_nll": (losses.gaussian_nll, "m v t", log(v) / 2 + minus(t, m) ** 2 / v / 2, (SOME, POSITIVE, SOME)),
    "poisson_nll": (losses.poisson_nll, "p t", exp(p) - t * p, (X, [0.0, 1.0, 1e4])),
    "kl_divergence": (losses.kl_divergence, "p t", t * log(t) - t * p, (X, POSITIVE)),
    "margin_ranking": (lambda p, q, t: losses.margin_ranking(p, q, t, HALF), "p q t",
                       ramp(HALF - t * minus(p, q)), (SOME, X, SIGNS)),
    "binary_cross_entropy": (binary_cross_entropy, "p t", softplus(p) - t * p, (X, [0.0, 1.0, 0.25])),
}


@every_dtype
@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_numbers(name, dtype):
    write, names, formula, grid = LOSSES[name]
    found = derived(write, *names.split())
    variables = symbols(names, real=True)
    held = [assert_true(found, formula, dict(zip(variables, map(dtype, values), strict=True)), dtype)
            for values in product(*grid)]
    assert np.mean(held) > 0.5


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


A, P, N = (symbols(f"{letter}:3", real=True) for letter in "apn")
ROWS = [(1e4, -1e4, 0.0), (1e4, 1e4, 1e4), (-40.0, -40.0, -40.0), (40.0, 1.0, -40.0), (1e-20, 0.0, -1e-20),
        (0.0, 0.0, 0.0), (1e4, 1e-20, -745.0)]
LENGTHY = [row for row in ROWS if any(row)]
SIMILARITY = dot(A, P) / (length(*A) * length(*P))
NEAR, FAR = (length(*(minus(x, y) for x, y in zip(A, other, strict=True))) for other in (P, N))
WITH_LABEL = logsumexp(*A) - A[1]
VECTOR_LOSSES = {
    "cross_entropy": (lambda a: cross_entropy(a, 1), [A], WITH_LABEL, [ROWS]),
    "log_softmax": (lambda a, p: total(log_softmax(a) * p), [A, P],
                    sum(P[k] * A[k] - P[k] * logsumexp(*A) for k in range(3)), [ROWS, ROWS[:2]]),
    "logsumexp": (lambda a: arrays.logsumexp(a), [A], logsumexp(*A), [ROWS]),
    "smoothed_cross_entropy": (
        lambda a: losses.smoothed_cross_entropy(a, 1, Rational(1, 4)), [A],
        Rational(3, 4) * WITH_LABEL + logsumexp(*A) / 4 - sum(A) / 12, [ROWS]),
    "softmax": (lambda a, p: total(arrays.softmax(a) * p), [A, P],
                sum(softmax(Integer(k), *A) * P[k] for k in range(3)), [ROWS, ROWS[:2]]),
    "triplet": (losses.triplet, [A, P, N], ramp(NEAR - FAR + 1), [ROWS[::3], ROWS[::-2], ROWS[2::3]]),
    "cosine_similarity": (losses.cosine_similarity, [A, P], SIMILARITY, [LENGTHY, LENGTHY[::3]]),
    "cosine_embedding": (lambda a, p: losses.cosine_embedding(a, p, -1, HALF), [A, P], ramp(SIMILARITY - HALF),
                         [LENGTHY, LENGTHY[::3]]),
}


@every_dtype
@pytest.mark.parametrize("name", VECTOR_LOSSES)
def test_losses_of_vectors(name, dtype):
    write, variables, formula, grid = VECTOR_LOSSES[name]
    found = derived(write, *"apn"[:len(variables)], size=3)
    held = [assert_true(found, formula, dict(zip(variables, rows, strict=True)), dtype)
            for rows in product(*grid) if len(set(rows)) == len(rows)]
    assert np.mean(held) > 0.3


STYLES = [("fast", np.float64), ("fast", np.float32), ("scalar", np.float64)]


@pytest.mark.parametrize(("style", "dtype"), STYLES)
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_activations_in_other_styles(function, style, dtype):
    net = Network("extreme")
    Z, w = net.parameter("Z", len(X)), net.input("w", len(X))
    net.loss = total(function(Z) * w)
    f = codegen.lambdify(net.backward(), style=style)
    values = np.array(X, dtype)
    for k, x in enumerate(values):
        weights = np.eye(len(X), dtype=dtype)[k]
        loss, grads = f(values, weights)
        exactly = Exactly({z: x})
        assert_close(dtype(loss), exactly.terms(FUNCTIONS[function]), dtype, f"value at {x}")
        assert_close(dtype(np.ravel(grads.Z)[k]), exactly.terms(FUNCTIONS[function], z), dtype, f"derivative at {x}")


INFINITE = {                            # value, derivative, second derivative at infinity; at -infinity
    functions.relu: ((np.inf, 1, 0), (0, 0, 0)),
    functions.sigmoid: ((1, 0, 0), (0, 0, 0)),
    functions.softplus: ((np.inf, 1, 0), (0, 0, 0)),
    activations.leaky_relu: ((np.inf, 1, 0), (-np.inf, 0.01, 0)),
    activations.relu6: ((6, 0, 0), (0, 0, 0)),
    activations.elu: ((np.inf, 1, 0), (-1, 0, 0)),
    activations.celu: ((np.inf, 1, 0), (-1, 0, 0)),
    activations.selu: ((np.inf, float(SCALE), 0), (float(-SCALE * ALPHA), 0, 0)),
    activations.tanhshrink: ((np.inf, 1, 0), (-np.inf, 1, 0)),
    activations.softshrink: ((np.inf, 1, 0), (-np.inf, 1, 0)),
    activations.hardshrink: ((np.inf, 1, 0), (-np.inf, 1, 0)),
    activations.hardtanh: ((1, 0, 0), (-1, 0, 0)),
    activations.hardsigmoid: ((1, 0, 0), (0, 0, 0)),
    activations.hardswish: ((np.inf, 1, 0), (0, 0, 0)),
    activations.logsigmoid: ((0, 0, 0), (-np.inf, 1, 0)),
}


@every_dtype
@pytest.mark.parametrize("function", INFINITE, ids=lambda f: f.__name__)
def test_infinities(function, dtype):
    gradients, hessian = derived(function, "z")
    for x, expected in zip((np.inf, -np.inf), INFINITE[function], strict=True):
        loss, grads = gradients(dtype(x))
        np.testing.assert_allclose((loss, grads.z, hessian(dtype(x))), expected, 2 * np.finfo(dtype).eps)


@every_dtype
@pytest.mark.parametrize("function", sorted(FUNCTIONS.keys() - INFINITE.keys(), key=lambda f: f.__name__),
                         ids=lambda f: f.__name__)
def test_a_formula_without_a_value_at_an_infinity_gives_no_false_number(function, dtype):
    """There x*sigmoid(x) is infinity times 0, and so it is in arithmetic: NaN, or else the limit."""
    limits = {np.inf: (np.inf, 1, 0), -np.inf: (0, 0, 0)}
    if function is activations.softsign:
        limits = {np.inf: (1, 0, 0), -np.inf: (-1, 0, 0)}
    gradients, hessian = derived(function, "z")
    for x, limit in limits.items():
        with np.errstate(invalid="ignore"):
            loss, grads = gradients(dtype(x))
            found = loss, grads.z, hessian(dtype(x))
        for got, true in zip(found, limit, strict=True):
            assert np.isnan(got) or got == true


@every_dtype
def test_logits_of_minus_infinity_have_no_share(dtype):
    f = codegen.lambdify(with_label().backward())
    hessian = codegen.lambdify(with_label().hessian())
    Z = np.array([-np.inf, 1.0, -np.inf, 0.0], dtype)
    loss, grads = f(Z, 1)
    exactly = Exactly({A[0]: 1.0, A[1]: 0.0})
    pair = logsumexp(A[0], A[1]) - A[0]
    assert_close(loss, exactly.terms(pair), dtype)
    for k, a in ((1, A[0]), (3, A[1])):
        assert_close(grads.Z[k], exactly.terms(pair, a), dtype)
        assert_close(hessian(Z, 1)[k, 1], exactly.terms(pair, a, A[0]), dtype)
    assert not grads.Z[::2].any() and not hessian(Z, 1)[::2].any()


def with_label():
    net = Network("logits")
    C = net.size("C")
    net.loss = cross_entropy(net.parameter("Z", C), net.labels("y", classes=C))
    return net


def test_every_function_and_loss_stands_in_a_table():
    told = {f.__name__ for f in FUNCTIONS} | LOSSES.keys() | VECTOR_LOSSES.keys()
    public = {f.__name__ for m in (activations, losses) for f in vars(m).values()
              if callable(f) and getattr(f, "__module__", "") == m.__name__}
    assert public - told == {"threshold"}           # of hardshrink's kind, its edge and value the user's


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
def test_log_probabilities_of_large_scores_keep_the_digits_of_what_the_others_leave(style):
    net = Network("picked", "Squares of log-probabilities that labels pick")
    N, C = net.sizes("N C")
    Z, y = net.parameter("Z", N, C), net.labels("y", N, classes=C)
    net.loss = total(net.define("p", -cross_entropy(Z, y)) ** 2)
    Z0, rest = np.array([[1e4, 1e4 - 20, 0], [3, 1e4 - 21, 1e4]]), np.log1p(np.exp([-20.0, -21.0]))
    loss, grads = codegen.lambdify(net.backward(), style)(Z0, [0, 2])
    np.testing.assert_allclose(loss, np.sum(rest**2), rtol=1e-6)    # the scores have digits to 2e-12, these to 1e-16
    np.testing.assert_allclose(grads.Z[0, 1], 2 * rest[0] * np.exp(-20.0), rtol=1e-6)
