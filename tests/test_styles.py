"""The styles of a module say the same: every network that comes along, plain and fast."""

import re
import tracemalloc
from functools import cache

import numpy as np
import pytest

import codegen
from codegen.memory import module_from
from codegen.verify import sample
from derive.networks import loading

NETWORKS = {net.name: net for net in loading.load()}
QUICK = ("neuron", "chain", "mlp", "logistic_regression", "layer_norm", "batch_norm", "attention", "max_pooling",
         "lstm", "skip_gram")
every_network = pytest.mark.parametrize("name", [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS])


@cache
def texts(name):
    program = NETWORKS[name].backward()
    return program, *(codegen.source(program, style=style) for style in ("plain", "fast"))


def modules(name, apart=False):
    """Return the plain and the fast module of a network, and arguments; the fast one goes row by row if `apart`."""
    program, plain, fast = texts(name)
    if apart:
        fast = re.sub(r"rows = -\(.* / rows\)\)\)", "rows = 1", fast)
        assert ("rows = 1 " in fast) == ("of some of the" in fast)
    plain, fast = module_from(name, plain), module_from(name, fast)
    return plain, fast, sample(program, plain)


def agree(ours, theirs, digits):
    assert np.allclose(ours[0], theirs[0], rtol=10.0**-digits)
    for name, a, b in zip(ours[1]._fields, ours[1], theirs[1], strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype, name
        assert np.abs(a - b).max() <= 10.0**-digits * max(1e-30, np.abs(b).max()), name


@every_network
def test_fast_says_what_plain_says(name):
    plain, fast, arguments = modules(name)
    agree(fast.loss_and_grads(**arguments), plain.loss_and_grads(**arguments), 12)


@every_network
def test_a_row_at_a_time_says_the_same(name):
    plain, fast, arguments = modules(name, apart=True)
    agree(fast.loss_and_grads(**arguments), plain.loss_and_grads(**arguments), 11)


@every_network
def test_a_workspace_is_used_again(name):
    _, fast, arguments = modules(name)
    workspace = fast.Workspace()
    loss, grads = fast.loss_and_grads(**arguments, workspace=workspace)
    first = loss, type(grads)(*(np.array(g) for g in grads))
    arrays = {k: id(a) for k, a in workspace.flat.items()}
    again = fast.loss_and_grads(**arguments, workspace=workspace)
    agree(again, first, 15)
    assert {k: id(a) for k, a in workspace.flat.items()} == arrays


@every_network
def test_float32_stays_float32(name):
    plain, fast, arguments = modules(name)
    single = {n: a.astype(np.float32) if isinstance(a, np.ndarray) and a.dtype == np.float64 else a
              for n, a in arguments.items()}
    agree(fast.loss_and_grads(**single), plain.loss_and_grads(**single), 3)


def test_an_unknown_style_is_refused():
    with pytest.raises(ValueError, match="style is 'quick'; expected one of plain, fast"):
        codegen.source(NETWORKS["mlp"].backward(), style="quick")


@pytest.mark.parametrize("name", ["mlp", "layer_norm", "lstm"])
def test_arrays_are_those_of_the_workspace_in_the_steady_state(name):
    program, _, text = texts(name)
    fast = module_from(name, text)
    rng, sizes = np.random.default_rng(0), {"N": 400, "T": 30, "D": 50, "H": 60, "K": 40, "C": 20}
    arguments = {}
    for v in (*program.parameters, *program.inputs):
        shape = tuple(int(s.xreplace({t: sizes[t.name] for t in s.free_symbols})) for s in v.shape)
        arguments[v.name] = rng.integers(0, sizes["C"], shape) if v.kind == "labels" else rng.normal(size=shape)
    workspace = fast.Workspace()
    _, grads = fast.loss_and_grads(**arguments, workspace=workspace)
    tracemalloc.start()
    fast.loss_and_grads(**arguments, workspace=workspace)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()                  # NumPy's own buffers, of 8192 numbers, count
    assert peak < sum(a.nbytes for a in workspace.flat.values()) / 4
    largest = max(grads, key=np.size)
    assert any(np.shares_memory(largest, a) for a in workspace.flat.values())
