"""Each step of the fast style's planner, on programs of its kind: equal to the plain style, which it leaves alone."""

import math
import re
from contextlib import nullcontext

import numpy as np
import pytest
from scipy.special import expit
from sympy import Abs, KroneckerDelta, Piecewise, Sum, exp, log, oo, sign, tanh

import codegen
from codegen.arrays_at_hand import with_arrays_at_hand
from codegen.known_factors import with_known_factors_ahead
from codegen.lowering import lowered
from codegen.maxima import with_relus_after_maxima
from codegen.memory import module_from
from codegen.shared_exponentials import capped_exp, with_shared_exponentials
from codegen.slots import in_slots
from codegen.statements import Statement
from codegen.unstacked import with_gates_apart
from derive import (
    FirstMaximum,
    LogSumExp,
    Maximum,
    Network,
    cross_entropy,
    mean,
    padded,
    relu,
    sigmoid,
    softmax,
    softplus,
    total,
)
from derive.functions import softplus as softplus_function
from derive.networks import named
from derive.program import is_cyclic


def same(program, sizes, rng, draw=None, rtol=1e-12, given=None):
    """Compare loss and gradients of the two styles, twice in one workspace; `given` are sizes that arguments hide."""
    draw = draw or rng.normal
    arguments = {v.name: np.asarray(draw(size=[int(s.xreplace({t: sizes[t.name] for t in s.free_symbols}))
                                               for s in v.shape]), float)
                 for v in (*program.parameters, *program.inputs)} | (given or {})
    plain, fast = codegen.lambdify(program), codegen.lambdify(program, style="fast")
    workspace = fast.module.Workspace()
    loss, grads = plain(**arguments)
    for _ in range(2):
        again, theirs = fast(**arguments, workspace=workspace)
        assert np.isclose(again, loss, rtol=rtol)
        for name, g in grads._asdict().items():
            assert np.allclose(getattr(theirs, name), g, rtol=rtol, atol=1e-14), name


def pooled(largest, also=False):
    """Return relus of which the largest of three is wanted."""
    net = Network("pooled", "The largest of three relus")
    N, I = net.sizes("N I")
    U = net.size("U", 3 * I)
    X, w = net.parameter("X", N, U), net.input("w", N, I)
    n, i, r = net.indices(n=N, i=I, r=3)
    Z = net.define("Z", X - 1)
    R = net.define("R", relu(Z))
    M = net.define("M", largest(R[n, 3 * i + r], r), over=(n, i))
    net.loss = total(M**3 * w) + (total(R**2) if also else 0)
    return net.backward()


@pytest.mark.parametrize("largest", [FirstMaximum, Maximum])
def test_relus_are_taken_of_maxima(largest):
    program = pooled(largest)
    turned = with_relus_after_maxima(program)
    assert "R" in {e.name for e in program.equations} and "R" not in {e.name for e in turned.equations}
    rng = np.random.default_rng(0)
    same(program, {"N": 40, "I": 5, "U": 15}, rng)
    same(program, {"N": 40, "I": 5, "U": 15}, rng, lambda size: rng.integers(-2, 3, size))      # ties, at 0 too


def test_relus_that_others_read_stay_where_they_are():
    program = pooled(FirstMaximum, also=True)
    assert with_relus_after_maxima(program) is program


