"""Slips in a line are among those that are undone: the line as it was meant is one of those that are tried."""

import ast

import numpy as np
import pytest
from sympy import Sum, tanh

from codegen.doctor import diagnose
from codegen.doctor.edits import Surroundings, made
from codegen.doctor.rewritings import everywhere
from codegen.doctor.sharing import all_added_up
from codegen.doctor.slots import Slot, text
from codegen.doctor.statements import of_block, of_statement
from codegen.doctor.two_edits import located
from derive import Network
from tests.coursework.editing import edited
from tests.test_repairs import examined

SLIPS = [                               # what was written, and what was meant
    ("d = e * s / 2 + k / n * s * s - 1 / 2", "d = e * s / 2 + k / n * (s * s - 1) / 2"),
    ("d = (p - y / n) * w", "d = (p - y) / n * w"),
    ("d = w + k + a / n", "d = w + k * (a / n)"),
    ("d = a * (b - 1) / 2", "d = a * b - 1 / 2"),
    ("d = g / s - 1 / (n * s)", "d = g / s + gs"),
    ("d = w - k * (a @ b)", "d = w - a @ (k * b)"),
    ("d = (a * k) @ b", "d = k * (a @ b)"),
    ("g[:-1] += k * w[:-1]", "g[1:] += k * w[1:]"),
    ("d = [1] + a", "d = a + [1]"),
    ("d = a * (b - b.sum(-1)[:, None])", "d = a * (b - (b * a).sum(-1)[:, None])"),
    ("d = a[:, :n - 2 * p]", "d = a[:, p:n - 2 * p + p]"),
    ("d = np.linalg.norm(a) + e", "d = np.linalg.norm(a, axis=1, keepdims=True) + e"),
    ("d = w[k:k + 2, 0] * a[k:k + n:p + 1, 0]", "d = w[k:k + n:p + 1, 0] * a[k:k + n:p + 1, 0]"),
    ("d = a[k * n:k * n + p].max() + w[f1, f2]", "d = a[k * n:k * n + p].max() + w[f1, k * n + f2]"),
    ("d = w[j1, f2] + k * w[j1, f2]", "d = w[j1, f2] + k * w[j2, f1]"),
    ("d = a @ w * g * (1 - g)", "d = a @ w"),
    ("d = self.a_r + self.b_r + w['k_u']", "d = self.a_u + self.b_u + w['k_u']"),
    ("d = k * np.linalg.norm(w) + e", "d = k * np.abs(w).sum() + e"),
    ("d = k * w / np.linalg.norm(w) + e", "d = k * np.sign(w) + e"),
    ("d = a[:, k] - 1", "d = a[np.arange(len(a)), k] - 1"),
    ("d = sum(map(lambda i: a[i] * w[k], b))", "d = sum(map(lambda i: a[i] * w[i], b))"),
    ("d = a[:, k::n]", "d = a[:, k * (a.shape[1] // n):(k + 1) * (a.shape[1] // n)]"),
    ("d = a[..., k * n:(k + 1) * n]", "d = a[..., k::a.shape[-1] // n]"),
]


@pytest.mark.parametrize(("written", "meant"), SLIPS)
def test_a_slip_is_undone(written, meant):
    names = "self, a, b, e, f1, f2, g, gs, j1, j2, k, n, p, s, w, y, d"
    tree = ast.parse(f"def mine({names}):\n    {written}\n    self.a_u, self.b_u = a, b\n    return d")
    statement = Slot(tree.body[0], "body", 0)
    around, made = Surroundings.of(tree.body[0]), set()
    for edit in (*of_statement(statement, around), *everywhere(Slot(statement.node, "value"), around)):
        with edit.slot.holding(located(edit)):
            made.add(text(statement.node))
    assert text(ast.parse(meant).body[0]) in made


def test_values_of_two_lines_are_exchanged_back():
    tree = ast.parse("def mine(a, b, e, g, n):\n    a[:n] = g * e[:n]\n    b = n\n    a[2 * n:] = g * e[2 * n:]")
    block = Slot(tree.body[0], "body")
    edits = [e for e in of_block(block, block.node, Surroundings.of(tree.body[0])) if "two values" in e.words]
    [told] = [e.words for e in edits]
    assert "`a[:n] = g * e[:n]` should be `a[:n] = g * e[2 * n:]` and `a[2 * n:] =" in told
    assert [text(s) for s in edits[0].new] == ["a[:n] = g * e[2 * n:]", "b = n", "a[2 * n:] = g * e[:n]"]


