"""Variables that equations define implicitly: the referee, the errors."""

import numpy as np
import pytest
from sympy import Eq, Sum

import codegen
from codegen import verify
from derive import DefinitionError, Network, total
from derive.networks import named
from derive.referee import TOLERANCE, disagreement

from . import implicit_zoo as zoo


@pytest.mark.parametrize("made", zoo.ALL, ids=lambda made: made.__name__)
def test_gradients_are_those_of_the_implicit_function_theorem(made):
    net = made()
    found = disagreement(net.program(), net.backward())
    assert max(found.values()) <= (0 if made in zoo.LINEAR else TOLERANCE), found


def test_the_adjoint_of_an_unknown_is_what_other_equations_send_it():
    net = Network("triangle")
    (A,) = net.sizes("A")
    w, y = net.parameter("w", A), net.unknown("y", A)
    i, j = net.indices(i=A, j=A)
    net.implicitly(y, Eq(y[i], w[i] + Sum((w[i] + y[j]) ** 2, (j, i + 1, A - 1))), over=i)
    net.loss = Sum(y[i] ** 2 + y[0] * y[i], i)
    found = disagreement(net.program(), net.backward())
    assert found["dy"] <= TOLERANCE, found


@pytest.mark.parametrize(("equation", "message"), [
    (lambda y, x: x**2, "y is not in the equation"),
    (lambda y, x: "y = x", "expected a SymPy expression"),
])
def test_what_defines_nothing_is_refused(equation, message):
    net = Network("refused")
    (N,) = net.sizes("N")
    x, y = net.parameter("x", N), net.unknown("y", N)
    with pytest.raises(DefinitionError, match=message):
        net.implicitly(y, equation(y, x))


def test_an_unknown_needs_an_equation():
    net = Network("open")
    y = net.unknown("y")
    net.loss = y**2
    with pytest.raises(DefinitionError, match="the unknown y of open has no equation"):
        net.program()


def test_there_are_as_many_equations_as_unknowns():
    net = Network("short")
    N, M = net.sizes("N M")
    x, y = net.parameter("x", M), net.unknown("y", N, M)
    i, j = net.indices(i=N, j=M)
    with pytest.raises(DefinitionError, match="one index for each axis"):
        net.implicitly(y, Eq(y[i, j], x[j]), over=(j, i))


def test_only_unknowns_are_defined_implicitly():
    net = Network("known")
    x = net.parameter("x")
    with pytest.raises(DefinitionError, match="not an unknown"):
        net.implicitly(x, Eq(x**2, 2))


@pytest.mark.parametrize("made", zoo.ALL, ids=lambda made: made.__name__)
def test_modules_agree_with_finite_differences(made):
    program = made().backward()
    verdict = verify.finite_differences(program, codegen.lambdify(program).module)
    assert verdict.passed, verdict.complaints


@pytest.mark.parametrize("style", ["plain", "fast"])
def test_a_start_may_be_computed_for_it_alone(style):
    net = Network("started", "A square root, of which the start says which")
    N = net.size("N")
    x = net.parameter("x", N)
    (n,) = net.indices(n=N)
    begin = net.define("begin", -1 - x[n], over=n)
    y = net.unknown("y", N)
    net.implicitly(y, Eq(y[n] ** 2, x[n]), over=n, start=begin[n])
    net.loss = total(y)
    given = np.array([0.3, 1.0, 4.0])
    loss, grads = codegen.lambdify(net.backward(), style=style)(x=given)
    assert np.isclose(loss, -np.sqrt(given).sum()) and np.allclose(grads.x, -0.5 / np.sqrt(given))


def test_a_matrix_is_factorised_once_and_never_inverted():
    text = codegen.source(zoo.solve().backward())
    assert text.count('_lu("A"') == 1
    assert "trans=1" in text and "inv(" not in text


def test_a_definite_matrix_has_a_cholesky_factor_and_one_solution_serves_both_ways():
    text = codegen.source(zoo.gaussian().backward())
    assert text.count('_cholesky("K"') == 1
    assert "lam_alpha = alpha / 2" in text and "inv(" not in text


def test_what_the_residual_and_its_derivative_share_is_computed_once():
    text = codegen.source(named("deep_equilibrium").backward())
    assert text.count("np.tanh(") == 2          # in `forward` and in `predict`


def test_a_singular_matrix_is_named():
    module = codegen.lambdify(zoo.solve().backward()).module
    with pytest.raises(np.linalg.LinAlgError, match="A is singular"):
        module.loss_and_grads(np.ones((3, 3)), np.ones((3, 2)), np.ones((3, 2)))
    module = codegen.lambdify(zoo.stacked().backward()).module
    with pytest.raises(np.linalg.LinAlgError, match="matrix of y is singular"):
        module.loss_and_grads(-np.eye(2), np.ones(3), np.ones((3, 2)), np.ones((3, 2)))


def test_an_iteration_that_does_not_converge_says_so():
    net = Network("nowhere")
    x, y = net.parameter("x"), net.unknown("y")
    net.implicitly(y, y**2 + 1 + x**2)
    net.loss = y
    module = codegen.lambdify(net.backward()).module
    with pytest.raises(ArithmeticError, match="y: Newton's method does not converge"), np.errstate(all="ignore"):
        module.forward(1.0)