def gated(last, also=False):
    """Return a recurrence of two gates, stacked along its last axis or the one before; a loss of them too if `also`."""
    net = Network("gated", "A recurrence of a value and a gate")
    T, N, D, K = net.sizes("T N D K")
    U, b = net.parameter("U", K, 2, K), net.parameter("b", 2, K)
    W, X, Y = net.parameter("W", D, 2, K), net.input("X", T, N, D), net.input("Y", T, N, K)
    t, n, d, k, j, q = net.indices(t=T, n=N, d=D, k=K, j=K, q=2)
    h = net.state("h", T, N, K, initial=0)
    rows = (t, n, k, q) if last else (t, n, q, k)
    z = net.define("z", Sum(X[t, n, d] * W[d, q, k], d) + Sum(h[t - 1, n, j] * U[j, q, k], j) + b[q, k], over=rows)
    value, gate = (z[t, n, k, 0], z[t, n, k, 1]) if last else (z[t, n, 0, k], z[t, n, 1, k])
    net.define(h, sigmoid(gate) * tanh(value) + (1 - sigmoid(gate)) * h[t - 1, n, k], over=(t, n, k))
    net.loss = mean((h - Y) ** 2) + (Sum(z[rows] ** 2, *rows) if also else 0)
    return net.backward()


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("also", [False, True])
def test_gates_are_arrays_of_their_own(last, also):
    program = gated(last, also)
    names = {e.name for e in with_gates_apart(program).equations}
    assert {"z_0", "z_1", "dz_0", "dz_1"} <= names and not names & {"z", "dz"}
    same(program, {"T": 5, "N": 3, "D": 4, "K": 6}, np.random.default_rng(0), rtol=1e-11)


def test_slopes_are_there_before_the_loop():
    low = lowered(with_gates_apart(gated(False)))
    ahead = with_known_factors_ahead(low)
    assert {"slope_z_0", "slope_z_1"} <= set(ahead.program.variables) - set(low.program.variables)
    assert {"slope_z_0", "slope_z_1"} <= ahead.backward


def test_a_loop_back_through_gates_multiplies_once_for_each():
    low = with_known_factors_ahead(lowered(with_gates_apart(named("lstm").backward())))
    loop = {e.name: e.rhs for group in low.program.groups() if is_cyclic(group) for e in group
            if e.name in low.backward}
    assert not {"df", "di", "do"} & set(loop) and "slope_c" in low.backward
    gates = [rhs for name, rhs in loop.items() if name not in ("dh", "dc")]
    assert len(gates) == 4 and all(rhs.is_Mul and len(rhs.args) == 2 for rhs in gates)
    code = codegen.source(named("lstm").backward(), style="fast")
    assert len(re.findall(r"^    (d\w+) = slope_\w+ ", code, re.M)) == 4       # their rows are written over the factors


def test_a_branch_that_is_an_argument_is_not_written_over():
    net = Network("alternating", "A recurrence with one weight in its first turn and another in the others")
    T, K = net.sizes("T K")
    u, v = net.parameter("u", K), net.parameter("v", K)
    t, k = net.indices(t=T, k=K)
    h = net.state("h", T, K, initial=1)
    net.define(h, Piecewise((u[k], t >= 1), (v[k], True)) * h[t - 1, k] + 1, over=(t, k))
    net.loss = total(h**2)
    f = codegen.lambdify(net.backward(), style="fast")
    u, v = np.array([2.0, 3.0]), np.array([5.0, 7.0])
    loss, grads = f(u, v, T=2)
    first, second = v + 1, (v + 1) * u + 1
    assert (u == [2, 3]).all() and (v == [5, 7]).all() and np.isclose(loss, sum(first**2 + second**2))
    assert np.allclose(grads.u, 2 * second * first) and np.allclose(grads.v, 2 * first + 2 * second * u)


def test_a_softplus_and_a_sigmoid_share_their_exponential():
    net = Network("soft", "Softpluses, of which the gradient takes sigmoids")
    N, D = net.sizes("N D")
    X, w = net.parameter("X", N, D), net.input("w", N, D)
    net.loss = mean(softplus(X) ** 2 * w)
    program = net.backward()
    shared = with_shared_exponentials(lowered(program).program)
    assert sum(len(e.rhs.atoms(capped_exp)) for e in shared.equations) == 1
    assert not any(e.rhs.has(sigmoid, softplus_function) for e in shared.equations)
    same(program, {"N": 40, "D": 5}, np.random.default_rng(0))
    everywhere = np.linspace(-800, 800, 6000)
    same(program, {"N": 2, "D": 3000}, np.random.default_rng(0), lambda size: everywhere.reshape(size))


