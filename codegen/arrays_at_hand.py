"""Arrays of the workspace that a name is at hand for are not asked for again, which takes a third of a short sum.

    u = np.multiply(s, x, out=array("u", N, D))         u = np.multiply(s, x, out=array("u", N, D))
    v = np.exp(u, out=array("u", N, D))                 v = np.exp(u, out=u)
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from .statements import Statement

BARE = r'array\("\w+", [^()=]*\)'      # what a line asks a workspace for, but for zeros, which are filled each time
TAKEN = re.compile(rf"(out=|_into\(.*, )({BARE})(?=\)$)")
LAST = "_(?:sigmoid|sigmoid_at|softplus_at|capped_exp|erf|relu)_into"     # what fills its last argument, and returns it
FILLED = re.compile(rf"(\w+) = (?:np\.\w+\(.*, out=|{LAST}\(.*, |)({BARE})\)?")     # whose name is the array's
MADE = re.compile(r"\s*(?:for )?([\w, ]+) (?:=|in) ")
IN_PLACE = re.compile(r"(\w+) = (np\.\w+\(.*, out=\1\))")


def with_arrays_at_hand(statements: Sequence[Statement]) -> list[Statement]:
    """Return statements that follow each other in one function, which say `out=u` where u is the array asked for."""
    held: dict[str, str] = {}                           # what asks for an array -> the name that has it
    return [replace(s, lines=tuple(_changed(s, held))) for s in statements]


def _changed(s: Statement, held: dict[str, str]) -> list[str]:
    result: list[str] = []
    for k, line in enumerate(s.lines):
        inside = list(takewhile(lambda later: later.startswith(" "), s.lines[k + 1:]))      # of a loop or a choice
        result.append(line if line.startswith(" ") else _shorter(line, held, s.name if k == 0 else ""))
        made = {name for each in (line, *inside) for m in [MADE.match(each)] if m for name in m[1].split(", ")}
        for asked in [a for a, name in held.items() if name in made]:
            del held[asked]
        filled = None if inside or line.startswith(" ") else FILLED.fullmatch(line)
        if filled:
            held[filled[2]] = filled[1]
    return result


def _shorter(line: str, held: dict[str, str], shown: str) -> str:
    """Return a line that names what it fills; what is `shown` has its shape beside its assignment."""
    line = TAKEN.sub(lambda m: m[1] + held.get(m[2], m[2]), line)
    again = IN_PLACE.fullmatch(line)
    return again[2] if again and again[1] != shown else line
