"""What second derivatives cost: that of the closed form, by formula and as executed, not of as many backward passes."""

import re
from itertools import product as pairs
from math import prod

import numpy as np
import pytest
from sympy import Poly, Sum, lambdify

import codegen
from derive import LogSumExp, Network, cross_entropy, gelu, huber, mean, total
from derive.cost import operations
from derive.networks import named

from .test_cost import at, drawn, executed

# network -> sizes, and what the closed form of its whole Hessian takes, in operations: its matrix products
CLOSED = {
    # X' diag(p (1 - p)) X
    "logistic_regression": ({"N": 300, "D": 25}, lambda N, D: 2 * N * D**2),
    # sum_n x_n x_n' (x) (diag(p_n) - p_n p_n')
    "softmax_regression": ({"N": 300, "D": 12, "C": 6}, lambda N, D, C: 2 * N * D**2 * C**2),
    # for each rating: q q', p p', p q' multiplied and added, and those with 1 for p or q; then what is on diagonals
    "matrix_factorisation": ({"N": 300, "U": 15, "I": 12, "K": 9},
                             lambda N, U, I, K: N * (6 * K**2 + 12 * K) + U * K * I),
}


def at_sizes(program, given):
    return {s: given[s.name] for s in program.sizes}


@pytest.mark.parametrize("name", CLOSED)
def test_a_hessian_costs_its_closed_form(name):
    given, closed = CLOSED[name]
    hessian = named(name).hessian()
    sizes = at_sizes(hessian, given)
    done = executed(hessian, drawn(hessian, sizes))
    assert done <= 1.2 * closed(**given)
    gradient = named(name).backward()
    columns = sum(prod(at(s, gradient, sizes) for s in p.shape) for p in gradient.parameters)
    assert done < 0.7 * columns * executed(gradient, drawn(gradient, sizes))            # as many backward passes


def test_the_hessian_of_a_loss_in_pieces_costs_its_closed_form():
    """X' diag([|Xw - y| <= 1]) X: the pieces are weights of examples, not a choice for each example and pair."""
    net = Network("robust", "Huber regression")
    N, D = net.sizes("N D")
    w, X, y = net.parameter("w", D), net.input("X", N, D), net.input("y", N)
    net.loss = mean(huber(net.define("z", X @ w), y))
    hessian = net.hessian()
    arguments = drawn(hessian, at_sizes(hessian, {"N": 300, "D": 25}))
    assert executed(hessian, arguments) <= 1.2 * 2 * 300 * 25**2
    w0, X0, y0 = arguments
    near = X0[np.abs(X0 @ w0 - y0) <= 1]
    np.testing.assert_allclose(codegen.lambdify(hessian)(*arguments), near.T @ near / 300, rtol=1e-12, atol=1e-15)


def test_diagonals_of_several_kinds_are_each_added_in_place():
    """The blocks of softmax regression beside those of a penalty: no array of 0 and 1 is multiplied with."""
    net = Network("penalised", "Softmax regression with a penalty")
    N, D, C = net.sizes("N D C")
    W, X, y = net.parameter("W", D, C), net.input("X", N, D), net.labels("y", N, classes=C)
    net.loss = mean(cross_entropy(net.define("Z", X @ W), y)) + total(W**2)
    hessian = net.hessian()
    assert "==" not in codegen.source(hessian).split("def _checked")[0].split("def hessian")[1]
    W0, X0, _ = arguments = drawn(hessian, at_sizes(hessian, {"N": 6, "D": 3, "C": 4}))
    p = np.exp(X0 @ W0) / np.exp(X0 @ W0).sum(1, keepdims=True)
    J = p[:, :, None] * np.eye(4) - p[:, :, None] * p[:, None]
    want = np.einsum("nce,nd,nf->dcfe", J, X0, X0) / 6 + 2 * np.einsum("df,ce->dcfe", np.eye(3), np.eye(4))
    np.testing.assert_allclose(codegen.lambdify(hessian)(*arguments), want, rtol=1e-12, atol=1e-14)


def test_slopes_are_computed_once():
    """Of an activation that is no function of its value; and no line of a Hessian only reads another."""
    net = Network("smooth", "A perceptron of gelu units")
    N, D, H = net.sizes("N D H")
    W, v, X, y = net.parameter("W", D, H), net.parameter("v", H), net.input("X", N, D), net.input("y", N)
    A = net.define("A", gelu(net.define("Z", X @ W)))
    net.loss = mean((A @ v - y) ** 2)
    text = codegen.source(net.hessian())
    assert text.count("Z * exp_Z + erf_Z + 1") == 1
    assert not re.search(r"^    J_\w+ = J_\w+ +#", text, re.MULTILINE)


def test_sums_over_all_pairs_of_rows_are_matrix_products():
    """Cox's partial likelihood: sum_n e_n (sum_m p_nm x_m x_m' - xbar_n xbar_n'), and no array of N N D entries."""
    net = Network("cox", "Those at risk come first")
    N, D = net.sizes("N D")
    w, X, e = net.parameter("w", D), net.input("X", N, D), net.input("e", N)
    n, m = net.indices(n=N, m=N)
    z = net.define("z", X @ w)
    net.loss = Sum(e[n] * (LogSumExp(z[m], (m, 0, n)) - z[n]), n)
    hessian = net.hessian()
    assert max(len(line.free) for line in hessian.equations) == 2
    w0, X0, e0 = arguments = drawn(hessian, at_sizes(hessian, {"N": 7, "D": 3}))
    want = np.zeros((3, 3))
    for k in range(7):
        p = np.exp(X0[:k + 1] @ w0)
        centred = X0[:k + 1] - p @ X0[:k + 1] / p.sum()
        want += e0[k] * (centred.T * p) @ centred / p.sum()
    np.testing.assert_allclose(codegen.lambdify(hessian)(*arguments), want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", CLOSED)
def test_the_formula_grows_as_the_closed_form(name):
    """The count is of sums as they are written, so a factor of at most three apart from that of matrix products."""
    program = named(name).hessian()
    symbols = {s.name: s for s in program.sizes}
    formula, closed = (Poly(e, symbols["N"]) for e in (operations(program), CLOSED[name][1](**symbols)))
    others = [s for s in program.sizes if s.name != "N"]
    each, known = (Poly(p.coeff_monomial(symbols["N"]), *others) for p in (formula, closed))
    most, degree = max(known.terms()), known.total_degree()
    assert formula.degree() == 1 and each.total_degree() == degree
    assert 0 < each.coeff_monomial(most[0]) <= 3 * most[1]
    entries = Poly(sum(prod(p.shape) for p in program.parameters) ** 2, *others)        # of the Hessian, zeros and all
    assert Poly(formula.coeff_monomial(1), *others).total_degree() <= entries.total_degree()


@pytest.mark.parametrize("name", ["mlp", "perceptron", "autoencoder", "logistic_regression", "matrix_factorisation"])
def test_a_product_costs_at_most_four_gradients(name):
    """By formula, at sizes of every shape; as executed, at some."""
    product, gradient = named(name).hessian_vector_product(), named(name).backward()
    costs = lambdify(gradient.sizes, [operations(product), operations(gradient)])
    for sizes in pairs((2, 20, 300), repeat=len(gradient.sizes)):
        once_more, once = costs(*sizes)
        assert once_more <= 4 * once, sizes
    sizes = {s: 24 + 3 * k for k, s in enumerate(gradient.sizes)}
    arguments = drawn(gradient, sizes)
    done = executed(product, arguments, [a.copy() for a in arguments[:len(gradient.parameters)]])
    assert done <= 2.5 * executed(gradient, arguments)
