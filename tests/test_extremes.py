"""Values and gradients at arguments where the textbook's formula overflows or cancels, against mpmath.

Every function of z is told twice: as a user writes it, and as the terms of the sum that it is, by their definitions. A
result may be off by a few units in the last place of the largest of these terms; a gradient, of their derivatives.
"""

from functools import cache

import mpmath
import numpy as np
import pytest
from sympy import Abs, Expr, Piecewise, Rational, Sum, Symbol, cosh, diff, erf, erfc, exp, lambdify, log, pi, sqrt, tanh

import codegen
from derive import (
    Network,
    binary_cross_entropy,
    cross_entropy,
    elu,
    gelu,
    gelu_tanh,
    logsumexp,
    mish,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    total,
)

ULPS = 8
POINTS = [sign * x for x in (1e4, 745.0, 40.0, 1.0, 1e-20, 0.0) for sign in (1, -1)]
every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])
z = Symbol("z", real=True)


def assert_close(got, terms, dtype):
    """Assert that a number of the dtype is the sum of the terms, to a few units in the last place of the largest."""
    error = abs(mpmath.mpf(float(got)) - mpmath.fsum(terms))
    assert np.asarray(got).dtype == dtype
    assert error <= ULPS * float(np.finfo(dtype).eps) * max(map(abs, terms)) + float(np.finfo(dtype).tiny)


@cache
def exactly(expr: Expr, x: float):
    """Return an expression in z at x, to 50 digits of the smallest that it may be: 1 - tanh(x)**2 is exp(-2x)."""
    with mpmath.workdps(120 + int(abs(x))):
        return _function(expr)(mpmath.mpf(x))


@cache
def _function(expr):
    return lambdify(z, expr, "mpmath")


def scalar(write, *inputs):
    """Return the callable of a network with one parameter z, whose loss a function writes."""
    net = Network("scalar")
    net.loss = write(net, net.parameter("z"), *(net.input(name) for name in inputs))
    return codegen.lambdify(net.backward())


# ---- functions of one variable

