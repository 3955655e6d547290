"""The house is in order: lint, types, who imports whom, and a README whose every block runs."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import codegen
import derive

ROOT = Path(__file__).parents[1]
ROOMS = ("derive", "codegen", "generated")
FILES = {room: sorted((ROOT / room).rglob("*.py")) for room in ROOMS}
OURS = {"derive", "codegen", "generated", "tests"}


def ran(*command):
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)


def test_no_lint():
    done = ran("ruff", "check", ".")
    assert done.returncode == 0, done.stdout


def test_types_hold():
    done = ran("mypy")
    assert done.returncode == 0, done.stdout


# ---- who imports whom


def imported(path):
    """Return the packages that a file imports from, wherever in it; a relative import is from its own."""
    package = path.relative_to(ROOT).parts[0]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(package if node.level else node.module.partition(".")[0])
    return names


ALLOWED = {                             # of what is not Python's own
    "derive": {"derive", "sympy", "mpmath"},
    "codegen": {"codegen", "derive", "sympy", "numpy", "typer", "rich"},        # extras are asked for by name
    "generated": {"numpy", "scipy"},
}


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_point_one_way(room):
    found = {str(p.relative_to(ROOT)): imported(p) - ALLOWED[room] - sys.stdlib_module_names for p in FILES[room]}
    assert {path: names for path, names in found.items() if names} == {}


def test_handwritten_backprop_imports_nothing_of_ours():
    for path in sorted((ROOT / "tests" / "handwritten").glob("*.py")):
        assert not imported(path) & (OURS - {"tests"}), path.name


def test_importing_derive_imports_no_numpy():
    code = "import derive, sys; print('numpy' in sys.modules or 'codegen' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_no_module_is_named_after_what_it_exports():
    """`from derive import backward` must never be a module that hides a function, nor the other way round."""
    for package in (derive, codegen):
        modules = {p.stem for p in Path(package.__file__).parent.glob("*.py")}
        assert not modules & set(package.__all__)
    for path in FILES["derive"] + FILES["codegen"]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        exported = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        assert path.stem not in exported - {"lowered"}, path


def test_every_exported_name_exists_and_is_told():
    for package in (derive, codegen):
        for name in package.__all__:
            assert getattr(package, name).__doc__, name


# ---- what is committed

LACKING = re.compile(r"need \w+, which is not installed; pip install 'derive-nn\[\w+\]'")
PRIVATE = re.compile(r"/work/|/tmp/scratch|/home/\w+/|\bissue \d|\bissue #\d", re.IGNORECASE)


def committed():
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    return [ROOT / name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def test_nothing_committed_names_a_machine():
    for path in committed():
        if path != Path(__file__) and path.suffix in {".py", ".md", ".toml", ".tex", ".yml", ""}:
            found = PRIVATE.search(path.read_text(encoding="utf-8"))
            assert not found, f"{path.relative_to(ROOT)}: {found[0]}"


# ---- the README

README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
DERIVE = [shlex.split(line, comments=True)
          for line in re.findall(r"^(?: {4}|)(derive \w.*)$", README, re.MULTILINE)]


def test_readme_python_runs_and_prints_what_it_says(tmp_path, monkeypatch, capsys):
    """All blocks in order, in one namespace, in an empty folder; a result told in a comment is what was printed."""
    assert PYTHON
    monkeypatch.chdir(tmp_path)
    if any("sklearn" in block for block in PYTHON):
        pytest.importorskip("sklearn", reason="scikit-learn is in the test extra: pip install -e '.[test]'")
    space = {"__name__": "readme"}
    for k, block in enumerate(PYTHON, 1):
        exec(compile(block, f"README block {k}", "exec"), space)
        printed = capsys.readouterr().out.splitlines()
        for told in re.findall(r"^print\(.*\) +# ([-\d(\[].*|[A-Z]\w*\(.*)$", block, re.MULTILINE):
            assert any(told.startswith(line) for line in printed), f"README block {k} prints {printed}, not {told}"


def test_readme_commands_run(tmp_path):
    """Every `derive ...` line, in a folder that has the files it names, in a locale of ASCII.

    Of them, `derive build --check` derives all: the committed bytes under another hash seed, in another folder.
    """
    assert DERIVE
    shutil.copytree(ROOT / "generated", tmp_path / "generated")
    shutil.copy(ROOT / "tests" / "handwritten" / "mlp.py", tmp_path / "homework.py")
    (tmp_path / "my_nets.py").write_text(PYTHON[0])
    path, missing = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", []
    for command in DERIVE:
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False,
            env={**os.environ, "PATH": path, "PYTHONHASHSEED": "1", **ASCII})
        if LACKING.search(done.stderr):
            missing.append(f"{shlex.join(command)}: {done.stderr.strip()}")
            continue
        assert done.returncode == 0, f"{shlex.join(command)}: {done.stdout}{done.stderr}"
    if missing:
        pytest.skip("; ".join(missing))
