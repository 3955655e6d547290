"""The line of somebody's code that a mistake is in: found where code is right again with it edited."""

import ast
import inspect
import re
from functools import partial
from os import system as ask_the_system
from types import SimpleNamespace

import numpy as np
import pytest
from sympy import Sum, tanh

from codegen.doctor import diagnose
from codegen.doctor.edits import Edit, Surroundings
from codegen.doctor.evidence import Evidence, Seen
from codegen.doctor.judge import LOSS
from codegen.doctor.patient import Patient
from codegen.doctor.regions import SECOND, UNLIKELY, Region, alive, beside, likely
from codegen.doctor.repairs import Repairs
from codegen.doctor.rewritings import everywhere
from codegen.doctor.slots import Slot, text
from codegen.doctor.source import acts, units_of
from codegen.doctor.statements import of_block, of_statement
from codegen.doctor.trials import points
from codegen.doctor.two_edits import Tried, _leaves
from derive import Network, cross_entropy, mean, total
from derive.functions import relu
from tests.coursework.editing import edited


def classifier():
    net = Network("classifier")
    N, D, H, C = net.sizes("N D H C")
    W, b, V = net.parameter("W", D, H), net.parameter("b", H), net.parameter("V", H, C)
    X, y = net.input("X", N, D), net.labels("y", N, classes=C)
    net.loss = mean(cross_entropy(net.define("Z", net.define("A", relu(X @ W + b)) @ V), y))
    return net


def mine(W, b, V, X, y):
    hidden, loss = [], 0.0
    dW, db, dV = np.zeros_like(W), np.zeros_like(b), np.zeros_like(V)
    for n in range(len(X)):
        z = X[n] @ W + b
        a = np.maximum(z, 0)
        hidden.append(a)
        s = a @ V
        p = np.exp(s - s.max())
        p = p / p.sum()
        loss -= np.log(p[y[n]]) / len(X)
        d = p.copy()
        d[y[n]] -= 1
        d = d / len(X)
        back = V @ d
        back[z <= 0] = 0
        for h in range(len(b)):
            dV[h] += d * hidden[n][h]
            dW[:, h] += X[n] * back[h]
        db += back
    return loss, {"W": dW, "b": db, "V": dV}


def recurrence():
    net = Network("recurrence")
    T, N, D, K = net.sizes("T N D K")
    W, U = net.parameter("W", D, K), net.parameter("U", K, K)
    x, g = net.input("x", T, N, D), net.input("g", T, N, K)
    t, n, d, j, k = net.indices(t=T, n=N, d=D, j=K, k=K)
    h = net.state("h", T, N, K, initial=0)
    net.define(h, tanh(Sum(x[t, n, d] * W[d, k], d) + Sum(h[t - 1, n, j] * U[j, k], j)), over=(t, n, k))
    net.loss = Sum(g[t, n, k] * h[t, n, k], t, n, k)
    return net


class Cell:
    """A recurrence in two methods that keep what they need."""

    def __init__(self, W, U):
        self.W, self.U, self.kept = W, U, []

    def forward(self, x, h):
        new = np.tanh(x @ self.W + h @ self.U)
        self.kept.append((x, h, new))
        return new

    def backward(self, dh):
        x, before, after = self.kept.pop()
        dpre = dh * (1 - after**2)
        return x.T @ dpre, before.T @ dpre, dpre @ self.U.T


def by_cells(W, U, x, g, cell=None):
    cell = (cell or Cell)(W, U)
    h, loss, grads, carried = np.zeros((x.shape[1], len(U))), 0.0, [0, 0], 0
    for t in range(len(x)):
        h = cell.forward(x[t], h)
        loss += np.sum(g[t] * h)
    for t in range(len(x) - 1, -1, -1):
        dW, dU, carried = cell.backward(g[t] + carried)
        grads = [a + b for a, b in zip(grads, (dW, dU), strict=True)]
    return loss, grads


def examined(network, function, seconds=20.0):
    """Return what is repaired, and the search."""
    program = network.backward()
    patient = Patient(program, function)
    seen = [Seen(p, patient.answer(p)) for p in points(program) if not p.kinked]
    evidence = Evidence(program, seen)
    loss = [LOSS] if any(abs(s.answer.loss - s.point.ours.values["loss"]) > 1e-9 for s in seen) else []
    search = Repairs(patient, evidence, [*evidence.wrong(), *loss], seconds)
    return search.several(), search


