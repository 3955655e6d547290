"""Laying out lines of code: folding, unpacking, tuples."""

import textwrap

from .folding import folded

WIDTH = 120


def signature(name, arguments, sizes) -> list[str]:
    """Return the lines that open a function; sizes are given by keyword."""
    given = [*arguments, *(["*", *map(str, sizes)] if sizes else [])]
    return wrapped(f"def {name}({', '.join(given)}):")


def wrapped(line: str) -> list[str]:
    """Fold a long line at its brackets."""
    return folded(line, WIDTH)


def assignment(names, value):
    """Lines that unpack a value into names, in parentheses where they are many."""
    line = f"    {unpacked(names) if len(names) > 1 else as_tuple(names)} = {value}"
    if len(line) <= WIDTH:
        return [line]
    if len(value) < WIDTH - 12:
        return ["    (", *rows(names), f"    ) = {value}"]
    if " for v in (" in value:
        head, _, inner = value.partition(" for v in (")
        return ["    (", *rows(names), "    ) = (", f"        {head[1:]} for v in (",
                *(f"    {row}" for row in rows(inner[:-2].split(", "))), "        )", "    )"]
    opened = value.index("(")
    return ["    (", *rows(names), f"    ) = {value[:opened]}(", *rows(value[opened + 1:-1].split(", ")), "    )"]


def as_tuple(names) -> str:
    """Return names in parentheses, one alone with its comma."""
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def unpacked(names) -> str:
    """Return names between commas, one alone with its comma."""
    return f"{', '.join(names)}{',' if len(names) == 1 else ''}"


def rows(names):
    """Lines of names inside parentheses."""
    return [f"        {row}" for row in textwrap.wrap(f"{', '.join(names)},", WIDTH - 8, break_long_words=False)]
