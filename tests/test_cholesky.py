"""Cholesky factors as variables: against PyTorch, scalar SymPy, differences along symmetric matrices, the referee."""

from itertools import product

import numpy as np
import pytest
from sympy import Identity, KroneckerDelta, Matrix, MatrixSymbol, Sum, Trace, cos, log, symbols
from sympy.matrices.expressions.factorizations import LofCholesky

import codegen
from codegen.memory import module_from
from derive import DefinitionError, Network, cholesky, diagonal, eye, logdet, mean, network_of, solve, total
from derive.referee import TOLERANCE, disagreement
from derive.triangles import factor

torch = pytest.importorskip("torch", reason="PyTorch is an extra: pip install -e '.[peers]'")


def of_a_parameter():
    """A factor of a parameter, read entry by entry, on its diagonal, and in systems from both sides."""
    net = Network("of_a_parameter")
    (N,) = net.sizes("N")
    A, b, T = net.parameter("A", N, N), net.parameter("b", N), net.input("T", N, N)
    L = net.define("L", cholesky(A))
    z, w = net.define("z", solve(L, b)), net.define("w", solve(L.T, b))
    net.loss = total(cos(L) * T) + total(z**2) / 2 + total(log(diagonal(L))) + total(w**3)
    return net


def of_a_parameter_in_torch(A, b, T):
    L = torch.linalg.cholesky((A + A.T) / 2)
    z, w = torch.linalg.solve(L, b), torch.linalg.solve(L.T, b)
    return (torch.cos(L) * T).sum() + (z**2).sum() / 2 + torch.log(torch.diagonal(L)).sum() + (w**3).sum()


def gaussian():
    """The likelihood of a Gaussian by its Cholesky factor, and a sample of it."""
    net = Network("gaussian")
    N, D, M = net.sizes("N D M")
    B, mu = net.parameter("B", D, D), net.parameter("mu", D)
    X, noise, T = net.input("X", N, D), net.input("noise", M, D), net.input("T", M, D)
    S = net.positive_definite(net.define("S", B @ B.T + eye(D)))
    L = net.define("L", cholesky(S))
    centred = net.define("centred", X - mu)
    white = net.define("white", solve(L, centred.T))
    sample = net.define("sample", mu + noise @ L.T)
    net.loss = total(white**2) / (2 * N) + total(log(diagonal(L))) + mean((sample - T) ** 2)
    return net


def gaussian_in_torch(B, mu, X, noise, T):
    L = torch.linalg.cholesky(B @ B.T + torch.eye(len(B), dtype=B.dtype))
    normal = torch.distributions.MultivariateNormal(mu, scale_tril=L)
    constant = mu.numel() * torch.log(torch.tensor(2 * torch.pi, dtype=B.dtype)) / 2
    return -normal.log_prob(X).mean() - constant + ((mu + noise @ L.T - T) ** 2).mean()


def stacked():
    """One factor an example."""
    net = Network("stacked")
    M, N, D = net.sizes("M N D")
    A, b = net.parameter("A", M, N, D), net.input("b", M, N)
    m, i, j, d = net.indices(m=M, i=N, j=N, d=D)
    S = net.define("S", Sum(A[m, i, d] * A[m, j, d], d) + KroneckerDelta(i, j), over=(m, i, j))
    L = net.define("L", cholesky(S))
    x = net.define("x", Sum(L[m, i, j] * b[m, j], j), over=(m, i))
    net.loss = total(cos(x))
    return net


def stacked_in_torch(A, b):
    L = torch.linalg.cholesky(A @ A.mT + torch.eye(A.shape[1], dtype=A.dtype))
    return torch.cos(L @ b[..., None]).sum()


def factored_in_every_turn():
    """A recurrence with a factor in it: each turn adds to a covariance, and draws from it."""
    net = Network("factored_in_every_turn")
    T, N = net.sizes("T N")
    A, u, P0 = net.parameter("A", N, N), net.input("u", T, N), net.input("P0", N, N)
    t, i, j, k, m = net.indices(t=T, i=N, j=N, k=N, m=N)
    P = net.state("P", T, N, N, initial=P0 @ P0.T)
    Q = net.define("Q", Sum(A[i, k] * P[t - 1, k, m] * A[j, m], k, m) + KroneckerDelta(i, j), over=(t, i, j))
    L = net.define("L", cholesky(net.positive_definite(Q)))
    x = net.define("x", Sum(L[t, i, k] * u[t, k], k), over=(t, i))
    net.define(P, Q[t, i, j] + x[t, i] * x[t, j] / 4, over=(t, i, j))
    net.loss = total(cos(x))
    return net


