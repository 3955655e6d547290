"""Writing files so that nobody ever sees half of one."""

import os
import tempfile
from pathlib import Path

from derive.program import Program

from .module import source


def write(program: Program, path: str | Path) -> Path:
    """Write the generated module of a derived program and return its path; the file is replaced whole or not at all."""
    return replace(Path(path), source(program))


def replace(path: Path, text: str) -> Path:
    """Put `text` into a file by way of a temporary one beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path
