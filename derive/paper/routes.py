"""All ways from one variable to another through the lines between: where they part, where they meet, how many they are.

A drawing is a list of stretches. Each goes from one place to another, and each of its ways is told by the places that
all paths along it pass; where there are several ways again between two of these, that is a stretch of its own below. A
place is a variable, or several that read each other from turn to turn. A stretch that repeats an earlier one, variable
by variable, says so.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from sympy.utilities.iterables import connected_components, strongly_connected_components, topological_sort

Place = tuple[str, ...]
FEW = 6                         # paths that have no place in common are told one by one up to so many


@dataclass(frozen=True)
class Way:
    """Places in order; `several[k]` tells whether more than one path leads from place k to place k + 1.

    In one that is `crossing`, what is between the ends is all that many paths pass which no place sorts out.
    """

    places: tuple[Place, ...]
    several: tuple[bool, ...]
    crossing: bool = False


@dataclass(frozen=True)
class Stretch:
    """All ways from one place to another, how many paths they are, and the earlier stretch that they repeat, if any."""

    start: Place
    end: Place
    paths: int
    ways: tuple[Way, ...] = ()
    like: tuple[Place, Place] | None = None


class Routes:
    """The ways from one variable to another; `readers` are the variables whose lines read a variable, in order."""

    def __init__(self, readers: Mapping[str, Sequence[str]], start: str, end: str):
        self._readers = readers
        self._counts: dict[tuple[Place, Place], int] = {}
        self.start, self.end = (next(p for p in self.places if n in p) for n in (start, end))

    @property
    def turning(self) -> list[Place]:
        """The places that paths may go round in, once for every turn."""
        return [p for p in self.places if len(p) > 1 or p[0] in self._readers.get(p[0], ())]

    def drawn(self) -> list[Stretch]:
        """Return the stretches, each after the one that it is a part of."""
        found: list[Stretch] = []
        shapes: dict[tuple, tuple[Place, Place]] = {}
        todo = [(self.start, self.end)]
        while todo:
            a, b = todo.pop(0)
            shape = self._shape(a, b)
            if shape in shapes:
                found.append(Stretch(a, b, self.count(a, b), like=shapes[shape]))
                continue
            shapes[shape] = a, b
            ways = tuple(self._ways(a, b))
            found.append(Stretch(a, b, self.count(a, b), ways))
            hops = [hop for w in ways for hop, several in zip(pairwise(w.places), w.several, strict=True) if several]
            todo[:0] = dict.fromkeys(hops)
        return found

    def count(self, a: Place, b: Place) -> int:
        """Return the number of paths from one place to another, turns left out."""
        if (a, b) not in self._counts:
            self._counts[a, b] = 1 if a == b else sum(self.count(n, b) for n in self._following[a])
        return self._counts[a, b]

    # ---- the graph

    @cached_property
    def places(self) -> list[Place]:
        """The places, each after all that lead to it."""
        names = list(dict.fromkeys([*self._readers, *(r for readers in self._readers.values() for r in readers)]))
        edges = [(n, r) for n in names for r in self._readers.get(n, ())]
        groups = [tuple(sorted(g, key=names.index)) for g in strongly_connected_components((names, edges))]
        place = {n: g for g in groups for n in g}
        between = {(place[n], place[r]): None for n, r in edges if place[n] != place[r]}
        return topological_sort((groups, list(between)), key=lambda g: names.index(g[0]))

    @cached_property
    def _following(self) -> dict[Place, list[Place]]:
        """The places that read each place."""
        read = {p: {r for n in p for r in self._readers.get(n, ())} for p in self.places}
        return {p: [q for q in self.places if q != p and read[p] & set(q)] for p in self.places}

    def _between(self, a, b):
        return [p for p in self.places if p not in (a, b) and self.count(a, p) and self.count(p, b)]

    def _shape(self, a, b):
        """Return what stretches that repeat each other have in common: who reads whom, and what is between them."""
        all_of_it = [a, *self._between(a, b), b]
        read = tuple(tuple(k for k, p in enumerate(all_of_it) if q in self._following[p]) for q in all_of_it)
        return read, tuple(tuple(map(_stem, p)) for p in all_of_it[1:-1])

    # ---- ways

    def _ways(self, a: Place, b: Place) -> Iterator[Way]:
        """Yield the ways of a stretch; what hangs together between its ends is one way, if all its paths meet."""
        inner = self._between(a, b)
        if posts := self._posts(a, b, inner, self.count(a, b)):
            yield self._way([a, *posts, b])
            return
        if b in self._following[a]:
            yield Way((a, b), (False,))
        edges = [(p, q) for p in inner for q in self._following[p] if q in inner]
        parts = [sorted(part, key=inner.index) for part in connected_components((inner, edges))]
        for part in sorted(parts, key=lambda part: inner.index(part[0])):
            yield from self._ways_through(part, a, b)

    def _ways_through(self, part, a, b):
        paths = sum(self.count(p, b) for p in self._following[a] if p in part)
        if posts := self._posts(a, b, part, paths):
            yield self._way([a, *posts, b])
        elif paths <= FEW:
            for path in self._paths(a, b, part):
                yield Way(path, (False,) * (len(path) - 1))
        else:
            yield Way((a, *part, b), (False,) * (len(part) + 1), crossing=True)

    def _posts(self, a, b, places, paths):
        """Return the places that all of some paths pass."""
        return [p for p in places if self.count(a, p) * self.count(p, b) == paths]

    def _way(self, places):
        return Way(tuple(places), tuple(self.count(p, q) > 1 for p, q in pairwise(places)))

    def _paths(self, a, b, part):
        """Yield the paths through a part one by one."""
        todo: list[tuple[Place, ...]] = [(a, p) for p in self._following[a] if p in part]
        while todo:
            path = todo.pop(0)
            if path[-1] == b:
                yield path
            else:
                todo[:0] = [(*path, p) for p in self._following[path[-1]] if p == b or p in part]


def _stem(name):
    """Return what a name begins with, without its number: of A1_hat it is A."""
    return re.split(r"[\d_]", name, maxsplit=1)[0]
