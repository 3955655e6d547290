"""Functions that NumPy lacks, or has under another name: values and first and second derivatives are mpmath's."""

import mpmath
import numpy as np
import pytest
import sympy
from sympy import Function, Heaviside, Max, Mod, Sum, exp, frac, sqrt
from sympy.codegen import cfunctions

import codegen
from codegen.doctor import diagnose
from codegen.verify import finite_differences, referee
from derive import DerivationError, Network, mean, total
from derive.notes import note

from .true_values import DIGITS

special = pytest.importorskip("scipy.special", reason="SciPy is an extra")

FUNCTIONS = {       # SymPy's, mpmath's, and where
    "cot": (sympy.cot, mpmath.cot, (-1.5, 0.3, 1e-5, 2.0)),
    "sec": (sympy.sec, mpmath.sec, (-1.5, 0.3, 1e-5, 2.0)),
    "csc": (sympy.csc, mpmath.csc, (-1.5, 0.3, 1e-5, 2.0)),
    "coth": (sympy.coth, mpmath.coth, (-2.5, 0.3, 1e-5, 1e4)),
    "sech": (sympy.sech, mpmath.sech, (-1e4, -40.0, 0.3, 0.01, 700.0)),
    "csch": (sympy.csch, mpmath.csch, (-1e4, -40.0, 0.3, 1e-5, 700.0)),
    "acot": (sympy.acot, mpmath.acot, (-3.0, 0.3, 1e-5, 1e8)),
    "acoth": (sympy.acoth, mpmath.acoth, (-3.0, 1.3, 1e4)),
    "asec": (sympy.asec, mpmath.asec, (-3.0, 1.3, 1e3)),
    "acsc": (sympy.acsc, mpmath.acsc, (-3.0, 1.3, 1e3)),
    "asech": (sympy.asech, mpmath.asech, (1e-5, 0.3, 0.8)),
    "acsch": (sympy.acsch, mpmath.acsch, (-0.3, 1e-5, 3.0)),
    "acosh": (sympy.acosh, mpmath.acosh, (1.3, 40.0, 1e8)),
    "sinc": (sympy.sinc, mpmath.sinc, (-3.0, 0.0, 1e-20, 1e-5, 0.1, 2.0, 40.0)),
    "j_1": (lambda x: sympy.jn(1, x), lambda x: mpmath.sin(x) / x**2 - mpmath.cos(x) / x, (-3.0, 1e-5, 0.3, 40.0)),
    "erfi": (sympy.erfi, mpmath.erfi, (-3.0, 1e-5, 0.3, 5.0)),
    "erfinv": (sympy.erfinv, mpmath.erfinv, (-0.9, 1e-5, 0.3)),
    "erfcinv": (sympy.erfcinv, lambda x: mpmath.erfinv(1 - x), (1e-5, 0.3, 1.9)),
    "erf2": (lambda x: sympy.erf2(x, 2 * x), lambda x: mpmath.erf(2 * x) - mpmath.erf(x), (-1.0, 1e-5, 0.3)),
    "W": (sympy.LambertW, lambda x: mpmath.lambertw(x).real, (-0.2, 0.0, 1e-20, 0.3, 1e4)),
    "gamma": (sympy.gamma, mpmath.gamma, (0.01, 0.3, 20.0)),
    "factorial": (sympy.factorial, mpmath.factorial, (0.01, 0.3, 20.0)),
    "binomial": (lambda x: sympy.binomial(x + 5, x), lambda x: mpmath.binomial(x + 5, x), (0.3, 2.0)),
    "harmonic": (sympy.harmonic, mpmath.harmonic, (0.3, 20.0)),
    "Si": (sympy.Si, mpmath.si, (-3.0, 0.0, 1e-5, 0.3, 40.0)),
    "Ci": (sympy.Ci, mpmath.ci, (0.3, 40.0)),
    "Ei": (sympy.Ei, mpmath.ei, (-3.0, 1e-5, 2.0)),
    "E_1": (lambda x: sympy.expint(1, x), mpmath.e1, (1e-5, 0.3, 4.0)),
    "E_2": (lambda x: sympy.expint(2, x), lambda x: mpmath.expint(2, x), (1e-5, 0.3, 4.0)),
    "fresnels": (sympy.fresnels, mpmath.fresnels, (-1.2, 0.3, 0.9)),
    "fresnelc": (sympy.fresnelc, mpmath.fresnelc, (-1.2, 0.3, 0.9)),
    "frac": (frac, lambda x: x - mpmath.floor(x), (-2.75, 0.25, 40.5)),
    "Mod": (lambda x: Mod(x, 2), lambda x: x - 2 * mpmath.floor(x / 2), (-2.75, 0.25, 40.5)),
    "real_root": (lambda x: sympy.real_root(x, 3), lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)), (-8.0, 1e-5, 0.3)),
    "hypot": (lambda x: cfunctions.hypot(x, 2), lambda x: mpmath.hypot(x, 2), (-3.0, 0.3, 1e4)),
    "Cbrt": (cfunctions.Cbrt, mpmath.cbrt, (1e-5, 0.3, 8.0)),
    "log2": (cfunctions.log2, lambda x: mpmath.log(x, 2), (1e-5, 0.3, 8.0)),
    "exp2": (cfunctions.exp2, lambda x: mpmath.mpf(2) ** x, (-8.0, 0.3, 8.0)),
    "expm1": (cfunctions.expm1, mpmath.expm1, (-8.0, 1e-20, 0.3, 8.0)),
    "log1p": (cfunctions.log1p, mpmath.log1p, (-0.5, 1e-20, 0.3, 8.0)),
    "Heaviside": (lambda x: x**2 * Heaviside(x, 1), lambda x: x**2 * (x >= 0), (-8.0, 0.3)),
}


