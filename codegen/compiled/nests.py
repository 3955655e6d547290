"""Loop nests: assignments over indices, brought into as few loops as their reads and writes allow.

    u[n, d] = ..., m[n] += p[n, d], v[n] += (p[n, d] - m[n])^2

share one loop over n, in which one loop over d follows another. What a loop computes may be read in the same turn where
all that write and read it do so at the loop's own index; a sum over the index is complete after the loop only.

A loop inside another computes at most one function that is a long chain of operations, each waiting for the one before:
a processor has so many of them under way at a time, and with one function they are of more turns. What the loops pass
on to each other is a row, which stays in cache.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from sympy import Expr, Idx, Tuple, exp, log, tanh
from sympy.codegen.cfunctions import expm1, log1p

from derive.functions import sigmoid, softplus
from derive.terms import free_indices, fresh, read_name, reads

from ..lowering import slope
from .half_exponentials import half_exp, softplus_by

COSTLY = (exp, expm1, half_exp, log, log1p, tanh, sigmoid, slope, softplus, softplus_by)


@dataclass(frozen=True)
class Assignment:
    """`target = value`, or `+=`, or the larger of both ("max"), at all values of the indices `loops`, outermost first.

    What is accumulated begins with 0 or -infinity.
    """

    target: Expr
    how: str
    value: Expr
    loops: tuple[Idx, ...]

    @property
    def name(self) -> str:
        return read_name(self.target)

    def renamed(self, old: Idx, new: Idx) -> "Assignment":
        """Return the assignment with one index under another name."""
        changes = {old: new}
        if new in self.loops and new != old:
            changes[new] = fresh(new, {i.name for i in self.loops})
        loops = tuple(changes.get(i, i) for i in self.loops)
        return replace(self, target=self.target.xreplace(changes), value=self.value.xreplace(changes), loops=loops)


@dataclass
class Loop:
    """A loop over an index, and what it does in each turn."""

    index: Idx
    body: list["Loop | Assignment"] = field(default_factory=list)


@dataclass(frozen=True)
class Access:
    """A read of a variable, or a write to it: at which indices, in which loops around it."""

    name: str
    indices: tuple[Expr, ...]
    writes: bool
    path: tuple[Loop, ...] = ()


def nested(assignments: Sequence[Assignment], names: frozenset[str], long: bool = True) -> list[Loop | Assignment]:
    """Return assignments in loops, each after those that it waits for; `names` are the variables.

    Rows are `long` enough that it pays to go through them once for each costly function.
    """
    return _Nesting(names, long).of(assignments)


class _Nesting:
    def __init__(self, names, long):
        self.names, self.long = names, long

    def of(self, assignments):
        items: list[Loop | Assignment] = []
        for a in assignments:
            self._place(items, a, 0)
        return items

    def _place(self, items, a, depth):
        """Put an assignment among the items inside so many loops: into the first loop that can take it."""
        last = max((k for k, item in enumerate(items) if self._conflict(item, a)), default=-1)
        if depth == len(a.loops):
            items.insert(last + 1, a)
            return
        index = a.loops[depth]
        for k in range(max(last, 0), len(items)):
            loop = items[k]
            if isinstance(loop, Loop) and _same_range(loop.index, index):
                now = a.renamed(index, loop.index)
                apart = depth and self.long and _are_both_costly(loop, now)
                if not apart and (k > last or self._may_join(loop, now)):
                    self._place(loop.body, now, depth + 1)
                    return
        loop = Loop(fresh(index, {i.name for i in a.loops[:depth]}))
        items.insert(last + 1, loop)
        self._place(loop.body, a.renamed(index, loop.index), depth + 1)

    def _conflict(self, item, a):
        mine = list(accesses([a], self.names))
        return any(x.name == y.name and (x.writes or y.writes) for x in accesses([item], self.names) for y in mine)

    def _may_join(self, loop, a):
        """Tell whether what an assignment shares with a loop is read and written at the loop's own index only."""
        mine = list(accesses([a], self.names))
        return all(_meet(x, y, loop.index) for x in accesses([loop], self.names) for y in mine
                   if x.name == y.name and (x.writes or y.writes))


def _are_both_costly(loop, a):
    return a.value.has(*COSTLY) and any(x.value.has(*COSTLY) for x in loop.body if isinstance(x, Assignment))


def _meet(one, other, index):
    return any(i == j == index for i, j in zip(one.indices, other.indices, strict=True))


def _same_range(one, other):
    return one.lower == other.lower and (one.upper == other.upper or (one.upper - other.upper).expand() == 0)


def accesses(items: Sequence[Loop | Assignment], names: frozenset[str], path: tuple[Loop, ...] = ()
             ) -> Iterator[Access]:
    """Yield every access of items to the variables `names`, in order."""
    for item in items:
        if isinstance(item, Loop):
            yield from accesses(item.body, names, (*path, item))
            continue
        for read in reads(Tuple(item.value, *getattr(item.target, "indices", ())), names):
            yield Access(read_name(read), getattr(read, "indices", ()), False, path)
        yield Access(item.name, getattr(item.target, "indices", ()), True, path)


def is_summed(a: Assignment, index: Idx) -> bool:
    """Tell whether an assignment accumulates over an index."""
    return a.how != "=" and index not in free_indices(a.target)
