"""Matrix notation means what the equations say: every line of every network, computed both ways."""

from functools import partial

import numpy as np
import pytest
from sympy import Idx

from derive import networks
from derive.networks import loading
from derive.notations import Notation
from derive.paper.differentials import Differentials
from derive.paper.names import TANGENT_OF
from derive.paper.sheet import Sheet
from derive.paper.writer import Writer
from derive.program import Equation
from tests import rule_zoo, zoo
from tests.paper_values import Numbers, array_of, as_matrix, evaluate

BUILDERS = {f"networks-{n}": partial(networks.named, n) for n in loading.names()} \
    | {f"zoo-{n}": (lambda build=build: build().net) for n, build in zoo.ZOO.items()} \
    | {f"rule-{n}": build for n, build in rule_zoo.ZOO.items()}


def random_sizes(program):
    """Return small sizes, different from one another as far as that goes, so that a wrong transpose does not fit."""
    return {s.name: 2 + k % 4 for k, s in enumerate(program.sizes)}


def random_arrays(sheet, differentials, sizes, rng, positive):
    """Return a value for every variable, adjoint and tangent; log-sum-exps and relus are those of what they read."""
    variables = {**sheet.primal.variables, **sheet.program.variables}
    names = [*variables, *(f"d{n}" for n in sheet.active), *(f"{TANGENT_OF}{n}" for n in differentials.tangents)]
    arrays = {}
    for name in names:
        v = variables.get(name) or variables[name.removeprefix(TANGENT_OF).removeprefix("" if " " in name else "d")]
        shape = [int(evaluate(s, {}, sizes)) + (v.state and k == 0) for k, s in enumerate(v.shape)]
        if v.kind == "labels":
            arrays[name] = rng.integers(0, int(evaluate(v.classes, {}, sizes)), shape)
        else:
            values = rng.uniform(0.5, 1.5, shape) if positive else rng.normal(size=shape)
            arrays[name] = values if shape else float(values)
    for name, e in sheet.definitions.items():
        if name in sheet.hidden or type(e.rhs).__name__ == "relu":
            arrays[name] = array_of(e, arrays, sizes)
    return arrays


def matrix_value(writer, equation, reverse, arrays, sizes):
    """Return what an equation's right-hand side means in matrix notation, None where it has none."""
    writer._put(equation, reverse, matrix=True)                 # introduces what stands for something
    for name, stand_in in writer.stand_ins.known.items():
        value = Equation(stand_in.read, stand_in.top / stand_in.bottom)
        writer.style.arrays[name] = array_of(value, arrays, sizes)
    sides = writer._as_matrices(equation, reverse)
    return None if sides is None else sides[1].value


def assert_same(equation, reverse, writer, arrays, sizes):
    """Compare both meanings of an equation, where it has matrix notation and a value."""
    try:
        expected = as_matrix(array_of(equation, arrays, sizes))
        expected = np.transpose(expected) if writer.style.in_columns and len(equation.indices) == 2 else expected
    except (ValueError, IndexError, TypeError):         # the logarithm of what is negative, a read outside a range
        return
    value = matrix_value(writer, equation, reverse, arrays, sizes)
    if value is None or not np.all(np.isfinite(expected)):
        return
    assert np.shape(value) in (np.shape(expected), ()) or np.size(value) == 1, f"{equation}"
    value = np.broadcast_to(np.reshape(value, ()) if np.size(value) == 1 else value, np.shape(expected))
    np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-9, err_msg=str(equation))


def check_matrix_notation(name, batch):
    sheet = Sheet(BUILDERS[name]().backward())
    differentials = Differentials(sheet)
    lines = [(e, False) for e in sheet.lines]
    for row in sheet.rows:
        lines += [(e, True) for e in (differentials.of(row.line), *row.adjoints, *row.gradients)]
    rng, sizes = np.random.default_rng(0), random_sizes(sheet.program)
    for positive in (True, False):
        arrays = random_arrays(sheet, differentials, sizes, rng, positive)
        writer = Writer(sheet, lambda names, a=arrays: Numbers(names, dict(a), sizes), Notation(batch=batch))
        for equation, reverse in lines:
            if all(isinstance(i, Idx) and i.lower == 0 for i in equation.indices) and len(equation.indices) <= 2:
                assert_same(equation, reverse, writer, arrays, sizes)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")           # the square root of what is negative is no number
@pytest.mark.parametrize("name", BUILDERS)
def test_matrix_notation_means_the_equation(name):
    check_matrix_notation(name, "rows")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [f"networks-{n}" for n in (
    "mlp", "autoencoder", "batch_norm", "layer_norm", "graph_convolution", "attention", "vae", "skip_gram")])
def test_batches_in_columns_mean_the_equation_transposed(name):
    check_matrix_notation(name, "columns")
