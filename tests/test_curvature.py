"""Forward mode, Jacobians, Gauss-Newton, Fisher, per-example gradients: against PyTorch, on whole networks."""

from math import prod

import numpy as np
import pytest
from sympy import Sum, exp, log, tanh

import codegen
from codegen.memory import module_from
from derive import DefinitionError, Network, eye, logdet, mean, sigmoid, silu, solve, total
from derive.cost import operations
from derive.networks import named
from derive.notes import note
from derive.text import Texts

from .shipped import arguments, with_sizes

torch = pytest.importorskip("torch", reason="PyTorch is an extra: pip install -e '.[peers]'")
F = torch.nn.functional
MODELS = {          # network -> its outputs from parameters and X, the loss from outputs and targets
    "logistic_regression": (lambda w, b, X: X @ w + b, F.binary_cross_entropy_with_logits),
    "softmax_regression": (lambda W, b, X: X @ W + b, F.cross_entropy),
    "mlp": (lambda W1, b1, W2, b2, X: torch.relu(X @ W1 + b1) @ W2 + b2, F.cross_entropy),
}
every_model = pytest.mark.parametrize("name", MODELS)


def computed(program, given, *more):
    """Return what the function of a program returns, as a dictionary of results."""
    function = codegen.lambdify(program)
    sizes, _ = arguments(program)
    found = function(*given.values(), *more, **with_sizes(function, sizes))
    names = list(program.results)
    return found._asdict() if hasattr(found, "_asdict") else dict(zip(names, [found], strict=True))


def at_a_point(name):
    net = named(name)
    program = net.program()
    _, given = arguments(program)
    tensors = {n: torch.tensor(v) for n, v in given.items()}
    parameters = tuple(tensors[p.name] for p in program.parameters)
    return net, program, given, parameters, [tensors[v.name] for v in program.inputs]


def flat(blocks, rows, columns):
    """Return Jacobians by several parameters as one matrix."""
    return torch.cat([b.reshape(rows, -1) for b in blocks], 1).numpy() if columns else np.zeros((rows, 0))


def assert_blocks(program, found, whole):
    """Compare blocks with those of a whole matrix in the parameters, in order."""
    _, given = arguments(program)
    starts = np.cumsum([0, *(given[p.name].size for p in program.parameters)])
    places = {p.name: slice(starts[k], starts[k + 1]) for k, p in enumerate(program.parameters)}
    pairs = [(p, q) for k, p in enumerate(program.parameters) for q in program.parameters[k:]]
    assert list(found) == [f"{p.name}_{q.name}" for p, q in pairs]
    for p, q in pairs:
        block = np.asarray(found[f"{p.name}_{q.name}"])
        assert block.shape == given[p.name].shape + given[q.name].shape
        want = whole[places[p.name], places[q.name]]
        np.testing.assert_allclose(block.reshape(want.shape), want, rtol=1e-10, atol=1e-14)


@every_model
def test_gauss_newton_is_the_curvature_of_the_loss_between_two_jacobians(name):
    net, program, given, parameters, (X, y) = at_a_point(name)
    model, loss = MODELS[name]
    output = model(*parameters, X)
    blocks = torch.autograd.functional.jacobian(lambda *p: model(*p, X), parameters)
    J = flat(blocks, output.numel(), parameters)
    H = torch.autograd.functional.hessian(lambda z: loss(z, y), output).reshape(len(J), len(J)).numpy()
    assert_blocks(program, computed(net.gauss_newton(), given), J.T @ H @ J)
    assert_blocks(program, computed(net.fisher(), given), J.T @ H @ J)
    random = np.random.default_rng(0)
    v = [np.asarray(random.normal(size=p.shape)) for p in parameters]
    product = computed(net.gauss_newton_vector_product(), given, v)
    want = J.T @ H @ J @ np.concatenate([a.reshape(-1) for a in v])
    np.testing.assert_allclose(np.concatenate([np.reshape(g, -1) for g in product.values()]), want, rtol=1e-10,
                               atol=1e-14)


@every_model
def test_per_example_gradients_and_the_empirical_fisher(name):
    net, program, given, parameters, (X, y) = at_a_point(name)
    model, loss = MODELS[name]
    N = len(X)
    rows = [torch.autograd.functional.jacobian(lambda *p, n=n: loss(model(*p, X[n:n + 1]), y[n:n + 1]), parameters)
            for n in range(N)]
    G = np.stack([np.concatenate([g.numpy().reshape(-1) for g in row]) for row in rows])
    found = computed(net.per_example_gradients(), given)
    np.testing.assert_allclose(np.concatenate([g.reshape(N, -1) for g in found.values()], 1), G / N, rtol=1e-10,
                               atol=1e-15)
    assert_blocks(program, computed(net.empirical_fisher(), given), G.T @ G / N)