S = 1 / (1 + exp(-z))
ELU = Piecewise((z, z >= 0), (exp(z) - 1, True))
FUNCTIONS = {                           # as written; the terms of the sum that it is
    "sigmoid": (sigmoid, [S]),
    "1/(1 + exp(-z))": (lambda z: 1 / (1 + exp(-z)), [S]),
    "exp(z)/(1 + exp(z))": (lambda z: exp(z) / (1 + exp(z)), [S]),
    "1 - sigmoid": (lambda z: 1 - sigmoid(z), [1 / (1 + exp(z))]),
    "1 - 1/(1 + exp(-z))": (lambda z: 1 - 1 / (1 + exp(-z)), [1 / (1 + exp(z))]),
    "sigmoid**2": (lambda z: sigmoid(z) ** 2, [S**2]),
    "3 - 3*sigmoid": (lambda z: 3 - 3 * sigmoid(z), [3 / (1 + exp(z))]),
    "softplus": (softplus, [log(1 + exp(z))]),
    "log(1 + exp(z))": (lambda z: log(1 + exp(z)), [log(1 + exp(z))]),
    "-log(sigmoid)": (lambda z: -log(sigmoid(z)), [log(1 + exp(-z))]),
    "-log(1/(1 + exp(-z)))": (lambda z: -log(1 / (1 + exp(-z))), [log(1 + exp(-z))]),
    "-log(1 - sigmoid)": (lambda z: -log(1 - sigmoid(z)), [log(1 + exp(z))]),
    "exp(z)/(exp(z) + exp(-z))": (lambda z: exp(z) / (exp(z) + exp(-z)), [1 / (1 + exp(-2 * z))]),
    "silu": (silu, [z * S]),
    "z/(1 + exp(-z))": (lambda z: z / (1 + exp(-z)), [z * S]),
    "elu": (elu, [ELU]),
    "elu by cases": (lambda z: Piecewise((z, z > 0), (exp(z) - 1, True)), [ELU]),
    "mish": (mish, [z * tanh(log(1 + exp(z)))]),
    "exp(-z**2)": (lambda z: exp(-(z**2)), [exp(-(z**2))]),
    "2 exp(z - z**2)": (lambda z: 2 * exp(z - z**2), [2 * exp(z - z**2)]),
    "exp(z - z**2)/(1 + z**2)": (lambda z: exp(z - z**2) / (1 + z**2), [exp(z - z**2) / (1 + z**2)]),
    "1/(1 + exp(-z))**2": (lambda z: 1 / (1 + exp(-z)) ** 2, [S**2]),
    "1/(1 + exp(z))**3": (lambda z: 1 / (1 + exp(z)) ** 3, [1 / (1 + exp(z)) ** 3]),
    "(1 - 1/(1 + exp(-z)))**2": (lambda z: (1 - 1 / (1 + exp(-z))) ** 2, [1 / (1 + exp(z)) ** 2]),
    "log(1/(1 + exp(-z))**2)": (lambda z: log(1 / (1 + exp(-z)) ** 2), [-2 * log(1 + exp(-z))]),
}
SUMS = {                                # as written; its terms; the terms of its derivative
    "tanh": (tanh, [tanh(z)], [1, -tanh(z) ** 2]),
    "gelu": (gelu, [z / 2, z * erf(z / sqrt(2)) / 2], None),
    "gelu_tanh": (gelu_tanh, [z / 2, z * tanh(sqrt(2 / pi) * (z + Rational(44715, 10**6) * z**3)) / 2], None),
    "softsign": (softsign, [z / (1 + Abs(z))], [1 / (1 + Abs(z)), -Abs(z) / (1 + Abs(z)) ** 2]),
    "tanh by exp": (lambda z: (exp(z) - exp(-z)) / (exp(z) + exp(-z)), [tanh(z)], [1, -tanh(z) ** 2]),
    "tanh by exp(-2z)": (lambda z: (1 - exp(-2 * z)) / (1 + exp(-2 * z)), [tanh(z)], [1, -tanh(z) ** 2]),
    "tanh**2 by exp": (lambda z: ((exp(z) - exp(-z)) / (exp(z) + exp(-z))) ** 2, [tanh(z) ** 2],
                       [2 * tanh(z), -2 * tanh(z) ** 3]),
    "exp(z)/(1 + exp(z))**2": (lambda z: exp(z) / (1 + exp(z)) ** 2, [S / (1 + exp(z))],
                               [S / (1 + exp(z)) ** 2, -(S**2) / (1 + exp(z))]),
    "1/cosh(z)**2": (lambda z: 1 / cosh(z) ** 2, [1 / cosh(z) ** 2],
                     [8 / ((1 + exp(-2 * z)) * (1 + exp(2 * z)) ** 2),
                      -8 / ((1 + exp(-2 * z)) ** 2 * (1 + exp(2 * z)))]),
    "log(p (1 - p))": (lambda z: log(sigmoid(z) * (1 - sigmoid(z))), [-log(1 + exp(-z)), -log(1 + exp(z))],
                       [1 / (1 + exp(z)), -S]),
    "log cosh": (lambda z: log(cosh(z)), [log(2 * cosh(z)), -log(2)], [2 / (1 + exp(-2 * z)), -1]),
    "log(sigmoid - sigmoid)": (lambda z: log(sigmoid(z + Rational(1, 4)) - sigmoid(z - Rational(1, 4))),
                               [log(1 - exp(-Rational(1, 2))), -log(1 + exp(-z - Rational(1, 4))),
                                -log(1 + exp(z - Rational(1, 4)))],
                               [1 / (1 + exp(z + Rational(1, 4))), -1 / (1 + exp(Rational(1, 4) - z))]),
    "log(exp(z) + exp(-z))": (lambda z: log(exp(z) + exp(-z)), [z, log(1 + exp(-2 * z))], [1, -2 / (1 + exp(2 * z))]),
}
CASES = {name: (write, terms, None) for name, (write, terms) in FUNCTIONS.items()} | SUMS


@every_dtype
@pytest.mark.parametrize("name", CASES)
def test_functions_of_one_variable(name, dtype):
    write, terms, slopes = CASES[name]
    f = scalar(lambda net, z: write(z))
    slopes = slopes or [diff(t, z) for t in terms]
    for x in map(dtype, POINTS):
        loss, grads = f(x)
        assert_close(loss, [exactly(t, float(x)) for t in terms], dtype)
        assert_close(grads.z, [exactly(t, float(x)) for t in slopes], dtype)