def test_so_they_do_in_the_plain_style():
    program = named("logistic_regression").backward()
    text = codegen.source(program)
    assert text.count("_capped_exp(z)") == 1 and "_sigmoid(z)" not in text and "_softplus(z)" not in text
    z = np.array([-1e4, -700, -40, -1e-20, 0, 1e-20, 9, 40, 700, 1e4])
    for k in range(len(z)):
        loss, grads = codegen.lambdify(program)(np.ones(1), np.zeros(()), z[k:k + 1, None], np.zeros(1))
        assert np.isclose(loss, np.logaddexp(0, z[k]), rtol=1e-15, atol=0)
        assert np.isclose(grads.w, z[k] * expit(z[k]), rtol=1e-15, atol=0)
        assert np.isclose(grads.b, expit(z[k]), rtol=1e-15, atol=0)


def test_sums_and_maxima_of_rows_and_columns_are_those_of_numpy():
    net = Network("rows", "Sums and maxima over each axis")
    N, T, D = net.sizes("N T D")
    X, w = net.parameter("X", N, T, D), net.parameter("w", D)
    Z = net.define("Z", softplus(relu(X * w)))
    P = net.define("P", softmax(X, axis=-1))
    net.loss = total(mean(Z, axis=-1) ** 3) + total(P**2) + total(tanh(mean(Z, axis=0)))
    assert "_column_sums(Z, 2)" in codegen.source(net.backward(), style="fast")
    same(net.backward(), {"N": 3, "T": 5, "D": 7}, np.random.default_rng(0))


@pytest.mark.parametrize("fails", [False, True])
def test_blocks_stay_in_cache_and_leave_the_buffer_of_numpy_as_it_was(fails, monkeypatch):
    net = Network("rows", "Rows that go through in blocks")
    N, D = net.sizes("N D")
    X, w = net.input("X", N, D), net.parameter("w", D)
    net.loss = total(net.define("A", tanh(X * w)))
    module = codegen.lambdify(net.backward(), style="fast").module
    X, before, used, blocks = np.ones((300, 3000)), np.getbufsize(), [], []

    def computed(*arguments, computed=module._computed, **sizes):
        used.append(np.getbufsize())
        blocks.append(len(arguments[1]))
        return computed(*arguments, **sizes) if not fails else 1 / 0

    monkeypatch.setattr(module, "_computed", computed)
    with pytest.raises(ZeroDivisionError) if fails else nullcontext():
        module.loss_and_grads(np.ones(3000), X)
    assert np.getbufsize() == before > used[-1]
    assert max(blocks) * 3000 * X.itemsize < 1.1 * 3 * 2**18    # X and A take about 1.5 MB together
    assert fails or (sum(blocks) == 300 and max(blocks) - min(blocks) <= len(blocks))


def test_a_bias_of_channels_takes_sums_over_the_axes_around_them():
    net = Network("channels", "A bias a channel")
    N, F, U, V = net.sizes("N F U V")
    X, b = net.input("X", N, F, U, V), net.parameter("b", F)
    n, f, u, v = net.indices(n=N, f=F, u=U, v=V)
    Z = net.define("Z", X[n, f, u, v] + b[f], over=(n, f, u, v))
    net.loss = total(exp(Z))
    assert "_row_sums(" in codegen.source(net.backward(), style="fast")
    same(net.backward(), {"N": 3, "F": 2, "U": 4, "V": 5}, np.random.default_rng(0))


def test_sums_of_products_of_what_is_computed_first_are_those_of_numpy():
    net = Network("products", "Sums of squares and of products, over all and over the last axis")
    N, D = net.sizes("N D")
    X, w = net.parameter("X", N, D), net.parameter("w", D)
    net.loss = mean((X - w) ** 2) + total(exp(X) * X) + total(tanh(total((X - 2) ** 2, axis=-1)))
    program = net.backward()
    code = codegen.source(program, style="fast")
    assert "_dots(work, work)" in code and "_inner(" in code
    same(program, {"N": 3, "D": 2000}, np.random.default_rng(0))


