"""Whatever is written in the language, the generated module is right: a few programs here, many in tests/sweep.py."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

pytest.importorskip("tests.torch_programs", reason="PyTorch is an extra", exc_type=ImportError)

from tests import random_layers, sweep, sweep_judges


@pytest.mark.parametrize("number", range(12))
def test_programs_of_fixed_numbers_please_all_judges(number):
    assert sweep.outcome(number) == "passed"


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck),
          phases=[Phase.generate, Phase.shrink])
@given(st.randoms(use_true_random=False))
def test_layers_drawn_by_hypothesis_please_pytorch(random):
    sweep_judges.judge(random_layers.network(random), random_layers.SIZES, judges=("torch",))


# ---- the sweep is itself checked


def test_a_wrong_rule_is_noticed_and_cut_down(monkeypatch):
    """Gradients of relu layers lose their mask: the sweep must see it, and show a smaller program."""
    from derive.functions import relu, step

    monkeypatch.setattr(step, "definition", staticmethod(lambda x: 1))
    monkeypatch.setattr(relu, "fdiff", lambda self, argindex=1: 1)
    failing = next(n for n in range(0, 60, 2) if sweep.outcome(n, judges=("torch",)) != "passed")
    draws = sweep.shrunk(failing, ("torch",))
    assert draws < 80 and sweep.outcome(failing, draws, ("torch",)).startswith("PyTorch")
    assert len(str(sweep.network(failing, draws)[0].program())) <= len(str(sweep.network(failing)[0].program()))


MASKS = {
    "a row that is no edge of the range": (lambda x, i, j, N: x[i, j], lambda i, j, N: j >= 1),
    "the last row": (lambda x, i, j, N: x[i, j], lambda i, j, N: i <= N - 2),
}


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_is_no_padding(name):
    import numpy as np
    from sympy import Piecewise

    from codegen import lambdify
    from derive import Network, total

    read, condition = MASKS[name]
    net = Network("masked")
    N, D = net.sizes("N D")
    x = net.parameter("x", N, D)
    i, j = net.indices(i=N, j=D)
    z = net.define("z", Piecewise((read(x, i, j, N), condition(i, j, N)), (0, True)), over=(i, j))
    net.loss = total(z**2) / 2
    value = np.arange(1.0, 7.0).reshape(2, 3)
    kept = np.array([[bool(condition(a, b, 2)) for b in range(3)] for a in range(2)])
    loss, grads = lambdify(net.backward())(value)
    assert loss == (value[kept] ** 2).sum() / 2 and (grads.x == value * kept).all()


def test_rows_added_up_from_values_without_their_axis():
    """NumPy's add.at reads beyond the end of values that have fewer axes than the places."""
    import numpy as np
    from sympy import Sum

    from codegen import lambdify
    from derive import Network

    net = Network("rows")
    A, B, C = net.sizes("A B C")
    w, v, y = net.parameter("w", B, C), net.input("v", C), net.labels("y", A, classes=B)
    a, c = net.indices(a=A, c=C)
    t = net.define("t", Sum(w[y[a], c], a), over=c)
    net.loss = Sum(t[c] * v[c], c)
    values = np.array([1.0, 2.0, 3.0])
    _, grads = lambdify(net.backward())(np.zeros((2, 3)), values, np.array([1, 0, 1]))
    assert (grads.w == np.outer([1, 2], values)).all()


def test_a_page_tells_every_outcome():
    from tests.sweep_journal import Outcome
    from tests.sweep_report import reported

    text = reported("before\n<!-- wider -->\nold\n<!-- end -->\n<!-- plain -->\nkept\n<!-- end -->\n", "wider", {
        4: Outcome("passed", "abc"), 5: Outcome("passed", "abc"), 7: Outcome("referee: {'dw': 0.5}", "def"),
        6: Outcome("DefinitionError: 0.T: shape (); a transpose needs two axes", "def")})
    assert "| passed | 2 |" in text and "an array was meant | 1 |" in text and "| failed | 1 |" in text
    assert "| abc | 2 | 4 | 5 |" in text and "| def | 2 | 6 | 7 |" in text
    assert "| all | 4 |" in text and "- program 7: referee: {'dw': 0.5}" in text and "program 6" not in text
    assert text.startswith("before") and "kept" in text and "old" not in text


def test_a_journal_is_not_run_again(tmp_path, monkeypatch, capsys):
    journal, report = tmp_path / "journal.txt", tmp_path / "page.md"
    report.write_text("<!-- plain -->\n<!-- end -->\n")
    journal.write_text("0\tpassed\told\n1\tno end\told\n")
    ran = []
    monkeypatch.setattr(sweep, "outcome", lambda number, **_: ran.append(number) or "passed")
    for options, numbers in ((["--programs", "3"], [2]), (["--programs", "3", "--again"], [1]),
                             (["--programs", "3", "--sample", "9"], [0])):
        ran.clear()
        monkeypatch.setattr("sys.argv", ["sweep", *options, "--journal", str(journal), "--report", str(report)])
        with pytest.raises(SystemExit):
            sweep.main()
        assert ran == numbers
    assert "| passed | 3 |" in report.read_text() and "3 programs: 3 passed" in capsys.readouterr().out
