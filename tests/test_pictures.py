"""Pictures show what they say, as well-formed SVG, the same bytes for the same input."""

import shutil
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from codegen import check_gradient, cli, pictures
from derive.graphs import graph

from .shipped import NAMES, derived


def texts(svg):
    return ["".join(t.itertext()) for t in ET.fromstring(svg).iter() if t.tag.endswith("}text")]


# ---- the graph, as data


def test_graph_of_the_perceptron_is_its_computation():
    made = graph(derived("mlp"))
    assert {(e.source.name, e.target.name, e.adjoint) for e in made.edges} == {
        ("X", "Z1", ""), ("W1", "Z1", "dW1"), ("b1", "Z1", "db1"), ("Z1", "A1", "dZ1"), ("A1", "Z2", "dA1"),
        ("W2", "Z2", "dW2"), ("b2", "Z2", "db2"), ("Z2", "loss", "dZ2"), ("y", "loss", "")}


def test_a_recurrence_reads_itself():
    made = graph(derived("elman_rnn"))
    assert any(e.target.name != e.source.name == "h" and e.adjoint == "dh" for e in made.edges)
    reached, todo = set(), ["h"]
    while todo:
        todo += [n for e in made.edges if e.source.name == todo[0] and (n := e.target.name) not in reached]
        reached.add(todo.pop(0))
    assert ("h" in {e.target.name for e in made.edges if e.source.name in reached - {"h"}})


@pytest.mark.parametrize("name", NAMES)
def test_edges_have_the_shapes_of_the_program(name):
    program = derived(name)
    made = graph(program)
    for e in made.edges:
        assert program.variables[e.source.name].shape == e.source.shape
        if e.adjoint in program.variables:
            assert program.variables[e.adjoint].shape == e.source.shape
    assert program.loss in {e.target.name for e in made.edges}


# ---- drawn


def test_drawn_graph_names_every_node_and_repeats_to_the_byte():
    pytest.importorskip("graphviz", reason="graphviz is in the plot extra: pip install -e '.[plot]'")
    if shutil.which("dot") is None:
        pytest.skip("Graphviz's command dot is not installed")
    program = derived("mlp")
    svg = pictures.network_graph(program)
    assert {"W1", "b1", "W2", "b2", "X", "y", "Z1", "A1", "Z2", "loss"} <= set(texts(svg))
    assert {"N × H", "dZ1: N × H"} <= {t.strip() for t in texts(svg)}
    assert svg == pictures.network_graph(program)


def test_loss_curves_are_named_and_repeat_to_the_byte():
    pytest.importorskip("matplotlib", reason="matplotlib is in the plot extra: pip install -e '.[plot]'")
    runs = {"plain": [1.0, 0.5, 0.25], "momentum": [1.0, 0.3, 0.1]}
    svg = pictures.loss_curves(runs)
    assert {"plain", "momentum", "step", "loss"} <= set(texts(svg))
    assert svg == pictures.loss_curves(runs)
    with pytest.raises(ValueError, match="the run 'plain' has 0 losses"):
        pictures.loss_curves({"plain": []})


def test_sparsity_needs_a_matrix_and_its_blocks():
    pytest.importorskip("matplotlib", reason="matplotlib is in the plot extra: pip install -e '.[plot]'")
    svg = pictures.sparsity(np.eye(3), {"w": 2, "b": 1})
    assert {"w", "b"} <= set(texts(svg))
    with pytest.raises(ValueError, match="expected two axes"):
        pictures.sparsity(np.ones(3))
    with pytest.raises(ValueError, match="the blocks have 2 rows; expected the matrix's 3"):
        pictures.sparsity(np.eye(3), {"w": 2})


def test_a_missing_extra_is_told_in_one_line(monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "graphviz", None)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["graph", "square"])
    told = capsys.readouterr().err
    assert stopped.value.code == 2 and told.count("\n") == 1 and "pip install 'derive-nn[plot]'" in told


# ---- errors of differences against the step


def report(factor=1.0):
    W = np.random.default_rng(0).normal(size=(4, 3))
    gradient = 2 * np.tanh(W) * (1 - np.tanh(W) ** 2)
    wrong = gradient * np.where(np.arange(12).reshape(4, 3) == 5, factor, 1)
    return check_gradient(lambda W, V: (np.tanh(W) ** 2).sum() + (np.tanh(V) ** 2).sum(), (gradient, wrong), (W, W))


def test_errors_fall_as_h_squared_and_rise_as_rounding():
    right, wrong = report(1.001).sweeps()
    errors = dict(zip(right.steps, right.errors, strict=True))
    for h in (0.1, 0.01):
        assert errors[h] / errors[h / 10] == pytest.approx(100, rel=0.1)
    assert min(errors.values()) < 1e-8
    assert all(e < 20 * right.floor / h for h, e in errors.items() if h < 1e-6)
    assert all(e > 1e-5 for e in wrong.errors)


def test_figure_of_errors_repeats_to_the_byte_and_names_what_it_shows():
    pytest.importorskip("matplotlib", reason="matplotlib is in the plot extra: pip install -e '.[plot]'")
    svg = pictures.error_against_step(report())
    assert svg == pictures.error_against_step(report())
    assert {"W", "V", "h²", "step", "error of the difference"} <= set(texts(svg))
    with pytest.raises(ValueError, match="all are zero here"):
        pictures.error_against_step(check_gradient(lambda w: 0 * w.sum(), np.zeros(3), np.ones(3)))


def test_the_command_draws_the_figure_or_says_what_is_missing(tmp_path, capsys, monkeypatch):
    def status(line):
        with pytest.raises(SystemExit) as stop:
            cli.main(line.split())
        return stop.value.code, capsys.readouterr().err

    pytest.importorskip("matplotlib", reason="matplotlib is in the plot extra: pip install -e '.[plot]'")
    assert status(f"check mlp --plot {tmp_path}/steps.svg") == (0, "")
    first = (tmp_path / "steps.svg").read_bytes()
    assert {"W1", "b1", "W2", "b2"} <= set(texts(first.decode()))
    assert status(f"check mlp --plot {tmp_path}/steps.svg") == (0, "")
    assert (tmp_path / "steps.svg").read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["steps.svg"]
    assert status(f"check mlp --plot {tmp_path}/steps.png")[0] == 2
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, told = status(f"check mlp --plot {tmp_path}/other.svg")
    assert code == 2 and "matplotlib" in told and len(told.splitlines()) == 1 and not (tmp_path / "other.svg").exists()