def test_a_loop_reduces_rows_as_the_lines_beside_it_do():
    net = Network("forward", "The forward algorithm, in logarithms")
    T, N, K = net.sizes("T N K")
    A, Y = net.parameter("A", K, K), net.input("Y", T, N, K)
    t, n, k, j = net.indices(t=T, n=N, k=K, j=K)
    a = net.state("a", T, N, K, initial=0)
    net.define(a, LogSumExp(a[t - 1, n, j] + A[j, k], j) + Y[t, n, k], over=(t, n, k))
    net.loss = Sum(LogSumExp(a[T - 1, n, k], k), n)
    program = net.backward()
    code = codegen.source(program, style="fast")
    assert "        T_a = _row_maxima(pre_a)" in code and "        S_a[t] = _row_sums(E_a[t])" in code
    same(program, {"T": 3, "N": 2, "K": 4}, np.random.default_rng(0))


@pytest.mark.parametrize("helper", ["row_sums", "column_sums", "row_maxima"])
@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 4), (4, 40), (1, 20000), (20000, 1)])
def test_helpers_reduce_as_numpy_does(helper, shape):
    from codegen.helpers import HELPERS

    module = module_from("helpers", f"import numpy as np\n{HELPERS[f'_{helper}']}")
    x = np.random.default_rng(0).normal(size=shape)
    others = tuple(range(len(shape) - 1))
    want = {"row_sums": x.sum(-1), "column_sums": x.sum(others), "row_maxima": x.max(-1)}[helper]
    assert np.allclose(getattr(module, f"_{helper}")(x), want, rtol=1e-12, atol=1e-12)
    if helper == "column_sums" and x.ndim == 3:
        assert np.allclose(module._column_sums(x, 2), x.sum(0), rtol=1e-12, atol=1e-12)
    if helper == "row_sums" and x.ndim == 3:
        assert np.allclose(module._row_sums(x, 2), x.sum((1, 2)), rtol=1e-12, atol=1e-12)
    if helper == "row_sums":
        middle = module_from("helpers", f"import numpy as np\n{HELPERS['_middle_sums']}")._middle_sums
        y, axes = np.random.default_rng(1).normal(size=(2, *shape, 3)), tuple(range(1, len(shape) + 1))
        assert np.allclose(middle(y, 1, len(shape)), y.sum(axis=axes), rtol=1e-12, atol=1e-11)
    if helper != "row_maxima":
        ones = np.ones(shape, bool)
        assert np.array_equal(getattr(module, f"_{helper}")(ones), ones.sum(-1 if helper == "row_sums" else others))


def test_a_block_of_many_layers_has_room_for_a_third_of_what_is_beyond_sixteen_arrays():
    net = Network("deep", "Layers of equal width")
    N, D = net.sizes("N D")
    A = net.input("X", N, D)
    for k in range(15):
        A = net.define(f"A{k}", tanh(A @ net.parameter(f"W{k}", D, D)))
    net.loss = mean(A**2)
    code = codegen.source(net.backward(), style="fast")
    arrays = int(re.search(r"rows = size / \((\d+) \* D\)", code)[1])
    assert arrays > 16 and f"{3 * (16 + (arrays - 16) // 3)} * 2**17 // W0.itemsize" in code