@every_dtype
@pytest.mark.parametrize("gap", [40.0, 1.0, 2.0**-20, 2.0**-60])
def test_the_logarithm_of_a_sigmoid_less_one_that_is_near_by(gap, dtype):
    f = scalar(lambda net, z, gap: write_named(net, z, gap), "gap")
    for x in map(dtype, POINTS):
        loss, grads = f(x, dtype(gap))
        with mpmath.workdps(80 + int(abs(float(x)))):
            a, d = mpmath.mpf(float(x)), mpmath.mpf(gap)
            terms = [mpmath.log(-mpmath.expm1(-d)), -mpmath.log1p(mpmath.exp(-a)), -mpmath.log1p(mpmath.exp(a - d))]
            slopes = [1 / (1 + mpmath.exp(a)), -1 / (1 + mpmath.exp(d - a))]
            assert_close(loss, terms, dtype)
            assert_close(grads.z, slopes, dtype)


def write_named(net, z, gap):
    """A difference that has a name is looked through."""
    return log(net.define("p", sigmoid(z) - sigmoid(z - gap)))


WEIGHTED = {        # as written; its derivative; a number before exp(z) is a shift of z, rounded as z is
    "log(3 + exp(z))": (lambda z: log(3 + exp(z)), 1 / (1 + 3 * exp(-z))),
    "log(exp(z) + 2 exp(-z) + 3)": (
        lambda z: log(exp(z) + 2 * exp(-z) + 3), (1 - 2 * exp(-2 * z)) / (1 + 2 * exp(-2 * z) + 3 * exp(-z)),
    ),
    "1/(1 + 3 exp(-z))": (lambda z: 1 / (1 + 3 * exp(-z)), 3 * exp(z) / (exp(z) + 3) ** 2),
}


@every_dtype
@pytest.mark.parametrize("name", WEIGHTED)
def test_numbers_before_exponentials(name, dtype):
    write, slope = WEIGHTED[name]
    f = scalar(lambda net, z: write(z))
    for x in map(dtype, POINTS):
        loss, grads = f(x)
        for got, true in ((loss, exactly(write(z), float(x))), (grads.z, exactly(slope, float(x)))):
            bound = ULPS * (1 + abs(float(x))) * float(np.finfo(dtype).eps) * abs(true)
            assert abs(mpmath.mpf(float(got)) - true) <= bound + float(np.finfo(dtype).tiny)


@every_dtype
@pytest.mark.parametrize("written", ["erf", "erfc"])
@pytest.mark.parametrize("side", [1, -1])
def test_the_logarithm_of_the_normal_distribution_function(side, written, dtype):
    """A probit's log-likelihood, where 1 + erf is 0 to the last digit, and its slope, the inverse Mills ratio."""
    f = scalar(lambda net, z: log((1 + side * erf(z / sqrt(2))) / 2 if written == "erf" else
                                  erfc(-side * z / sqrt(2)) / 2))
    furthest = 30.0 if dtype is np.float64 else 12.0
    for x in map(dtype, (-furthest, -9.0, -1.0, 0.0, 1.0, 9.0)):
        loss, grads = f(side * x)
        with mpmath.workdps(50):
            below, density = mpmath.ncdf(mpmath.mpf(float(x))), mpmath.npdf(mpmath.mpf(float(x)))
            bound = (1 + float(x) ** 2) * ULPS * float(np.finfo(dtype).eps)     # as x is rounded, so is x**2/2
            assert abs(mpmath.mpf(float(loss)) - mpmath.log(below)) <= bound
            assert abs(mpmath.mpf(float(grads.z)) - side * density / below) <= bound * density / below


def test_elu_is_smooth_at_0():
    assert scalar(lambda net, z: elu(z))(0.0)[1].z == 1


@every_dtype
@pytest.mark.parametrize("write", [
    lambda z: sigmoid(z) ** Rational(1, 4),
    lambda z: (1 - sigmoid(-z)) ** Rational(1, 4),
    lambda z: (1 + exp(-z)) ** Rational(-1, 4),
], ids=["sigmoid", "1 - sigmoid", "written"])
def test_a_root_of_a_sigmoid_that_is_too_small_for_the_dtype(write, dtype):
    """Of exp(-200) the fourth root is exp(-50), in float32 too; and its second derivative a sixteenth of it."""
    net = Network("root")
    net.loss = write(net.parameter("z"))
    loss, grads = codegen.lambdify(net.backward())(dtype(-200))
    assert [loss, 4 * grads.z] == pytest.approx(2 * [np.exp(-50)], rel=5e-5, abs=0)
    assert codegen.lambdify(net.hessian())(dtype(-200)) == pytest.approx(np.exp(-50) / 16, rel=5e-5, abs=0)
    assert codegen.lambdify(net.hessian())(dtype(-1e4)) == 0


