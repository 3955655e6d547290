"""Masks that stand in several lines of a function get a name: they compare data and places, known from the start.

    P = np.sum((y[:, None] == y) & (np.arange(N)[:, None] != np.arange(N)), axis=1)
    S = np.where((y[:, None] == y) & (np.arange(N)[:, None] != np.arange(N)), Z, 0)

read `mask`.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from .statements import Statement

OPENS = re.compile(r"np\.(?:where|sum)\(")
WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
SHORTEST = 24               # characters; a shorter mask is read where it stands


def with_masks_named(statements: Sequence[Statement], known: Collection[str], taken: Collection[str]
                     ) -> tuple[list[str], list[Statement]]:
    """Return lines that name the masks which stand more than once, and the statements that read the names.

    Masks are of names that are `known` before the statements; the names that they get are not `taken`.
    """
    times = Counter(mask for s in statements for line in s.lines for mask in _masks(line))
    chosen = [mask for mask, n in times.items() if n > 1 and len(mask) >= SHORTEST
              and set(WORD.findall(mask)) <= {*known, "np", "None"}]
    stems = ["mask", *(f"mask_{k}" for k in range(2, len(chosen) + len(taken) + 2))]
    named = dict(zip(chosen, (n for n in stems if n not in taken), strict=False))
    lines = [f"{name} = {mask}" for mask, name in named.items()]
    return lines, [replace(s, lines=tuple(_reading(line, named) for line in s.lines)) for s in statements]


def _masks(line):
    """Yield the conditions that a line chooses or counts by."""
    for opened in OPENS.finditer(line):
        argument = _argument(line, opened.end())
        if any(f" {sign} " in argument for sign in ("==", "!=", "<", ">", "<=", ">=")) and "np.where" not in argument:
            yield argument


def _argument(line, start):
    """Return the argument of a call that begins at a place."""
    depth = 0
    for k in range(start, len(line)):
        if depth == 0 and line[k] in ",)":
            return line[start:k]
        depth += (line[k] in "([") - (line[k] in ")]")
    return line[start:]


def _reading(line, named):
    """Return a line in which masks are read by their names."""
    for mask, name in named.items():
        line = re.sub(rf"({OPENS.pattern}){re.escape(mask)}(?=[,)])", rf"\g<1>{name}", line)
    return line
