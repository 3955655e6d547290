"""Files are whole, and those that belong together are of one build, whoever is killed and however many write."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codegen import cli, files

ROOT = Path(__file__).parents[1]
posix = pytest.mark.skipif(os.name != "posix", reason="SIGKILL, fork and locks of folders are POSIX's")
TEXTS = [dict.fromkeys(("net.py", "net.tex"), f"{k}\n" * 60000) for k in range(4)]


def contents(folder):
    return {p.name: p.read_text() for p in folder.iterdir()}


def test_nothing_is_left_beside_the_files(tmp_path):
    for texts in TEXTS:
        files.replace(texts, tmp_path)
        assert contents(tmp_path) == texts


def test_the_next_writer_finishes_what_was_whole_and_drops_what_was_not(tmp_path):
    old, new, _, _ = TEXTS
    files.replace(old, tmp_path)
    (tmp_path / files.UNFINISHED).mkdir()
    (tmp_path / files.UNFINISHED / "net.py").write_text("hal")
    files.replace({}, tmp_path)
    assert contents(tmp_path) == old
    (tmp_path / files.WHOLE).mkdir()
    (tmp_path / files.WHOLE / "net.tex").write_text(new["net.tex"])
    (tmp_path / "net.py").write_text(new["net.py"])
    assert files.is_interrupted(tmp_path)
    files.replace({}, tmp_path)
    assert contents(tmp_path) == new and not files.is_interrupted(tmp_path)


def test_check_tells_that_a_build_was_killed(tmp_path, capsys):
    (tmp_path / files.WHOLE).mkdir()
    with pytest.raises(SystemExit) as stop:
        cli.main(["build", "square", "--output", str(tmp_path), "--check"])
    assert stop.value.code == 1 and "was killed as it moved its files" in capsys.readouterr().err


def test_a_folder_where_a_file_should_be_changes_nothing(tmp_path):
    (tmp_path / "net.tex").mkdir()
    with pytest.raises(IsADirectoryError):
        files.replace(TEXTS[0], tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["net.tex"]


KILLS = """
import os, random, signal, sys, time
from pathlib import Path
from codegen import files
from tests.test_files import TEXTS, contents

folder, seed, kills = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
random.seed(seed)
files.replace(TEXTS[0], folder)
found = set()
for _ in range(kills):
    writers = []
    for start in range(2):
        child = os.fork()
        if not child:
            while True:
                for texts in TEXTS[start:]:
                    files.replace(texts, folder)
        writers.append(child)
    time.sleep(random.uniform(0, 0.02))
    for child in writers:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    here = {n: t for n, t in ((p.name, p.read_text()) for p in folder.iterdir() if p.is_file())}
    assert len(here) == 2 and all(any(t == texts[n] for texts in TEXTS) for n, t in here.items()), "half a file"
    found.add((files.is_interrupted(folder), (folder / files.UNFINISHED).exists()))
    files.replace({}, folder)
    assert contents(folder) in TEXTS, "files of two builds"
print(len(found))
"""


@posix
@pytest.mark.parametrize("kills", [150, pytest.param(3000, marks=pytest.mark.slow)])
def test_writers_killed_at_any_moment_leave_no_halves(kills, tmp_path):
    command = [sys.executable, "-c", KILLS, tmp_path, "0", str(kills)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 2            # kills were seen both in the middle of writing and elsewhere


@posix
@pytest.mark.slow
def test_builds_killed_at_any_moment_leave_no_halves(tmp_path):
    """The command itself, twenty times, killed at a random moment; then a build that is left alone."""
    generated = ROOT / "generated"
    command = [sys.executable, "-m", "codegen", "build", "square", "neuron", "--output", str(tmp_path)]
    names = [f"{n}.{kind}" for n in ("square", "neuron") for kind in ("py", "tex")]
    draws = random.Random(0)
    for _ in range(20):
        build = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(draws.uniform(0.5, 4))
        os.kill(build.pid, signal.SIGKILL)
        build.wait()
        for path in tmp_path.iterdir():
            assert path.is_dir() or path.read_text() == (generated / path.name).read_text()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    assert contents(tmp_path) == {n: (generated / n).read_text() for n in names}


@posix
@pytest.mark.slow
def test_builds_into_one_folder_at_once(tmp_path):
    command = [sys.executable, "-m", "codegen", "build", "square", "--output", str(tmp_path)]
    builds = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [b.wait() for b in builds] == [0] * 4
    assert contents(tmp_path) == {n: (ROOT / "generated" / n).read_text() for n in ("square.py", "square.tex")}


def test_the_command_writes_utf8_in_a_locale_of_ascii():
    def printed(**settings):
        return subprocess.run([sys.executable, "-m", "codegen", "latex", "square", "--language", "ko"], cwd=ROOT,
                              capture_output=True, check=True, env={**os.environ, **settings}).stdout

    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert printed(**ascii_only) == printed(PYTHONUTF8="1")