@every_dtype
def test_powers_of_a_softmax_that_is_0(dtype):
    """Generalised cross-entropy, (1 - p**q)/q of a label's probability p (Zhang and Sabuncu, 2018)."""
    net = Network("generalised")
    N, C = net.sizes("N C")
    Z, y, q = net.parameter("Z", N, C), net.labels("y", N, classes=C), net.parameter("q")
    n, _ = net.indices(n=N, c=C)
    P = net.define("P", softmax(Z))
    net.loss = Sum((1 - P[n, y[n]] ** q) / q, n)
    loss, grads = codegen.lambdify(net.backward())(np.array([[0, 1e4], [-1e4, 0]], dtype), dtype(0.5), [0, 1])
    assert (loss, grads.q) == (2, -4) and not grads.Z.any()


@every_dtype
def test_the_logarithm_of_a_rate_that_is_0_to_the_last_digit(dtype):
    """Poisson regression with exposures: mu - y log(mu), mu = t exp(eta) by name, has the slope mu - y."""
    net = Network("exposure")
    N = net.size("N")
    eta, t, y = net.parameter("eta", N), net.input("t", N), net.input("y", N)
    mu = net.define("mu", t * exp(eta))
    net.loss = total(mu - y * log(mu))
    f = codegen.lambdify(net.backward())
    loss, grads = f(np.array([-1e4, 0], dtype), [2, 2], [3, 0])
    assert loss == pytest.approx(2 - 3 * (np.log(2) - 1e4)) and grads.eta.tolist() == [-3, 2]


@every_dtype
@pytest.mark.parametrize("named", [False, True])
def test_a_softmax_beside_a_class_whose_score_is_0(named, dtype):
    """Multinomial logit with a reference class: its probabilities are those of a softmax with a 0 among the scores."""
    net = Network("reference_class")
    N, C = net.sizes("N C")
    Z, a = net.parameter("Z", N, C), net.input("a", N, C)
    n, c, k = net.indices(n=N, c=C, k=C)
    whole = 1 + Sum(exp(Z[n, k]), k)
    P = net.define("P", exp(Z[n, c]) / (net.define("D", whole, over=n)[n] if named else whole), over=(n, c))
    net.loss = total(P * a)
    scores, weights = np.array([[1e4, 0], [-1e4, 2], [-1e4, -1e4], [0.5, 1]], dtype), np.array([[1, 2]] * 4)
    loss, grads = codegen.lambdify(net.backward())(scores, weights)
    e = np.exp(scores.astype(float) - np.maximum(scores.max(axis=1), 0)[:, None])
    p = e / (e.sum(axis=1) + np.exp(-np.maximum(scores.max(axis=1), 0)))[:, None]
    np.testing.assert_allclose(loss, np.sum(p * weights), rtol=10 * np.finfo(dtype).eps)
    expected = p * (weights - np.sum(p * weights, axis=1, keepdims=True))
    np.testing.assert_allclose(grads.Z, expected, atol=10 * np.finfo(dtype).eps)


@every_dtype
def test_a_lattice_of_logarithms(dtype):
    """log(exp(a) + [l > 0] exp(b)) in a recurrence, whose paths all come to T*z and are binomial(T, L - 1) many."""
    net = Network("lattice")
    T, L = net.sizes("T L")
    t, i = net.indices(t=T, i=L)
    u, start = net.parameter("u", T), net.input("start", L)
    a = net.state("a", T, L, initial=start)
    above = Piecewise((exp(a[t - 1, i - 1]), i > 0), (0, True))
    net.define(a, u[t] + log(exp(a[t - 1, i]) + above), over=(t, i))
    net.loss = a[T - 1, L - 1]
    f = codegen.lambdify(net.backward())
    start = np.array([0, -3e4, -3e4])                   # all paths begin at the first cell
    for x in (1e4, -1e4, 1.0):
        loss, grads = f(np.full(5, x, dtype), start)
        assert_close(loss, [5 * mpmath.mpf(x), mpmath.log(10)], dtype)
        assert np.all(np.abs(grads.u - 1) <= 8 * np.finfo(dtype).eps)


