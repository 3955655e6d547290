"""Minima of objectives as variables, unknowns by name, and modules sabotaged."""


import numpy as np
import pytest
from sympy import Eq, Sum, exp

import codegen
from codegen import verify
from codegen.memory import module_from
from derive import DefinitionError, Network, derivative, mean, total
from derive.networks import named
from derive.notes import note
from derive.referee import disagreement
from derive.terms import canonical

from . import implicit_zoo


def ridge(define):
    net = Network("ridge")
    N, M, D = net.sizes("N M D")
    rho = net.parameter("rho", D)
    X, y, V, t = net.input("X", N, D), net.input("y", N), net.input("V", M, D), net.input("t", M)
    w = net.unknown("w", D)
    define(net, w, mean((X @ w - y) ** 2) / 2 + total(exp(rho) * w**2) / 2)
    net.loss = mean((V @ w - t) ** 2) / 2
    return net


def test_a_minimum_of_a_square_has_the_normal_equations():
    net = ridge(lambda net, w, objective: net.argmin(w, objective))
    program = net.backward()
    assert max(disagreement(net.program(), program).values()) <= 1e-50
    module = codegen.lambdify(program).module
    random = np.random.default_rng(0)
    rho, X, y, V, t = (random.normal(size=s) for s in (3, (6, 3), 6, (4, 3), 4))
    w = np.linalg.solve(X.T @ X / 6 + np.diag(np.exp(rho)), X.T @ y / 6)
    loss, grads = module.loss_and_grads(rho, X, y, V, t)
    assert np.isclose(loss, ((V @ w - t) ** 2).mean() / 2, rtol=1e-13)
    sent = np.linalg.solve(X.T @ X / 6 + np.diag(np.exp(rho)), V.T @ (V @ w - t) / 4)
    assert np.allclose(grads.rho, -np.exp(rho) * w * sent, rtol=1e-12)
    assert "_newton" not in codegen.source(program)


def test_argmin_writes_that_the_gradient_vanishes():
    short = ridge(lambda net, w, objective: net.argmin(w, lambda point: objective))
    long = ridge(lambda net, w, objective: net.implicitly(w, derivative(objective, w)))
    first, second = ([canonical(e.rhs) for e in net.backward().equations] for net in (short, long))
    assert first == second


def test_an_objective_is_a_scalar():
    with pytest.raises(DefinitionError, match=r"objective of w has shape \(D,\)"):
        ridge(lambda net, w, objective: net.argmin(w, w**2))


def test_an_unknown_is_declared_where_it_is_defined():
    net = Network("solve")
    N, M = net.sizes("N M")
    A, B, T = net.parameter("A", N, N), net.parameter("B", N, M), net.input("T", N, M)
    n, m, k = net.indices(n=N, m=M, k=N)
    Y = net.implicitly("Y", lambda Y: Eq(Sum(A[n, k] * Y[k, m], k), B[n, m]), over=(n, m))
    net.loss = total((Y - T) ** 2) / 2
    assert codegen.source(net.backward()).split('"""', 2)[2] == \
        codegen.source(implicit_zoo.solve().backward()).split('"""', 2)[2]


def test_derivatives_hold_an_unknown_still_in_its_own_equation_only():
    net = Network("later")
    x, y = net.parameter("x"), net.unknown("y")
    net.implicitly(y, Eq(y**3 + y, x))
    net.loss = derivative(y**2, y)
    with pytest.raises(DefinitionError, match="or an unknown in its own equation"):
        net.program()


def test_predict_computes_nothing_that_it_does_not_return():
    text = codegen.source(named("hyperparameters").backward())
    assert text.count("s = X @ w") == 2             # in each Newton


def test_the_hessian_where_the_iteration_ends_is_kept():
    text = codegen.source(named("hyperparameters").backward())
    assert 'w, matrix_w = _newton("w", newton_w,' in text
    assert "X.T" not in text.split("def backward")[1].split("def predict")[0]
    module = codegen.lambdify(named("hyperparameters").backward()).module
    random = np.random.default_rng(0)
    rho, X, y = random.normal(size=4), random.normal(size=(9, 4)), np.array([0.0, 1, 1, 0, 1, 0, 0, 1, 1])
    _, residuals = module.forward(rho, X, y, X[:2], y[:2])
    w = module.predict(rho, X, y)
    p = 1 / (1 + np.exp(-X @ w))
    hessian = X.T @ (X * (p * (1 - p))[:, None]) / 9 + np.diag(np.exp(rho))
    [kept] = [r for r in residuals if r.shape == hessian.shape]
    assert np.abs(kept - hessian).max() <= 1e-13


# ---- sabotage

SABOTAGE = [                            # network, a text of its `backward`, what is there instead
    ("solve", ", trans=1", ""),                                         # the system, not transposed
    ("solve", "dA = -lam_Y", "dA = lam_Y"),                             # a sign
    ("solve", "lu_solve(lu_A, dY, trans=1)", "dY"),                     # the adjoint of Y for that of its equation
    ("solve", "-lam_Y @ Y.T", "-Y @ lam_Y.T"),                          # a transpose of the product
    ("gaussian", "lam_alpha[:, None] * alpha", "0"),                    # a term
    ("gaussian", "lam_alpha = alpha / 2", "lam_alpha = alpha"),         # a factor
    ("equilibrium", "(-W / (4 * H))", "(-W.T / (4 * H))"),
    ("equilibrium", "matrix_lam_Y[:, np.arange(H), np.arange(H)] += 1", "matrix_lam_Y = -matrix_lam_Y"),
    ("equilibrium", "lam_Y * slope_Y", "lam_Y"),
]


@pytest.mark.parametrize(("name", "right", "wrong"), SABOTAGE, ids=[f"{n}: {w or 'no ' + r}" for n, r, w in SABOTAGE])
def test_sabotage_of_a_module_is_caught(name, right, wrong):
    program = getattr(implicit_zoo, name)().backward()
    text = codegen.source(program)
    head, backward = text.split("def backward")
    assert right in backward
    module = module_from(name, f"{head}def backward{backward.replace(right, wrong, 1)}")
    assert not verify.finite_differences(program, module).passed


@pytest.mark.parametrize("made", [implicit_zoo.solve, implicit_zoo.equilibrium], ids=lambda made: made.__name__)
def test_sabotage_of_a_program_is_caught(made):
    net = made()
    program = net.backward()
    multipliers = [e for e in program.equations if e.implicit and e.name.startswith("lam_")]
    for wrong in (-1, 2):
        for e in multipliers:
            sabotaged = program.with_equations(
                x.with_rhs(x.rhs + wrong * program.variables[x.name].at(*x.indices)) if x is e else x
                for x in program.equations)
            assert max(disagreement(net.program(), sabotaged).values()) > 1e-6


@pytest.mark.parametrize("name", ["hyperparameters", "gaussian_process", "leave_one_out"])
def test_products_with_hessians_have_the_lines_of_multipliers_in_their_notes(name):
    program = named(name).hessian_vector_product()
    multipliers = [n for n, v in program.variables.items() if v.multiplier and not v.tangent_of]
    assert multipliers and program.forward == program.equations and not program.backward
    text = note(program)
    assert all(f"{program.name}:{n}" in text for n in multipliers)
    assert text.count(r"\notag") < len(program.equations)       # a wide left-hand side leaves the others their room
