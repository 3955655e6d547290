"""Writing files so that nobody ever sees half of one, and those that belong together change together.

The files of one network are written beside their places first, into a folder `.derive-unfinished`; once all are whole
it is called `.derive-whole`, and each is moved over the one that it replaces. Killed before that name, nothing has
changed; killed after it, whoever writes into the folder next moves the rest. A lock on the folder keeps builds apart.
"""

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from derive.program import Program

from .module import source

fcntl: Any
try:
    import fcntl
except ModuleNotFoundError:                     # Windows: two builds into one folder are not kept apart there
    fcntl = None

UNFINISHED, WHOLE = ".derive-unfinished", ".derive-whole"


def write(program: Program, path: str | Path) -> Path:
    """Write the generated module of a derived program and return its path; the file is replaced whole or not at all."""
    path = Path(path)
    replace({path.name: source(program)}, path.parent)
    return path


def replace(texts: Mapping[str, str], folder: Path) -> None:
    """Put texts into the files of a folder, all of them or none.

    Raises
    ------
    OSError
        The folder cannot be made or written to, the disk is full, a folder is where a file should be: nothing changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        finish(folder)
        for name in texts:
            if (folder / name).is_dir():
                raise IsADirectoryError(errno.EISDIR, "is a folder; expected a file or nothing", str(folder / name))
        _stage(texts, folder)
        finish(folder)


def is_interrupted(folder: Path) -> bool:
    """Tell whether somebody was killed between the first file and the last that belong together."""
    return (folder / WHOLE).is_dir()


def finish(folder: Path) -> None:
    """Move what a build had written whole before it was killed, and drop what it had not."""
    shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
    whole = folder / WHOLE
    if whole.is_dir():
        for path in sorted(whole.iterdir()):
            os.replace(path, folder / path.name)
        whole.rmdir()


def _stage(texts, folder):
    """Write all texts beside their places, and say so by the name of the folder that they are in."""
    unfinished = folder / UNFINISHED
    try:
        unfinished.mkdir()
        for name, text in texts.items():
            with open(unfinished / name, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
        os.replace(unfinished, folder / WHOLE)
    except BaseException as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if isinstance(error, OSError):
            raise type(error)(error.errno, error.strerror, str(folder)) from error
        raise


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let nobody else write into a folder; the system lets go where the holder is killed."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):                 # some network drives know no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
