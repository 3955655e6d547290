"""The style scalar: the same loss and gradients as the NumPy module, from straight-line Python on floats."""

import math
import timeit

import numpy as np
import pytest
from scipy import special
from sympy import Eq, Piecewise, Sum, acos, acosh, asin, asinh, atan, atanh, digamma, loggamma

import codegen
from codegen import cli, scalar_module
from codegen.memory import module_from
from codegen.verify import relative, sample
from derive import Network, padded, relu, total
from derive.errors import DerivationError
from derive.explicit import sizes_for
from derive.networks import named

NETWORKS = ["relu_network", "neuron", "mlp", "logistic_regression", "elman_rnn", "lstm", "layer_norm", "attention",
            "max_pooling", "skip_gram", "gaussian_mixture", "average_pooling", "square"]


def scalar(program, **sizes):
    return module_from(program.name, scalar_module.source(program, sizes))


def lists(arguments, program):
    return [np.asarray(arguments[v.name]).tolist() for v in (*program.parameters, *program.inputs)]


@pytest.mark.parametrize("name", NETWORKS)
def test_scalars_agree_with_the_numpy_module(name):
    program = named(name).backward()
    module = codegen.lambdify(program).module
    arguments = sample(program, module)
    ours = scalar(program, **{s.name: n for s, n in sizes_for(program).items()})
    given = lists(arguments, program)
    loss, grads = module.loss_and_grads(**arguments)
    scalar_loss, scalar_grads = ours.loss_and_grads(*given)
    assert relative(scalar_loss, loss) < 1e-12
    for expected, found in zip(grads, scalar_grads, strict=True):
        assert np.shape(found) == np.shape(expected)
        assert relative(found, expected) < 1e-12
    again, residuals = ours.forward(*given)
    assert (again, ours.backward(residuals)) == (scalar_loss, scalar_grads)


def test_predict_and_sgd_step_are_those_of_the_numpy_module():
    program = named("mlp").backward()
    module = codegen.lambdify(program).module
    arguments = sample(program, module)
    ours = scalar(program, **{s.name: n for s, n in sizes_for(program).items()})
    *params, X, y = lists(arguments, program)
    expected = module.predict(*(np.array(p) for p in params), np.array(X))
    assert relative(ours.predict(*params, X), expected) < 1e-12
    _, grads = ours.loss_and_grads(*params, X, y)
    stepped = ours.sgd_step(ours.Params(*params), grads, 0.1)
    assert relative(stepped.W1, np.array(params[0]) - 0.1 * np.array(grads.W1)) < 1e-15


def test_nothing_but_python_is_imported_and_names_are_the_papers():
    text = scalar_module.source(named("relu_network").backward(), {"D": 2, "H": 2, "K": 1})
    assert "numpy" not in text.lower()
    assert "    z1_1 = W1_0_1*x_0 + W1_1_1*x_1 + b1_1\n" in text
    assert max(map(len, text.splitlines())) <= 120


def test_brackets_of_labels_add_up_where_arrays_are_given():
    net = Network("counts")
    N, C = net.sizes("N C")
    w, y = net.parameter("w", C), net.labels("y", N, classes=C)
    net.loss = total(w[y])
    _, grads = scalar(net.backward(), N=4, C=3).loss_and_grads(np.ones(3), np.array([2, 0, 2, 2]))
    assert grads.w == (1, 0, 3)


def test_inverse_functions_are_those_of_math():
    net = Network("inverses")
    w = net.parameter("w")
    net.loss = asin(w) + acos(w) ** 2 + atan(w) + asinh(w) + acosh(2 + w) + atanh(w)
    loss, _ = scalar(net.backward()).loss_and_grads(0.3)
    expected = (math.asin(0.3) + math.acos(0.3) ** 2 + math.atan(0.3) + math.asinh(0.3) + math.acosh(2.3)
                + math.atanh(0.3))
    assert loss == pytest.approx(expected, rel=1e-14)


def test_derivatives_of_the_gamma_function_are_scipys():
    net = Network("gammas")
    w = net.parameter("w")
    net.loss = digamma(w) * loggamma(w)
    loss, grads = scalar(net.backward()).loss_and_grads(2.3)
    assert loss == pytest.approx(special.psi(2.3) * math.lgamma(2.3), rel=1e-14)
    assert grads.w == pytest.approx(special.polygamma(1, 2.3) * math.lgamma(2.3) + special.psi(2.3) ** 2, rel=1e-14)


@pytest.mark.parametrize("scale", [1e4, 1e-20])
def test_softmax_and_sigmoid_stay_in_range(scale):
    program = named("mlp").backward()
    ours = scalar(program, N=1, D=1, H=1, C=3)
    W2 = [[scale, -scale, 0.0]]
    loss, grads = ours.loss_and_grads([[1.0]], [0.0], W2, [0.0] * 3, [[1.0]], [1])
    logits = np.array(W2[0])
    top = logits.max()
    assert loss == pytest.approx(top - logits[1] + np.log(np.exp(logits - top).sum()), rel=1e-15)
    assert np.all(np.isfinite(grads.W2))
    neuron = scalar(named("neuron").backward(), D=1)
    loss, grads = neuron.loss_and_grads([-scale], [1.0], 1.0)
    assert 0 <= loss <= 0.5 and np.isfinite(grads.W[0])