def test_all_additions_at_indices_are_made_one_by_one_together():
    block = ast.parse("g[i] -= w * d\nfor k in n:\n    g[j] += w * d\n    s += g").body
    [(whole, words)] = all_added_up(block)
    assert ast.unparse(ast.Module(whole, [])) == (
        "np.subtract.at(g, i, w * d)\nfor k in n:\n    np.add.at(g, j, w * d)\n    s += g")
    assert "in 2 lines" in words and ast.unparse(block[0]) == "g[i] -= w * d"
    assert not list(all_added_up(block[:1]))


def test_an_index_of_a_loop_is_counted_from_the_other_end():
    tree = ast.parse("def mine(a, d, n):\n    for k in range(n):\n        d.append(k)\n    return d")
    statement = Slot(tree.body[0].body[0], "body", 0)
    told = [e.words for e in everywhere(Slot(statement.node, "value"), Surroundings.of(tree.body[0]))]
    assert "`k` should be `n - 1 - k`: k is counted from the other end" in told


def test_long_lines_are_quoted_where_they_differ():
    tree = ast.parse("d = gradient_of_data[example, row * pool_width + place_in_row, place_in_column]")
    new = ast.parse(text(tree.body[0].value).replace("place_in_column", "column * pool_height + place_in_column"))
    told = made(Slot(tree.body[0], "value"), new.body[0].value, "", 1).words
    assert "place_in_row, place_in_column]` should be" in told and "place_in_row, column * pool_height + plac" in told


def quadratic(x, A):
    back = np.einsum("eij,ej->ei", A + np.swapaxes(A, -1, -2), x)
    return np.einsum("ei,eij,ej->", x, A, x), {"x": back}


def test_twice_a_matrix_may_be_it_and_its_transpose():
    net = Network("quadratic", "Quadratic forms, of matrices that need not be symmetric")
    E, D = net.sizes("E D")
    x, A = net.parameter("x", E, D), net.input("A", E, D, D)
    e, i, j = net.indices(e=E, i=D, j=D)
    net.loss = Sum(x[e, i] * A[e, i, j] * x[e, j], e, i, j)
    assert diagnose(net, quadratic).right
    found, _ = examined(net, edited(quadratic, ("A + np.swapaxes(A, -1, -2)", "2 * A")))
    assert len(found) == 1 and "`A + np.swapaxes(A, -1, -2)`: one of the two is transposed" in found[0].words, found


def parts():
    net = Network("parts", "Two shares of a - a^2/2")
    N = net.size("N")
    a, p, q = net.parameter("a", N), net.input("p", N), net.input("q", N)
    w, g = net.input("w", N), net.input("g", N)
    n, = net.indices(n=N)
    net.loss = Sum(g[n] * (p[n] + q[n] * (1 - w[n])) * (a[n] - a[n] ** 2 / 2), n)
    return net


def shared(a, p, q, w, g):
    da = (g * p + q * (1 - w) * g) * (1 - a)
    return np.sum(g * (p + q * (1 - w)) * (a - a**2 / 2)), {"a": da}


def test_two_pairs_of_brackets_of_one_line_are_put_where_they_belong():
    assert diagnose(parts(), shared).right
    wrong = edited(shared, ("(g * p + q * (1 - w) * g) * (1 - a)", "g * p + q * (1 - w * g) * (1 - a)"))
    found, _ = examined(parts(), wrong)
    assert "should be `(g * p + q * (1 - w) * g) * (1 - a)`: brackets are in the wrong place" in found[0].words, found


def begun():
    net = Network("begun", "A recurrence from a state that is given")
    T, H = net.sizes("T H")
    U, x, h0, g = net.parameter("U", H, H), net.input("x", T, H), net.input("h0", H), net.input("g", T, H)
    t, k, j = net.indices(t=T, k=H, j=H)
    h = net.state("h", T, H, initial=h0)
    net.define(h, tanh(x[t, k] + Sum(h[t - 1, j] * U[j, k], j)), over=(t, k))
    net.loss = Sum(h[t, k] * g[t, k], t, k)
    return net


def step_by_step(U, x, h0, g):
    h = np.zeros_like(x)
    for t in range(len(x)):
        h[t] = np.tanh(x[t] + (h[t - 1] if t > 0 else h0) @ U)
    dU, after = np.zeros_like(U), 0
    for t in reversed(range(len(x))):
        d = (g[t] + after) * (1 - h[t]**2)
        before = h[t - 1] if t > 0 else h0
        dU += np.outer(before, d)
        after = d @ U.T
    return np.sum(h * g), {"U": dU}


def test_the_last_entry_read_before_the_first_is_told():
    assert diagnose(begun(), step_by_step).right
    found, _ = examined(begun(), edited(step_by_step, ("before = h[t - 1] if t > 0 else h0", "before = h[t - 1]")))
    assert "should be `h0 if t == 0 else h[t - 1]`: at t = 0 the last one is read" in found[0].words, found
