"""Long lines of generated code are folded, and mean what they meant."""

import ast

import pytest

from codegen import source
from codegen.folding import folded
from codegen.layout import assignment, with_comment
from codegen.results import OF
from derive.networks import loading

LINES = [
    "x = " + " + ".join(f"np.exp(alpha_{k} * beta[:, None])" for k in range(20)),
    "    loss = np.mean(" + " - ".join(f"first_{k} * np.log(second_{k} + 1)" for k in range(12)) + ")",
    "    dZ[np.arange(N), y] -= (" + " + ".join(f"long_name_{k}" for k in range(15)) + ") / N",
    "    np.add.at(dW, np.s_[:, labels], " + " * ".join(f"X_{k}[:, None]" for k in range(15)) + ")",
    "    x = np.where(a > 0, " + " + ".join(f"b_{k}" for k in range(30)) + ", np.where(c < 0, d, e))",
    "    x = a * (" + " + ".join(f"b_{k} * (c_{k} - d_{k})" for k in range(15)) + ")**2 * np.sum(" + "f, " * 30 + "g)",
    '    s = np.einsum("nd,dh->nh", ' + " + ".join(f"left_{k}" for k in range(12)) + ", right)",
    "    H[" + "np.arange(A)[:, None], " * 6 + "np.arange(D)] += 2 * weight",
    "    H[" + "np.arange(A)[:, None], " * 6 + "np.arange(D)] -= 2 * (" + "b + " * 40 + "c) / N",
    '    np.einsum("ijj->ij", J)[...] = (' + "b + " * 40 + "c)[:, None]",
    "    x = np.where(" + " & ".join(f"((k_{k} >= K)[:, None])" for k in range(12)) + ", y, 0)",
    "    x = -(" + " + ".join(f"b_{k}" for k in range(40)) + ")",
    "    H_W[:, np.arange(H), :, np.arange(H)] += J_of_the_weights[" + "np.arange(A)[:, None], " * 6 + "np.arange(D)]",
]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("width", [120, 60])
def test_folded_lines_are_short_and_the_same_code(line, width):
    lines = folded(line, width)
    assert max(map(len, lines)) <= width and len(lines) > 1
    body = "\n".join(lines)
    assert ast.dump(ast.parse(f"if 1:\n{body}" if line.startswith(" ") else body)) == ast.dump(
        ast.parse(f"if 1:\n{line}" if line.startswith(" ") else line))


def test_short_lines_stay():
    assert folded("    x = y + 1", 120) == ["    x = y + 1"]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("end", ["", ".reshape(N, G, A, B, C, U, V).transpose(0, 1, 3, 5, 2, 4, 6) / (A * B * C * G)"])
@pytest.mark.parametrize("comment", ["# (N, D)", "# (N, G, J, 2*P + U, 2*P + V, N, C, U, V)"])
def test_a_comment_beside_a_folded_line_leaves_its_code_whole(line, end, comment):
    lines = folded(line + end, 120)
    told = with_comment(lines, comment)
    assert "".join(told).count(comment) == 1 and max(map(len, told)) <= 120
    assert [t.partition("#")[0].rstrip() for t in told] == lines


@pytest.mark.parametrize("length", range(6, 16))
def test_many_names_that_are_unpacked_are_short_lines_and_the_same_code(length):
    names = [f"{'d' * (length - 2)}{k:02}" for k in range(40)]
    lines = assignment(names, f"[np.asarray(v, dtype) for v in (*floats, {', '.join(names)})]")
    assert max(map(len, lines)) <= 120
    [told] = ast.parse("if 1:\n" + "\n".join(lines)).body[0].body
    assert [n.id for n in told.targets[0].elts] == names == [n.id for n in told.value.generators[0].iter.elts[1:]]


@pytest.mark.parametrize(("name", "of"), [
    ("deep_equilibrium", "per_example_gradients"), ("hyperparameters", "gauss_newton_vector_product"),
    ("kalman_filter", "tangent"), ("mlp", "hessian_vector_product")])
def test_long_titles_and_commands_are_folded_between_their_parts(name, of):
    program = OF[of](loading.named(name))
    lines = source(program).splitlines()
    assert max(map(len, lines)) <= 120
    text = "\n".join(lines)
    assert f"`derive build {name} --of {of}`" in text and "do not edit." in text and f"{program.subject}." in text