@every_model
def test_jacobians_and_tangents(name):
    net, program, given, parameters, (X, y) = at_a_point(name)
    model, loss = MODELS[name]
    [output] = program.outputs or ["Z2"]
    blocks = torch.autograd.functional.jacobian(lambda *p: model(*p, X), parameters)
    found = computed(net.jacobian(output), given)
    for p, block in zip(program.parameters, blocks, strict=True):
        np.testing.assert_allclose(found[p.name], block.numpy(), rtol=1e-12, atol=1e-15)
    random = np.random.default_rng(0)
    v = [np.asarray(random.normal(size=p.shape)) for p in parameters]
    value, slope = torch.autograd.functional.jvp(
        lambda *p: loss(model(*p, X), y), parameters, tuple(map(torch.tensor, v)))
    moved = computed(net.tangent(), given, v)
    np.testing.assert_allclose([moved["loss"], moved["lossdot"]], [value.item(), slope.item()], rtol=1e-12)


def test_penalties_keep_their_curvature_and_are_shared_by_examples():
    net = Network("penalised")
    N, D = net.sizes("N D")
    w, X, y = net.parameter("w", D), net.input("X", N, D), net.input("y", N)
    z = net.define("z", tanh(X @ w))
    net.output(z)
    net.loss = mean((z - y) ** 2) / 2 + 3 * total(w**2)
    random = np.random.default_rng(0)
    given = {"w": random.normal(size=3), "X": random.normal(size=(5, 3)), "y": random.normal(size=5)}
    s = (1 - np.tanh(given["X"] @ given["w"]) ** 2)[:, None] * given["X"]
    np.testing.assert_allclose(computed(net.gauss_newton(), given)["w_w"], s.T @ s / 5 + 6 * np.eye(3))
    _, gradient = codegen.lambdify(net.backward())(**given)
    np.testing.assert_allclose(computed(net.per_example_gradients(), given)["w"].sum(0), gradient.w)


@pytest.mark.parametrize("kind", ["decays", "counts", "probabilities"])
def test_the_network_is_held_behind_its_outputs(kind):
    """Where an adjoint's sum has a name of its own, and where a logarithm undoes what the outputs are made of."""
    net = Network(kind)
    N, K = net.sizes("N K")
    a, b, x, y = net.parameter("a", K), net.parameter("b", K), net.input("x", N), net.input("y", N)
    n, k = net.indices(n=N, k=K)
    if kind == "probabilities":
        f = net.define("f", sigmoid(Sum(a[k] * tanh(b[k] * x[n]), k)), over=n)
    else:
        f = net.define("f", Sum(exp((a[k] if kind == "counts" else 0) - exp(b[k]) * x[n]) * (
            1 if kind == "counts" else a[k]), k), over=n)
    net.output(f)
    net.loss = {"decays": mean((f - y) ** 2), "counts": mean(f - y * log(f)),
                "probabilities": -mean(y * log(f) + (1 - y) * log(1 - f))}[kind]

    def output(a, b):
        falling = -torch.exp(b) * x[:, None]
        terms = {"decays": a * torch.exp(falling), "counts": torch.exp(a + falling),
                 "probabilities": a * torch.tanh(b * x[:, None])}[kind].sum(1)
        return torch.sigmoid(terms) if kind == "probabilities" else terms

    random = np.random.default_rng(0)
    given = {"a": random.normal(size=2), "b": random.normal(size=2), "x": random.random(5), "y": random.random(5)}
    a, b, x, y = (torch.tensor(v) for v in given.values())
    f = output(a, b)
    H = {"decays": 2 + 0 * f, "counts": y / f**2, "probabilities": y / f**2 + (1 - y) / (1 - f) ** 2}[kind] / 5
    J = flat(torch.autograd.functional.jacobian(output, (a, b)), 5, (a, b))
    G = J.T @ (H.numpy()[:, None] * J)
    found = computed(net.gauss_newton(), given)
    np.testing.assert_allclose(np.block([[found["a_a"], found["a_b"]], [found["a_b"].T, found["b_b"]]]), G, rtol=1e-10)
    v = random.normal(size=4)
    product = computed(net.gauss_newton_vector_product(), given, [v[:2], v[2:]])
    np.testing.assert_allclose(np.concatenate(list(product.values())), G @ v, rtol=1e-10)