# ---- the cross-entropy of a coin


def through_a_name(net, z, t):
    p = net.define("p", sigmoid(z))
    return -(t * log(p) + (1 - t) * log(1 - p))


def through_the_textbook(net, z, t):
    p = net.define("p", 1 / (1 + exp(-z)))
    return -t * log(p) - (1 - t) * log(1 - p)


COINS = {
    "helper": (lambda net, z, t: binary_cross_entropy(z, t), lambda t: [log(1 + exp(z)), -t * z]),
    "formula": (lambda net, z, t: -(t * log(sigmoid(z)) + (1 - t) * log(1 - sigmoid(z))), None),
    "sigmoid named first": (through_a_name, None),
    "logistic function named first": (through_the_textbook, None),
}


@every_dtype
@pytest.mark.parametrize("target", [1.0, 0.0, 0.25])
@pytest.mark.parametrize("name", COINS)
def test_binary_cross_entropy(name, target, dtype):
    write, terms = COINS[name]
    f = scalar(write, "t")
    t = Rational(target)
    terms = terms(t) if terms else [t * log(1 + exp(-z)), (1 - t) * log(1 + exp(z))]
    for x in map(dtype, POINTS):
        loss, grads = f(x, t=target)
        assert_close(loss, [exactly(term, float(x)) for term in terms], dtype)
        assert_close(grads.z, [exactly(diff(term, z), float(x)) for term in terms], dtype)


# ---- log-sum-exp and softmax

LOGITS = [
    (1e4, -1e4, 0.0), (1e4, 1e4, 1e4), (-1e4, -1e4, -1e4), (745.0, -745.0, 40.0), (40.0, 1.0, -40.0), (1.0, 0.0, -1.0),
    (1e-20, 0.0, -1e-20), (0.0, 0.0, 0.0), (1e4, 1e-20, -745.0),
]


def of_named_softmax(net, Z, y):
    P = net.define("P", softmax(Z))
    return -log(P[y])


def of_softmax_by_the_textbook(net, Z, y):
    c, c2 = net.indices(c=Z.shape[0], c2=Z.shape[0])
    P = net.define("P", exp(Z[c]) / Sum(exp(Z[c2]), c2), over=c)
    return -log(P[y])


def of_sum_of_exp(net, Z, y):
    [c] = net.indices(c=Z.shape[0])
    return log(Sum(exp(Z[c]), c)) - Z[y]


def of_named_sum_of_exp(net, Z, y):
    [c] = net.indices(c=Z.shape[0])
    s = net.define("s", Sum(exp(Z[c]), c))
    return log(s) - Z[y]


def of_everything_named(net, Z, y):
    [c] = net.indices(c=Z.shape[0])
    e = net.define("e", exp(Z))
    s = net.define("s", Sum(e[c], c))
    P = net.define("P", e / s)
    return -log(P[y])


CROSS_ENTROPIES = {
    "helper": lambda net, Z, y: cross_entropy(Z, y),
    "softmax named first": of_named_softmax,
    "softmax by the textbook": of_softmax_by_the_textbook,
    "log of a sum of exp": of_sum_of_exp,
    "log of a named sum of exp": of_named_sum_of_exp,
    "exp, its sum and their ratio named first": of_everything_named,
}


def with_logits(write):
    """Return the callable of a network with a vector Z of logits and one label y."""
    net = Network("logits")
    C = net.size("C")
    net.loss = write(net, net.parameter("Z", C), net.labels("y", classes=C))
    return codegen.lambdify(net.backward())


@cache
def lse_and_softmax(logits):
    """Return log-sum-exp and softmax by their definitions."""
    with mpmath.workdps(9000):
        e = [mpmath.exp(x) for x in logits]
        return mpmath.log(mpmath.fsum(e)), [x / mpmath.fsum(e) for x in e]


@every_dtype
@pytest.mark.parametrize("name", CROSS_ENTROPIES)
def test_cross_entropy(name, dtype):
    f = with_logits(CROSS_ENTROPIES[name])
    for logits in LOGITS:
        Z = np.array(logits, dtype)
        lse, P = lse_and_softmax(tuple(Z.tolist()))
        for y in range(3):
            loss, grads = f(Z, y)
            assert_close(loss, [lse, -Z[y].item()], dtype)
            for c in range(3):
                assert_close(grads.Z[c], [P[c], -float(c == y)], dtype)