EDITS = [                               # what is edited, and what the doctor says should stand there
    ("db += back", "db = back", "`db += back`"),
    ("d * hidden[n][h]", "d * hidden[0][h]", "hidden"),
    ("X[n] * back[h]", "X[n] * back[-1]", "`back[h]`|`h`"),
    ("d[y[n]] -= 1", "d[n % len(d)] -= 1", "y"),
    ("back[z <= 0] = 0", "back[z >= 0] = 0", "<"),
    ("back[z <= 0] = 0", "back[back <= 0] = 0", "z"),
    ("dV[h] += d", "dV[h] += p", "d"),
    ("d = d / len(X)", "d = d / len(y) ** 2", r"len\(y\)"),
    ("V @ d", "V @ d[::-1]", r"\[::-1\] does not belong|`d`"),
    ("p = p / p.sum()", "p = p / p.max()", "sum"),
    ("for h in range(len(b))", "for h in range(1, len(b))", r"range\(0, len\(b\)\)"),
]


@pytest.mark.parametrize("edit", EDITS, ids=[e[1][:24] for e in EDITS])
def test_the_line_that_was_edited_is_told(edit):
    old, new, told = edit
    source = inspect.getsource(mine)
    line = source[:source.index(old)].count("\n") + 1
    found, _ = examined(classifier(), edited(mine, (old, new)))
    assert len(found) == 1 and found[0].line == f"line {line}", found
    assert re.search(told, found[0].words), found


def hinge(W, X, y):
    rows = np.arange(len(X))
    scores = X @ W
    margin = np.maximum(scores - scores[rows, y][:, None] + 1, 0)
    margin[rows, y] = 0
    loss = margin.sum() / len(X)
    margin[margin > 0] = 1
    margin[rows, y] = -margin.sum(axis=1)
    return loss, X.T @ margin / len(X)


def margins():
    net = Network("margins", "Sums of margins that are violated, the class's own left out")
    N, D, C = net.sizes("N D C")
    W, X, y = net.parameter("W", D, C), net.input("X", N, D), net.labels("y", N, classes=C)
    n, c = net.indices(n=N, c=C)
    S = net.define("S", X @ W)
    net.loss = Sum(Sum(relu(S[n, c] - S[n, y[n]] + 1), c) - 1, n) / N
    return net


@pytest.mark.parametrize(("old", "new", "line", "told"), [
    ("    margin[margin > 0] = 1\n", "", 7, "`margin[margin > 0] = 1` is missing before"),
    ("    margin[margin > 0] = 1\n    margin[rows, y] = -margin.sum(axis=1)",
     "    margin[rows, y] = -margin.sum(axis=1)\n    margin[margin > 0] = 1", 7, "should come after"),
])
def test_statements_are_told_by_their_own_lines(old, new, line, told):
    found, _ = examined(margins(), edited(hinge, (old, new)))
    assert len(found) == 1 and found[0].line == f"line {line}" and told in found[0].words, found


def weighted(w, p, q):
    loss = np.sum(w * (w - q) * p * p) + np.sum(w * (w - q) * p / (1 + p * p))
    return loss, (p * p + p / (1 + p * p)) * (2 * w - q)


def test_a_name_is_another_in_a_part_of_a_line():
    net = Network("weighted")
    N = net.size("N")
    w, p, q = net.parameter("w", N), net.input("p", N), net.input("q", N)
    net.loss = total(w * (w - q) * (p * p + p / (1 + p * p)))
    right = "return loss, (p * p + p / (1 + p * p))"
    found, _ = examined(net, edited(weighted, (right, right.replace("p", "q"))))
    assert len(found) == 1 and "q is read where p should be, in q * q + q / (1 + q * q)" in found[0].words, found


def straight_line(w, X, y):
    doubled = 2 * y

    def gradient(w):
        residual = X @ w - doubled
        return X.T @ residual

    return np.sum((X @ w - doubled) ** 2) / 2, gradient(w)