def test_what_does_not_curve_is_zero_and_nothing_is_solved_for_it():
    """A loss that is linear in its outputs, which a system gives; logdet on the way is one more."""
    net = Network("linear")
    N, D = net.sizes("N D")
    A, m, X = net.parameter("A", D, D), net.parameter("m", D), net.input("X", N, D)
    S = net.define("S", A @ A.T + eye(D))
    q = net.define("q", solve(S, net.define("R", X - m).T))
    net.output(q)
    net.loss = mean(q) + logdet(S)
    random = np.random.default_rng(0)
    given = {"A": random.normal(size=(2, 2)), "m": random.normal(size=2), "X": random.normal(size=(3, 2))}
    A, v = given["A"], random.normal(size=(2, 2))
    P = np.linalg.inv(A @ A.T + np.eye(2))
    curved = -2 * P @ (A @ v.T + v @ A.T) @ P @ A           # logdet''(S)[dS] = -P dS P
    along = computed(net.gauss_newton_vector_product(), given, [v, np.ones(2)])
    np.testing.assert_allclose(along["A"], curved, rtol=1e-10)
    np.testing.assert_array_equal(along["m"], 0)
    matrix = net.gauss_newton()
    np.testing.assert_allclose(np.tensordot(computed(matrix, given)["A_A"], v, 2), curved, rtol=1e-10)
    assert "lam_q" not in str(matrix)


def test_states_are_handed_back_without_their_initial_values():
    """By predict, and their tangents and Jacobians: rows 0 to T - 1, as the docstrings say."""
    net = Network("decay", "A state that is an output")
    T, K = net.sizes("T K")
    w, x = net.parameter("w", K), net.input("x", T, K)
    t, k = net.indices(t=T, k=K)
    h = net.state("h", T, K, initial=1)
    net.define(h, tanh(w[k] * h[t - 1, k] + x[t, k]), over=(t, k))
    net.output(h)
    net.loss = total(h**2)
    random = np.random.default_rng(0)
    w0, x0, v = random.normal(size=2), random.normal(size=(3, 2)), random.normal(size=2)

    def states(w):
        rows = [torch.ones(2, dtype=torch.float64)]
        for row in torch.tensor(x0):
            rows.append(torch.tanh(w * rows[-1] + row))
        return torch.stack(rows[1:])

    J = torch.autograd.functional.jacobian(states, torch.tensor(w0)).numpy()
    want = states(torch.tensor(w0)).numpy()
    np.testing.assert_allclose(codegen.lambdify(net.backward()).module.predict(w0, x0), want, rtol=1e-13)
    for style in ("plain", "fast"):
        [found] = codegen.lambdify(net.jacobian("h"), style=style)(w0, x0)
        np.testing.assert_allclose(found, J, rtol=1e-12, atol=1e-15)
        *_, rows, moved = codegen.lambdify(net.tangent(), style=style)(w0, x0, [v])
        np.testing.assert_allclose(rows, want, rtol=1e-13)
        np.testing.assert_allclose(moved, J @ v, rtol=1e-12)


def test_what_has_no_meaning_is_refused():
    with pytest.raises(DefinitionError, match="mixes the examples"):
        named("batch_norm").per_example_gradients()
    with pytest.raises(DefinitionError, match="sums over T, N"):
        named("elman_rnn").per_example_gradients()
    with pytest.raises(DefinitionError, match="chain has no sizes, so none that counts examples"):
        named("chain").per_example_gradients()
    with pytest.raises(DefinitionError, match="is not a parameter of mlp"):
        named("mlp").hessian("W3")
    with pytest.raises(DefinitionError, match="has no outputs"):
        named("square").gauss_newton()
    with pytest.raises(DefinitionError, match="depends on y"):
        named("mixture_density_network").fisher()


def test_variables_and_sizes_are_named_or_handed_over():
    net = Network("line")
    N, D = net.sizes("N D")
    w, X, y = net.parameter("w", D), net.input("X", N, D), net.input("y", N)
    f = net.define("f", X @ w)
    net.loss = mean((f - y) ** 2)
    assert net.hessian(w) == net.hessian("w") and net.jacobian(f, w) == net.jacobian("f", "w")
    assert net.gauss_newton(f) == net.gauss_newton("f")
    assert net.per_example_gradients(N) == net.per_example_gradients("N")
    with pytest.raises(DefinitionError, match=r"\['f'\] is not a variable of line"):
        net.gauss_newton(["f"])