REFUSED = {
    "zeta": (sympy.zeta, r"no derivative is known of zeta\(w\[n\]\) by w\[n\]; use functions that SymPy can"),
    "unknown": (Function("f"), r"no derivative is known of f\(w\[n\]\)"),
    "floor": (sympy.floor, r"a quotient is x / 2, not x // 2, and what it leaves is Mod\(x, 1\)"),
    "polylog": (lambda x: sympy.polylog(2, x), "no function of NumPy's or SciPy's is known for polylog; write it by"),
    "airy": (sympy.airyai, "no function of NumPy's or SciPy's is known for airyaiprime; write it by"),
}


def of_numbers(function):
    """Return the sum of a function's values, weighted."""
    net = Network("function", "A function of each number")
    N = net.size("N")
    w, u = net.parameter("w", N), net.input("u", N)
    Y = net.define("Y", function(w))
    net.loss = total(Y * u)
    return net


def true_values(function, x):
    """Return the value and two derivatives, by differences of hundreds of digits."""
    with mpmath.workdps(6 * DIGITS):
        x = mpmath.mpf(float(x))
        h = mpmath.mpf(10) ** -DIGITS * max(abs(x), mpmath.mpf(10) ** -20)
        below, here, above = function(x - h), function(x), function(x + h)
        return np.array([float(here), float((above - below) / (2 * h)), float((above - 2 * here + below) / h**2)])


@pytest.mark.parametrize("style", ["plain", "fast", "compiled"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_derivatives_are_mpmaths(name, style):
    function, theirs, points = FUNCTIONS[name]
    program = of_numbers(function).backward()
    f = codegen.lambdify(program, style=style)
    second = codegen.lambdify(of_numbers(function).hessian()) if style == "plain" else None
    for dtype in (np.float64, np.float32):
        eps = np.finfo(dtype).eps
        w, ones = np.array(points, dtype), np.ones(len(points), dtype)
        true = np.array([true_values(theirs, x) for x in w])
        with np.errstate(all="raise", under="ignore"):
            found = np.array([f(w, row)[0] for row in np.eye(len(w), dtype=dtype)]), f(w, ones)[1].w
            curved = np.diag(second(w, ones)) if second and dtype == np.float64 else None
        assert found[1].dtype == dtype
        for n, got in enumerate((*found, *([] if curved is None else [curved]))):
            np.testing.assert_allclose(got, true[:, n], 300 * eps, 4 * eps, err_msg=f"derivative {n} at {points}")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_both_judges_agree_and_the_note_is_written(name):
    net = of_numbers(FUNCTIONS[name][0])
    program = net.backward()
    for verdict in (referee(net, program), finite_differences(program, codegen.lambdify(program).module)):
        assert verdict.passed, verdict
    assert r"\begin" in note(program)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n != "W"])
def test_one_number_in_the_style_scalar(name):
    function, theirs, points = FUNCTIONS[name]
    net = Network("number", "A function of one number")
    net.loss = function(net.parameter("w"))
    f = codegen.lambdify(net.backward(), style="scalar")
    for x in points:
        value, grads = f(x)
        np.testing.assert_allclose([value, grads.w], true_values(theirs, x)[:2], 1e-13, 1e-15, err_msg=str(x))


