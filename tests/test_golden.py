"""What is committed in generated/ is what would be written now, on any machine and in any order."""

import difflib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codegen.build import build
from derive.networks import loading

ROOT = Path(__file__).parents[1]
GENERATED = ROOT / "generated"
NAMES = loading.names()
BUILD = """
import hashlib
{imports}
for name in {names}:
    for file, text in build(loading.named(name), verified=False).texts.items():
        print(file, hashlib.sha256(text.encode()).hexdigest())
"""
USUAL = "from derive.networks import loading\nfrom codegen.build import build"
REVERSED = "import codegen.cli, generated.mlp\nfrom codegen.build import build\nfrom derive.networks import loading"


@pytest.mark.parametrize("name", NAMES)
def test_generated_files_are_as_derived_now(name):
    for file, text in build(loading.named(name), verified=False).texts.items():
        path = GENERATED / file
        committed = path.read_text(encoding="utf-8") if path.is_file() else ""
        diff = difflib.unified_diff(committed.splitlines(), text.splitlines(), f"generated/{file}", "as derived now", lineterm="")
        assert committed == text, "\n".join([f"generated/{file} is stale: run `derive build {name}`", *diff])


def test_generated_holds_nothing_else():
    expected = {"__init__.py", *(f"{name}.{kind}" for name in NAMES for kind in ("py", "tex"))}
    assert {p.name for p in GENERATED.iterdir() if p.name != "__pycache__"} - {"py.typed"} == expected


@pytest.mark.parametrize(("seed", "imports", "names", "elsewhere"), [
    ("0", USUAL, NAMES, False),
    ("1", REVERSED, NAMES[::-1], True),
], ids=["hash seed 0", "hash seed 1, another folder, another order"])
def test_same_bytes(seed, imports, names, elsewhere, tmp_path):
    code = BUILD.format(imports=imports, names=names)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path if elsewhere else ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": seed})
    assert sorted(done.stdout.splitlines()) == sorted(here())


def here():
    import hashlib

    return [f"{file} {hashlib.sha256(text.encode()).hexdigest()}"
            for name in NAMES for file, text in build(loading.named(name), verified=False).texts.items()]
