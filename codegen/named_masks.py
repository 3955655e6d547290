"""Masks that stand in several lines of a function get a name: they compare data and places, known from the start.

    P = np.sum((y[:, None] == y) & (np.arange(N)[:, None] != np.arange(N)), axis=1)
    S = np.where((y[:, None] == y) & (np.arange(N)[:, None] != np.arange(N)), Z, 0)

read `mask`.
"""

import ast
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest

from sympy import Integer, Symbol, sympify

from .statements import Statement

OPENS = re.compile(r"np\.(?:where|sum)\(")
WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
SHORTEST = 24               # characters; a shorter mask is read where it stands


def with_masks_named(statements: Sequence[Statement], known: Mapping[str, tuple], taken: Collection[str]
                     ) -> tuple[list[tuple[str, tuple | None]], list[Statement]]:
    """Return lines that name the masks which stand more than once, and the statements that read the names.

    Masks are of names that are `known` before the statements, with their shapes; the names that they get are not
    `taken`. Beside each line stands the shape of its mask, None where it reads what has no plain shape.
    """
    times = Counter(mask for s in statements for line in s.lines for mask in _masks(line))
    chosen = [mask for mask, n in times.items() if n > 1 and len(mask) >= SHORTEST
              and set(WORD.findall(mask)) <= {*known, "np", "None"}]
    stems = ["mask", *(f"mask_{k}" for k in range(2, len(chosen) + len(taken) + 2))]
    named = dict(zip(chosen, (n for n in stems if n not in taken), strict=False))
    lines = [(f"{name} = {mask}", _shape(ast.parse(mask, mode="eval").body, known)) for mask, name in named.items()]
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


def _shape(node, known):
    """Return the shape of what a mask computes; None where it is not made of comparisons of arrays and places."""
    match node:
        case ast.Constant():
            return ()
        case ast.Name(id=name):
            return known.get(name)
        case ast.Call(func=ast.Attribute(attr="arange"), args=[length]):
            return (sympify(ast.unparse(length), {n: Symbol(n) for n in known}),)
        case ast.Subscript(value=array, slice=places):
            return _placed(_shape(array, known), places.elts if isinstance(places, ast.Tuple) else [places])
        case ast.UnaryOp(operand=operand):
            return _shape(operand, known)
        case ast.BinOp(left=left, right=right):
            return _broadcast([_shape(left, known), _shape(right, known)])
        case ast.Compare(left=left, comparators=[*others]):
            return _broadcast([_shape(operand, known) for operand in (left, *others)])
    return None


def _placed(shape, places):
    """Return the shape of an array with its axes placed: whole ones by `:`, new ones by None."""
    if shape is None:
        return None
    axes, result = list(shape), []
    for place in places:
        match place:
            case ast.Constant(value=None):
                result.append(Integer(1))
            case ast.Slice(lower=None, upper=None, step=None):
                result.append(axes.pop(0))
            case _:
                return None
    return (*result, *axes)


def _broadcast(shapes):
    """Return the shape that arrays have together."""
    if None in shapes:
        return None
    aligned = zip_longest(*(shape[::-1] for shape in shapes), fillvalue=Integer(1))
    return tuple(next((n for n in lengths if n != 1), Integer(1)) for lengths in aligned)[::-1]
