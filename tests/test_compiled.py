"""The style compiled: C that says what NumPy says, functions in C beside mpmath, NumPy where there is no compiler."""

import ctypes
import os
import re
import shlex
import shutil
import subprocess
import warnings

import mpmath
import numpy as np
import pytest
from sympy import Sum, exp, tanh

import codegen
from codegen.compiled.functions_text import PRELUDE, definitions
from codegen.memory import module_from
from codegen.verify import sample
from derive import Maximum, Network, cross_entropy, mean, relu, sigmoid, softmax, softplus, total
from derive.networks import loading
from tests.test_contract import arguments as drawn

COMPILER = shlex.split(os.environ.get("CC", "cc"))
pytestmark = pytest.mark.skipif(shutil.which(COMPILER[0]) is None, reason=f"there is no C compiler {COMPILER[0]}")
NETWORKS = {net.name: net for net in loading.load()}
QUICK = ("attention", "layer_norm", "lstm", "skip_gram")
every_network = pytest.mark.parametrize("name", [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS])


@pytest.fixture(autouse=True, scope="module")
def a_cache_of_our_own(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def both(program):
    """Return the plain module of a program and the compiled one, optimised less: that takes less time."""
    text = codegen.source(program, style="compiled").replace('FLAGS = "-O3', 'FLAGS = "-O1')
    return module_from(program.name, codegen.source(program)), module_from(program.name, text)


def agree(ours, theirs, digits):
    assert type(ours[0]) is type(theirs[0])
    assert np.allclose(ours[0], theirs[0], rtol=10.0**-digits)
    for name, a, b in zip(ours[1]._fields, ours[1], theirs[1], strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype), name
        assert np.abs(a - b).max() <= 10.0**-digits * max(1e-30, np.abs(b).max()), name


@every_network
def test_compiled_says_what_plain_says(name):
    plain, compiled = both(NETWORKS[name].backward())
    given = sample(NETWORKS[name].backward(), plain)
    truth = plain.loss_and_grads(**given)
    agree(compiled.loss_and_grads(**given), truth, 12)
    strided = {n: np.repeat(a, 2, axis=-1)[..., ::2] if np.ndim(a) else a for n, a in given.items()}
    workspace = compiled.Workspace()
    for _ in range(2):
        agree(compiled.loss_and_grads(**strided, workspace=workspace), truth, 12)
    single = {n: a.astype(np.float32) if getattr(a, "dtype", None) == np.float64 else a for n, a in given.items()}
    agree(compiled.loss_and_grads(**single), plain.loss_and_grads(**single), 3)


@every_network
def test_compiled_says_it_of_blocks_of_rows_too(name):
    text = codegen.source(NETWORKS[name].backward(), style="compiled").replace('FLAGS = "-O3', 'FLAGS = "-O1')
    apart = re.sub(r"rows = -\(.* / rows\)\)\)", "rows = 1", text)
    if "# a block stays in cache" not in text:
        pytest.skip("its rows depend on each other, or C goes through all of it by rows")
    assert apart != text                        # each row is a block of its own
    plain, compiled = module_from(name, codegen.source(NETWORKS[name].backward())), module_from(name, apart)
    given = sample(NETWORKS[name].backward(), plain)
    for a in given.values():
        if isinstance(a, np.ndarray):
            a.flags.writeable = False
    workspace = compiled.Workspace()
    for _ in range(2):
        agree(compiled.loss_and_grads(**given, workspace=workspace), plain.loss_and_grads(**given), 11)


@pytest.mark.parametrize("name", ["layer_norm", "skip_gram"])
@pytest.mark.parametrize("draw", ["±1e4", "1e-20", "±1e4 and 1e-20", "0"])
def test_extremes_stay_finite(name, draw):
    _, compiled = both(NETWORKS[name].backward())
    for dtype in (np.float32, np.float64):
        given, extra = drawn(name, draw=draw, dtype=dtype)
        loss, grads = compiled.loss_and_grads(**given, **extra)
        assert np.isfinite(loss) and all(np.isfinite(g).all() for g in grads)


def odd_reads(net):
    """Rows read as columns, shifted, and at labels; one size twice; an index that is called like a variable."""
    N, D = net.sizes("N D")
    X, y, double = net.input("X", N, D), net.labels("y", N, classes=D), net.parameter("double", D)
    n, m, d, k = net.indices(n=N, m=N, X=D, k=D - 1)
    S = net.define("S", Sum(tanh(X[n, d] * double[d] - X[m, d]), d), over=(n, m))
    R = net.define("R", exp(S[m, n]) * softplus(S[n, m] - 2), over=(n, m))
    Z = net.define("Z", X[n, d] * double[d] ** 3, over=(n, d))
    net.loss = mean(R) + Sum(Z[n, y[n]], n) + Sum((Z[n, k + 1] - Z[n, k]) ** 2, n, k)


def sums_and_maxima(net):
    """Sums over the first axis, the last, both and the middle; a maximum with ties; softmax over the first axis."""
    N, T, D = net.sizes("N T D")
    X, w, V = net.input("X", N, T, D), net.parameter("w", D), net.parameter("V", T, D)
    n, t, d = net.indices(n=N, t=T, d=D)
    Z = net.define("Z", relu(X * w) + V)
    a = net.define("a", Sum(Z[n, t, d] ** 2, n, d) / N, over=t)
    b = net.define("b", Maximum(relu(Z[n, t, d]), t), over=(n, d))
    c = net.define("c", Sum(sigmoid(Z[n, t, d]) * a[t], t), over=(n, d))
    P = net.define("P", softmax(Z, axis=0))
    Q = net.define("Q", Sum(tanh(Z[n, t, d]), n, d), over=t)
    R = net.define("R", Sum(P[n, t, d] * Q[t], n, t), over=d)
    S = net.define("S", Sum(Z[n, t, d] ** 3, t), over=(d, n))
    net.loss = mean(b * c) + total(P**2) + mean(a) + total(R**2) + total(S)


def rows_of_classes(net):
    N, D, C = net.sizes("N D C")
    X, y = net.input("X", N, D), net.labels("y", N, classes=C)
    W, b = net.parameter("W", D, C), net.parameter("b", C)
    net.loss = mean(cross_entropy(2 * tanh(X @ W + b), y))


@pytest.mark.parametrize("write", [odd_reads, sums_and_maxima, rows_of_classes])
def test_loops_are_shared_only_where_they_may_be(write):
    net = Network(write.__name__)
    write(net)
    program = net.backward()
    plain, compiled = both(program)
    for seed in range(2):
        given = sample(program, plain, seed)
        agree(compiled.loss_and_grads(**given), plain.loss_and_grads(**given), 12)


def test_one_pass_over_rows_computes_a_normalisation():
    net = Network("rows")
    N, D = net.sizes("N D")
    x, Y = net.parameter("x", N, D), net.input("Y", N, D)
    n, d = net.indices(n=N, d=D)
    m = net.define("m", mean(x, axis=1))
    v = net.define("v", Sum((x[n, d] - m[n]) ** 2, d) / D, over=n)
    h = net.define("h", (x[n, d] - m[n]) / (v[n] + 1), over=(n, d))
    net.loss = mean((h - Y) ** 2)
    text = codegen.source(net.backward(), style="compiled")
    assert text.count("_call(compiled.") == 1 and text.count("for (int64_t n = 0; n < N; n++)") == 1


def test_what_is_made_of_one_exponential_takes_it_once():
    net = Network("once", "A softplus, a silu, and their derivatives")
    N, D = net.sizes("N D")
    x = net.parameter("x", N, D)
    u = net.define("u", tanh(x))
    p = net.define("p", softplus(u))
    q = net.define("q", x * sigmoid(x))
    net.loss = total(p**2) + total(q)
    program = net.backward()
    text = codegen.source(program, style="compiled")
    own = text[text.rindex("static inline"):]
    assert own.count("= v_half_exp(") == 2 and not re.search(r"v_(softplus|slope|sigmoid)\(", own)
    for loop in re.split(r"for \(", own):
        assert len(re.findall(r"v_(?:tanh|half_exp|softplus_by)\(", loop)) <= 1
    plain, compiled = both(program)
    for scale in (1, 40, 1e4):
        given = sample(program, plain)
        given["x"] = given["x"] * scale
        agree(compiled.loss_and_grads(**given), plain.loss_and_grads(**given), 12)


def test_not_a_number_stays_one():
    program = NETWORKS["layer_norm"].backward()
    plain, compiled = both(program)
    given = sample(program, plain)
    name = program.inputs[0].name
    given[name][0, 0] = np.nan
    assert np.isnan(compiled.loss_and_grads(**given)[0])


def test_numpy_serves_without_a_compiler_and_says_so_once(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    plain, compiled = both(NETWORKS["skip_gram"].backward())
    given = sample(NETWORKS["skip_gram"].backward(), plain)
    with pytest.warns(RuntimeWarning, match="^NumPy computes what C would: .*no-such-compiler.*; CC names the comp"):
        found = compiled.loss_and_grads(**given)
    truth = plain.loss_and_grads(**given)
    assert found[0] == truth[0]
    assert all(np.allclose(a, b, rtol=0, atol=1e-15) for a, b in zip(found[1], truth[1], strict=True))  # rows added up
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled.loss_and_grads(**given)


def test_where_there_is_nothing_to_compile_the_style_is_fast():
    program = NETWORKS["guess"].backward()
    told = "Nothing in it is elementwise on arrays: there is nothing to compile, and this is the style fast.\n"
    text = codegen.source(program, style="compiled")
    assert told in text and text.replace(told, "") == codegen.source(program, style="fast")


# ---- functions

TRUTH = {
    "exp": mpmath.exp, "expm1": mpmath.expm1, "log": mpmath.log, "log1p": mpmath.log1p, "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)), "slope": lambda x: 1 / (2 + mpmath.exp(x) + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
}
LEAST = {"log": 0, "log1p": -1}


@pytest.fixture(scope="module")
def functions(tmp_path_factory):
    """Return the functions in C, on arrays, by dtype."""
    loops = [f"void f_{name}(const real *x, real *y, int64_t n) {{ for (int64_t i = 0; i < n; i++) "
             f"y[i] = v_{name}(x[i]); }}" for name in TRUTH]
    text, found = "\n".join([PRELUDE, definitions(TRUTH), *loops]), {}
    for dtype, flags in ((np.float32, ["-DSINGLE"]), (np.float64, [])):
        path = tmp_path_factory.mktemp("functions") / "functions.so"
        subprocess.run([*COMPILER, "-O1", "-shared", "-fPIC", *flags, "-x", "c", "-", "-o", str(path), "-lm"],
                       input=text.encode(), check=True)
        found[dtype] = ctypes.CDLL(str(path))
    return found


def called(library, name, x):
    y = np.empty_like(x)
    getattr(library, f"f_{name}")(ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data),
                                  ctypes.c_int64(x.size))
    return y


def points(dtype):
    """Return numbers of all sizes: where exponentials overflow, denormals, both ends of the range."""
    limits, random = np.finfo(dtype), np.random.default_rng(0)
    top = -np.log(float(limits.smallest_subnormal)) + 1
    exponents = random.uniform(np.log10(float(limits.smallest_subnormal)), np.log10(float(limits.max)), 150)
    some = [random.uniform(-top, top, 250), random.normal(size=200), random.uniform(0.3, 3, 150), 10**exponents,
            -(10**exponents), [0, 1, -1, limits.tiny, -limits.tiny, limits.max, limits.smallest_subnormal]]
    return np.concatenate(some).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", TRUTH)
def test_functions_are_within_four_units_in_the_last_place(functions, name, dtype):
    x = points(dtype)
    x = x[x > LEAST.get(name, -np.inf)]
    largest, least = float(np.finfo(dtype).max), float(np.finfo(dtype).smallest_subnormal)
    with mpmath.workprec(200):
        for at, found in zip(x.tolist(), called(functions[dtype], name, x).tolist(), strict=True):
            true = TRUTH[name](mpmath.mpf(max(-2000.0, min(2000.0, at)) if name not in LEAST else at))
            if name == "softplus" and at > 2000:
                true = mpmath.mpf(at)
            if true > largest:
                assert found == np.inf, at
                continue
            unit = max(float(np.spacing(np.nextafter(dtype(abs(float(true))), dtype(0)))), least)
            assert abs(mpmath.mpf(found) - true) <= 4 * unit, at


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_at_the_ends(functions, dtype):
    ends = np.array([np.inf, -np.inf, np.nan, 0, -1, -2], dtype)
    inf, nan = np.inf, np.nan
    for name, expected in {
        "exp": (inf, 0, nan, 1), "expm1": (inf, -1, nan, 0), "tanh": (1, -1, nan, 0), "sigmoid": (1, 0, nan, 0.5),
        "softplus": (inf, 0, nan), "slope": (0, 0, nan, 0.25), "log": (inf, nan, nan, -inf, nan, nan),
        "log1p": (inf, nan, nan, 0, -inf, nan),
    }.items():
        assert np.array_equal(called(functions[dtype], name, ends)[:len(expected)], np.array(expected, dtype),
                              equal_nan=True), name