@every_dtype
def test_log_sum_exp_has_the_softmax_for_gradient(dtype):
    f = with_logits(lambda net, Z, y: logsumexp(Z))
    for logits in LOGITS:
        Z = np.array(logits, dtype)
        lse, P = lse_and_softmax(tuple(Z.tolist()))
        loss, grads = f(Z, 0)
        assert_close(loss, [lse], dtype)
        for c in range(3):
            assert_close(grads.Z[c], [P[c]], dtype)


BESIDE = {          # what a positive pair lacks of all, its own exponential beside the sum of the others'
    "logarithm": lambda Z, s, c: log(exp(s) + Sum(exp(Z[c]), c)) - s,
    "quotient": lambda Z, s, c: -log(exp(s) / (Sum(exp(Z[c]), c) + exp(s))),
    "one and more": lambda Z, s, c: log(1 + Sum(exp(Z[c] - s), c)),
    "product": lambda Z, s, c: log(1 + exp(-s) * Sum(exp(Z[c]), c)),
}


@pytest.mark.parametrize("name", BESIDE)
def test_a_sum_of_exponentials_beside_another_one(name):
    net = Network("contrast")
    C = net.size("C")
    Z, s, [c] = net.parameter("Z", C), net.parameter("s"), net.indices(c=C)
    net.loss = BESIDE[name](Z, s, c)
    f = codegen.lambdify(net.backward())
    for logits in LOGITS:
        for own in (1e4, 0.0, -745.0):
            lse, (*P, p) = lse_and_softmax((*logits, own))
            loss, grads = f(np.array(logits), own)
            true = [float(lse - own), float(p - 1), *map(float, P)]
            np.testing.assert_allclose([loss, grads.s, *grads.Z], true, rtol=1e-11, atol=1e-300)


def quotient(net, S, M, y, c, c2):
    P = net.define("P", M[c] * exp(S[c]) / Sum(M[c2] * exp(S[c2]), c2), over=c)
    return P[y]


def quotient_of_named(net, S, M, y, c, c2):
    E = net.define("E", M * exp(S))
    P = net.define("P", E / total(E))
    return P[y]


WEIGHTED_SUMS = {
    "quotient": quotient,
    "quotient of what has a name": quotient_of_named,
    "logarithm": lambda net, S, M, y, c, c2: exp(S[y] + log(M[y]) - log(Sum(M[c] * exp(S[c]), c))),
}


@pytest.mark.parametrize("weights", ["input", "parameter"])
@pytest.mark.parametrize("name", WEIGHTED_SUMS)
def test_sums_of_exponentials_with_weights(name, weights):
    """A softmax masked by hand: what the mask hides may be the largest by far; weights may be learned, too."""
    net = Network("weights")
    C = net.size("C")
    S, M, y = net.parameter("S", C), getattr(net, weights)("M", C), net.labels("y", classes=C)
    net.loss = WEIGHTED_SUMS[name](net, S, M, y, *net.indices(c=C, c2=C))
    f = codegen.lambdify(net.backward())
    for scores in ((-800.0, -801.0, 1e4), (1e4, 1e4 + 1, -1e4)):
        mask = np.array([1.0, 3.0, 0.0 if weights == "input" else 1e-300])
        w = np.array([0.25, 0.75, 0.0]) if scores[2] < 0 or weights == "input" else np.array([0.0, 0.0, 1.0])
        w[:2] *= np.exp(np.array([scores[0], scores[1]]) - scores[1])
        P = w / w.sum()
        loss, grads = f(np.array(scores), mask, 1) if weights == "parameter" else f(np.array(scores), mask, y=1)
        true = P[1] * (np.eye(3)[1] - P)
        np.testing.assert_allclose([loss, *grads.S], [P[1], *true], rtol=1e-11, atol=1e-300)
        if weights == "parameter":
            np.testing.assert_allclose(grads.M[:2], true[:2] / mask[:2], rtol=1e-11, atol=1e-300)


MIXTURES = {        # the entries of the loss, of probabilities p and q and of how much q there is
    "Jensen-Shannon": lambda p, q, w, log: p * log(p / ((p + q) / 2)) + q * log(q / ((p + q) / 2)),
    "skewed": lambda p, q, w, log: p * (log(p) - log(w * q + (1 - w) * p)),
    "Kullback-Leibler": lambda p, q, w, log: p * log(p / q),
}


