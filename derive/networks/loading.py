"""Finding networks: those shipped here, and those that a user's own file defines."""

import runpy
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from ..errors import DefinitionError
from ..network import Network
from ..remedies import remedy
from ..wording import words
from .habits import silent_slips

LARGEST = 10_000_000        # bytes of a file
HERE = Path(__file__).parent


def names() -> list[str]:
    """Return the names of the networks shipped, in alphabetical order."""
    return sorted(m.name for m in iter_modules([str(HERE)]) if m.name not in ("habits", "loading"))


def named(name: str) -> Network:
    """Return a network shipped.

    Raises
    ------
    DefinitionError
        No network has this name.
    """
    if name not in names():
        file, near = f"{name}.py", get_close_matches(name, names(), 1)
        meant = f"{file} is a file, which is asked for by that name; " if Path(file).is_file() else (
            f"is {near[0]} meant? " if near else "")
        raise DefinitionError(f"no network is called {name!r}; {meant}`derive list` shows those there are")
    net = import_module(f"{__package__}.{name}").net
    net.source = f"derive/networks/{name}.py"
    return net


def load() -> list[Network]:
    """Return all networks shipped."""
    return [named(name) for name in names()]


def read(path: str | Path) -> list[Network]:
    """Run a user's own file and return the networks that it defines, in order.

    Raises
    ------
    DefinitionError
        The file is missing, fails as it runs, or defines no network.
    """
    path = checked(path, "a Python file that defines networks")
    for line, said in silent_slips(path.read_text(encoding="utf-8", errors="replace")):
        raise DefinitionError(f"{path}: line {line}: {said}")
    try:
        space = runpy.run_path(str(path))
    except DefinitionError as error:
        raise DefinitionError(f"{path}: {_where(error, path)}{error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise DefinitionError(
            f"{path} fails as it runs: {_where(error, path)}{type(error).__name__}: {said}{remedy(error)}"
        ) from error
    found = list({id(v): v for v in space.values() if isinstance(v, Network)}.values())
    if not found:
        raise DefinitionError(f"{path} defines no network; expected `net = Network(...)` at its top level")
    seen: dict[str, Network] = {}
    for net in found:
        if net.name in seen:
            raise DefinitionError(f"{path} defines two networks called {net.name!r}; give each its own name")
        seen[net.name] = net
        net.source = path.name
    return found


def checked(path: str | Path, expected: str) -> Path:
    """Return the path of a file that may be run.

    Raises
    ------
    DefinitionError
        It is not a file, or has more text than anybody writes.
    """
    path = Path(words(str(path), "path"))
    if not path.is_file():
        raise DefinitionError(f"{path} is not a file; expected {expected}")
    if path.stat().st_size > LARGEST:
        raise DefinitionError(f"{path} has {path.stat().st_size} bytes; expected {expected}, of at most {LARGEST}")
    return path


def _where(error, path):
    """Return "line 3: " where the error came from a line of the file itself."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"line {line}: " if line else ""