def test_costs_are_those_of_the_closed_forms():
    N, D, C, H = (named("mlp").program().sizes[k] for k in (0, 1, 3, 2))
    logistic = operations(named("logistic_regression").hessian())
    assert logistic.coeff(D, 2).coeff(N, 1) <= 6                # X' diag(p (1 - p)) X as written, a term an entry
    assert logistic.subs(D, 2 * D).coeff(D, 3) == 0
    softmax = operations(named("softmax_regression").hessian())
    assert max(sum(m) for m in softmax.as_poly(N, D, C).monoms()) == 5      # N D^2 C^2, what one matrix product takes
    mlp = operations(named("mlp").hessian("W1")).as_poly(N, D, C, H)
    above = [m for m in mlp.monoms() if m[1] == 2]
    assert above == [(1, 2, 0, 2), (0, 2, 0, 2)]                # N D^2 H^2: that of one matrix product
    for name in ("mlp", "perceptron"):                          # nor one backward pass for each parameter
        whole, passes = operations(named(name).hessian()), operations(named(name).backward())
        sizes = dict(zip(named(name).program().sizes, (64, 30, 20, 10, 10, 10), strict=False))
        entries = sum(prod(p.shape) for p in named(name).program().parameters)
        assert whole.subs(sizes) < (entries * passes).subs(sizes) / 1.6
    product = operations(named("mlp").hessian_vector_product()).as_poly(N, D, C, H)
    gradient = operations(named("mlp").backward()).as_poly(N, D, C, H)
    assert product.coeff_monomial(N * D * H) <= 2 * gradient.coeff_monomial(N * D * H)


def test_hessians_come_out_as_in_textbooks():
    logistic = named("logistic_regression").hessian()
    assert "H_w_w = 1/N X' diag(sigmoid_z * (1 - sigmoid_z)) X " in Texts(logistic).listing()
    assert r"\tfrac1N X^\top\,\operatorname{diag}\bigl(" in note(logistic)
    source = codegen.source(logistic)
    assert "weighted_X = np.sqrt(_sigmoid_slope(z))[:, None] * X" in source       # BLAS knows that it is symmetric
    assert "H_w_w = weighted_X.T @ weighted_X / N" in source
    net = Network("one")
    C = net.size("C")
    z, y = net.parameter("z", C), net.labels("y", classes=C)
    [c] = net.indices(c=C)
    net.loss = log(Sum(exp(z[c]), c)) - z[y]
    assert "H_z_z = diag(softmax_z) - softmax_z softmax_z' " in Texts(net.hessian()).listing()
    assert r"\operatorname{diag}(\mathrm{softmax}_z) - \mathrm{softmax}_z" in note(net.hessian())
    several = Texts(named("softmax_regression").hessian()).listing()
    assert "= [c = c2] * softmax_Z[n, c] - softmax_Z[n, c] * softmax_Z[n, c2] " in several


@pytest.mark.parametrize("scale", [1e4, 1e-20])
def test_second_derivatives_stay_in_range(scale):
    random = np.random.default_rng(0)
    X, y = random.normal(size=(6, 3)), random.integers(0, 2, 6)
    with np.errstate(all="raise", under="ignore"):
        two = codegen.lambdify(named("logistic_regression").hessian())
        several = codegen.lambdify(named("softmax_regression").hessian())
        w = two(scale * np.ones(3), 0.0, X, y.astype(float))
        W = several(scale * random.normal(size=(3, 2)), np.zeros(2), X, y)
    assert all(np.all(np.isfinite(block)) for block in (*w, *W))


def test_shares_of_a_sum_and_of_what_all_examples_bring_stand_in_one_factor():
    """Of entry 1: what the scale brings, and sums over examples, under one bracket."""
    net = Network("scaled")
    N = net.size("N")
    w, X = net.parameter("w", 2), net.input("X", N, 2)
    [n] = net.indices(n=N)
    scale = net.define("scale", w[0] ** 2 + w[1])
    net.loss = Sum((scale * X[n, 0] + w[0] * w[1] * X[n, 1]) ** 2, n) / 2
    w0, X0 = np.array([0.5, -2.0]), np.array([[1.0, 2.0], [3.0, 4.0], [-1.0, 0.5]])
    found = computed(net.per_example_gradients(), {"w": w0, "X": X0})["w"]
    each = (w0[0] ** 2 + w0[1]) * X0[:, 0] + w0[0] * w0[1] * X0[:, 1]
    slopes = np.stack([2 * w0[0] * X0[:, 0] + w0[1] * X0[:, 1], X0[:, 0] + w0[0] * X0[:, 1]], axis=1)
    np.testing.assert_allclose(found, each[:, None] * slopes, rtol=1e-14)


