"""Implicit networks of many kinds, each against differences: matrix equations, equilibria, minima, roots."""

import numpy as np
import pytest
from sympy import Eq, Sum, cos, exp, log, sin, sqrt, tanh

import codegen
from codegen import verify
from codegen.memory import module_from
from derive import (
    DefinitionError,
    Network,
    concatenate,
    cross_entropy,
    cut,
    eye,
    logsumexp,
    mean,
    sigmoid,
    softmax,
    softplus,
    total,
)
from derive import solve as solve_for


def lyapunov():
    """A X + X A' = C."""
    net = Network("lyapunov")
    (N,) = net.sizes("N")
    A, C, T = net.parameter("A", N, N), net.parameter("C", N, N), net.input("T", N, N)
    X = net.unknown("X", N, N)
    net.implicitly(X, Eq(A @ X + X @ A.T, C))
    net.loss = total(X**2 * T)
    return net


def stein():
    """X = A X A' + B B': the covariance of a process in its steady state."""
    net = Network("stein")
    (N,) = net.sizes("N")
    A, B = net.parameter("A", N, N), net.parameter("B", N, N)
    X = net.unknown("X", N, N)
    net.implicitly(X, Eq(X, A @ X @ A.T / (9 * N) + B @ B.T))
    net.loss = total(X**2) / 2
    return net


def square_root_of_a_matrix():
    net = Network("square_root_of_a_matrix")
    (N,) = net.sizes("N")
    B, T = net.parameter("B", N, N), net.input("T", N, N)
    S = net.define("S", B @ B.T + eye(N))
    X = net.unknown("X", N, N)
    net.implicitly(X, Eq(X @ X, S), start=eye(N))
    net.loss = total(X * T)
    return net


def riccati():
    """The cost to go of a controlled linear system."""
    net = Network("riccati")
    N, M = net.sizes("N M")
    A, B, Q, x0 = net.parameter("A", N, N), net.parameter("B", N, M), net.parameter("Q", N, N), net.input("x0", N)
    W = net.define("W", Q @ Q.T + eye(N))
    P = net.unknown("P", N, N)
    net.implicitly(P, A.T @ P + P @ A - P @ B @ B.T @ P + W - 4 * P, start=eye(N))
    net.loss = x0 @ P @ x0
    return net


def solved_from_both_sides():
    """A X B' = C."""
    net = Network("solved_from_both_sides")
    N, M = net.sizes("N M")
    A, B, C = net.parameter("A", N, N), net.parameter("B", M, M), net.parameter("C", N, M)
    T = net.input("T", N, M)
    X = net.unknown("X", N, M)
    net.implicitly(X, Eq(A @ X @ B.T, C))
    net.loss = total((X - T) ** 2)
    return net


def symmetric_matrix():
    """A symmetric matrix that is computed, and not stated to be definite."""
    net = Network("symmetric_matrix")
    N, D = net.sizes("N D")
    B, r = net.parameter("B", D, D), net.parameter("r")
    X, y, T = net.input("X", N, D), net.input("y", N), net.input("T", D)
    S = net.define("S", X.T @ X + B + B.T + exp(r) * eye(D))
    w = net.define("w", solve_for(S, X.T @ y))
    net.loss = mean((w - T) ** 2)
    return net


def quantiles_of_a_mixture():
    net = Network("quantiles_of_a_mixture")
    N, K = net.sizes("N K")
    mu, s, a = net.parameter("mu", K), net.parameter("s", K), net.parameter("a", K)
    u, T = net.input("u", N), net.input("T", N)
    n, k = net.indices(n=N, k=K)
    w, z = net.define("w", softmax(a)), net.unknown("z", N)
    net.implicitly(z, Sum(w[k] * sigmoid((z[n] - mu[k]) * exp(s[k])), k) - sigmoid(u[n]), over=n)
    net.loss = mean((z - T) ** 2)
    return net


def inverse_of_a_residual_flow():
    net = Network("inverse_of_a_residual_flow")
    N, D, H = net.sizes("N D H")
    W, V, b, X = net.parameter("W", D, H), net.parameter("V", H, D), net.parameter("b", H), net.input("X", N, D)
    Z = net.unknown("Z", N, D)
    net.implicitly(Z, Eq(Z + tanh(Z @ W + b) @ V / (9 * H * D), X))
    net.loss = mean(Z**2) / 2
    return net


def keplers_equation():
    net = Network("keplers_equation")
    (N,) = net.sizes("N")
    e, M, T = net.parameter("e"), net.input("M", N), net.input("T", N)
    E = net.unknown("E", N)
    net.implicitly(E, Eq(E - sigmoid(e) * sin(E), M))
    net.loss = mean((cos(E) - T) ** 2)
    return net


def graph_in_equilibrium():
    """An unknown that its equation multiplies from both sides, inside a nonlinear function."""
    net = Network("graph_in_equilibrium")
    N, K = net.sizes("N K")
    W, B, A = net.parameter("W", K, K), net.parameter("B", N, K), net.input("A", N, N)
    H = net.unknown("H", N, K)
    net.implicitly(H, Eq(H, tanh(A @ H @ W / (9 * N * K) + B)))
    net.loss = mean(H**2) / 2
    return net