def factored_in_every_turn_in_torch(A, u, P0):
    P, loss = P0 @ P0.T, 0
    for row in u:
        Q = A @ P @ A.T + torch.eye(len(A), dtype=A.dtype)
        x = torch.linalg.cholesky(Q) @ row
        P, loss = Q + torch.outer(x, x) / 4, loss + torch.cos(x).sum()
    return loss


SIZES = {"N": 4, "D": 3, "M": 5, "T": 3}
ALL = [of_a_parameter, gaussian, stacked, factored_in_every_turn]
each = pytest.mark.parametrize("made", ALL, ids=lambda made: made.__name__)


def arguments(net, program):
    """Return random parameters and inputs; a parameter that is factorised itself is positive definite."""
    random = np.random.default_rng(0)
    values = []
    for v in (*program.parameters, *program.inputs):
        if v.tangent_of:
            continue
        value = random.normal(size=[SIZES[s.name] for s in v.shape]) / 2
        if net.name == "of_a_parameter" and v.name == "A":
            value = value @ value.T + np.eye(len(value)) + 0.1 * value      # of which the symmetric part counts
        values.append(value)
    return values


def in_torch(made, values, count):
    """Return the loss as a function of the parameters alone."""
    inputs = [torch.tensor(v) for v in values[count:]]
    return lambda *parameters: globals()[f"{made.__name__}_in_torch"](*parameters, *inputs)


@each
def test_loss_and_gradients_are_pytorchs(made):
    net = made()
    program = net.backward()
    values, count = arguments(net, program), len(program.parameters)
    loss, grads = codegen.lambdify(program)(*values)
    parameters = [torch.tensor(v, requires_grad=True) for v in values[:count]]
    theirs = in_torch(made, values, count)(*parameters)
    assert np.isclose(loss, theirs.item(), rtol=1e-12)
    for ours, t in zip(grads, torch.autograd.grad(theirs, parameters), strict=True):
        assert np.allclose(ours, t.numpy(), rtol=1e-11, atol=1e-12)


