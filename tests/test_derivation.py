"""Every step of a derivation is true: both its sides computed, with tangents that are differences of forward passes."""

from itertools import product

import numpy as np
import pytest
from sympy import Idx, Indexed, Symbol

from derive import networks
from derive.explicit import sizes_for
from derive.networks import loading
from derive.notations import Notation
from derive.paper.derivation import Derivation
from derive.paper.paths import Path
from derive.paper.writer import Writer
from derive.program import Equation
from tests.paper_values import ELEMENTWISE, Numbers, as_matrix, evaluate

H = 1e-5
QUICK = ["mlp", "neuron", "chain", "square", "relu_network", "softmax_regression", "elman_rnn", "attention",
         "layer_norm", "convolution_1d", "vae", "mixture_of_experts"]


class Values:
    """The variables of a program, each entry computed when it is read, from the equation that defines it."""

    def __init__(self, equations, given, sizes):
        self.given, self.sizes = given, sizes
        self.equations = {}
        for e in equations:
            self.equations.setdefault(e.name, []).append(e)
        self.known = {}

    def __getitem__(self, name):
        if name in self.given:
            return self.given[name]
        first = self.equations[name][0]
        return Cells(self, name) if first.indices else self.entry(name, ())

    def entry(self, name, place):
        if (name, place) not in self.known:
            self.known[name, place] = self._computed(name, place)
        return self.known[name, place]

    def _computed(self, name, place):
        for e in self.equations[name]:
            pairs = list(zip(e.indices, place, strict=True))
            if all(isinstance(i, Idx) or int(i) == p for i, p in pairs):
                at = {i: p for i, p in pairs if isinstance(i, Idx)}
                if all(int(evaluate(i.lower, self, self.sizes)) <= p for i, p in at.items()):
                    return evaluate(e.rhs, self, self.sizes, at)
        raise IndexError(f"{name}{place}")


class Cells:
    """The entries of one array."""

    def __init__(self, values, name):
        self.values, self.name = values, name

    def __getitem__(self, place):
        return self.values.entry(self.name, place)


class Differences:
    """The tangent of an array: the difference of two forward passes."""

    def __init__(self, up, down, name):
        self.up, self.down, self.name = up, down, name

    def __getitem__(self, place):
        return (self.up[self.name][place] - self.down[self.name][place]) / (2 * H)


def given(program, sizes, rng):
    """Return parameters and inputs at random."""
    found = {}
    for v in (*program.parameters, *program.inputs):
        shape = [int(evaluate(s, {}, sizes)) for s in v.shape]
        if v.kind == "labels":
            found[v.name] = rng.integers(0, int(evaluate(v.classes, {}, sizes)), shape)
        else:
            positive = "positive" in v.note or "var" in v.name or (v.kind == "input" and not shape)
            found[v.name] = rng.uniform(0.2, 1.2, shape) * rng.choice([1] if positive else [-1, 1], shape)
            found[v.name] = found[v.name] if shape else float(found[v.name])
    return found


def point(derivation, moving=None):
    """Return the values of all variables, adjoints and tangents; the parameters move, or `moving` alone."""
    program, rng = derivation.program, np.random.default_rng(1)
    sizes = {s.name: n for s, n in sizes_for(program, largest=3).items()}
    data = given(program, sizes, rng)
    parameters = [v.name for v in program.parameters if moving in (None, v.name)]
    ways = {n: rng.normal(size=np.shape(data[n])) for n in parameters}
    up, down = (Values(program.forward, data | {n: data[n] + step * w for n, w in ways.items()}, sizes)
                for step in (H, -H))
    adjoints = [*program.backward, *derivation.sheet.constants.values()]
    known = {e.name for e in adjoints}
    rest = [e for e in derivation.unfolding.raw.backward if e.name not in known]
    values = Values([*program.forward, *adjoints, *rest], dict(data), sizes)
    for name, tangent in derivation.differentials.tangents.items():
        if not tangent.shape:
            values.given[tangent.name] = (up[name] - down[name]) / (2 * H)
        else:
            values.given[tangent.name] = Differences(up, down, name)
    return values, sizes


def places(left, sizes):
    """Yield the values of the free indices of a left-hand side."""
    free = [i for i in left.indices if isinstance(i, Idx)] if isinstance(left, Indexed) else []
    ranges = [range(int(evaluate(i.lower, {}, sizes)), int(evaluate(i.upper, {}, sizes)) + 1) for i in free]
    for place in list(product(*ranges))[:40]:
        yield dict(zip(free, place, strict=True))


def assert_true(step, values, sizes):
    """Compare the two sides of a step."""
    for at in places(step.left, sizes):
        left, right = (evaluate(side, values, sizes, at) for side in (step.left, step.right))
        if np.isnan(left) or np.isnan(right):           # a masked score is minus infinity, which has no tangent
            continue
        assert np.isclose(left, right, rtol=2e-6, atol=2e-7), f"{step.kind}: {step.left} = {step.right} at {at}"


