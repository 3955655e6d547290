"""Edited code does not read or write beside its arrays, as NumPy's own functions may where arguments do not fit."""

import ast
import importlib.util

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided
from sympy import Sum

from codegen.doctor.careful import checked
from codegen.doctor.slots import text
from derive import Network
from tests.test_repairs import examined


def run(source, **names):
    tree = ast.parse(source, mode="eval").body
    code = compile(ast.Expression(ast.fix_missing_locations(checked(tree))), "<test>", "eval")
    return eval(code, {"np": np, **names})


def test_values_of_more_axes_than_the_places_are_refused():
    """np.add.at writes beside the array for them, where there is a slice among the indices."""
    x, i = np.zeros((2, 3, 4)), np.array([0, 1, 1])
    for values in (np.ones((3, 2, 3, 4)), np.ones((2, 4)), np.ones(5)):
        with pytest.raises(ValueError, match="for places of shape"):
            run("np.add.at(x, (slice(None), i, i), v)", x=x, i=i, v=values)
    assert not x.any()
    run("np.add.at(x, (slice(None), i, i), v)", x=x, i=i, v=np.ones((2, 3)))
    assert np.array_equal(x[:, 0, 0], [1, 1]) and np.array_equal(x[:, 1, 1], [2, 2]) and x.sum() == 6
    run("np.negative.at(x, 0)", x=x)
    assert x[0].sum() == -3


def test_views_stay_in_their_memory():
    x = np.arange(12.0).reshape(3, 4)
    windows = run("as_strided(x, shape=(2, 3, 2, 2), strides=x.strides * 2)", x=x, as_strided=as_strided)
    assert np.array_equal(windows, np.lib.stride_tricks.sliding_window_view(x, (2, 2)))
    for shape, strides in (((4, 4), x.strides), ((3, 4), (40, 8)), ((3, 4), (-32, 8))):
        with pytest.raises(ValueError, match="leads out of an array of shape"):
            run("np.lib.stride_tricks.as_strided(x, s, t)", x=x, s=shape, t=strides)


def test_lists_of_no_numbers_are_multiplied_by_nothing():
    """NumPy's @ of such an array ends Python, a while after that."""
    x, v = np.float64(2.0), np.array([1.0, 3.0])
    assert np.array_equal(run("np.array([[x, 1.0], [0.0, x]]) @ v", x=x, v=v), [5.0, 6.0])
    with pytest.raises(TypeError, match="a matrix product of objects"):
        run("np.array([[x, 1.0], [0.0, o]]) @ v", x=x, v=v, o=object())
    tree = ast.parse("M @ v", mode="eval").body
    assert checked(tree) is tree


def test_other_code_is_as_it_was():
    tree = ast.parse("np.sum(x.at[0]) + f(x)", mode="eval").body
    assert checked(tree) is tree
    tree = ast.parse("np.add.at(x, i, v)", mode="eval").body
    checked(tree)
    assert text(tree) == "np.add.at(x, i, v)"


TEXT = """import numpy

def words(E, X, w):
    loss = numpy.sum(E[w] * X)
    dE = numpy.zeros_like(E)
    dE[w] += X
    return loss, {"E": dE}
"""


def test_edits_have_a_name_for_numpy_where_the_code_has_none(tmp_path):
    net = Network("words")
    N, V, D = net.sizes("N V D")
    E, X, w = net.parameter("E", V, D), net.input("X", N, D), net.labels("w", N, classes=V)
    n, d = net.indices(n=N, d=D)
    net.loss = Sum(E[w[n], d] * X[n, d], n, d)
    (tmp_path / "words.py").write_text(TEXT)
    spec = importlib.util.spec_from_file_location("words", tmp_path / "words.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found, _ = examined(net, module.words)
    assert len(found) == 1 and "`np.add.at(dE, w, X)`" in found[0].words and not hasattr(module, "np")
