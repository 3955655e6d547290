"""Which variables lie between the parameters and the loss, and in which order their adjoints come."""

from collections.abc import Collection

from .program import Program
from .terms import read_name, reads


def varying(program: Program) -> set[str]:
    """Return the names of the parameters, and of the variables that depend on one."""
    return moved(program, [p.name for p in program.parameters])


def moved(program: Program, names: Collection[str]) -> set[str]:
    """Return some names, and those of the variables that depend on one of them; places and labels do not."""
    readers: dict[str, set[str]] = {}
    for e in program.equations:
        for read in reads(e.rhs, program.variables):
            readers.setdefault(read_name(read), set()).add(e.name)
    return {n for n in _reached(names, readers) if not _is_integer(program.variables[n])}


def _is_integer(variable):
    return bool(variable.base.label.is_integer if variable.shape else variable.base.is_integer)


def between(program: Program) -> list[str]:
    """Return the names of the variables that depend on a parameter and that the loss depends on."""
    lines: dict[str, set[str]] = {}
    for e in program.equations:
        lines.setdefault(e.name, set()).update(read_name(r) for r in reads(e.rhs, program.variables))
    below, above = varying(program), _reached([program.loss], lines)
    return [n for n in program.variables if n in below and n in above]


def behind(program: Program, names: Collection[str]) -> set[str]:
    """Return some names, and those of all that they depend on."""
    lines: dict[str, set[str]] = {}
    for e in program.equations:
        lines.setdefault(e.name, set()).update(read_name(r) for r in reads(e.rhs, program.variables))
    return _reached(names, lines)


def _reached(start, edges):
    seen, todo = set(start), list(start)
    while todo:
        for n in edges.get(todo.pop(), ()):
            if n not in seen:
                seen.add(n)
                todo.append(n)
    return seen


def reverse_order(program: Program, names) -> list[str]:
    """Return the names last equation first, each parameter as soon as all that reads it is done."""
    waiting: dict[str, set[str]] = {p.name: set() for p in program.parameters}
    for e in program.equations:
        for read in reads(e.rhs, waiting):
            waiting[read_name(read)].add(e.name)
    order = []
    for group in reversed(program.groups()):
        done = list(dict.fromkeys(e.name for e in reversed(group)))
        order += [n for n in done if n in names]
        for parameter, readers in list(waiting.items()):
            readers -= set(done)
            if not readers:
                order.append(parameter)
                del waiting[parameter]
    return order