def doubled_targets():
    net = Network("straight_line")
    N, D = net.sizes("N D")
    w, X, y = net.parameter("w", D), net.input("X", N, D), net.input("y", N)
    net.loss = total((X @ w - 2 * y) ** 2) / 2
    return net


def test_a_name_of_the_function_around_may_be_what_is_missing():
    found, _ = examined(doubled_targets(), edited(straight_line, ("X @ w - doubled\n", "X @ w - (y > 0)\n")))
    assert len(found) == 1 and "y > 0 is read where doubled should be" in found[0].words, found


@pytest.mark.parametrize(("line", "value", "left"), [
    (2, "b * 0", []), (1, "x", [4]), (1, "0 * a", []), (1, "a + 2", [2, 4])])
def test_what_an_edit_keeps_from_the_results_is_seen(line, value, left):
    """Times 0, nothing shows of a and b any more; where b is no sum of a, a was computed for that alone."""
    tree = ast.parse("def f(x):\n    a = 2 * x\n    b = a + 1\n    c = b * 3\n    return c")
    body, unit = tree.body[0].body, SimpleNamespace(run=lambda: True, reset=lambda: None)

    def given():
        names = {}
        exec(compile(ast.fix_missing_locations(tree), "<f>", "exec"), names)
        return names["f"](5.0)

    slot = Slot(body[line], "value")
    edit = Edit(slot, slot.node, ast.parse(value, mode="eval").body, "", 1)
    regions = [Region(unit, Slot(statement, "value"), statement.lineno, 0) for statement in body]
    before = given()
    some = alive(regions, lambda: given() != before)
    assert [r.line for r in some] == [2, 3, 4]
    some = beside(some, edit)
    with slot.holding(edit.new):
        before = given()
        assert [r.line for r in alive(some, lambda: given() != before)] == left


def test_entries_may_be_put_elsewhere_where_a_sum_of_them_is_right():
    tree = ast.parse("def f(g):\n    d = {}\n    d[0] = 2 * g\n    e = 3 * g\n    kept.update(d=d, s=d[0], e=e)")
    unit = SimpleNamespace(function=tree.body[0], run=lambda: True, reset=lambda: None)

    def given():
        names = {"kept": {}}
        exec(compile(ast.fix_missing_locations(tree), "<f>", "exec"), names)
        try:
            names["f"](5.0)
        except TypeError:
            return None
        return names["kept"]

    def changed():
        now = given()
        return None if now is None else frozenset(n for n in now if now[n] != before[n])

    before = given()
    regions = likely([unit], changed, frozenset("d"))
    tiers = {r.line: r.tier for r in regions if isinstance(r.slot.node, ast.Assign)}
    assert tiers[3] == SECOND and tiers[4] == UNLIKELY         # of e, whatever is put there, d does not come


CELLS = [("after**2", "before**2", "after"), ("self.U.T", "self.U", "transposed"),
         ("before.T @ dpre", "after.T @ dpre", "before"), ("dpre @ self.U.T", "dh @ self.U.T", "dpre")]


@pytest.mark.parametrize("edit", CELLS, ids=[e[1] for e in CELLS])
def test_methods_are_edited_too(edit):
    cell = edited(Cell, edit[:2])
    found, _ = examined(recurrence(), lambda W, U, x, g: by_cells(W, U, x, g, cell))
    assert len(found) == 1 and edit[2] in found[0].words, found


def test_two_lines_are_told_one_by_one():
    slipped = edited(mine, ("db += back", "db = back"), ("d * hidden[n][h]", "d * hidden[0][h]"))
    found, _ = examined(classifier(), slipped)
    assert [r.mends for r in found] in ([{"b"}, {"V"}], [{"V"}, {"b"}])


def test_right_code_and_what_it_runs_stay_as_they_were():
    cell = edited(Cell, ("after**2", "after**3"))
    codes = [cell.forward.__code__, cell.backward.__code__, by_cells.__code__]
    diagnosis = diagnose(recurrence(), lambda W, U, x, g: by_cells(W, U, x, g, cell), seconds=6)
    assert diagnosis.verdict == "wrong"
    assert [cell.forward.__code__, cell.backward.__code__, by_cells.__code__] == codes
    assert diagnose(recurrence(), by_cells).right


