"""What a line does to the gradients; and slips in array code: layouts, slices, repeated indices, copies."""

import ast
from functools import partial

import numpy as np
import pytest
from sympy import Sum, tanh

from codegen.doctor import diagnose
from codegen.doctor.arrangements import orders
from codegen.doctor.edits import parsed
from codegen.doctor.lines import Line, line
from codegen.doctor.slots import Slot
from codegen.doctor.source import units_of, value_code
from derive import FirstMaximum, Network, logsumexp, mean
from tests.coursework.editing import edited
from tests.test_repairs import examined


def words():
    net = Network("words")
    N, T, V, D, J, H = net.sizes("N T V D J H")
    F = net.size("F", D + J)
    E, W, v = net.parameter("E", V, D), net.parameter("W", F, H), net.parameter("v", H)
    w, X, q, g = net.labels("w", N, T, classes=V), net.input("X", N, J), net.input("q", N, T), net.input("g", N)
    n, t, d, j, h = net.indices(n=N, t=T, d=D, j=J, h=H)
    m = net.define("m", Sum(q[n, t] * E[w[n, t], d], t), over=(n, d))
    A = net.define("A", tanh(Sum(m[n, d] * W[d, h], d) + Sum(X[n, j] * W[D + j, h], j)), over=(n, h))
    net.loss = Sum(g[n] * A[n, h] * v[h], n, h)
    return net


def mine(E, W, v, w, X, q, g):
    (N, T), D = w.shape, E.shape[1]
    xt = E[w].transpose(1, 0, 2)
    m = (q.T[:, :, None] * xt).sum(axis=0)
    F = np.concatenate([m, X], axis=1)
    A = np.tanh(F @ W)
    loss = g @ A @ v
    slope = A.copy()
    slope *= -A
    slope += 1
    dv = A.T @ g
    dZ = np.outer(g, v) * slope
    dW = F.T @ dZ
    dF = dZ @ W.T
    dm = dF[:, :D]
    dxt = q.T[:, :, None] * dm
    dx = dxt.transpose(1, 0, 2).reshape(N * T, D)
    dE = np.zeros_like(E)
    np.add.at(dE, w.ravel(), dx)
    return loss, {"E": dE, "W": dW, "v": dv}


class _Private:
    def __twice(self, x):
        return 2 * x


def test_an_expression_reads_what_is_private_in_the_class_that_it_is_of():
    names = {"self": _Private(), "x": 3}
    assert eval(value_code(parsed("self.__twice(x) + 1"), "_Private"), names) == 7
    with pytest.raises(AttributeError):
        eval(value_code(parsed("self.__twice(x) + 1")), names)


def test_what_one_edit_writes_no_other_reads():
    p = np.array([[1.0, 2.0], [3.0, 4.0]])
    known = Line([{"np": np, "p": p}], [p.ravel()], [(2, 2)], np.eye(4), np.zeros(4), {"W": slice(0, 4)},
                 frozenset({"W"}), frozenset(), frozenset({"q"}))
    assert known.mends(parsed("p + q")) == frozenset() and known.mends(parsed("p + r")) is None     # q is not set yet
    assert known.given(value_code(parsed("np.fill_diagonal(p, np.inf)"))) is None
    np.testing.assert_array_equal(known.given(value_code(parsed("2 * p"))), [1, 2, 3, 4])


EDITS = [                               # what is edited, and what the doctor says should stand there
    ("dxt.transpose(1, 0, 2).reshape(N * T, D)", "dxt.reshape(N * T, D)", "dxt.transpose(1, 0, 2)"),
    ("dxt.transpose(1, 0, 2).reshape(N * T, D)", "dxt.transpose(0, 2, 1).reshape(N * T, D)", "(1, 0, 2)"),
    ("dm = dF[:, :D]", "dm = dF[:, -D:]", "`dF[:, :D]`"),
    ("np.add.at(dE, w.ravel(), dx)", "dE[w.ravel()] += dx", "`np.add.at(dE, w.ravel(), dx)`"),
    ("np.add.at(dE, w.ravel(), dx)", "dE[w.ravel()] = dx", "`np.add.at(dE, w.ravel(), dx)`"),
    ("slope = A.copy()", "slope = A", "A.copy()"),
    ("dxt = q.T[:, :, None] * dm", "dxt = np.sign(q.T[:, :, None]) * dm", "sign does not belong there"),
    ("np.outer(g, v) * slope", "np.outer(g, v)", "1 - A ** 2"),
    ("dxt = q.T[:, :, None] * dm", "dxt = np.ones((T, 1, 1)) * dm", "q.T[:, :, None]"),
]