@pytest.mark.parametrize("name", REFUSED)
def test_a_function_that_is_not_known_is_named(name):
    function, message = REFUSED[name]
    with pytest.raises(DerivationError, match=message):
        codegen.source(of_numbers(function).backward())


def test_what_is_left_of_a_product_has_its_slope():
    """Phases of a layer, in turns."""
    net = Network("phases", "Phases in turns")
    N, D = net.sizes("N D")
    X, W = net.input("X", N, D), net.parameter("W", D)
    net.loss = mean((Mod(X @ W, 1) - 1) ** 2)
    X0, W0 = np.array([[1.0, 2.0], [-0.5, 0.3], [4.0, -3.2]]), np.array([0.6, 0.9])
    loss, grads = codegen.lambdify(net.backward())(W0, X0)
    rest = (X0 @ W0) % 1 - 1
    assert np.isclose(loss, np.mean(rest**2), rtol=1e-14)
    np.testing.assert_allclose(grads.W, 2 / 3 * rest @ X0, rtol=1e-14)
    assert "A remainder has its slope where it jumps, too" in note(net.backward())


def test_a_step_has_the_value_at_0_that_it_is_given():
    for at, expected in ((0, [0, 0, 1]), (1, [0, 1, 1]), (sympy.Rational(1, 4), [0, 0.25, 1]), (None, [0, 0.5, 1])):
        net = Network("steps")
        w = net.parameter("w", net.size("N"))
        Y = net.define("Y", (w + 1) * (Heaviside(w) if at is None else Heaviside(w, at)))
        net.output(Y)
        net.loss = total(Y)
        f = codegen.lambdify(net.backward())
        w0 = np.array([-1.0, 0.0, 2.0])
        np.testing.assert_allclose(f.module.predict(w0), (w0 + 1) * expected)
        np.testing.assert_allclose(f(w0)[1].w, expected)


SLOPES = {          # functions of NumPy's and SciPy's, and their slopes, by hand
    "Mod": (lambda z: Mod(z, 1) ** 2, lambda z: np.mod(z, 1) ** 2, lambda z: 2 * np.mod(z, 1)),
    "sinc": (sympy.sinc, lambda z: np.sinc(z / np.pi), lambda z: -special.spherical_jn(1, z)),
    "W": (lambda z: sympy.LambertW(exp(z)), lambda z: special.lambertw(np.exp(z)).real,
          lambda z: 1 - 1 / (1 + special.lambertw(np.exp(z)).real)),
    "erf2": (lambda z: sympy.erf2(0, z + 1), lambda z: special.erf(z + 1),
             lambda z: 2 / np.sqrt(np.pi) * np.exp(-((z + 1) ** 2))),
}


@pytest.mark.parametrize("name", SLOPES)
def test_the_doctor_knows_them(name):
    function, value, slope = SLOPES[name]
    net = Network("layer", "A function of a layer")
    N, D = net.sizes("N D")
    X, w = net.input("X", N, D), net.parameter("w", D)
    net.loss = mean(function(net.define("z", X @ w)))

    def right(w, X):
        z = X @ w
        return np.mean(value(z)), {"w": X.T @ slope(z) / len(z)}

    def wrong(w, X):
        z = X @ w
        return np.mean(value(z)), {"w": X.T @ slope(z)}

    assert diagnose(net, right).right
    assert "1/N is missing" in str(diagnose(net, wrong))


def test_w_is_no_number_where_no_real_one_solves_its_equation():
    f = codegen.lambdify(of_numbers(sympy.LambertW).backward())
    loss, grads = f(np.array([-0.5, 1.0]), np.array([0.0, 1.0]))
    assert np.isnan(loss) and np.isnan(grads.w[0]) and np.isclose(grads.w[1], 0.3618962566348892)


def test_the_same_functions_stand_in_sums_over_indices():
    """A distance in the hyperboloid, a sinc kernel and a Lambert W, read entry by entry."""
    net = Network("kernels", "Kernels of pairs")
    N, M = net.sizes("N M")
    x, z, s = net.parameter("x", N), net.input("z", M), net.parameter("s")
    n, m = net.indices(n=N, m=M)
    net.loss = Sum(sympy.sinc(s * (x[n] - z[m])) + sympy.acosh(1 + (x[n] - z[m]) ** 2 + s**2)
                   + sympy.LambertW(exp(x[n] * z[m])) + sympy.sech(x[n] + Max(z[m], 0)) / sqrt(N), n, m)
    program = net.backward()
    for style in ("plain", "fast"):
        verdict = finite_differences(program, codegen.lambdify(program, style=style).module)
        assert verdict.passed, verdict
    assert referee(net, program).passed