def test_misuse_is_named():
    program = named("mlp").backward()
    with pytest.raises(DerivationError, match="symbolic sizes D, C; the style scalar needs numbers"):
        scalar(program, N=1, H=2)
    with pytest.raises(DerivationError, match="Q is no size of mlp"):
        scalar(program, Q=1)
    with pytest.raises(DerivationError, match="the size N is 0; expected at least 1"):
        scalar(program, N=0, D=1, H=2, C=2)
    with pytest.raises(DerivationError, match=r"the size D is 1\.5; expected an integer"):
        scalar(program, N=1, D=1.5, H=2, C=2)
    with pytest.raises(DerivationError, match="entries at these sizes"):
        scalar(program, N=100, D=100, H=100, C=10)
    ours = scalar(program, N=1, D=2, H=1, C=2)
    good = [[[1.0], [1.0]], [0.0], [[1.0, 2.0]], [0.0, 0.0], [[1.0, 1.0]], [0]]
    assert ours.loss_and_grads(*good)[0] > 0
    with pytest.raises(ValueError, match=r"W1 has shape \(1, 2\); expected \(2, 1\)"):
        ours.loss_and_grads([[1.0, 1.0]], *good[1:])
    with pytest.raises(ValueError, match="y holds the label 2; expected 0 to 1"):
        ours.loss_and_grads(*good[:-1], [2])


def test_sizes_that_are_numbers_need_not_be_given():
    net = Network("fixed")
    w, x = net.parameter("w", 2), net.input("x", 2)
    net.loss = total(relu(w * x))
    loss, grads = scalar(net.backward()).loss_and_grads([1.0, -1.0], [3.0, 4.0])
    assert (loss, grads.w) == (3.0, (3.0, 0.0))


def test_sizes_are_for_the_style_scalar_alone():
    program = named("neuron").backward()
    assert codegen.source(program, style="scalar", sizes={"D": 2}) == scalar_module.source(program, {"D": 2})
    assert codegen.lambdify(program, style="scalar", sizes={"D": 1})([0.0], [1.0], 0.5) == (0.0, ((0.0,),))
    with pytest.raises(ValueError, match="sizes are given, for which the style plain has no use"):
        codegen.source(program, sizes={"D": 2})


@pytest.mark.parametrize(("options", "status", "told"), [
    (["--style", "scalar", "--sizes", "D=2"], 0, "Wrote 2 files"),
    (["--style", "scalar"], 2, "symbolic size D"),
    (["--style", "scalar", "--sizes", "D=two"], 2, "expected numbers by name"),
    (["--sizes", "D=2"], 2, "--style plain takes any sizes"),
])
def test_scalar_modules_are_built_and_verified(options, status, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        cli.main(["build", "neuron", "--output", "out", *options])
    output = capsys.readouterr()
    assert exit_.value.code == status and told in output.out + output.err
    assert (tmp_path / "out" / "neuron.py").is_file() == (status == 0)


@pytest.mark.slow
def test_eight_times_as_fast_as_numpy_that_checks_nothing():
    from benchmarks.naive import tiny
    from benchmarks.workloads import TINY

    arguments = TINY.arguments()
    ours = scalar(named("relu_network").backward(), **TINY.sizes).loss_and_grads
    given = [a.tolist() for a in arguments.values()]

    def best(run):
        return min(timeit.repeat(run, number=2000, repeat=9))

    assert best(lambda: tiny(**arguments)) >= 8 * best(lambda: ours(*given))


@pytest.mark.parametrize(("name", "what"), [
    ("gaussian_process", "chol_K solves a system or factorises a matrix"),
    ("deep_equilibrium", "Z is defined implicitly"),
])
def test_solvers_are_refused_by_name(name, what):
    program = named(name).backward()
    with pytest.raises(DerivationError, match=f"{what}.*use plain"):
        codegen.source(program, style="scalar", sizes={s.name: k for s, k in sizes_for(program).items()})


def test_choices_by_data_take_one_branch():
    """The others may have no value there: 1/0, or a read outside its range."""
    net = Network("choices")
    N, C = net.sizes("N C")
    z, y = net.parameter("z", N), net.labels("y", N, classes=C)
    [n] = net.indices(n=N)
    first = Piecewise((1 / z[n], Eq(y[n], 1) | (y[n] >= 3)), (z[n] ** 2, z[n] > 1), (0, True))
    net.loss = Sum(first**2 + Piecewise((z[n] * padded(z)[n - 1], Eq(y[n], 2)), (z[n], True)), n)
    f = codegen.lambdify(net.backward(), style="scalar", sizes={"N": 4, "C": 4})
    loss, grads = f(np.array([2.0, 0.0, 0.5, 4.0]), np.array([0, 2, 3, 1]))
    assert loss == 16 + 2 + 0 + 4 + 0.5 + 1 / 16 + 4
    assert tuple(grads.z) == (4 * 2.0**3 + 1 + 0, 2.0, -2 / 0.5**3 + 1, -2 / 4.0**3 + 1)