def gated_equilibrium():
    """An equation that reads its unknown by way of a variable with a name."""
    net = Network("gated_equilibrium")
    N, K = net.sizes("N K")
    Wz, Wh, X = net.parameter("Wz", K, K), net.parameter("Wh", K, K), net.input("X", N, K)
    h = net.unknown("h", N, K)
    z = net.define("z", sigmoid(h @ Wz / (4 * K) + X))
    net.implicitly(h, Eq(h, z * h / 2 + (1 - z) * tanh(h @ Wh / (4 * K) + X)))
    net.loss = mean(h**2)
    return net


def eigenvector():
    net = Network("eigenvector")
    (N,) = net.sizes("N")
    B, v0, T = net.parameter("B", N, N), net.input("v0", N), net.input("T", N)
    S = net.define("S", B @ B.T + eye(N))
    v = net.unknown("v", N)
    net.implicitly(v, Eq(S @ v, (v @ S @ v) * v), start=v0 / sqrt(total(v0**2)))
    net.loss = total(v * T) ** 2
    return net


def transport():
    """Potentials of entropic transport between masses that need not be kept; the second by way of the first."""
    net = Network("transport")
    N, M = net.sizes("N M")
    C, a, b = net.parameter("C", N, M), net.input("a", N), net.input("b", M)
    i, j = net.indices(i=N, j=M)
    f = net.unknown("f", N)
    g = net.define("g", b[j] / 9 - log(Sum(exp(f[i] - C[i, j]), i)) / 2, over=j)
    net.implicitly(f, Eq(f[i], a[i] / 9 - log(Sum(exp(g[j] - C[i, j]), j)) / 2), over=i)
    net.loss = total(f**2) + total(g)
    return net


def moments_matched():
    """Natural parameters of an exponential family by its moments: a minimum with a log-sum-exp in it."""
    net = Network("moments_matched")
    N, D = net.sizes("N D")
    F, w = net.input("F", N, D), net.parameter("w", N)
    m, theta = net.define("m", softmax(w) @ F), net.unknown("theta", D)
    net.argmin(theta, logsumexp(F @ theta) - theta @ m + total(theta**2) / 2)
    net.loss = total(theta**4)
    return net


def classifier_by_validation():
    """The minimum over a matrix of weights, a softmax in the objective and in the loss."""
    net = Network("classifier_by_validation")
    N, D, C, M = net.sizes("N D C M")
    rho = net.parameter("rho")
    X, y = net.input("X", N, D), net.labels("y", N, classes=C)
    V, t = net.input("V", M, D), net.labels("t", M, classes=C)
    w = net.unknown("w", D, C)
    net.argmin(w, mean(cross_entropy(X @ w, y)) + exp(rho) * total(w**2) / 2)
    net.loss = mean(cross_entropy(V @ w, t))
    return net


def quadratic_program():
    net = Network("quadratic_program")
    M, D = net.sizes("M D")                             # at sizes 3 and 4: fewer equations than unknowns
    B, q, A, b = net.parameter("B", D, D), net.parameter("q", D), net.parameter("A", M, D), net.parameter("b", M)
    x, T = net.unknown("x", D), net.input("T", D)
    Q = net.define("Q", B @ B.T + eye(D))
    net.argmin(x, x @ Q @ x / 2 + q @ x, subject_to=Eq(A @ x, b))
    net.loss = mean((x - T) ** 2)
    return net


def largest_entropy():
    """Which is a softmax."""
    net = Network("largest_entropy")
    (D,) = net.sizes("D")
    q, T, x = net.parameter("q", D), net.input("T", D), net.unknown("x", D)
    net.argmin(x, total(x * log(x)) - q @ x, start=1, subject_to=[Eq(total(x), 1)])
    net.loss = mean((x - T) ** 2)
    return net


def classifier_on_a_plane():
    net = Network("classifier_on_a_plane")
    N, D = net.sizes("N D")
    r, c, X, y = net.parameter("r"), net.parameter("c", D), net.input("X", N, D), net.input("y", N)
    w = net.unknown("w", D)
    objective = mean(softplus(X @ w) - y * (X @ w)) + exp(r) * total(w**2) / 2
    net.argmin(w, objective, subject_to=Eq(c @ w, 1))
    net.loss = total(w**3)
    return net


def two_players():
    """Two equilibria, each the other's surroundings: two parts of one unknown."""
    net = Network("two_players")
    (D,) = net.sizes("D")
    A, B, c, z = net.parameter("A", D, D), net.parameter("B", D, D), net.input("c", D), net.unknown("z", D + D)
    x, y = net.define("x", cut(z, 0, D)), net.define("y", cut(z, D, D))
    first = net.define("first", tanh(A @ y / (9 * D) + c) - x)
    second = net.define("second", tanh(B @ x / (9 * D) - c) - y)
    net.implicitly(z, concatenate(first, second))
    net.loss = total(x * y)
    return net


