"""The fast style of programs of one function: what the plain style says, in arrays that are used again."""

import re
import tracemalloc
from functools import cache

import numpy as np
import pytest
from sympy import Sum, exp

import codegen
from codegen.memory import module_from
from codegen.product_text import taken_apart
from codegen.results import OF
from codegen.verify import sample
from derive import Network, binary_cross_entropy, mean, total
from derive.errors import DefinitionError, DerivationError
from derive.networks import loading

from .shipped import with_sizes

NETWORKS = {net.name: net for net in loading.load()}
FUNCTIONS = ("hessian", "hessian_vector_product", "per_example_gradients")
QUICK = {"hessian": ("softmax_regression", "autoencoder", "max_pooling"),
         "hessian_vector_product": ("mlp", "lstm", "guess", "gaussian_mixture"),
         "per_example_gradients": ("mlp", "skip_gram", "soft_targets")}
LONG = ("gpt", "transformer_block", "convolution_2d")           # Hessians of these are of thousands of lines
every_function = pytest.mark.parametrize(("name", "of"), [
    pytest.param(name, of, marks=() if name in QUICK[of] else pytest.mark.slow)
    for of in FUNCTIONS for name in NETWORKS if not (of == "hessian" and name in LONG)])


@cache
def texts(name, of):
    try:
        net = NETWORKS[name]
        program = net.per_example_gradients("N") if (name, of) == ("skip_gram", FUNCTIONS[2]) else OF[of](net)
    except DefinitionError as refused:
        pytest.skip(f"not for this network: {refused}")
    return program, *(codegen.source(program, style=style) for style in ("plain", "fast"))


def functions(name, of, rows=None):
    """Return the function in both styles, its module in the fast one, and arguments; blocks are of so many rows."""
    program, plain, fast = texts(name, of)
    if rows:
        fast = re.sub(r"rows = -\(.*", f"rows = {rows}", fast)
    plain, fast = module_from(name, plain), module_from(name, fast)
    gradients = NETWORKS[name].backward()
    arguments = sample(gradients, module_from(name, codegen.source(gradients)))
    if program.directions:
        random = np.random.default_rng(0)
        arguments["direction"] = [random.normal(size=np.shape(arguments[p.name])) for p in gradients.parameters]
    return getattr(plain, program.function), getattr(fast, program.function), fast, arguments


def agree(ours, theirs, digits):
    pairs = zip(ours, theirs, strict=True) if isinstance(theirs, tuple) else [(ours, theirs)]
    for k, (a, b) in enumerate(pairs):
        assert np.shape(a) == np.shape(b) and a.dtype == b.dtype, k
        assert np.max(np.abs(a - b), initial=0) <= 10.0**-digits * max(1e-30, np.max(np.abs(b), initial=0)), k


def scribbled(result):
    """Write over all of a result that can be written to."""
    for a in result if isinstance(result, tuple) else (result,):
        if isinstance(a, np.ndarray) and a.flags.writeable:
            a[...] = np.nan


@every_function
def test_fast_says_what_plain_says_in_a_workspace_that_callers_write_to(name, of):
    plain, fast, module, arguments = functions(name, of)
    want, workspace = plain(**arguments), module.Workspace()
    agree(fast(**arguments), want, 11)
    seen = []
    for _ in range(3):
        result = fast(**arguments, workspace=workspace)
        agree(result, want, 11)
        scribbled(result)
        seen.append({k: id(a) for k, a in workspace.flat.items()})
    assert seen[0] == seen[1] == seen[2]
    single = {n: [d.astype(np.float32) for d in a] if n == "direction" else a.astype(np.float32)
              if getattr(a, "dtype", None) == np.float64 else a for n, a in arguments.items()}
    agree(fast(**single, workspace=workspace), plain(**single), 2)
    agree(fast(**arguments, workspace=workspace), want, 11)


@every_function
def test_a_row_at_a_time_says_the_same(name, of):
    plain, fast, module, arguments = functions(name, of, 1)
    workspace = module.Workspace()
    for _ in range(2):
        agree(fast(**arguments, workspace=workspace), plain(**arguments), 10)


@pytest.mark.parametrize(("code", "parts"), [
    ("A @ B", ("A", "B", "", "")),
    ("(A @ B).T", ("A", "B", "", ".T")),
    ("(A.reshape(N, -1).T @ (B - c)).reshape(D, 2 * K, K)", ("A.reshape(N, -1).T", "B - c", "D, 2 * K, K", "")),
    ("(A @ B.mT).reshape(D, K, K).transpose(1, 0, 2)", ("A", "B.mT", "D, K, K", ".transpose(1, 0, 2)")),
    ("(A @ B).sum(axis=0)", None),
    ("A @ B + C", None),
    ("A.transpose(1, 0, 2)", None),
])
def test_products_are_taken_apart(code, parts):
    found = taken_apart(code)
    assert (found and (found.left, found.right, found.sizes, found.turn)) == parts


