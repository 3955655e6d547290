"""Which variables lie between the parameters and the loss, and in which order their adjoints come."""

from collections.abc import Collection, Iterable, Mapping

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
    return {n for n in reached(names, readers) if not _is_integer(program.variables[n])}


def _is_integer(variable):
    return bool(variable.base.label.is_integer if variable.shape else variable.base.is_integer)


def between(program: Program) -> list[str]:
    """Return the names of the variables that depend on a parameter and that the loss depends on."""
    lines: dict[str, set[str]] = {}
    for e in program.equations:
        lines.setdefault(e.name, set()).update(read_name(r) for r in reads(e.rhs, program.variables))
    below, above = varying(program), reached([program.loss], lines)
    return [n for n in program.variables if n in below and n in above]


def behind(program: Program, names: Collection[str]) -> set[str]:
    """Return some names, and those of all that they depend on."""
    lines: dict[str, set[str]] = {}
    for e in program.equations:
        lines.setdefault(e.name, set()).update(read_name(r) for r in reads(e.rhs, program.variables))
    return reached(names, lines)


def reached(start: Iterable[str], edges: Mapping[str, Iterable[str]]) -> set[str]:
    """Return what one comes to from some names along edges, these names among it."""
    seen, todo = set(start), list(start)
    while todo:
        for n in edges.get(todo.pop(), ()):
            if n not in seen:
                seen.add(n)
                todo.append(n)
    return seen


def reverse_order(program: Program, names: Collection[str]) -> list[str]:
    """Return the names last equation first: what an equation reads, as soon as all others that read it are done.

    So the adjoints that one line sends back stand together, parameters first. Variables that wait for each other over
    an index come together.
    """
    groups = [list(dict.fromkeys(e.name for e in group)) for group in program.groups()]
    home = {name: k for k, group in enumerate(groups) for name in group}
    last = {name: len(groups) for name in (*names, *home)}      # the first group of the forward pass that reads it
    for e in reversed(program.equations):
        for name in {read_name(r) for r in reads(e.rhs, last)}:
            if home.get(name) != home[e.name]:
                last[name] = min(last[name], home[e.name])
    units = [[p.name] for p in program.parameters] + [list(reversed(group)) for group in reversed(groups)]
    units.sort(key=lambda unit: -min(last[name] for name in unit))
    return [name for unit in units for name in unit if name in names]
