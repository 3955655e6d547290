"""The subscripts of einsum as they may have been meant."""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from string import ascii_lowercase
from typing import TypeGuard

from .edits import once

WRITTEN = re.compile(r"[A-Za-z.]*( *, *[A-Za-z.]*)* *-> *[A-Za-z.]*")


def are_subscripts(value: object) -> TypeGuard[str]:
    """Tell whether a constant is written as einsum's subscripts with a result are: not a text with arrows in it."""
    return isinstance(value, str) and WRITTEN.fullmatch(value.strip()) is not None


def relettered(subscripts: str) -> Iterator[str]:
    """Yield subscripts with two letters exchanged, or one in the place of another, in one operand or the result."""
    operands, result = _parts(subscripts)
    joined = _as_written(subscripts)
    letters = sorted(set("".join(operands) + result))
    for k, part in enumerate((*operands, result)):
        others = [part[:a] + part[b] + part[a + 1:b] + part[a] + part[b + 1:]
                  for a, b in combinations(range(len(part)), 2)]
        others += [part[:a] + c + part[a + 1:] for a in range(len(part)) for c in letters]
        for other in once(o for o in others if o != part):
            yield joined({k: other})


def off_diagonal(subscripts: str, others: Sequence[str]) -> Iterator[str]:
    """Yield subscripts in which a letter that an operand has twice is another one there, and in one operand more.

    `others` are strings of the same function: a new letter is one that they have, if there is one.
    """
    operands, result = _parts(subscripts)
    joined = _as_written(subscripts)
    letters = sorted(set("".join(operands) + result))
    written = sorted({c for said in others if are_subscripts(said) for c in said if c.isalpha()})
    free = next(c for c in (*written, *ascii_lowercase) if c not in letters)
    for k, part in enumerate(operands):
        for a, c in ((a, c) for a, c in enumerate(part) if part.count(c) > 1):
            for new in (n for n in (*letters, free) if n not in part):
                other = {k: part[:a] + new + part[a + 1:]}
                yield joined(other)
                for j, read in enumerate(operands):
                    if j != k and c in read:
                        yield joined({**other, j: read.replace(c, new)})


def _parts(subscripts):
    read, result = subscripts.replace(" ", "").split("->")
    return read.split(","), result


def _as_written(subscripts):
    """Return a function that puts parts together, others in some places, with the spaces that there were."""
    operands, result = _parts(subscripts)
    comma, arrow = ", " if ", " in subscripts else ",", " -> " if " ->" in subscripts else "->"

    def joined(others):
        *read, given = (others.get(k, part) for k, part in enumerate((*operands, result)))
        return comma.join(read) + arrow + given

    return joined