def test_factors_that_all_examples_share_have_the_share_of_the_sum_beside_them():
    """A noise that is learned, exp(-s) times a mean and s, and each column's mean times a function of all noises."""
    net = Network("noise")
    N = net.size("N")
    w, s, X, y = net.parameter("w", 3), net.parameter("s", 3), net.input("X", N, 3), net.input("y", N)
    n, d = net.indices(n=N, d=3)
    squares = net.define("squares", Sum((X[n, d] * w[d] - y[n]) ** 2, n) / N, over=d)
    net.loss = exp(-s[0]) * mean((X @ w - y) ** 2) + s[1] + s[2] ** 2 * Sum(exp(s[d]) * squares[d], d)
    random = np.random.default_rng(0)
    given = {"w": random.normal(size=3), "s": random.normal(size=3), "X": random.normal(size=(4, 3)),
             "y": random.normal(size=4)}
    w, s, X, y = (torch.tensor(v) for v in given.values())

    def one(w, s, x, y):
        own = s[2] ** 2 * torch.sum(torch.exp(s) * (x * w - y) ** 2)
        return (torch.exp(-s[0]) * (x @ w - y) ** 2 + s[1] + own) / 4

    found = computed(net.per_example_gradients(), given)
    for k in range(4):
        for name, want in zip(("w", "s"), torch.autograd.functional.jacobian(
                lambda w, s, k=k: one(w, s, X[k], y[k]), (w, s)), strict=True):
            np.testing.assert_allclose(found[name][k], want.numpy(), rtol=1e-12)


def test_functions_of_a_sum_over_examples_have_no_shares():
    net = Network("root")
    N = net.size("N")
    w, X = net.parameter("w"), net.input("X", N)
    net.loss = mean((X * w - 1) ** 2) ** 2
    with pytest.raises(DefinitionError, match="mixes the examples"):
        net.per_example_gradients()


def test_recurrences_that_all_examples_share():
    """Weights that iterations make orthogonal: examples come after the rows of a state, whose row -1 is read."""
    net = Network("shared_iterations")
    N, D, K = net.sizes("N D K")
    W, X, Y = net.parameter("W", D, K), net.input("X", N, D), net.input("Y", N, K)
    t, d, k, j, m = net.indices(t=2, d=D, k=K, j=K, m=D)
    A = net.state("A", 2, D, K, initial=W)
    G = net.define("G", Sum(A[t - 1, m, k] * A[t - 1, m, j], m), over=(t, k, j))
    net.define(A, 3 * A[t - 1, d, k] / 2 - Sum(A[t - 1, d, j] * G[t, j, k], j) / 2, over=(t, d, k))
    Q = net.define("Q", A[1, :, :])
    net.loss = mean((X @ Q - Y) ** 2)
    rng = np.random.default_rng(0)
    W0, X0, Y0 = rng.normal(size=(3, 2)) / 2, rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    [found] = codegen.lambdify(net.per_example_gradients())(W0, X0, Y0)
    for n in range(4):
        leaf = torch.tensor(W0, requires_grad=True)
        rows = leaf
        for _ in range(2):
            rows = 1.5 * rows - rows @ (rows.T @ rows) / 2
        ((torch.tensor(X0[n]) @ rows - torch.tensor(Y0[n])) ** 2).sum().div(8).backward()
        np.testing.assert_allclose(found[n], leaf.grad, rtol=1e-11, atol=1e-13)


def test_a_hessian_takes_one_exponential_for_a_sigmoid_and_what_that_leaves_of_1():
    net = Network("units", "Units of silu")
    N, D, H = net.sizes("N D H")
    X, W, v = net.input("X", N, D), net.parameter("W", D, H), net.input("v", H)
    net.loss = total(silu(X @ W) @ v)
    text = codegen.source(net.hessian())
    body = text[text.index("def hessian"):text.index("def _capped_exp")]
    assert body.count("_capped_exp(") == 1 and "_sigmoid" not in body and "np.exp" not in body
    random = np.random.default_rng(0)
    X, v = random.normal(size=(5, 3)), random.normal(size=2)
    for W in (random.normal(size=(3, 2)), 60 * random.normal(size=(3, 2))):
        z = X @ W
        s, other = 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(z))
        second = v * s * other * (2 + z * (other - s))             # of z sigmoid(z), by hand
        expected = np.einsum("nd,nh,nk,hj->dhkj", X, second, X, np.eye(2))
        found = module_from("units_hessian", text).hessian(W, X, v)
        found = found[0] if isinstance(found, tuple) else found
        assert np.abs(found - expected).max() <= 1e-13 * np.abs(expected).max()
