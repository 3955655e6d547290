"""Every step of a derivation is true: both its sides computed, with tangents that are differences of forward passes.

What an equation defines implicitly is solved for by Newton's method, with slopes that are differences as well.
"""

from itertools import chain, islice, product

import numpy as np
import pytest
from sympy import Idx, Indexed, Integer, S, Symbol

from codegen.verify import assumed
from derive import networks
from derive.binders import is_binder
from derive.errors import DerivationError
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
         "layer_norm", "convolution_1d", "vae", "mixture_of_experts", "alignment", "gaussian_process", "soft_targets",
         "graph_convolution"]


class Values:
    """The variables of a program, each entry computed when it is read, from the equation that defines it."""

    def __init__(self, equations, given, sizes, known=()):
        self.given, self.sizes = given, sizes
        self.equations = {}
        for e in equations:
            self.equations.setdefault(e.name, []).append(e)
        self.known = dict(known)

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
                    return self._solved(e)[place] if e.implicit else evaluate(e.rhs, self, self.sizes, at)
        raise IndexError(f"{name}{place}")

    def _solved(self, e):
        """Return all entries of what an equation defines implicitly, by Newton's method."""
        points = list(places(e.lhs, self.sizes))
        cells = [tuple(at.values()) for at in points]

        def residuals(x):
            trial = Values(chain(*self.equations.values()), self.given, self.sizes,
                           self.known | {(e.name, cell): value for cell, value in zip(cells, x, strict=True)})
            return np.array([evaluate(e.rhs, trial, self.sizes, at) for at in points])

        x = np.array([evaluate(e.start, self, self.sizes, at) for at in points], float)
        for _ in range(50):
            slopes = [(residuals(x + step) - residuals(x - step)) / (2 * H) for step in H * np.eye(len(x))]
            step = np.linalg.solve(np.transpose(slopes), residuals(x))
            x = x - step
            if np.max(abs(step)) < 1e-8 * (1 + np.max(abs(x))):        # after it, the error is its square
                break
        assert np.max(abs(residuals(x))) < 1e-10 * (1 + np.max(abs(x))), f"no {e.name} found"
        self.known |= {(e.name, cell): value for cell, value in zip(cells, x, strict=True)}
        return dict(zip(cells, x, strict=True))


def values_of(equations, given, sizes):
    """Return the values of a program, with what is implicit solved for in the order of its equations."""
    values = Values(equations, given, sizes)
    for e in (e for e in equations if e.implicit):
        values.entry(e.name, tuple(next(iter(places(e.lhs, sizes))).values()))
    return values


class Cells:
    """The entries of one array."""

    def __init__(self, values, name):
        self.values, self.name = values, name

    def __getitem__(self, place):
        return self.values.entry(self.name, place)


class Differences:
    """The tangent of an array: the difference of two forward passes; 0 where both are equal, masked scores included."""

    def __init__(self, up, down, name):
        self.up, self.down, self.name = up, down, name

    def __getitem__(self, place):
        up, down = self.up[self.name][place], self.down[self.name][place]
        return 0.0 if up == down else (up - down) / (2 * H)


def small_sizes(program):
    """Return sizes up to 3, or up to 5 where sizes that follow from others need it."""
    try:
        return sizes_for(program, largest=3)
    except DerivationError:
        return sizes_for(program)


def given(program, sizes, rng, positive_inputs=False):
    """Return parameters and inputs at random, at which the program's assumptions hold."""
    found = {}
    for v in (*program.parameters, *program.inputs):
        shape = [int(evaluate(s, {}, sizes)) for s in v.shape]
        if v.kind == "labels":
            found[v.name] = rng.integers(0, int(evaluate(v.classes, {}, sizes)), shape)
        else:
            positive = "positive" in v.note or "var" in v.name or (v.kind == "input" and not shape)
            signs = [1] if positive or (positive_inputs and v.kind == "input") else [-1, 1]
            found[v.name] = rng.uniform(0.2, 1.2, shape) * rng.choice(signs, shape)
            found[v.name] = found[v.name] if shape else float(found[v.name])
    return found | assumed(program, found, {s: Integer(sizes[s.name]) for s in program.sizes})


