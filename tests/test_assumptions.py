"""Side facts: used where they shorten, cited by name, checked by the module; gradients stay what they were."""

import re

import numpy as np
import pytest
from sympy import MatrixSymbol, Sum, Trace

import codegen
from codegen import verify
from codegen.memory import module_from
from derive import DefinitionError, DerivationError, Network, backward, log_softmax, softmax, total
from derive.networks import named
from derive.notes import note
from derive.symmetry import Symmetry
from derive.text import Texts

RANDOM = np.random.default_rng(0)


def soft_targets(assumed=True):
    net = Network("soft")
    n, c = net.sizes("N C")
    Z, Y = net.parameter("Z", n, c), net.input("Y", n, c)
    if assumed:
        net.assume("each row of Y sums to one", total(Y, axis=1), 1)
    net.loss = -total(Y * log_softmax(Z)) / n
    return net


def quadratic(about="input", fact="symmetric"):
    net = Network("quadratic")
    n = net.size("N")
    A = (net.input if about == "input" else net.parameter)(MatrixSymbol("A", n, n))
    x = net.parameter(MatrixSymbol("x", n, 1))
    getattr(net, f"assume_{fact}")(A)
    net.loss = x.T * A * x
    return net


def one_hot():
    net = Network("chosen")
    n, c = net.sizes("N C")
    Z, Y = net.parameter("Z", n, c), net.input("Y", n, c)
    net.assume_one_hot(Y)
    net.loss = total((Z - 1) ** 2 * Y**2)
    return net


def rotated():
    net = Network("rotated")
    n, m = net.sizes("N M")
    Q, X = net.input(MatrixSymbol("Q", n, n)), net.parameter(MatrixSymbol("X", n, m))
    net.assume_orthogonal(Q)
    net.loss = Trace(X.T * Q.T * Q * X)
    return net


def column_sums():
    net = Network("mixed")
    n, c = net.sizes("N C")
    A, z = net.input("A", n, c), net.parameter("z", c)
    i, k, j = net.indices(i=n, k=c, j=n)
    net.assume("each column of A sums to two", Sum(A[i, k], i), 2)
    net.loss = Sum(A[j, k] * z[k] ** 2, j, k)
    return net


NETWORKS = [soft_targets, quadratic, lambda: quadratic("parameter"), lambda: quadratic(fact="positive_definite"),
            one_hot, rotated, column_sums]


@pytest.mark.parametrize(("net", "of", "shortest", "fact"), [
    (soft_targets, "dZ", "(exp(Z[n, c] - lse_Z[n]) - Y[n, c])/N", "each row of Y sums to one"),
    (quadratic, "dx", "2*Sum(A[n, n2]*x[n2], (n2, 0, N - 1))", "A is symmetric"),
    (one_hot, "dZ", "2*(Z[n, c] - 1)*Y[n, c]", "each row of Y is one-hot"),
    (rotated, "dX", "2*X[n, m]", "Q is orthogonal"),
    (column_sums, "dz", "4*z[c]", "each column of A sums to two"),
])  # fmt: skip
def test_facts_shorten_and_are_cited(net, of, shortest, fact):
    program = net().backward()
    [line] = [e for e in program.equations if e.name == of]
    assert re.sub(r"n5|k(?=])", lambda m: {"n5": "n", "k": "c"}[m[0]], str(line.rhs)) == shortest
    assert fact in program.since[of]
    assert f"since {fact}" in Texts(program).listing()
    assert "Since " in note(program)
    assert fact in codegen.source(program)


@pytest.mark.parametrize("net", NETWORKS)
def test_referee_and_finite_differences_agree_where_the_facts_hold(net):
    net = net()
    program = net.backward()
    module = module_from(net.name, codegen.source(program))
    for verdict in (verify.referee(net, program), verify.finite_differences(program, module)):
        assert verdict.passed, verdict.complaints