@each
def test_products_with_the_hessian_are_pytorchs(made):
    net = made()
    program = net.hessian_vector_product()
    values, count = arguments(net, program), len(program.parameters)
    random = np.random.default_rng(1)
    direction = tuple(random.normal(size=v.shape) for v in values[:count])
    ours = codegen.lambdify(program)(*values, direction)
    at, along = (tuple(map(torch.tensor, x)) for x in (values[:count], direction))
    _, theirs = torch.autograd.functional.hvp(in_torch(made, values, count), at, along)
    for a, b in zip(ours, theirs, strict=True):
        assert np.allclose(a, b.numpy(), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("made", [gaussian, stacked], ids=lambda made: made.__name__)
def test_the_hessian_is_pytorchs(made):
    net = made()
    name = net.program().parameters[0].name
    program = net.hessian(name)
    values, count = arguments(net, program), len(program.parameters)
    whole = in_torch(made, values, count)
    others = [torch.tensor(v) for v in values[1:count]]
    theirs = torch.autograd.functional.hessian(lambda p: whole(p, *others), torch.tensor(values[0]))
    assert np.allclose(codegen.lambdify(program)(*values), theirs.numpy(), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("made", [gaussian, stacked], ids=lambda made: made.__name__)
def test_the_referee_agrees(made):
    net = made()
    program = net.backward()
    assert max(disagreement(net.program(), program, dict.fromkeys(program.sizes, 2)).values()) <= TOLERANCE


@pytest.mark.parametrize("size", [2, 3])
def test_adjoints_are_the_derivatives_of_the_textbooks_formula(size):
    """SymPy's own factor of a symbolic matrix, differentiated entry by entry along symmetric changes."""
    net = Network("one_factor")
    (N,) = net.sizes("N")
    A, T = net.parameter("A", N, N), net.input("T", N, N)
    net.loss = total(cholesky(A) * T)
    a = Matrix(size, size, lambda i, j: symbols(f"a{max(i, j)}{min(i, j)}", real=True))
    random = np.random.default_rng(size)
    values, weights = random.normal(size=(size, size)), random.normal(size=(size, size))
    values = values @ values.T + np.eye(size)
    point = {a[i, j]: values[i, j] for i, j in product(range(size), repeat=2)}
    loss = sum((a.cholesky(hermitian=False).multiply_elementwise(Matrix(weights))).values())
    ours = codegen.lambdify(net.backward())(values, weights)[1].A
    for i, j in product(range(size), repeat=2):
        along = float(loss.diff(a[i, j]).xreplace(point))
        assert np.isclose(along, ours[i, j] if i == j else ours[i, j] + ours[j, i], rtol=1e-10)


def test_differences_along_symmetric_matrices():
    net = of_a_parameter()
    program = net.backward()
    f, (A, *rest) = codegen.lambdify(program), arguments(net, program)
    random = np.random.default_rng(2)
    for _ in range(5):
        along = random.normal(size=A.shape)
        along += along.T
        up, down = (f(A + h * along, *rest)[0] for h in (1e-5, -1e-5))
        assert np.isclose((up - down) / 2e-5, np.sum(f(A, *rest)[1].A * along), rtol=1e-7)


def test_matrix_algebra_has_sympys_own_factor():
    N, D = symbols("N D")
    A, B, b = MatrixSymbol("A", N, D), MatrixSymbol("B", N, N), MatrixSymbol("b", N, 1)
    S = A * A.T + Identity(N)
    loss = Trace(LofCholesky(S) * B) + Trace(b.T * LofCholesky(S).T * LofCholesky(S) * b)
    net, _ = network_of(loss, A)
    program = net.backward()
    assert sum(factor(e) is not None for e in program.equations) == 1           # one factor, read three times
    random = np.random.default_rng(4)
    given = {"A": random.normal(size=(3, 2)), "B": random.normal(size=(3, 3)), "b": random.normal(size=3)}
    ours = codegen.lambdify(program)(**given)
    a, m, v = (torch.tensor(given[n], requires_grad=n == "A") for n in "ABb")
    L = torch.linalg.cholesky(a @ a.T + torch.eye(3, dtype=a.dtype))
    theirs = torch.trace(L @ m) + v @ L.T @ L @ v
    theirs.backward()
    assert np.isclose(ours[0], theirs.item(), rtol=1e-13)
    assert np.allclose(ours[1].A, a.grad.numpy(), rtol=1e-11)


# ---- how it is computed


def test_a_matrix_is_factorised_once_and_solved_by_triangles():
    net = Network("shared")
    N, D = net.sizes("N D")
    A, b = net.parameter("A", N, D), net.parameter("b", N)
    S = net.positive_definite(net.define("S", A @ A.T + eye(N)))
    L = net.define("L", cholesky(S))
    net.loss = total((L @ b) ** 2) / 2 + logdet(S) + b @ solve(S, b)
    text = codegen.source(net.backward())
    assert text.count("_cholesky(") == 2                        # the call, and the definition
    assert "_newton" not in text and "inv(" not in text and "_solved" not in text
    assert 'L = _cholesky("S", S)' in text
    assert text.count("solve_triangular(L, ") == 2


def test_the_program_says_so_in_few_words():
    text = codegen.source(gaussian().backward())
    assert "L L' = S, L lower triangular" in text
    assert "P_L = _lower(L.T @ dL)" in text and "_newton" not in text


def test_a_matrix_that_is_not_positive_definite_is_named():
    f = codegen.lambdify(gaussian().backward())
    assert np.isfinite(f(np.zeros((2, 2)), np.ones(2), np.ones((3, 2)), np.ones((1, 2)), np.ones((1, 2)))[0])
    net = Network("indefinite")
    (N,) = net.sizes("N")
    B = net.parameter("B", N, N)
    S = net.positive_definite(net.define("S", B - eye(N)))
    net.loss = total(cholesky(S))
    with pytest.raises(np.linalg.LinAlgError, match="S is not positive definite"):
        codegen.lambdify(net.backward())(np.zeros((2, 2)))


def test_what_is_no_square_matrix_is_refused():
    net = Network("oblong")
    N, D = net.sizes("N D")
    A = net.parameter("A", N, D)
    with pytest.raises(DefinitionError, match=r"the Cholesky factor of an array of shape \(N, D\)"):
        cholesky(A)


SABOTAGE = [                            # a text of `backward`, what is there instead
    ("_lower(L.T @ dL)", "L.T @ dL"),
    ("_lower(L.T @ dL)", "np.tril(L.T @ dL)"),
    ("_lower(L.T @ dL)", "_lower(L @ dL)"),
    ("half_lam_L.T, lower=True, trans=1).T", "half_lam_L, lower=True, trans=1)"),
    ("half_lam_L.T, lower=True, trans=1).T", "half_lam_L.T, lower=True).T"),
    ("lam_white @ white.T", "white @ lam_white.T"),
]


@pytest.mark.parametrize(("right", "wrong"), SABOTAGE, ids=[w for _, w in SABOTAGE])
def test_sabotage_is_caught(right, wrong):
    program = gaussian().backward()
    head, backward = codegen.source(program).split("def backward")
    assert right in backward
    module = module_from("gaussian", f"{head}def backward{backward.replace(right, wrong, 1)}")
    values = arguments(gaussian(), program)
    parameters = [torch.tensor(v, requires_grad=True) for v in values[:2]]
    theirs = torch.autograd.grad(in_torch(gaussian, values, 2)(*parameters), parameters)
    assert not np.allclose(module.loss_and_grads(*values)[1].B, theirs[0].numpy(), rtol=1e-6)
