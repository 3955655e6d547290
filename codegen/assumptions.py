"""The checks of a module that its assumptions hold."""

import json
import re
from dataclasses import replace

from sympy import Expr, KroneckerDelta

from derive.forms import form
from derive.program import Assumption, Program
from derive.terms import free_indices

from .numpy_text import NumpyPrinter
from .statements import Statement

_SIZE = r"\b[A-Za-z]\w*\b"

ASSUME = '''def _assume(name, fact, left, right):
    """Raise ValueError where a fact that the gradients rely on does not hold; rounding is allowed for."""
    largest = np.abs(left - right).max()
    allowed = np.sqrt(np.finfo(left.dtype).eps)
    if not largest <= allowed:
        allowed *= max(1.0, np.abs(left).max())
    if not largest <= allowed:
        raise ValueError(f"{name} is off by {largest:.2g} where {fact}; expected at most {allowed:.1g}")'''

ASSUME_POSITIVE = '''def _assume_positive(name, fact, value):
    """Raise ValueError where a symmetric matrix has an eigenvalue that is not positive."""
    try:
        np.linalg.cholesky(value)
    except np.linalg.LinAlgError:
        least = np.linalg.eigvalsh(value).min()
        raise ValueError(f"{name} has the eigenvalue {least:.2g}; expected that {fact}") from None'''


def calls(program: Program, optional: list[str]) -> list[str]:
    """Return the lines that check every assumption, of arguments that may be absent only where they are there."""
    lines = []
    for a in program.assumptions:
        if set(a.about) & set(program.checked):
            continue
        absent = [n for n in a.about if n in optional]
        pad = "        " if absent else "    "
        if absent:
            lines.append(f"    if {' and '.join(f'{n} is not None' for n in absent)}:")
        lines += [f"{pad}{line}" for line in _calls(a)]
    return lines


def beside(statements: list[Statement], program: Program, printer: NumpyPrinter) -> list[Statement]:
    """Return statements with the checks of what is assumed of computed variables, each where the last of them is."""
    result = list(statements)
    for a in program.assumptions:
        if set(a.about) & set(program.checked):
            last = max(k for k, s in enumerate(result) if s.name in a.about)
            reads = tuple(dict.fromkeys([*result[last].reads, *(n for n in a.about if n != result[last].name)]))
            result[last] = replace(result[last], lines=(*result[last].lines, *_calls(a, printer)), reads=reads)
    return result


def _calls(a: Assumption, printer: NumpyPrinter | None = None) -> list[str]:
    name = f'"{", ".join(a.about)}", {json.dumps(a.fact, ensure_ascii=False)}'
    if a.kind == "one-hot":         # 0 and 1 exactly: then the products vanish as well
        [array] = a.about
        return [f"_assume({name}, {array} * {array}, {array})", f"_assume({name}, {array}.sum(axis=-1), 1)"]
    lines = [f"_assume({name}, {_code(left, right, printer)})" for left, right in a.equalities]
    if a.kind == "positive definite":
        lines.append(f"_assume_positive({name}, {a.about[0]})")
    return lines


def _code(left: Expr, right: Expr, within: NumpyPrinter | None) -> str:
    """Return both sides of an equation as arrays over the same axes, sizes looked up in the table or as they are."""
    axes = tuple(dict.fromkeys([*free_indices(left), *free_indices(right)]))
    printer = within or NumpyPrinter()
    sides = [printer.code(form(side, axes)) for side in (left, right) if not isinstance(side, KroneckerDelta)]
    if isinstance(right, KroneckerDelta):
        sides.append(f"np.eye({printer.size(axes[0].upper + 1).code})")
    if within:
        return ", ".join(sides)
    return re.sub(_SIZE, lambda m: f'sizes["{m[0]}"]' if m[0] in printer.sizes else m[0], ", ".join(sides))


def definitions(program: Program) -> list[str]:
    """Return the functions that the checks call."""
    kinds = {a.kind for a in program.assumptions}
    return [*([ASSUME] if kinds else []), *([ASSUME_POSITIVE] if "positive definite" in kinds else [])]
