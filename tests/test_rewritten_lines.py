"""Slips in a line are among those that are undone: the line as it was meant is one of those that are tried."""

import ast

import pytest

from codegen.doctor.edits import Surroundings
from codegen.doctor.rewritings import everywhere
from codegen.doctor.slots import Slot, text
from codegen.doctor.statements import of_statement
from codegen.doctor.two_edits import located

SLIPS = [                               # what was written, and what was meant
    ("d = e * s / 2 + k / n * s * s - 1 / 2", "d = e * s / 2 + k / n * (s * s - 1) / 2"),
    ("d = (p - y / n) * w", "d = (p - y) / n * w"),
    ("d = a * (b - 1) / 2", "d = a * b - 1 / 2"),
    ("d = g / s - 1 / (n * s)", "d = g / s + gs"),
    ("d = w - k * (a @ b)", "d = w - a @ (k * b)"),
    ("d = (a * k) @ b", "d = k * (a @ b)"),
    ("g[:-1] += k * w[:-1]", "g[1:] += k * w[1:]"),
    ("d = [1] + a", "d = a + [1]"),
    ("d = a[:, :n - 2 * p]", "d = a[:, p:n - 2 * p + p]"),
    ("d = np.linalg.norm(a) + e", "d = np.linalg.norm(a, axis=1, keepdims=True) + e"),
    ("d = w[j1, f2] + k * w[j1, f2]", "d = w[j1, f2] + k * w[j2, f1]"),
]


@pytest.mark.parametrize(("written", "meant"), SLIPS)
def test_a_slip_is_undone(written, meant):
    tree = ast.parse(f"def mine(a, b, e, f1, f2, g, gs, j1, j2, k, n, p, s, w, y, d):\n    {written}\n    return d")
    statement = Slot(tree.body[0], "body", 0)
    around, made = Surroundings.of(tree.body[0]), set()
    for edit in (*of_statement(statement, around), *everywhere(Slot(statement.node, "value"), around)):
        with edit.slot.holding(located(edit)):
            made.add(text(statement.node))
    assert text(ast.parse(meant).body[0]) in made