def has_loss(program, data, sizes):
    """Tell whether the loss is a number."""
    with np.errstate(invalid="ignore"):
        return np.isfinite(values_of(program.forward, data, sizes)[program.loss])


def point(derivation, moving=None):
    """Return the values of all variables, adjoints and tangents; the parameters move, or `moving` alone."""
    program, rng = derivation.program, np.random.default_rng(1)
    sizes = {s.name: n for s, n in small_sizes(program).items()}
    data = given(program, sizes, rng)
    if not has_loss(program, data, sizes):
        data = given(program, sizes, rng, positive_inputs=True)
        assert has_loss(program, data, sizes)
    parameters = [v.name for v in program.parameters if moving in (None, v.name)]
    ways = {n: rng.normal(size=np.shape(data[n])) for n in parameters}
    up, down = (values_of(program.forward, data | {n: data[n] + step * w for n, w in ways.items()}, sizes)
                for step in (H, -H))
    adjoints = [*program.backward, *derivation.sheet.constants.values()]
    known = {e.name for e in adjoints}
    rest = [e for e in derivation.unfolding.raw.backward if e.name not in known]
    values = values_of([*program.forward, *adjoints, *rest], dict(data), sizes)
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
    for place in product(*ranges):
        yield dict(zip(free, place, strict=True))


def assert_true(step, values, sizes):
    """Compare the two sides of a step, at no more than 40 places; the right one with 0 where it determines the left."""
    sides = (S.Zero if step.implicit else step.left, step.right)
    for at in islice(places(step.left, sizes), 40):
        left, right = (evaluate(side, values, sizes, at) for side in sides)
        assert np.isclose(left, right, rtol=2e-6, atol=2e-7), f"{step.kind}: {step.left} = {step.right} at {at}"


def assert_gradients(derivation, values, sizes):
    """Compare the loss's tangent with what the gradients say of it: adjoints that are solved for have no pairing."""
    program, tangents = derivation.program, derivation.differentials.tangents
    along = 0
    for v in program.parameters:
        for place in product(*(range(int(evaluate(s, {}, sizes))) for s in v.shape)):
            along += values.entry(program.adjoints[v.name], place) * read(values, tangents[v.name], place)
    assert np.isclose(along, values[tangents[program.loss].name], rtol=2e-6, atol=2e-7)


def read(values, variable, place):
    """Return the value of an entry, or of a scalar."""
    return values[variable.name][place] if variable.shape else values[variable.name]


def check_steps(name):
    derivation = Derivation(networks.named(name).backward(), "every-step")
    values, sizes = point(derivation)
    steps = [s for p in derivation.passages for s in p.steps]
    assert {"differential", "reading"} <= {s.kind for s in steps}
    for step in steps:
        assert_true(step, values, sizes)
    assert_gradients(derivation, values, sizes)


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
                                                ("layer_norm", "W"), ("sequence_to_sequence", "F")])
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


@pytest.mark.parametrize("name", ["batch_norm", "vae", "sequence_to_sequence", "soft_targets"])
def test_no_index_is_bound_where_another_of_its_name_stands(name):
    derivation = Derivation(networks.named(name).backward(), "every-step")
    paths = (Path(derivation, v.name) for v in derivation.program.parameters)
    for step in (*(s for p in derivation.passages for s in p.steps), *(s for p in paths for s in p.back)):
        assert not _bound_twice(step.right, {str(i) for i in getattr(step.left, "indices", ())}), step


def _bound_twice(expr, around):
    bound = {str(limit[0]) for limit in expr.limits} if is_binder(expr) else set()
    return bool(bound & around) or any(_bound_twice(a, around | bound) for a in expr.args)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "softplus"])
def test_derivatives_of_functions_are_true(name):
    import derive

    derivation = Derivation(networks.named("mlp").backward(), "every-step")
    fact = derivation.unfolding.fact(getattr(derive, name, None) or getattr(__import__("sympy"), name))
    for z in (-1.3, -0.2, 0.4, 2.0):
        at = {fact.lhs.args[0].name: z}
        assert np.isclose(evaluate(fact.lhs, at, {}), evaluate(fact.rhs, at, {}), rtol=1e-6, atol=1e-8)
