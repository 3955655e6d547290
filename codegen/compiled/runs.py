"""What of a program is compiled: runs of equations without matrix products, as many together as their order allows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from sympy import KroneckerDelta, Sum

from derive.program import Equation, Program, is_cyclic, ordered
from derive.terms import free_indices, read_name, reads, runs_over, subterms

from .. import taps
from ..loop_arrays import NewArrays
from ..numpy_text import NumpyPrinter
from .nests import Assignment
from .products import is_product
from .reductions import Split, in_c

Group = Sequence[Equation]


@dataclass(frozen=True)
class Run:
    """Equations that one C function computes."""

    assignments: list[Assignment]
    names: tuple[str, ...]


def plain_names(program: Program, printer: NumpyPrinter) -> set[str]:
    """Return the variables with one entry after another in one equation: no states, no slices, nothing implicit."""
    times = Counter(e.name for e in program.equations)
    recurrent = {e.name for group in program.groups() if is_cyclic(group) for e in group}
    found = {e.name for e in program.equations if times[e.name] == 1 and _is_plain(e, program)} - recurrent
    slices = {e.name for e in program.equations
              if e.name in found and taps.lines(e, program, printer, NewArrays(printer))}
    return found - slices


def _is_plain(e, program):
    v = program.variables[e.name]
    whole = e.free == e.indices and all(runs_over(i, s) for i, s in zip(e.indices, v.shape, strict=True))
    return whole and not (e.implicit or v.state or v.base.is_integer or e.name in program.checked)


def in_order(program: Program, names: set[str], split: Split) -> list[Run | Group]:
    """Return runs of the equations called `names`, as far as C can compute them, and the other groups of equations.

    Each comes after all that it reads, and runs are as long as that allows.
    """
    groups = list(ordered(program.equations))
    lines = [_assignments(g, names, split) for g in groups]
    waits = _waits(groups)
    readers: dict[int, list[int]] = {}
    for reader, others in enumerate(waits):
        for k in others:
            readers.setdefault(k, []).append(reader)
    ready: tuple[list[int], list[int]] = [], []             # what NumPy computes, and what C does
    for k in (k for k, others in enumerate(waits) if not others):
        heappush(ready[bool(lines[k])], k)
    parts: list[Run | Group] = []
    compiled = False
    while any(ready):
        taken = []
        while ready[compiled]:
            taken.append(k := heappop(ready[compiled]))
            for reader in readers.get(k, ()):
                waits[reader].discard(k)
                if not waits[reader]:
                    heappush(ready[bool(lines[reader])], reader)
        parts += _run([groups[k] for k in taken], [a for k in taken for a in lines[k]])
        compiled = not compiled
    return parts


def _waits(groups):
    """Return for each group the numbers of those that it waits for."""
    home = {e.name: k for k, group in enumerate(groups) for e in group}
    read = ({home[read_name(r)] for e in group for side in (e.rhs, e.start) for r in reads(side, home)}
            for group in groups)
    return [others - {k} for k, others in enumerate(read)]


def _run(groups, lines):
    if not any(a.loops for a in lines):         # numbers alone are not worth a call
        return groups
    return [Run(lines, tuple(e.name for group in groups for e in group))]


def _assignments(group, names, split) -> list[Assignment]:
    """Return the assignments of an equation in C, none where it is left to NumPy."""
    [e, *others] = group
    if others or e.name not in names or _scatters(e) or any(map(is_product, subterms(e.rhs))):
        return []
    return in_c(e, split)


def _scatters(e):
    """Tell whether a sum picks terms by a delta: NumPy goes to the places picked alone."""
    for term in subterms(e.rhs):
        if isinstance(term, Sum):
            bound = {limit[0] for limit in term.limits}
            if any(bound & set(free_indices(d)) for d in term.function.atoms(KroneckerDelta)):
                return True
    return False