@pytest.mark.parametrize(("old", "new", "told"), EDITS, ids=[new for _, new, _ in EDITS])
def test_what_should_stand_there_is_told(old, new, told):
    found, _ = examined(words(), edited(mine, (old, new)))
    assert len(found) == 1 and told in found[0].words, found


def pooled(pooling):
    net = Network("pooled")
    N, L = net.sizes("N L")
    A = net.size("A", 3 * L)
    x, g = net.parameter("x", N, A), net.input("g", N, L)
    n, l, k = net.indices(n=N, l=L, k=3)
    window = x[n, 3 * l + k]
    y = net.define("y", FirstMaximum(window, k) if pooling == "max" else Sum(window, k) / 3, over=(n, l))
    net.loss = Sum(g[n, l] * y[n, l] ** 2, n, l)
    return net


def largest(windows):
    return np.eye(3)[windows.argmax(axis=2)]


def evenly(windows):
    return np.full(windows.shape, 1 / 3)


def backward(pool, share):
    def pooling(x, g):
        windows = x.reshape(len(x), -1, 3)
        y = pool(windows, axis=2)
        return np.sum(g * y**2), {"x": ((2 * g * y)[:, :, None] * share(windows)).reshape(x.shape)}

    return pooling


@pytest.mark.parametrize(("pooling", "pool", "right", "wrong", "told"), [
    ("max", np.max, largest, evenly, "as if it were a mean"),
    ("mean", np.mean, evenly, largest, "a maximum stands where a mean should")])
def test_the_other_poolings_gradient_is_known(pooling, pool, right, wrong, told):
    assert diagnose(pooled(pooling), backward(pool, right)).right
    assert told in str(diagnose(pooled(pooling), backward(pool, wrong)))


def affine(x, y):
    total = 0.0
    for k in range(3):
        part = x * (k + 1.0)
        total = total + part @ y
    return total


def test_the_reach_of_a_line_is_what_it_does_and_tells_what_may_stand_there():
    x, y = np.array([1.0, -2.0]), np.array([0.5, 3.0])
    with units_of(partial(affine, x, y)) as (unit,):
        loop = next(n for n in ast.walk(unit.function) if isinstance(n, ast.For))
        missing = {"total": np.asarray(6 * x @ y)}                      # as if each part were to be twice as large
        found = line(unit, Slot(loop.body[0], "value"), lambda: {"total": np.asarray(affine(x, y))}, missing, 5.0)
        nonlinear = line(unit, Slot(loop.body[1], "value"), lambda: {"total": np.asarray(affine(x, y)) ** 2},
                         missing, 5.0)
    assert found is not None and nonlinear is None and found.may()
    np.testing.assert_allclose(found.reach, np.tile(y, 3)[None], rtol=1e-12)
    assert found.mends(ast.parse("2 * part", mode="eval").body) == frozenset()          # no part is there as yet
    assert found.mends(ast.parse("2 * x * (k + 1.0)", mode="eval").body) == frozenset({"total"})
    assert found.mends(ast.parse("x.sum()", mode="eval").body) is None


def test_orders_of_axes_are_all_of_a_few_and_neighbours_of_many():
    assert len(orders(3)) == 5 and len(orders(6)) < 60 and (1, 0, 2, 3, 4, 5) in orders(6)


def free_energy(W, X):
    Z = X @ W
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    S = E.sum(axis=1)
    N = len(X)
    loss = -np.mean(np.log(S) + Z.max(axis=1))
    dZ = -E / (N * S[:, None])
    return loss, {"W": X.T @ dZ}


def test_what_is_computed_and_read_nowhere_may_be_what_is_missing():
    net = Network("energy", "A mean of log-sum-exps")
    N, D, K = net.sizes("N D K")
    W, X = net.parameter("W", D, K), net.input("X", N, D)
    net.loss = -mean(logsumexp(X @ W, axis=1))
    assert diagnose(net, free_energy).right
    found, _ = examined(net, edited(free_energy, ("-E / (N * S[:, None])", "-E")))
    assert len(found) == 1 and "`-E / S[:, None] / N`: S[:, None] and N are missing" in found[0].words, found