def check_steps(name):
    derivation = Derivation(networks.named(name).backward(), "every-step")
    values, sizes = point(derivation)
    steps = [s for p in derivation.passages for s in p.steps]
    assert {"differential", "reading"} <= {s.kind for s in steps}
    for step in steps:
        assert_true(step, values, sizes)


for _f in ("relu", "sigmoid", "tanh", "softplus", "sin", "cos", "erf", "Abs"):
    ELEMENTWISE.setdefault(f"{_f}'", lambda x, f=ELEMENTWISE[_f]: (f(x + H) - f(x - H)) / (2 * H))


@pytest.mark.parametrize("name", QUICK)
def test_every_step_is_true(name):
    check_steps(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in loading.names() if n not in QUICK])
def test_every_step_of_the_others_is_true(name):
    check_steps(name)


@pytest.mark.parametrize("name", ["mlp", "neuron", "layer_norm", "relu_network"])
@pytest.mark.parametrize("batch", ["rows", "columns"])
def test_steps_in_matrix_notation_mean_what_they_say(name, batch):
    derivation = Derivation(networks.named(name).backward(), "every-step")
    values, sizes = point(derivation)
    dense = {"scalar": 0.0}
    for v in (*derivation.program.variables.values(), *derivation.unfolding.raw.variables.values(),
              *derivation.differentials.tangents.values()):
        shape = [int(evaluate(s, {}, sizes)) for s in v.shape]
        dense[v.name] = np.array([values[v.name][p] for p in product(*map(range, shape))]).reshape(shape) if shape \
            else values[v.name]
    writer = Writer(derivation.sheet, lambda names: Numbers(names, dense, sizes), Notation(batch=batch))
    compared = 0
    for step in (s for p in derivation.passages for s in p.steps if s.whole):
        whole = isinstance(step.left, Indexed | Symbol)
        equations = [Equation(step.left, step.right)] if whole else \
            [Equation(Symbol("scalar", real=True), side) for side in (step.left, step.right)]
        for e in equations:
            _introduce(writer, e, dense, sizes)
            found = writer._as_matrices(e, True)
            if found is not None:
                indices = e.indices
                array = np.array([evaluate(e.rhs, values, sizes, at) for at in places(e.lhs, sizes)])
                array = as_matrix(array.reshape([int(evaluate(i.upper, {}, sizes)) + 1 for i in indices])) if indices \
                    else array[0]
                array = array.T if batch == "columns" and len(indices) == 2 else array
                value = found[1].value
                value = np.broadcast_to(np.reshape(value, ()) if np.size(value) == 1 else value, np.shape(array))
                np.testing.assert_allclose(value, array, rtol=1e-5, atol=1e-6)
                compared += 1
    assert compared >= 3


def _introduce(writer, equation, dense, sizes):
    """Give values to P and Y."""
    writer._put(equation, True, matrix=True)
    for name, stand_in in writer.stand_ins.known.items():
        if name not in dense:
            ranges = [range(int(evaluate(i.upper, {}, sizes)) + 1) for i in stand_in.read.indices]
            dense[name] = np.array([
                evaluate(stand_in.top / stand_in.bottom, dense, sizes, dict(zip(stand_in.read.indices, p, strict=True)))
                for p in product(*ranges)]).reshape([len(r) for r in ranges])


@pytest.mark.parametrize(("name", "variable"), [("mlp", "W1"), ("chain", "x"), ("neuron", "W"), ("relu_network", "W1"),
                                                ("layer_norm", "W")])
def test_a_path_leads_to_the_loss_and_back(name, variable):
    derivation = Derivation(networks.named(name).backward())
    variable = variable if variable in derivation.program.variables else derivation.program.parameters[0].name
    path = Path(derivation, variable)
    values, sizes = point(derivation, moving=variable)
    assert path.lines[-1].name == derivation.program.loss
    for _, step in path.there:
        assert_true(step, values, sizes)
    assert path.back[-1].right.count_ops() >= path.back[0].right.count_ops()
    for step in path.back:
        assert_true(step, values, sizes)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "softplus"])
def test_derivatives_of_functions_are_true(name):
    import derive

    derivation = Derivation(networks.named("mlp").backward(), "every-step")
    fact = derivation.unfolding.fact(getattr(derive, name, None) or getattr(__import__("sympy"), name))
    for z in (-1.3, -0.2, 0.4, 2.0):
        at = {fact.lhs.args[0].name: z}
        assert np.isclose(evaluate(fact.lhs, at, {}), evaluate(fact.rhs, at, {}), rtol=1e-6, atol=1e-8)
