"""Searching the mutant that the code matches to rounding, at every point, where the derived gradient does not.

The hypothesis that explains most parameters is taken first; what remains is then looked at with that one made.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from derive.program import Equation, Program
from derive.terms import read_name, reads

from .evidence import Evidence
from .mutants import LIKELY, POSSIBLE, RARE, Mutant

MOST_MISTAKES = 5
MOST_PAIRS = 4000
ENOUGH = 3              # so many parameters that a mutant does not explain, and it is given up


@dataclass(frozen=True)
class Hit:
    """A mutant that the code matches, and the parameters that it explains."""

    mutant: Mutant
    explained: tuple[str, ...]
    also: tuple[Mutant, ...] = ()       # others that explain just the same

    @property
    def order(self) -> tuple[int, int]:
        return -len(self.explained), self.mutant.rank


class Search:
    """Looks for mistakes in one program's backward equations."""

    def __init__(self, program: Program, evidence: Evidence, seconds: float):
        self.program, self.evidence = program, evidence
        self.deadline = time.monotonic() + seconds
        self.changed: dict[str, tuple[Equation, ...]] = {}      # what the mistakes found so far made of equations
        self.reached = _reached(program)

    def hits(self, hypotheses: "Hypotheses") -> Iterator[list[Hit]]:
        """Yield mistakes one by one, each a list: several where only together they explain anything."""
        for _ in range(MOST_MISTAKES):
            wrong = self.evidence.wrong()
            if not wrong or time.monotonic() > self.deadline:
                return
            found = self._best(hypotheses, wrong)
            hits = [found] if found else self._pair(hypotheses, wrong)
            if not hits:
                return
            for hit in hits:
                self._make(hit.mutant)
            yield hits

    def _best(self, hypotheses, wrong):
        """Return the hypothesis that explains most parameters, the likeliest among those."""
        hits: list[Hit] = []
        for rank in (LIKELY, POSSIBLE, RARE, RARE + 1):
            for mutant in hypotheses.ranked(rank, self._places(wrong), self.changed):
                if time.monotonic() > self.deadline:
                    break
                explained = self.explained(mutant, wrong)
                if explained:
                    hits.append(Hit(mutant, explained))
            for mutant in hypotheses.ratios(self._places(wrong)) if rank == LIKELY else ():
                if explained := self.explained(mutant, wrong):
                    hits.append(Hit(mutant, explained))
            if any(len(h.explained) == len(wrong) for h in hits):
                break
        if not hits:
            return None
        best = min(hits, key=lambda h: h.order)
        same = tuple(h.mutant for h in hits if h.explained == best.explained and h.mutant is not best.mutant
                     and h.mutant.rank <= best.mutant.rank + 1)
        return Hit(best.mutant, best.explained, same)

    def _places(self, wrong: Sequence[str]) -> list[str]:
        """Return the backward equations beneath which all parameters are wrong, those above most of them first."""
        found = {e.name: self.reached.get(e.name, frozenset()) for e in self.program.backward}
        inside = [n for n, below in found.items() if below and below <= set(wrong)]
        return sorted(inside, key=lambda n: -len(found[n]))

    def explained(self, mutant: Mutant, wrong: Sequence[str], made: Sequence[Equation] = ()) -> tuple[str, ...]:
        """Return the wrong parameters that a mutant explains at all points, () where it spoils a right one."""
        left = set(wrong)
        order = range(len(self.evidence.seen))
        for k in order:
            point = self.evidence.seen[k].point
            if mutant.square and not point.square:
                if self.evidence.seen[0].point is point:
                    return ()
                continue
            if not left:
                return ()
            values = self._values(k, mutant, made, left)
            if values is None:
                return ()
            gradients = point.ours.gradients(values)
            left = {n for n in left if self.evidence.close(k, n, gradients[n])}
            if any(not self.evidence.close(k, n, g) for n, g in gradients.items() if n not in wrong):
                return ()
        return tuple(n for n in wrong if n in left)

    def _values(self, k, mutant, made, left):
        """Return all values with a mutant made, None where the first parameters beneath it are not explained."""
        adjoints = {self.program.adjoints[n]: n for n in self.evidence.usual if n in self.program.adjoints}
        seen: list[bool] = []

        def wanted(name, value):
            if name in adjoints:
                seen.append(adjoints[name] in left and self.evidence.close(k, adjoints[name], value))
            return len(seen) < ENOUGH or any(seen)

        equations = [*made, *mutant.equations]
        try:
            return self.evidence.seen[k].point.ours.changed(equations, self.evidence.base(k), wanted)
        except NotImplementedError:             # of what a change made 1/0, or too large
            return None

    def _make(self, mutant):
        """Take a mistake as made: from here on, the derived gradients are those with it."""
        self.changed[mutant.name] = mutant.equations
        for k in range(len(self.evidence.seen)):
            values = self.evidence.seen[k].point.ours.changed(mutant.equations, self.evidence.base(k))
            if values is not None:
                self.evidence.bases[k] = values

    def _pair(self, hypotheses, wrong):
        """Return two mistakes that explain together what neither does alone, [] where there are none."""
        places = self._places(wrong)
        likely = [m for rank in (LIKELY, POSSIBLE) for m in hypotheses.ranked(rank, places, self.changed)
                  if not m.square]
        position = {n: k for k, n in enumerate(e.name for e in self.program.backward)}
        tried = 0
        pairs = sorted(product(range(len(likely)), repeat=2), key=lambda p: p[0] + p[1])
        for a, b in pairs:
            first, second = likely[a], likely[b]
            if position[first.name] >= position[second.name]:
                continue
            if not self.reached[second.name] & self.reached[first.name]:
                continue
            tried += 1
            if tried > MOST_PAIRS or time.monotonic() > self.deadline:
                return []
            explained = self.explained(second, wrong, first.equations)
            if explained:
                return [Hit(first, explained), Hit(second, explained)]
        return []


class Hypotheses:
    """All mutants of a program's backward equations, made when they are asked for."""

    def __init__(self, program: Program, makers: Iterable, ratios: Callable[[list[str]], list[Mutant]]):
        self.program, self.makers, self.ratios = program, list(makers), ratios
        self.known: dict[tuple, list[Mutant]] = {}

    def of(self, equations: tuple[Equation, ...]) -> list[Mutant]:
        """Return the mutants of the equations of one variable."""
        if equations not in self.known:
            self.known[equations] = [m for e in equations for make in self.makers for m in make(e)]
        return self.known[equations]

    def ranked(self, rank: int, places: Iterable[str], changed: dict[str, tuple[Equation, ...]]) -> Iterator[Mutant]:
        """Yield the mutants of one rank of the equations at the given places."""
        for name in places:
            lines = changed.get(name) or tuple(self.program.defining(name))
            yield from (m for m in self.of(lines) if m.rank == rank)


def _reached(program: Program) -> dict[str, frozenset[str]]:
    """Return for every variable the parameters whose gradients depend on it."""
    readers: dict[str, set[str]] = {}
    for e in program.equations:
        for read in reads(e.rhs, program.variables):
            readers.setdefault(read_name(read), set()).add(e.name)
    parameters = {program.adjoints[p.name]: p.name for p in program.parameters if p.name in program.adjoints}
    found: dict[str, frozenset[str]] = {}
    for name in program.variables:
        below, todo = set(), [name]
        while todo:
            n = todo.pop()
            if n not in below:
                below.add(n)
                todo += readers.get(n, ())
        found[name] = frozenset(parameters[n] for n in below if n in parameters)
    return found