def test_code_that_does_more_than_compute_is_not_edited(tmp_path):
    def writing(W, b, V, X, y):
        with open(tmp_path / "log.txt", "w", encoding="utf-8") as log:
            log.write("called")
        loss, grads = mine(W, b, V, X, y)
        return loss, {**grads, "b": grads["b"][::-1]}

    found, _ = examined(classifier(), writing)
    assert not found
    with units_of(lambda: writing(np.ones((2, 3)), np.ones(3), np.ones((3, 2)), np.ones((1, 2)), [0])) as units:
        assert acts(units) and {u.function.name for u in units} >= {"writing", "mine"} - {"writing"}


def of_an_input(input):
    open = np.exp(input)
    return 2 * open


def by_another_name(command):
    return ask_the_system(command)


def test_what_an_argument_is_called_is_no_act_and_an_alias_hides_none():
    for function, given, acting in ((of_an_input, 1.0, False), (by_another_name, "true", True)):
        with units_of(partial(function, given)) as units:
            assert [u.function.name for u in units] == [function.__name__] and acts(units) == acting


def test_the_lines_at_fault_are_told_where_no_edit_helps():
    slipped = edited(mine, ("back = V @ d", "back = np.sin(V).cumsum(axis=0) @ np.cos(3 * d + hidden[-1].sum())"))
    found, search = examined(classifier(), slipped, seconds=3.0)
    assert not found and "15" in search.lines and "20" not in search.lines


def test_a_tree_is_as_it_was_after_all_edits():
    code = "def f(a, b):\n    for k in range(3):\n        a[k] += b.T @ a[:, k - 1]\n    return a / 2\n"
    tree = ast.parse(code).body[0]
    before, around = ast.dump(tree), Surroundings.of(tree)
    [loop, end] = tree.body
    made = [*everywhere(Slot(loop.body[0], "value"), around), *everywhere(Slot(end, "value"), around),
            *of_statement(Slot(loop, "body", 0), around),
            *of_block(Slot(tree, "body"), tree.body, around)]
    assert len(made) > 100 and ast.dump(tree) == before
    texts = {text(ast.fix_missing_locations(e.new)) for e in made if isinstance(e.new, ast.AST)}
    assert {"b @ a[:, k - 1]", "a[:, k]", "a[k] = b.T @ a[:, k - 1]", "a * 2", "a"} <= texts


def tanh_units(U, V, x, y):
    layers, values = [U, V], [list(x)]
    for rows in layers:
        values.append([np.tanh(sum(w * v for w, v in zip(row, values[-1], strict=True))) for row in rows])
    deltas = [[], []]
    for k in reversed(range(len(layers))):
        errors = list()                                 # noqa: C408 (a call, as beginners write it)
        if k == 1:
            for target, output in zip(y, values[2], strict=True):
                errors.append(output - target)
        else:
            error = 0.0
            for j in range(len(U)):
                for row, delta in zip(V, deltas[1], strict=True):
                    error += row[j] * delta
                errors.append(error)
        deltas[k] = [e * (1 - v**2) for e, v in zip(errors, values[k + 1], strict=True)]
    loss = sum((o - t) ** 2 for o, t in zip(values[2], y, strict=True)) / 2
    return loss, *([[d * v for v in values[k]] for d in deltas[k]] for k in range(2))


def test_a_list_that_nothing_is_in_yet_is_no_value_to_be_traced():
    net = Network("units", "Two layers of tanh units, one example, half the squared error")
    D, H, C = net.sizes("D H C")
    U, V, x, y = net.parameter("U", H, D), net.parameter("V", C, H), net.input("x", D), net.input("y", C)
    net.loss = total((tanh(V @ tanh(U @ x)) - y) ** 2) / 2
    assert "`error = 0.0` should be inside the loop" in str(diagnose(net, tanh_units))


def test_what_is_left_of_no_gradient_tells_nothing():
    edited = Tried(None, None, "line 1", {"W": np.zeros(3), "b": np.ones(2)})
    assert _leaves(edited, ["b"]) and not _leaves(edited, ["W", "b"])
