"""Laying out lines of code: folding, unpacking, tuples, comments beside them."""

import textwrap

from .folding import folded

WIDTH = 120
COLUMN = 56                 # where the shapes stand beside the code


def signature(name, arguments, sizes) -> list[str]:
    """Return the lines that open a function; sizes are given by keyword."""
    given = [*arguments, *(["*", *map(str, sizes)] if sizes else [])]
    return wrapped(f"def {name}({', '.join(given)}):")


def wrapped(line: str) -> list[str]:
    """Fold a long line at its brackets."""
    return folded(line, WIDTH)


def with_comment(lines, comment):
    """Return a statement's lines with a comment beside the last, beside the first of several where that has no room."""
    if not comment:
        return lines
    *before, last = lines
    if len(told := _beside(last, comment)) <= WIDTH:
        return [*before, told]
    if before:
        return [_beside(lines[0], comment), *lines[1:]]
    [*before, last] = folded(last, WIDTH - len(comment) - 2)
    return [*before, _beside(last, comment)]


def _beside(line, comment):
    return (line.ljust(COLUMN) if len(line) < COLUMN - 1 else f"{line}  ") + comment


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
                *rows(inner[:-2].split(", "), 12), "        )", "    )"]
    opened = value.index("(")
    return ["    (", *rows(names), f"    ) = {value[:opened]}(", *rows(value[opened + 1:-1].split(", ")), "    )"]


def as_tuple(names) -> str:
    """Return names in parentheses, one alone with its comma."""
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def unpacked(names) -> str:
    """Return names between commas, one alone with its comma."""
    return f"{', '.join(names)}{',' if len(names) == 1 else ''}"


def rows(names, indent=8):
    """Lines of names inside parentheses."""
    wrapped = textwrap.wrap(f"{', '.join(names)},", WIDTH - indent, break_long_words=False)
    return [" " * indent + row for row in wrapped]