def logistic(weights="w"):
    net = Network("logistic", "Logistic regression")
    N, D = net.sizes("N D")
    w, X, y = net.parameter(weights, D), net.input("X", N, D), net.input("y", N)
    z = net.define("diagonal", X @ w)
    net.loss = mean(binary_cross_entropy(z, y))
    return net


@pytest.mark.parametrize("rows", [7, 20_000])           # all at once, and in blocks
def test_the_hessian_of_logistic_regression_is_the_textbooks(rows):
    random = np.random.default_rng(0)
    X, w, y = random.normal(size=(rows, 40)), random.normal(size=40), random.integers(0, 2, rows)
    p = 1 / (1 + np.exp(-X @ w))
    want = X.T @ (X * (p * (1 - p))[:, None]) / rows
    hessian = codegen.lambdify(logistic("n").hessian(), style="fast")          # names that the module would take
    workspace = hessian.module.Workspace()
    for _ in range(2):
        assert np.allclose(hessian(w, X, y, workspace=workspace), want, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_a_jacobian_of_brackets_alone_is_of_numbers(style):
    net = Network("blocks", "Rows of blocks, each with a number added")
    N, G = net.sizes("N G")
    M = net.size("M", 2 * G)
    b, X = net.parameter("b", M), net.input("X", N, G, 2)
    n, g, m = net.indices(n=N, g=G, m=2)
    y = net.define("y", X[n, g, m] + b[2 * g + m], over=(n, g, m))
    net.loss = total(y**2)
    J = codegen.lambdify(net.jacobian("y", "b"), style=style)(np.ones(6, np.float32), np.ones((4, 3, 2)))
    [J] = J if isinstance(J, tuple) else (J,)
    assert J.dtype == np.float32 and np.array_equal(J.reshape(4, 6, 6), np.broadcast_to(np.eye(6), (4, 6, 6)))


@pytest.mark.parametrize("of", ["backward", "hessian", "hessian_vector_product"])
def test_blocks_share_what_has_no_rows(of):
    net = Network("penalised", "Logistic regression with penalties, one of them on a weight of its own")
    N, D = net.sizes("N D")
    w, v, lam = net.parameter("w", D), net.parameter("v", D), net.input("lam")
    X, y = net.input("X", N, D), net.input("y", N)
    norms = net.define("norms", total(w**2) + total(v**4))
    net.loss = 3 * (mean(binary_cross_entropy(X @ w, y)) + lam * norms / 2) - 1
    program = getattr(net, of)()
    text = codegen.source(program, style="fast")
    assert "for n in range(0, N, rows):" in text
    module = module_from("penalised", re.sub(r"rows = -\(.*", "rows = 4", text))       # 11 rows: 4, 4 and 3
    random = np.random.default_rng(0)
    arguments = [random.normal(size=s) for s in ((5,), (5,), (), (11, 5), (11,))]
    arguments += [[np.ones(5), np.arange(5.0)]] if program.directions else []
    ours = getattr(module, program.function or "loss_and_grads")(*arguments)
    theirs = codegen.lambdify(program)(*arguments)
    if not program.function:
        assert np.isclose(ours[0], theirs[0], rtol=1e-13)
        ours, theirs = ours[1], theirs[1]
    agree(ours, theirs, 13)


def test_the_hessian_of_a_row_picked_by_its_number_is_there_alone():
    net = Network("last", "Cubes of the last row")
    C, A = net.sizes("C A")
    w, x = net.parameter("w", C, A), net.input("x", A)
    a, = net.indices(a=A)
    net.loss = Sum(w[C - 1, a]**3 * x[a], a)
    W, X = np.arange(6.0).reshape(2, 3), np.array([1.0, 2.0, 3.0])
    want = np.zeros((2, 3, 2, 3))
    want[1, range(3), 1, range(3)] = 6 * W[1] * X
    for style in ("plain", "fast"):
        assert np.array_equal(codegen.lambdify(net.hessian(), style=style)(W, X), want)


def test_a_block_that_is_one_number_everywhere_has_its_shape():
    net = Network("scaled", "A sum of weights, scaled")
    D = net.size("D")
    w, u = net.parameter("w", D), net.parameter("u")
    s = net.define("s", exp(u))
    net.loss = total(w) * s
    for style in ("plain", "fast"):
        H = codegen.lambdify(net.hessian(), style=style)(np.ones(3), 0.5)
        assert np.allclose(H.w_u, np.full(3, np.exp(0.5)), rtol=1e-15) and H.w_u.shape == (3,)


@pytest.mark.parametrize("number", [47, 74, *(pytest.param(k, marks=pytest.mark.slow) for k in range(40))])
def test_fast_says_it_of_products_of_random_programs(number):
    sweep = pytest.importorskip("tests.sweep", reason="PyTorch is an extra", exc_type=ImportError)
    judges = pytest.importorskip("tests.sweep_judges", reason="PyTorch is an extra", exc_type=ImportError)
    net, sizes, _ = sweep.network(number, stream="wider")
    program = net.hessian_vector_product()
    plain, fast = (codegen.lambdify(program, style=style) for style in ("plain", "fast"))
    given = judges.arguments(net.program(), {s: sizes[s.name] for s in program.sizes}, 0)
    given |= with_sizes(plain, {s: sizes[s.name] for s in program.sizes})
    random = np.random.default_rng(number)
    given["direction"] = [random.normal(size=np.shape(given[p.name])) for p in program.parameters]
    with np.errstate(all="ignore"):
        ours, theirs = fast(**given), plain(**given)
    for a, b in zip(ours, theirs, strict=True):
        assert np.allclose(a, b, rtol=1e-9, atol=1e-9 * max(1e-30, np.max(np.abs(b))), equal_nan=True)


def factorisation():
    net = Network("factorisation", "Half the squared error of U V'")
    M, N, K = net.sizes("M N K")
    U, V, T = net.parameter("U", M, K), net.input("V", N, K), net.input("T", M, N)
    Omega = net.input("Omega", M, N)
    net.loss = total(Omega * (T - U @ V.T)**2) / 2
    return net.hessian()


def test_zeros_that_are_written_once_are_there_whatever_the_workspace_has_seen():
    hessian, random = codegen.lambdify(factorisation(), style="fast"), np.random.default_rng(0)
    workspace = hessian.module.Workspace()
    for M, N, K, dtype in ((5, 4, 2, float), (5, 4, 2, float), (10, 4, 1, float), (2, 3, 5, float), (5, 4, 2, float),
                           (5, 4, 2, np.float32), (10, 3, 1, np.float32), (5, 4, 2, np.float32)):
        U, V, T = (random.normal(size=s).astype(dtype) for s in ((M, K), (N, K), (M, N)))
        Omega = random.integers(0, 2, (M, N))
        want = np.zeros((M, K, M, K))
        for m in range(M):
            want[m, :, m] = V.T @ (Omega[m][:, None] * V)
        H = hessian(U, V, T, Omega, workspace=workspace)
        assert H.dtype == dtype and np.allclose(H, want, rtol=1e-5)
        with pytest.raises(ValueError, match="read-only"):
            H += 1
        assert hessian(U, V, T, Omega).flags.writeable


def test_what_is_put_into_zeros_is_set():
    assert "H_U_U[np.arange(M), :, np.arange(M)] = J_dU" in codegen.source(factorisation())


@pytest.mark.parametrize("of", ["hessian", "hessian_vector_product", "per_example_gradients"])
def test_arrays_are_those_of_the_workspace_in_the_steady_state(of):
    program = OF[of](NETWORKS["softmax_regression"])
    fast = module_from(of, codegen.source(program, style="fast"))
    random, (N, D, C) = np.random.default_rng(0), (400, 30, 20)
    arguments = {"W": random.normal(size=(D, C)), "b": random.normal(size=C), "X": random.normal(size=(N, D)),
                 "y": random.integers(0, C, N)}
    if program.directions:
        arguments["direction"] = [np.ones((D, C)), np.ones(C)]
    function, workspace = getattr(fast, program.function), fast.Workspace()
    result = function(**arguments, workspace=workspace)
    tracemalloc.start()
    function(**arguments, workspace=workspace)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()                  # NumPy's own buffers, of 8192 numbers, count
    assert peak < max(2**17, sum(a.nbytes for a in workspace.flat.values()) / 4)
    assert any(np.shares_memory(result[0], a) for a in workspace.flat.values())


def test_compiled_says_that_it_is_fast_and_scalar_is_refused():
    program = logistic().hessian()
    fast, compiled = (codegen.source(program, style=style) for style in ("fast", "compiled"))
    told = "C is generated for losses and their gradients alone: this is the style fast.\n"
    assert told in compiled and compiled.replace(told, "") == fast
    with pytest.raises(DerivationError, match="scalar is for losses and gradients, and logistic_hessian computes"):
        codegen.source(program, "scalar")
