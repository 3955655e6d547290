"""Words that a user gives: names, titles, notes, facts. Printed in code, in LaTeX and on terminals, never run."""

import keyword
import re
import unicodedata

from .errors import DefinitionError

LETTERS, TITLE, NOTE = 100, 300, 5000
CONTROL = {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}  # control characters, changes of direction, halves of pairs, ...

RESERVED = (
    frozenset(
        [
            "np",
            "NamedTuple",
            "Params",
            "forward",
            "backward",
            "loss_and_grads",
            "predict",
            "sgd_step",
            "loss",
            "residuals",
            "grads",
            "learning_rate",
            "sizes",
            "name",
            "shape",
            "axes",
            "axis",
            "size",
            "floats",
            "dtype",
            "array",
            "work",
            "workspace",
            "rows",
            "part",
            "of_part",
            "buffer",
            "lru_cache",
            "erf",
            "scipy",
            "len",
            "zip",
            "min",
            "max",
            "range",
        ]
    )
    | frozenset(keyword.kwlist)
    | {"type"}
)


def identifier(name: object, what: str) -> str:
    """Return a name that code, LaTeX and file systems can have.

    Raises
    ------
    DefinitionError
        Not letters, digits and _, a word of Python, or too long.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        title = ", and say the rest in its title, Network(name, title)" if what == "network" and name != "" else (
            "" if isinstance(name, str) else "; the name comes first, as text")
        raise DefinitionError(f"the {what} name {shown(name)} is no identifier; use letters from a to z, digits and _, "
                              f"a letter first{title}")
    if len(name) > LETTERS:
        raise DefinitionError(f"the {what} name {shown(name)} has {len(name)} letters; expected at most {LETTERS}")
    if keyword.iskeyword(name):
        raise DefinitionError(f"the {what} name {name!r} is a word of Python; choose another")
    return name


def words(text: object, what: str, longest: int = NOTE) -> str:
    """Return words on one line.

    Raises
    ------
    DefinitionError
        Not text, too long, or with characters that are not printed.
    """
    if not isinstance(text, str):
        raise DefinitionError(f"the {what} is {shown(text)}; expected text")
    line = " ".join(text.split())
    if len(line) > longest:
        raise DefinitionError(f"the {what} {shown(line)} has {len(line)} letters; expected at most {longest}")
    bad = next((c for c in line if unicodedata.category(c) in CONTROL), None)
    if bad:
        raise DefinitionError(f"the {what} {shown(line)} has the character U+{ord(bad):04X}; expected printed ones")
    return line


def shown(thing: object) -> str:
    """Return the beginning of a thing as Python would write it, in printable ASCII where it is anything odd."""
    text = ascii(thing) if isinstance(thing, str) and not thing.isprintable() else repr(thing)
    return text if len(text) <= 60 else f"{text[:57]}..."


def quoted(text: str) -> str:
    """Return a docstring that says `text`, whatever stands in it."""
    inside = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""{inside}"""'
