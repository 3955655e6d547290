"""What is committed in generated/ is what would be written now, on any machine and in any order."""

import difflib
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codegen.building import build, shared
from derive.networks import loading

ROOT = Path(__file__).parents[1]
GENERATED = ROOT / "generated"
NAMES = loading.names()
FILES = [*(f"{name}.{kind}" for name in NAMES for kind in ("py", "tex")), *shared()]


def assert_committed(texts, command):
    for file, text in texts.items():
        path = GENERATED / file
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        diff = [*difflib.unified_diff(lines, text.splitlines(), f"generated/{file}", "as derived now", lineterm="")]
        assert not diff, "\n".join([f"generated/{file} is stale: run `{command}`", *diff])
        assert path.read_bytes() == text.encode()


@pytest.mark.parametrize("name", NAMES)
def test_a_networks_files_are_as_derived_now(name):
    assert_committed(build(loading.named(name), verified=False).texts, f"derive build {name}")


def test_files_beside_the_networks_are_as_derived_now():
    assert_committed(shared(), "derive build")


def test_generated_holds_nothing_else():
    assert {p.name for p in GENERATED.iterdir()} - {"__pycache__"} == {"__init__.py", *FILES}


BUILD = """
import hashlib
{imports}
texts = shared()
for name in {names}:
    texts |= build(loading.named(name), verified=False).texts
for file, text in texts.items():
    print(file, hashlib.sha256(text.encode()).hexdigest())
"""
REVERSED = """import codegen.cli, generated.mlp
from codegen.building import build, shared
from derive.networks import loading"""
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.slow
def test_same_bytes_of_another_hash_seed_in_another_folder_and_order_and_a_locale_of_ascii(tmp_path):
    """The usual order is that of the README's `derive build --check`, in tests/test_house.py."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD.format(imports=REVERSED, names=NAMES[::-1])], cwd=tmp_path, capture_output=True,
        text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "2", **ASCII})
    here = [f"{file} {hashlib.sha256((GENERATED / file).read_bytes()).hexdigest()}" for file in FILES]
    assert sorted(done.stdout.splitlines()) == sorted(here)