ALL = [
    quadratic_program, largest_entropy, classifier_on_a_plane, two_players,
    lyapunov, stein, square_root_of_a_matrix, riccati, solved_from_both_sides, symmetric_matrix, quantiles_of_a_mixture,
    inverse_of_a_residual_flow, keplers_equation, graph_in_equilibrium, gated_equilibrium, eigenvector, transport,
    moments_matched, classifier_by_validation,
]


@pytest.mark.parametrize("made", ALL, ids=lambda made: made.__name__)
def test_gradients_agree_with_differences(made):
    program = made().backward()
    verdict = verify.finite_differences(program, codegen.lambdify(program).module)
    assert verdict.passed, verdict.complaints


@pytest.mark.parametrize(
    "made", [stein, square_root_of_a_matrix, eigenvector, classifier_on_a_plane, two_players],
    ids=lambda made: made.__name__)
def test_second_derivatives_are_differences_of_the_gradient(made):
    net = made()
    program, random = net.hessian_vector_product(), np.random.default_rng(3)
    given = [v for v in (*program.parameters, *program.inputs) if not v.tangent_of]
    drawn = {v.name: random.normal(size=[3] * len(v.shape)) for v in given}
    names = [p.name for p in program.parameters]
    direction = tuple(random.normal(size=drawn[n].shape) for n in names)
    ours = codegen.lambdify(program)(**drawn, direction=direction)
    gradient, h = codegen.lambdify(net.backward()), 1e-5
    moved = [{n: drawn[n] + s * d for n, d in zip(names, direction, strict=True)} for s in (h, -h)]
    up, down = (gradient(**{**drawn, **there})[1] for there in moved)
    for a, b, c in zip(ours, up, down, strict=True):
        assert np.allclose(a, (b - c) / (2 * h), rtol=1e-5, atol=1e-7)


def test_a_hessian_is_the_products_with_it():
    net, random = classifier_on_a_plane(), np.random.default_rng(5)
    r, c, X, y = 0.3, random.normal(size=3), random.normal(size=(4, 3)), np.array([1.0, 0, 0, 1])
    whole = codegen.lambdify(net.hessian("c"))(r, c, X, y)
    product = codegen.lambdify(net.hessian_vector_product())
    rows = [product(r, c, X, y, (0.0, unit)).c for unit in np.eye(3)]
    assert np.allclose(whole, whole.T, rtol=1e-9) and np.allclose(whole, rows, rtol=1e-9)


@pytest.mark.parametrize("made", [keplers_equation, graph_in_equilibrium], ids=lambda made: made.__name__)
def test_the_fast_style_iterates_too(made):
    program, random = made().backward(), np.random.default_rng(6)
    drawn = {v.name: random.normal(size=[3] * len(v.shape)) for v in (*program.parameters, *program.inputs)}
    plain, fast = (module_from(style, codegen.source(program, style=style)).loss_and_grads(**drawn)
                   for style in ("plain", "fast"))
    assert plain[0] == fast[0] and all(np.array_equal(a, b) for a, b in zip(plain[1], fast[1], strict=True))


def test_the_largest_entropy_is_a_softmax():
    q, T = np.random.default_rng(0).normal(size=(2, 5))
    loss, grads = codegen.lambdify(largest_entropy().backward())(q, T)
    p = np.exp(q) / np.exp(q).sum()
    sent = 2 * (p - T) / 5
    assert np.isclose(loss, np.mean((p - T) ** 2), rtol=1e-12)
    assert np.allclose(grads.q, p * (sent - p @ sent), rtol=1e-9)


def test_a_projection_on_a_plane_is_that_of_the_textbook():
    net = Network("projection")
    M, D = net.sizes("M D")
    y, A, b, T = net.parameter("y", D), net.input("A", M, D), net.input("b", M), net.input("T", D)
    x = net.unknown("x", D)
    net.argmin(x, total((x - y) ** 2) / 2, subject_to=Eq(A @ x, b))
    net.loss = total(x * T)
    random = np.random.default_rng(1)
    y, A, b, T = (random.normal(size=s) for s in (4, (2, 4), 2, 4))
    loss, grads = codegen.lambdify(net.backward())(y, A, b, T)
    onto = A.T @ np.linalg.inv(A @ A.T)                 # Boyd and Vandenberghe, Convex Optimization, 2004, section 8.1
    assert np.isclose(loss, T @ (y - onto @ (A @ y - b)), rtol=1e-12)
    assert np.allclose(grads.y, T - A.T @ (onto.T @ T), rtol=1e-11)


def test_constraints_are_vectors():
    net = Network("constrained")
    (D,) = net.sizes("D")
    X, x = net.input("X", D, D), net.unknown("x", D)
    with pytest.raises(DefinitionError, match=r"a constraint on x has shape \(D, D\); expected a vector"):
        net.argmin(x, total(x**2), subject_to=Eq(X, 1))


def test_a_system_with_two_matrices_is_two_systems():
    text = codegen.source(solved_from_both_sides().backward())
    assert 'half_X = lu_solve(lu_A, C)' in text and "N * M" not in text