def test_a_mask_of_scores_is_laid_out_once_for_all_heads():
    net = Network("masked", "Scores of several heads, masked by lengths")
    N, H, T = net.sizes("N H T")
    Q, K, l = net.parameter("Q", N, H, T, T), net.input("K", N, H, T), net.labels("l", N, classes=T)
    n, h, t, s = net.indices(n=N, h=H, t=T, s=T)
    S = net.define("S", Piecewise((Q[n, h, t, s] * K[n, h, s], s <= l[n]), (-oo, True)), over=(n, h, t, s))
    net.loss = total(net.define("P", softmax(S)) ** 2)
    fast, plain = (codegen.lambdify(net.backward(), style=style) for style in ("fast", "plain"))
    assert "np.fmin(S, work[:, None, None, :], out=S)" in fast.module.__source__
    rng = np.random.default_rng(0)
    arguments = rng.normal(size=(3, 2, 4, 4)), rng.normal(size=(3, 2, 4)), np.array([0, 3, 2])
    arguments[0][0, :, :, 1:] = [1e300, np.inf, np.nan]     # what is masked may be what it likes
    assert np.array_equal(fast(*arguments)[1].Q[0, :, :, 1:], np.zeros((2, 4, 3)))
    assert all(np.allclose(a, b) for a, b in zip(fast(*arguments)[1], plain(*arguments)[1], strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_error_function_of_many_numbers_is_that_of_single_ones(dtype):
    from codegen.helpers import HELPERS

    pytest.importorskip("scipy", reason="SciPy is an extra")
    module = module_from("helpers", f"import numpy as np\nfrom scipy.special import erf\n{HELPERS['_erf_into']}")
    small = 10.0 ** np.linspace(-37, -1, 1000)
    ends = [0, 1e30, -1e30, np.inf, -np.inf, np.nan]
    x = np.concatenate([np.linspace(-6, 6, 40_001), small, -small, ends]).astype(dtype)
    want = np.array([math.erf(float(v)) for v in x])
    written_over, strided = x.copy(), np.empty((len(x), 2), dtype)[:, 0]
    for given, out in (x, np.empty_like(x)), (written_over, written_over), (x, strided):
        found = module._erf_into(given, out)
        error = np.abs(found - want)[:-1] / np.spacing(np.abs(want[:-1]).astype(dtype))
        assert found is out and error.max() <= 4 and np.abs(found[:-1]).max() == 1 and np.isnan(found[-1])


def test_signs_are_not_taken_where_their_argument_is():
    net = Network("lasso", "Absolute errors of a product, and their signs")
    N, D = net.sizes("N D")
    W, X = net.parameter("W", D, D), net.input("X", N, D)
    R = net.define("R", X @ W - X)
    net.loss = total(Abs(R)) + total(sign(R - W[0]) * X)
    taken = re.findall(r"np\.sign\((\w+), out=array\(.(\w+)", codegen.source(net.backward(), style="fast"))
    assert len(taken) == 2 and all(of != where for of, where in taken)
    same(net.backward(), {"N": 4, "D": 3}, np.random.default_rng(0))


@pytest.mark.parametrize("P", [0, 2])
def test_zeros_around_an_array_may_be_none(P):
    sizes = {"N": 2, "G": 1, "M": 2, "J": 3, "U": 8, "K": 3, "S": 1, "L": 1, "C": 3, "F": 2, "P": P, "I": 6 + 2 * P}
    same(named("convolution_1d").backward(), sizes, np.random.default_rng(0), rtol=1e-11,
         given={"S": 1, "L": 1, "P": P})


@pytest.mark.parametrize(("K", "L", "P"), [(3, 1, 1), (2, 2, 0), (1, 1, 1), (4, 1, 0)])
def test_windows_slide_along_rows_and_whole_rows_are_added_up_both_ways(K, L, P):
    net = Network("two", "Two convolutions")
    N, C, U, V, F, G = net.sizes("N C U V F G")
    w1, w2, x = net.parameter("w1", F, C), net.parameter("w2", G, F, K, K), net.input("x", N, C, U, V)
    I, J = net.size("I", U + 2 * P - L * (K - 1)), net.size("J", V + 2 * P - L * (K - 1))
    n, c, f, g, u, v, i, j, p, q = net.indices(n=N, c=C, f=F, g=G, u=U, v=V, i=I, j=J, p=K, q=K)
    h = net.define("h", tanh(Sum(x[n, c, u, v] * w1[f, c], c)), over=(n, f, u, v))
    window = padded(h)[n, f, i + L * p - P, j + L * q - P]
    bias = net.parameter("b", G)[g] if P else 0
    net.loss = total(net.define("z", Sum(window * w2[g, f, p, q], f, p, q) + bias, over=(n, g, i, j)) ** 2)
    program = net.backward()
    assert ("rows_z" in codegen.source(program, style="fast")) == (K > 1)
    same(program, {"N": 2, "C": 2, "U": 7, "V": 6, "F": 3, "G": 2, "I": 7 + 2 * P - L * (K - 1),
                   "J": 6 + 2 * P - L * (K - 1)}, np.random.default_rng(0))


def test_a_gradient_that_nothing_adds_to_is_an_array_of_zeros():
    net = Network("unused", "A weight that the loss does not read")
    net.parameter("w")
    v = net.parameter("v")
    net.loss = v**2
    _, grads = codegen.lambdify(net.backward(), style="fast")(w=3.0, v=2.0)
    assert isinstance(grads.w, np.ndarray) and grads.w == 0 and grads.v == 4


@pytest.mark.parametrize(("read", "then"), [("_column_sums(dZ1)", "dA1"), ("dZ1[0]", "A1")])
def test_a_dead_array_is_written_over_where_it_is_read_and_is_dead_once_it_is_summed(read, then):
    filled = {"A1": "exp(X", "dA1": "sin(X", "dZ1": "multiply(dA1, A1 > 0", "Z1": "exp(X"}
    made = {name: Statement(name, (f'{name} = np.{call}, out=array("{name}", N, H))',), ("X",))
            for name, call in filled.items()}
    masked = Statement("dZ1", made["dZ1"].lines, ("dA1", "A1"))
    lines = [made["A1"], made["dA1"], masked, Statement("db1", (f"db1 = {read}",), ("dZ1",)), made["Z1"]]
    found = in_slots(lines, named("mlp").backward(), {"db1"})
    assert 'out=array("dA1"' in found[2].lines[0] and f'out=array("{then}"' in found[4].lines[0]


@pytest.mark.parametrize("style", ["fast", "compiled"])
def test_outputs_that_the_loss_does_not_need_are_computed_by_predict_alone(style):
    net = Network("outputs", "A classifier whose outputs are probabilities and a norm")
    N, D, C = net.sizes("N D C")
    X, y, W = net.input("X", N, D), net.labels("y", N, classes=C), net.parameter("W", D, C)
    Z = net.define("Z", X @ W)
    net.loss = mean(cross_entropy(Z, y))
    net.output(net.define("P", softmax(Z)), net.define("R", total(tanh(Z)**2)))
    text = codegen.source(net.backward(), style=style)
    assert "tanh" not in text[text.index("def _computed"):text.index("def predict")] and "np.positive" not in text
    rng = np.random.default_rng(0)
    given = {"W": rng.normal(size=(3, 4)), "X": rng.normal(size=(5, 3)), "y": np.array([0, 3, 1, 1, 2])}
    module = module_from("outputs", text)
    for _, grads in (module.loss_and_grads(**given), module.loss_and_grads(**given, workspace=module.Workspace())):
        P = np.exp(given["X"] @ given["W"])
        P /= P.sum(axis=1, keepdims=True)
        assert np.allclose(module.predict(given["W"], given["X"])[0], P)
        assert np.allclose(grads.W, given["X"].T @ (P - np.eye(4)[given["y"]]) / 5)


def test_an_array_is_not_written_over_while_it_is_read_by_another_name():
    made = Statement("Z1", ('Z1 = np.exp(X, out=array("Z1", N, H))',), ("X",))
    alias = Statement("A1", ("A1 = Z1",), ("Z1",))
    then = Statement("dZ1", ('dZ1 = np.multiply(b1, Z1, out=array("dZ1", N, H))', "dZ1 += A1"), ("b1", "Z1", "A1"))
    *_, found = in_slots([made, alias, then], named("mlp").backward(), set())
    assert 'out=array("dZ1"' in found.lines[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_arrays_of_a_workspace_begin_where_lines_of_the_cache_do(dtype):
    workspace = module_from("workspace", codegen.source(named("mlp").backward(), style="fast")).Workspace()
    array = workspace.arrays(np.dtype(dtype))
    for size in (1, 3, 100, 40000):
        assert array("A", size).ctypes.data % 64 == 0 and array("A", size).shape == (size,)


@pytest.mark.parametrize(("later", "dropped"), [("s <= t", True), ("s < t", False), ("t <= s", False)])
def test_a_choice_of_0_goes_where_a_masked_softmax_makes_it_0_already(later, dropped):
    net = Network("masked", "A softmax of what is not masked, masked again")
    N = net.size("N")
    Z, w = net.parameter("Z", N, N), net.input("w", N, N)
    t, s = net.indices(t=N, s=N)
    S = net.define("S", Piecewise((Z[t, s], s <= t), (-oo, True)), over=(t, s))
    P = net.define("P", softmax(S))
    again = {"s <= t": s <= t, "s < t": s < t, "t <= s": t <= s}[later]
    Q = net.define("Q", Piecewise((P[t, s], again), (0, True)), over=(t, s))
    net.loss = total(Q * w)
    program = net.backward()
    chosen = {e.name for e in lowered(program).program.equations if e.rhs.has(Piecewise)}
    assert "dZ" not in chosen and ("Q" in chosen) != dropped
    rng = np.random.default_rng(0)
    z, weight = rng.normal(size=(2, 5, 5))
    mask = np.tril(np.ones((5, 5), bool))
    p = np.where(mask, np.exp(z), 0)
    p /= p.sum(axis=1, keepdims=True)
    g = weight * {"s <= t": mask, "s < t": np.tril(mask, -1), "t <= s": mask.T}[later]
    _, grads = codegen.lambdify(program)(z, weight)
    assert np.allclose(grads.Z, p * (g - (p * g).sum(axis=1, keepdims=True)), rtol=1e-12, atol=1e-15)
    same(program, {"N": 5}, rng)


@pytest.mark.parametrize("style", ["plain", "fast"])
@pytest.mark.parametrize("chosen", ["factors", "product", "exponential"])
def test_a_choice_of_0_stays_before_what_is_not_a_number_elsewhere(style, chosen):
    net = Network("entropy", "The sum of p log p, with a name for the logarithm, of what is not masked")
    N = net.size("N")
    Z = net.parameter("Z", N, N)
    t, s = net.indices(t=N, s=N)
    S = net.define("S", Piecewise((Z[t, s], s <= t), (-oo, True)), over=(t, s))
    P = net.define("P", exp(S) if chosen == "exponential" else softmax(S))
    L = net.define("L", log(P))
    each = net.define("Q", P * L)[t, s] if chosen == "product" else P[t, s] * L[t, s]
    H = net.define("H", Piecewise((each, s <= t), (0, True)), over=(t, s))
    net.loss = total(H)
    z = np.random.default_rng(0).normal(size=(5, 5))
    p = np.where(np.tril(np.ones((5, 5), bool)), np.exp(z), 0)
    p /= 1 if chosen == "exponential" else p.sum(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        loss, grads = codegen.lambdify(net.backward(), style=style)(z)
    each = np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0)
    assert np.isclose(loss, each.sum(), rtol=1e-12)
    slope = each + p if chosen == "exponential" else each - p * each.sum(axis=1, keepdims=True)
    if chosen != "product":             # whose own adjoint times an infinite logarithm is not a number
        assert np.allclose(grads.Z, slope, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_single_entries_that_are_inner_products(style):
    """The slopes of a straight line's two numbers, and of an exponential of a difference of neighbours."""
    net = Network("line", "Hyperbolic tangents along a straight line, and what decays between points")
    M = net.size("M")
    line, rate, y = net.parameter("line", 2), net.parameter("rate"), net.input("y", M)
    [m] = net.indices(m=M)
    A = net.define("A", tanh((line[0] * m + line[1]) * y[m]), over=m)
    gaps = Piecewise(((A[m] + 1) * exp(-rate * (y[m] - y[m - 1])), m >= 1), (0, True))
    net.loss = total(A) + Sum(gaps, m)
    points = 1e3 * np.arange(4.0)
    _, grads = codegen.lambdify(net.backward(), style=style)(np.array([1e-4, 1e-3]), 2e-3, points)
    places, a = np.arange(4), np.tanh((1e-4 * np.arange(4) + 1e-3) * points)
    left = np.where(places > 0, np.exp(-2.0), 0)
    slope = (1 + left) * (1 - a**2) * points
    np.testing.assert_allclose(grads.line, [places @ slope, slope.sum()], rtol=1e-12)
    np.testing.assert_allclose(grads.rate, -1e3 * np.sum((a + 1) * left), rtol=1e-12)


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_sums_over_fewer_entries_than_none(style):
    net = Network("smooth", "The squares of all second differences")
    N = net.size("N")
    x = net.parameter("x", N)
    [n] = net.indices(n=N)
    net.loss = Sum((x[n + 1] - 2 * x[n] + x[n - 1]) ** 2, (n, 1, N - 2))
    f = codegen.lambdify(net.backward(), style=style)
    assert f(np.ones(1)) == (0, ([0],))
    np.testing.assert_array_equal(f(np.array([1.0, 2.0, 4.0]))[1].x, [2, -4, 2])


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_one_hot_rows_are_added_and_subtracted_as_numbers(style):
    """NumPy adds True and True up to True, and does not subtract them."""
    net = Network("one_hot")
    N, C = net.sizes("N C")
    w, a, b = net.parameter("w", C), net.labels("a", N, classes=C), net.labels("b", N, classes=C)
    X = net.input("X", N, C)
    n, c = net.indices(n=N, c=C)
    one, two = KroneckerDelta(a[n], c), KroneckerDelta(b[n], c)
    twice = net.define("twice", (one + two) * exp(w[c]) + X[n, c], over=(n, c))
    apart = net.define("apart", (one - two) * exp(w[c]) - X[n, c], over=(n, c))
    net.loss = total(twice**2) + total(apart**2)
    w0, a0, b0, X0 = np.array([0.3, -0.2, 0.5]), np.array([0, 2, 1, 1]), np.array([0, 1, 1, 2]), np.ones((4, 3)) / 2
    both, either = np.eye(3)[a0] + np.eye(3)[b0], np.eye(3)[a0] - np.eye(3)[b0]
    loss, grads = codegen.lambdify(net.backward(), style=style)(w0, a0, b0, X0)
    assert np.isclose(loss, np.sum((both * np.exp(w0) + X0) ** 2 + (either * np.exp(w0) - X0) ** 2), rtol=1e-13)
    slopes = 2 * (both * np.exp(w0) + X0) * both + 2 * (either * np.exp(w0) - X0) * either
    assert np.allclose(grads.w, np.sum(slopes, axis=0) * np.exp(w0), rtol=1e-13)


ASKED_A = 'array("A", N, H)'


def test_arrays_that_a_name_is_at_hand_for_are_not_asked_for_again():
    lines = (f"A = np.exp(X, out={ASKED_A})", "A += 1"), (f"B = np.square(A, out={ASKED_A})",)
    first, second = with_arrays_at_hand([Statement(n, ls, ("X",)) for n, ls in zip("AB", lines, strict=True)])
    assert first.lines == lines[0] and second.lines == ("B = np.square(A, out=A)",)


@pytest.mark.parametrize("between", [
    ("A = A.T",), ("for n in range(N):", "    A = X[n]"), ("A, C = X, Y",), ("for A in X:", "    C = A"), ("A = X",),
    (f'A = _sigmoid_slope_into(X, array("C", N, H), {ASKED_A})',), (f"A = _sigmoid_slope_into(X, C, {ASKED_A})",),
])
def test_but_for_those_whose_name_is_another_arrays_since(between):
    lines = (f"A = np.exp(X, out={ASKED_A})",), between, (f"B = np.square(X, out={ASKED_A})",)
    *_, last = with_arrays_at_hand([Statement(n, ls, ("X",)) for n, ls in zip("ACB", lines, strict=True)])
    assert last.lines == lines[2]
