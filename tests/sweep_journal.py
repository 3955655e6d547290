"""The journal of a sweep: a line for each program that was run, its number, outcome and the commit of the code."""

import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Outcome(NamedTuple):
    """What became of a program, "passed" or what is wrong, and the commit that it was run on."""

    result: str
    commit: str = ""


def commit() -> str:
    """Return the commit of the code, with a + where files differ from it; "" outside a clone."""
    def git(*words):
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=7", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def read(journal: Path | None, programs: Collection[int]) -> dict[int, Outcome]:
    """Return the outcomes of programs that a journal has, the last of each."""
    if not journal or not journal.exists():
        return {}
    lines = (line.split("\t") for line in journal.read_text(encoding="utf-8").splitlines())
    return {int(number): Outcome(*rest) for number, *rest in lines if int(number) in programs}


def add(journal: Path | None, number: int, outcome: Outcome) -> None:
    """Append a line."""
    if journal:
        with journal.open("a", encoding="utf-8") as file:
            print(number, *outcome, sep="\t", file=file)