@pytest.mark.parametrize("name", MIXTURES)
def test_logarithms_of_mixtures_of_softmaxes(name):
    """Entries that are 0 in both count for nothing, and nor do they in gradients."""
    net = Network("mixture")
    C = net.size("C")
    A, B, v, [c] = net.parameter("A", C), net.parameter("B", C), net.parameter("v"), net.indices(c=C)
    p, q, w = net.define("p", softmax(A)), net.define("q", softmax(B)), net.define("w", sigmoid(v))
    net.loss = Sum(MIXTURES[name](p[c], q[c], w, log), c)
    f = codegen.lambdify(net.backward())

    def entries(*x):
        e, u, w = *([mpmath.exp(z) for z in half] for half in (x[:3], x[3:6])), 1 / (1 + mpmath.exp(-x[6]))
        return [(p / mpmath.fsum(e), q / mpmath.fsum(u), w, mpmath.log) for p, q in zip(e, u, strict=True)]

    def true(*x):
        return mpmath.fsum(MIXTURES[name](*entry) for entry in entries(*x))

    a, b, h = (1e3, 0.0, 999.0), (2.0, -1e3, 0.5), mpmath.mpf(10) ** -40
    x = [mpmath.mpf(number) for number in (*a, *b, -0.5)]
    loss, grads = f(np.array(a), np.array(b), -0.5)
    with mpmath.workdps(100):
        slopes = [(true(*x[:k], x[k] + h, *x[k + 1:]) - true(*x)) / h for k in range(7)]
        np.testing.assert_allclose([loss, *grads.A, *grads.B, grads.v], [float(s) for s in (true(*x), *slopes)],
                                   rtol=1e-10, atol=1e-14)


@every_dtype
def test_a_sum_of_exponentials_by_name_beside_another(dtype):
    def written(net, z):
        m = net.define("m", exp(z) + exp(-2 * z))
        return log(1 + m) + exp(z) / (1 + m) - exp(z) / m

    f, m = scalar(written), exp(z) + exp(-2 * z)
    terms = [log(1 + m), exp(z) / (1 + m), -exp(z) / m]
    for x in map(dtype, POINTS):
        loss, grads = f(x)
        assert_close(loss, [exactly(t, float(x)) for t in terms], dtype)
        assert_close(grads.z, [2, -2, *(exactly(diff(t, z), float(x)) for t in terms)], dtype)


@every_dtype
def test_squares_of_a_softmax(dtype):
    """Gini's impurity, the sum of p (1 - p), whose gradient is 2 p (sum p**2 - p)."""
    def impurity(net, Z, y):
        c, c2 = net.indices(c=Z.shape[0], c2=Z.shape[0])
        return 1 - Sum(exp(2 * Z[c]) / Sum(exp(Z[c2]), c2) ** 2, c)

    f = with_logits(impurity)
    for logits in LOGITS:
        Z = np.array(logits, dtype)
        _, P = lse_and_softmax(tuple(Z.tolist()))
        loss, grads = f(Z, 0)
        assert_close(loss, [1, *(-p * p for p in P)], dtype)
        for c in range(3):
            assert_close(grads.Z[c], [2 * P[c] * mpmath.fsum(p * p for p in P), -2 * P[c] ** 2], dtype)


@every_dtype
@pytest.mark.parametrize("write", [softmax, None], ids=["helper", "textbook"])
def test_softmax_and_its_gradient(write, dtype):
    """The loss is a sum of softmax entries with weights, its gradient P (a - sum P a)."""
    net = Network("weighted")
    C = net.size("C")
    Z, a = net.parameter("Z", C), net.input("a", C)
    c, c2 = net.indices(c=C, c2=C)
    P = net.define("P", softmax(Z)) if write else net.define("P", exp(Z[c]) / Sum(exp(Z[c2]), c2), over=c)
    net.output(P)
    net.loss = total(P * a)
    f, weights = codegen.lambdify(net.backward()), (1.0, -2.0, 0.5)
    for logits in LOGITS:
        Z = np.array(logits, dtype)
        _, P = lse_and_softmax(tuple(Z.tolist()))
        loss, grads = f(Z, weights)
        terms = [p * w for p, w in zip(P, weights, strict=True)]
        assert_close(loss, terms, dtype)
        for c in range(3):
            assert_close(grads.Z[c], [P[c] * weights[c], *(-P[c] * t for t in terms)], dtype)
