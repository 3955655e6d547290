"""Searching the mutant that the code matches to rounding, at every point, where the derived gradient does not.

The hypothesis that explains most parameters is taken first; what remains is then looked at with that one made.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from derive.program import Equation, Program
from derive.terms import read_name, reads

from .evidence import Evidence
from .mutants import FARFETCHED, LIKELY, POSSIBLE, RARE, Mutant
from .weights import updated, weighted

MOST_MISTAKES = 8
MOST_PAIRS = 4000
ENOUGH = 3              # so many parameters that a mutant does not explain, and it is given up


@dataclass(frozen=True)
class Hit:
    """A mutant that the code matches, the parameters that it explains, and right ones that it makes wrong.

    Those are then explained by a second mistake, which happens to undo the first.
    """

    mutant: Mutant
    explained: tuple[str, ...]
    broken: tuple[str, ...] = ()
    also: tuple[Mutant, ...] = ()       # others that explain just the same

    @property
    def order(self) -> tuple[int, int, int]:
        return len(self.broken) - len(self.explained), len(self.broken), self.mutant.rank


class Search:
    """Looks for mistakes in one program's backward equations."""

    def __init__(self, program: Program, evidence: Evidence, seconds: float, pairs: bool = True):
        self.program, self.evidence = program, evidence
        self.pairs, self.stuck = pairs, False       # whether pairs are tried; whether single mistakes have been in vain
        self.deadline = time.thread_time() + seconds
        self.changed: dict[str, tuple[Equation, ...]] = {}      # what the mistakes found so far made of equations
        self.reached = _reached(program)

    def hits(self, hypotheses: "Hypotheses") -> Iterator[list[Hit]]:
        """Yield mistakes one by one, each a list: several where only together they explain anything."""
        for _ in range(MOST_MISTAKES):
            wrong = self.evidence.wrong()
            if not wrong or time.thread_time() > self.deadline:
                return
            found = None if self.stuck else self._best(hypotheses, wrong)
            hits = [found] if found else self._pair(hypotheses, wrong) if self.pairs else []
            self.stuck = not hits
            if self.stuck:
                return
            for hit in hits:
                self._make(hit.mutant)
            yield hits

    def _best(self, hypotheses, wrong):
        """Return the hypothesis that explains most parameters, the likeliest among those."""
        hits: list[Hit] = []
        places = self._places(wrong)
        for rank in (LIKELY, POSSIBLE, RARE, FARFETCHED):
            scaled = [h for m in hypotheses.ratios(rank, places) if (h := self.hit(m, wrong))]
            for mutant in hypotheses.ranked(rank, places, self.changed):
                if time.thread_time() > self.deadline:
                    break
                if hit := self.hit(mutant, wrong):
                    hits.append(hit)
            hits += scaled
            if any(len(h.explained) == len(wrong) and not h.broken for h in hits):
                break
            if rank == RARE and not any(len(h.explained) == len(wrong) and not h.broken for h in hits):
                terms = (m for m in hypotheses.ranked(POSSIBLE, places, self.changed) if m.kind == "term")
                hits += [Hit(m, found) for m, found in weighted(self.evidence, terms, self._lines, wrong)]
                hits += [Hit(m, found) for m, found in updated(self.evidence, places, self._lines, wrong)]
        if not hits:
            return None
        best = min(hits, key=lambda h: h.order)
        same = tuple(h.mutant for h in hits if h.explained == best.explained and h.mutant is not best.mutant
                     and h.mutant.rank <= best.mutant.rank + 1)
        return replace(best, also=same)

    def _lines(self, name):
        return self.changed.get(name) or tuple(self.program.defining(name))

    def _places(self, wrong: Sequence[str]) -> list[str]:
        """Return the backward equations beneath which parameters are wrong, those above most of them first."""
        found = {e.name: self.reached.get(e.name, frozenset()) for e in self.program.backward}
        inside = [n for n, below in found.items()
                  if below and (below <= set(wrong) or len(below & set(wrong)) >= len(below - set(wrong)) + 2)]
        return sorted(inside, key=lambda n: -len(found[n]))

    def hit(self, mutant: Mutant, wrong: Sequence[str], made: Sequence[Equation] = ()) -> Hit | None:
        """Return what a mutant explains at all points, None where that is nothing, or it spoils as much."""
        left, broken = set(wrong), set[str]()
        for k, seen in enumerate(self.evidence.seen):
            if mutant.square and not seen.point.square:
                if k == 0:
                    return None
                continue
            values = self._values(k, mutant, made, left)
            if values is None:
                return None
            gradients = seen.point.ours.gradients(values)
            left = {n for n in left if self.evidence.close(k, n, gradients[n])}
            broken |= {n for n, g in gradients.items() if n not in wrong and not self.evidence.close(k, n, g)}
            if not left or (broken and len(left) < len(broken) + 2):
                return None
        order = list(self.evidence.usual)
        return Hit(mutant, tuple(n for n in order if n in left), tuple(n for n in order if n in broken))

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
        for e in mutant.equations:
            self.changed[e.name] = tuple(other for other in mutant.equations if other.name == e.name)
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
            if tried > MOST_PAIRS or time.thread_time() > self.deadline:
                return []
            if hit := self.hit(second, wrong, first.equations):
                return [replace(hit, mutant=first), hit]
        return []


class Hypotheses:
    """All mutants of a program's backward equations, made when they are asked for."""

    def __init__(
        self, program: Program, makers: Iterable, whole: Iterable[Mutant],
        found: Callable[[Sequence[str]], list[Mutant]],
    ):
        self.program, self.makers, self.whole, self.found = program, list(makers), list(whole), found
        self.known: dict[tuple, list[Mutant]] = {}

    def of(self, equations: tuple[Equation, ...]) -> list[Mutant]:
        """Return the mutants of the equations of one variable."""
        if equations not in self.known:
            self.known[equations] = [m for e in equations for make in self.makers for m in _made(make, e)]
        return self.known[equations]

    def ratios(self, rank: int, places: Sequence[str]) -> list[Mutant]:
        """Return the mutants that have an equation times the number which the code's gradients are of ours."""
        return self.found(places) if rank == LIKELY else []

    def ranked(self, rank: int, places: Iterable[str], changed: dict[str, tuple[Equation, ...]]) -> Iterator[Mutant]:
        """Yield the mutants of one rank of the equations at the given places."""
        for name in places:
            lines = changed.get(name) or tuple(self.program.defining(name))
            yield from (m for m in self.of(lines) if m.rank == rank)
        yield from (m for m in self.whole if m.rank == rank and m.name not in changed)


def _made(make, equation):
    """Yield what a maker makes of an equation, until it makes an expression that SymPy refuses."""
    try:
        yield from make(equation)
    except ValueError:
        return


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
