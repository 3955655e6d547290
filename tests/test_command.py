"""The command `derive`: what it writes, what it says, and its exit status."""

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from codegen import cli, files, verify
from derive.networks import loading

ROOT = Path(__file__).parents[1]
NET = """
from derive import Network, mean
net = Network("line", "A line")
N, D = net.sizes("N D")
w, b, X, t = net.parameter("w", D), net.parameter("b"), net.input("X", N, D), net.input("t", N)
"""
ARRAY = NET + "net.loss = mean((X @ w + b - t) ** 2)\n"
INDEX = NET + dedent("""
    from sympy import Sum
    n, d = net.indices(n=N, d=D)
    net.loss = Sum((Sum(X[n, d] * w[d], d) + b - t[n]) ** 2, n) / N
""")
RIGHT = """
def grads(w, b, X, t):
    e = 2 * (X @ w + b - t) / len(X)
    return {}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(ARRAY)


@pytest.fixture
def derive(capsys):
    """Run the command in this process; return its exit status, standard output and standard error."""
    def run(line):
        with pytest.raises(SystemExit) as stop:
            cli.main(line.split())
        out, err = capsys.readouterr()
        return stop.value.code, out, err
    return run


def contents(folder):
    return {p.name: p.read_bytes() for p in sorted(Path(folder).iterdir())} if Path(folder).exists() else {}


# ---- looking


def test_list_names_every_network(derive):
    status, out, _ = derive("list")
    assert status == 0 and all(name in out for name in loading.names())


@pytest.mark.parametrize("target", ["mlp", "net.py"])
@pytest.mark.parametrize("notation", ["matrix", "index"])
def test_show_and_latex_know_both_notations(derive, target, notation):
    for command in ("show", "latex", "latex --standalone"):
        status, out, err = derive(f"{command} {target} --notation {notation}")
        assert (status, err) == (0, "") and len(out.splitlines()) > 5
        assert ("documentclass" in out) == ("standalone" in command)


def test_help_tells_every_command(derive):
    for line in ("", "--help"):
        status, out, _ = derive(line)
        assert status == 0 and all(f"\n  {name} " in out for name in ("build", "list", "show", "latex", "check"))


@pytest.mark.parametrize("command", [["derive"], [sys.executable, "-m", "codegen"]], ids=["derive", "python -m"])
def test_both_ways_to_call_it(command):
    where = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([*command, "show", "square"], capture_output=True, text=True, env=where, check=False)
    assert done.returncode == 0 and "x" in done.stdout
    assert subprocess.run([*command, "nothing"], capture_output=True, env=where, check=False).returncode == 2


# ---- building


@pytest.mark.parametrize("text", [ARRAY, INDEX], ids=["array", "index"])
def test_build_writes_a_users_network_that_imports(derive, text):
    Path("net.py").write_text(text)
    status, out, _ = derive("build net.py --output out")
    assert status == 0 and "line" in out
    assert list(contents("out")) == ["line.py", "line.tex"]
    code = "import line; print(*line.loss_and_grads([1., 2.], 0., [[1., 0.], [0., 1.]], [0., 0.]))"
    done = subprocess.run([sys.executable, "-c", code], cwd="out", capture_output=True, text=True, check=True)
    assert done.stdout == "2.5 Params(w=array([1., 2.]), b=np.float64(3.0))\n"


def test_build_of_a_name_writes_into_generated(derive):
    assert derive("build square")[0] == 0
    assert contents("generated") == {n: (ROOT / "generated" / n).read_bytes() for n in ("square.py", "square.tex")}


def test_build_shows_equations_parameters_operations_judges_and_times(derive):
    status, out, _ = derive("build mlp --output out")
    [row] = [line.split() for line in out.splitlines() if line.startswith("mlp ")]
    for word in ("equations", "parameters", "operations", "SymPy", "differences", "written", "derive", "verify"):
        assert word in out
    assert status == 0 and row[1:3] == ["12", "4"] and all(re.fullmatch(r"exact|\d(e-\d\d)", c) for c in row[-7:-4])
    assert all(float(seconds) < 10 for seconds in row[-4:])


def test_check_of_a_fresh_build_passes_and_writes_nothing(derive):
    derive("build net.py --output out")
    before = contents("out")
    assert derive("build net.py --output out --check")[0] == 0
    assert contents("out") == before


@pytest.mark.parametrize("file", ["line.py", "line.tex"])
@pytest.mark.parametrize("change", ["changed", "missing"])
def test_check_shows_a_diff_of_what_is_stale_and_writes_nothing(derive, file, change):
    derive("build net.py --output out")
    path = Path("out", file)
    if change == "changed":
        path.write_text(path.read_text().replace("loss", "lost", 1))
    else:
        path.unlink()
    before = contents("out")
    status, out, err = derive("build net.py --output out --check")
    assert status == 1
    assert f"--- out/{file}" in out and "+++ " in out and "\n@@ " in out and "\n+" in out
    assert (change == "missing") != ("lost" in out)
    assert err == "derive: 1 file is stale in out/; run `derive build net.py --output out` to update it\n"
    assert contents("out") == before


def test_check_of_an_empty_folder_creates_nothing(derive):
    assert derive("build net.py --output out --check")[0] == 1
    assert not Path("out").exists()


@pytest.mark.parametrize("broken", ["replace", "mkdir"])
def test_an_interrupted_build_leaves_no_half_written_file(derive, monkeypatch, broken):
    derive("build net.py --output out")
    before = contents("out")
    Path("net.py").write_text(ARRAY.replace("mean(", "3 * mean("))

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, broken, interrupted)
    status, _, err = derive("build net.py --output out")
    assert status == 130 and len(err.splitlines()) == 1
    assert contents("out") == before


def test_a_full_disk_is_told_in_one_line(derive, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "out/line.py")

    monkeypatch.setattr(files.os, "replace", full)
    status, _, err = derive("build net.py --output out")
    assert (status, err) == (2, "derive: out: No space left on device\n")
    assert contents("out") == {}


def test_a_network_that_fails_its_checks_is_not_written(derive, monkeypatch):
    wrong = verify.Verdict(verify.JUDGES[1], 1e-6, {"w": 0.5}, ("the gradient of w is wrong",))
    monkeypatch.setattr(verify, "finite_differences", lambda *_, **__: wrong)
    status, out, _ = derive("build net.py --output out")
    assert status == 1 and contents("out") == {}
    assert "FAILS" in out and "the gradient of w is wrong" in out


# ---- checking


def test_check_tells_one_line_a_parameter(derive):
    for target in ("mlp", "net.py"):
        status, out, _ = derive(f"check {target}")
        assert status == 0 and "DIFFERS" not in out
        assert sum("agrees" in line for line in out.splitlines()) == (4 if target == "mlp" else 2)


RETURNS = {
    "loss and dictionary": "((X @ w + b - t) ** 2).mean(), {'w': X.T @ e, 'b': e.sum()}",
    "loss and tuple": "((X @ w + b - t) ** 2).mean(), (X.T @ e, e.sum())",
    "loss and list": "((X @ w + b - t) ** 2).mean(), [X.T @ e, e.sum()]",
    "dictionary": "{'w': X.T @ e, 'b': e.sum()}",
    "dictionary of dV": "{'db': e.sum(), 'dw': X.T @ e}",
    "tuple": "X.T @ e, e.sum()",
    "list": "[X.T @ e, e.sum()]",
}
WRONG = {
    "sign": ("-X.T @ e, e.sum()", ["w"]),
    "lost 1/N": ("len(X) * X.T @ e, len(X) * e.sum()", ["w", "b"]),
    "dropped term": ("X[:-1].T @ e[:-1], e.sum()", ["w"]),
    "shape": ("(X.T @ e)[:, None], e.sum()", ["w"]),
    "transposed pair": ("X.T @ e, e", ["b"]),
    "not a number": ("X.T @ e, float('nan')", ["b"]),
    "loss": ("2.0, (X.T @ e, e.sum())", []),
}


@pytest.mark.parametrize("returned", RETURNS.values(), ids=RETURNS)
def test_right_backprop_agrees_however_it_returns_gradients(derive, returned):
    Path("mine.py").write_text(RIGHT.replace("{}", returned))
    status, out, _ = derive("check net.py --against mine.py:grads")
    assert status == 0 and out.count("agrees") == 2


@pytest.mark.parametrize(("returned", "differ"), WRONG.values(), ids=WRONG)
def test_wrong_backprop_differs_where_it_is_wrong(derive, returned, differ):
    Path("mine.py").write_text(RIGHT.replace("{}", returned))
    status, out, _ = derive("check net.py --against mine.py:grads")
    assert status == 1
    for name in ("w", "b"):
        [line] = [row for row in out.splitlines() if row.split()[1:2] == [name]]
        assert ("DIFFERS" in line) == (name in differ)


BROKEN = {
    "raises": ("raise ValueError('no\\nidea')", "ValueError"),
    "returns nothing": ("return None", "mine.py:grads"),
    "returns too many": ("return 1, 2, 3, 4, 5, 6, 7", "6 gradients were returned; expected 2: w, b"),
    "returns other names": ("return {'weights': 1, 'b': 2}", "weights"),
}


@pytest.mark.parametrize(("body", "told"), BROKEN.values(), ids=BROKEN)
def test_backprop_that_does_not_run_is_told_in_one_line(derive, body, told):
    Path("mine.py").write_text(f"def grads(w, b, X, t):\n    {body}\n")
    status, _, err = derive("check net.py --against mine.py:grads")
    assert status == 1 and len(err.splitlines()) == 1 and told in err


# ---- misuse

FILES = {
    "syntax.py": "def f(:\n",
    "raises.py": "x = 1\nraise RuntimeError('two\\nlines')\n",
    "exits.py": "raise SystemExit(3)\n",
    "imports.py": "import no_such_module\n",
    "empty.py": "",
    "no_loss.py": NET,
    "twice.py": ARRAY + ARRAY.replace("net", "other", 1).replace("\nnet", "\nother"),
    "undefined.py": NET + "from sympy import Symbol\nnet.loss = mean(X @ w) + Symbol('q')\n",
    "shapes.py": NET + "net.loss = mean(w @ X)\n",
    "function.py": NET + "from sympy import Function\nnet.loss = mean(Function('f', real=True)(X @ w))\n",
    "special.py": NET + "from sympy import zeta\nnet.loss = mean(zeta(X @ w))\n",
    "mine.py": "x = 1\n",
    "fails.py": "import no_such_module\n",
    "line": "",
}
MISUSES = {                             # the line, and what the message must name
    "nothing": "nothing",
    "show": "NAME or FILE.py",
    "show nothing": "nothing",
    "show mlp relu_network": "relu_network",
    "latex nothing": "nothing",
    "check nothing": "nothing",
    "build nothing": "nothing",
    "build mlp mlp": "mlp",
    "build net.py net.py": "line",
    "build --nothing": "--nothing",
    "build --output": "--output",
    "build net.py --output line": "line",
    "build net.py --output line/deeper": "line",
    "list mlp": "mlp",
    "show mlp --notation spoken": "spoken",
    "latex mlp --notation spoken": "spoken",
    "build missing.py": "missing.py",
    "show folder/missing.py": "missing.py",
    "build .": "no network is called",
    "build net": "net.py is a file",
    "build mpl": "is mlp meant?",
    "build ./": "is not a file",
    "build syntax.py": "syntax.py",
    "build raises.py": "line 2: RuntimeError: two lines",
    "show exits.py": "exits.py",
    "build imports.py": "no_such_module",
    "build empty.py": "empty.py",
    "build no_loss.py": "loss",
    "build twice.py": "line",
    "build undefined.py": "q",
    "build shapes.py": "w @ X",
    "build function.py": "f(",
    "build special.py": "zeta",
    "check net.py --against": "--against",
    "check net.py --against mine.py": "FILE.py:FUNCTION",
    "check net.py --against :f": "FILE.py:FUNCTION",
    "check net.py --against missing.py:f": "missing.py",
    "check net.py --against mine.py:f": "f",
    "check net.py --against mine.py:x": "x",
    "check net.py --against fails.py:f": "no_such_module",
    "check net.py --against syntax.py:f": "syntax.py",
}


@pytest.mark.parametrize(("line", "named"), MISUSES.items(), ids=MISUSES)
def test_misuse_is_told_in_one_line_and_writes_nothing(derive, line, named):
    for name, text in FILES.items():
        Path(name).write_text(text)
    before = sorted(Path().rglob("*"))
    status, out, err = derive(line)
    assert (status, out) == (2, "")
    assert err.startswith("derive: ") and len(err.splitlines()) == 1 and named in err
    assert sorted(Path().rglob("*")) == before


def test_a_committed_example_is_built_by_the_name_of_its_file(derive, tmp_path):
    code, out, _ = derive(f"build logistic_regression_hessian --output {tmp_path}")
    assert code == 0 and "logistic_regression_hessian" in out
    text = (tmp_path / "logistic_regression_hessian.py").read_text(encoding="utf-8")
    assert "def hessian(" in text and "`derive build logistic_regression --of hessian`" in text