def test_gradient_is_that_without_the_fact():
    Z, Y = RANDOM.normal(size=(5, 4)), RANDOM.uniform(size=(5, 4))
    Y /= Y.sum(axis=1, keepdims=True)
    (loss, grads), (want, plain) = (codegen.lambdify(soft_targets(a).backward())(Z, Y) for a in (True, False))
    assert np.isclose(loss, want, rtol=1e-14)
    assert np.allclose(grads.Z, plain.Z, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize(("net", "bad", "told"), [
    (soft_targets, {"Y": [[0.5, 0.6]]}, "Y is off by 0.1 where each row of Y sums to one; expected at most 2e-08"),
    (quadratic, {"A": [[1, 2], [3, 4.0]]}, "A is off by 1 where A is symmetric"),
    (lambda: quadratic(fact="positive_definite"), {"A": [[1, 2], [2, 1.0]]},
     "A has the eigenvalue -1; expected that A is symmetric positive definite"),
    (one_hot, {"Y": [[0.5, 0.5]]}, "Y is off by 0.25 where each row of Y is one-hot"),
    (one_hot, {"Y": [[1, 1.0]]}, "Y is off by 1 where each row of Y is one-hot"),
    (rotated, {"Q": [[1, 1], [0, 1.0]]}, "Q is off by 1 where Q is orthogonal"),
    (soft_targets, {"Y": [[np.nan, 1]]}, "Y is off by nan"),
])  # fmt: skip
def test_modules_refuse_data_at_which_a_fact_does_not_hold(net, bad, told):
    program = net().backward()
    f = codegen.lambdify(program)
    sizes = {"N": len(next(iter(bad.values()))), "C": 2, "M": 2}
    names = [v.name for v in (*program.parameters, *program.inputs)]
    shapes = {n: tuple(sizes[str(s)] for s in program.variables[n].shape) for n in names}
    with pytest.raises(ValueError, match=re.escape(told)):
        f(**{n: np.array(bad[n]) if n in bad else np.ones(shapes[n]) for n in names})


def test_rounding_of_the_dtype_is_allowed_for():
    f = codegen.lambdify(soft_targets().backward())
    Y = RANDOM.uniform(size=(50, 40))
    Y = (Y / Y.sum(axis=1, keepdims=True)).astype(np.float32)
    loss, grads = f(np.zeros((50, 40), np.float32), Y)
    assert np.isclose(loss, np.log(40), rtol=1e-5)
    assert grads.Z.dtype == np.float32
    with pytest.raises(ValueError, match="sums to one"):
        f(np.zeros((50, 40), np.float32), Y * np.float32(1.01))


def test_facts_about_a_parameter_do_not_change_what_is_differentiated():
    program = quadratic("parameter").backward()
    x = np.array([1.0, 2.0])
    _, grads = codegen.lambdify(program)(np.eye(2), x)
    assert np.allclose(grads.A, np.outer(x, x))


def test_what_cannot_be_assumed_is_refused():
    net = Network("refusing")
    n, c = net.sizes("N C")
    X, w, y = net.input("X", n, c), net.parameter("w", c), net.labels("y", n, classes=c)
    with pytest.raises(DefinitionError, match="expected a square matrix"):
        net.assume_symmetric(X)
    S = net.define("S", X.T @ X)
    with pytest.raises(DefinitionError, match=r"S is computed; .* say net.positive_definite"):
        net.assume_positive_definite(S)
    h = net.state("h", n, c, initial=w)
    with pytest.raises(DefinitionError, match="h is a state"):
        net.assume("h sums to one", total(h), 1)
    with pytest.raises(DefinitionError, match="y is labels"):
        net.assume("y sums to one", total(y), 1)
    with pytest.raises(DefinitionError, match="about no variable"):
        net.assume("one is one", n / n, 1)
    with pytest.raises(DefinitionError, match="has no words"):
        net.assume("", total(X), 1)
    with pytest.raises(DefinitionError, match="q is not a variable"):
        net.assume_one_hot("q")
    net.assume("w sums to one", total(w), 1)
    with pytest.raises(DefinitionError, match="assumes already that w sums to one"):
        net.assume("w sums to one", total(w), 1)


def test_second_derivatives_do_not_take_a_parameter_for_what_it_is_assumed_to_be():
    """d2(x'Ax)/dx dA is not that of 2 A x at a symmetric A."""
    assumed, plain = quadratic("parameter"), Network("quadratic")
    n = plain.size("N")
    A, x = plain.parameter(MatrixSymbol("A", n, n)), plain.parameter(MatrixSymbol("x", n, 1))
    plain.loss = x.T * A * x
    S, y, V, v = np.eye(2), np.array([1.0, 2.0]), np.array([[0, 1.0], [0, 0]]), np.zeros(2)
    products = [codegen.lambdify(net.hessian_vector_product())(S, y, (V, v)) for net in (assumed, plain)]
    assert all(np.allclose(a, b) for a, b in zip(*products, strict=True))
    with pytest.raises(DerivationError, match="right only where A is symmetric"):
        backward(assumed.backward())


# ---- of computed variables


def shifted(known):
    """A softmax that is scaled row by row: by b, the loss gains what a row sums to."""
    net = Network("shifted")
    N, C = net.sizes("N C")
    Z, b, T = net.parameter("Z", N, C), net.parameter("b", N), net.input("T", N, C)
    n, c = net.indices(n=N, c=C)
    Y = net.define("Y", softmax(Z, axis=1))
    if known:
        net.assume("each row of Y sums to one", total(Y, axis=1), 1)
    E = net.define("E", b[n] * Y[n, c] - T[n, c], over=(n, c))
    net.loss = total(E) + Sum(b[n] ** 2 * Y[n, c], n, c)
    return net


def test_a_fact_about_a_computed_variable_is_used_cited_and_checked():
    program = shifted(True).backward()
    text = Texts(program).listing()
    assert re.search(r"db = 1 \+ 2 b +\(N,\)   since each row of Y sums to one", text)
    assert "since" not in Texts(shifted(False).backward()).listing()
    assert "each row of $Y$ sums to one" in note(program)
    source = codegen.source(program)
    assert '    _assume("Y", "each row of Y sums to one", Y.sum(axis=1), 1)' in source
    given = RANDOM.normal(size=(3, 4)), RANDOM.normal(size=3), RANDOM.normal(size=(3, 4))
    _, ours = codegen.lambdify(program)(*given)
    _, plain = codegen.lambdify(shifted(False).backward())(*given)
    for a, b in zip(ours, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-14)
    assert verify.finite_differences(program, module_from("shifted", source)).passed
    assert verify.referee(shifted(True), program).passed


def test_a_false_fact_about_a_computed_variable_is_told_in_every_style():
    net = Network("squares")
    N, C = net.sizes("N C")
    Z, b = net.parameter("Z", N, C), net.parameter("b", N)
    Y = net.define("Y", Z**2)
    net.assume("each row of Y sums to one", total(Y, axis=1), 1)
    net.loss = total(b * total(Y, axis=1))
    for style in ("plain", "fast"):
        function = codegen.lambdify(net.backward(), style=style)
        loss, grads = function(np.full((2, 4), 0.5), np.ones(2))
        assert loss == 2 and np.array_equal(grads.b, [1, 1])
        with pytest.raises(ValueError, match="Y is off by 3 where each row of Y sums to one"):
            function(np.ones((2, 4)), np.ones(2))


def test_a_computed_matrix_that_is_symmetric_needs_no_transpose():
    for known in (False, True):
        net = Network("gram")
        N, D = net.sizes("N D")
        W, v = net.parameter("W", N, D), net.parameter("v", N)
        C = net.define("C", W @ W.T)
        if known:
            net.assume_symmetric(C)
        net.loss = total((C @ v) ** 2)
        text = Texts(net.backward()).listing()
        assert ("dv = C dsum_loss" in text, "since C is symmetric" in text) == (known, known)
        products = codegen.lambdify(net.hessian_vector_product())       # of the loss as it was written
        W0, v0 = RANDOM.normal(size=(3, 2)), RANDOM.normal(size=3)
        [_, Hv] = products(W0, v0, [np.zeros((3, 2)), v0])
        np.testing.assert_allclose(Hv, 2 * W0 @ W0.T @ W0 @ W0.T @ v0, rtol=1e-12)


# ---- what follows from the lines themselves


def test_symmetry_goes_through_named_lines_and_inverses():
    text = Texts(named("probabilistic_pca").backward()).listing()
    assert re.search(r"dW = 2 dC W +\(D, K\)   since dC is symmetric", text)
    assert "dWdot = 2 (dCdot W + dC Wdot) " in Texts(named("probabilistic_pca").hessian_vector_product()).listing()
    assert r"Since $\delta_C$ is symmetric, that is" in note(named("probabilistic_pca").backward())


def gram(first, second, limit=None):
    """The loss reads G = first * middle * second' in both orders."""
    net = Network("gram")
    N, D = net.sizes("N D")
    W, V, A = net.parameter("W", N, D), net.parameter("V", N, D), net.input("A", N, N)
    n, m, d = net.indices(n=N, m=N, d=D)
    left, right = {"W": W, "V": V}[first], {"W": W, "V": V}[second]
    G = net.define("G", Sum(left[n, d] * right[m, d], (d, 0, D - 1 if limit is None else limit(n))), over=(n, m))
    net.loss = Sum(A[n, m] * (G[n, m] + G[m, n]) ** 2, n, m) + total(V)
    return net.backward()


@pytest.mark.parametrize(("program", "symmetric"), [
    (gram("W", "W"), True), (gram("W", "V"), False),
])
def test_only_what_is_symmetric_is_taken_for_it(program, symmetric):
    assert Symmetry(program).of("G") is symmetric
    function = codegen.lambdify(program)
    verdict = verify.finite_differences(program, function.module)
    assert verdict.passed, verdict.complaints


def test_sandwiches_of_symmetric_data_and_solutions_are_symmetric():
    net = Network("sandwich")
    N, D = net.sizes("N D")
    W, B, K = net.parameter("W", D, N), net.input("B", N, N), net.input("K", N, N)
    net.assume_symmetric(B)
    S, T = net.define("S", W @ B @ W.T), net.define("T", W @ K @ W.T)
    net.loss = total(S) + total(T)
    program = net.backward()
    known = Symmetry(program)
    assert (known.of("S"), known.of("T"), known.of("B"), known.of("K")) == (True, False, True, False)
