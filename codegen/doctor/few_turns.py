"""Recurrences of one turn, or of two: a mistake in what is carried shows in fewer gradients there than in long ones.

Of two mistakes in the same loop each spoils, in a long one, all that the other does. In a short one a parameter that
only the last turn reads is right but for one of them, which is found so; with that made, the other one is, too.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from derive.explicit import with_derived
from derive.program import Program, is_cyclic, ordered

from .evidence import Evidence, Seen
from .judge import Repair
from .patient import Patient
from .repairs import Repairs
from .search import Hit, Search
from .trials import Point, drawn

SEEDS = (5, 6, 7)           # of the points at each number of turns


def mistakes(patient: Patient, search: Search, seconds: Callable[[], float]) -> list[tuple[Hit, Evidence]]:
    """Return mistakes that explain together all that is wrong, each with where it was seen; [] where there are none.

    Those of few turns are found first, one by one, and then what is left in the network's own; `seconds` says how long
    the next search may take. What the search found before stays made.
    """
    evidence = search.evidence
    for few in _few(patient, evidence):
        found, whole = [], evidence.on(evidence.seen)
        for hits in Search(search.hypotheses, few, seconds()).hits():
            for hit in hits:
                found.append((hit, few))
                whole.make(hit.equations)
        for hits in Search(search.hypotheses, whole, seconds()).hits() if found else ():
            found += [(hit, whole) for hit in hits]
        if found and not whole.wrong():
            return found
    return []


def edits(patient: Patient, evidence: Evidence, seconds: Callable[[], float]) -> list[Repair]:
    """Return edits of lines that make right together all that is wrong, found one by one in few turns; or []."""
    for few in _few(patient, evidence):
        repairs = Repairs(patient, few, few.wrong(), seconds(), whole=evidence)
        if found := repairs.several():
            told = few.seen[0].point.words
            return [replace(r, how=f"{r.how}, {told}") for r in found[:-1]] + [found[-1]]
    return []


def _few(patient, evidence) -> Iterator[Evidence]:
    """Yield what is seen in few turns, what was found before made, where anything is wrong there."""
    for points in short(evidence.program, evidence.seen[0].point):
        seen = [Seen(p, patient.answer(p)) for p in points]
        if not any(s.answer.failure for s in seen):
            few = evidence.on(seen)
            if few.wrong():
                yield few


def short(program: Program, point: Point) -> Iterator[list[Point]]:
    """Yield points at which every recurrence takes one turn, then two, at the other sizes of a point."""
    groups = [g for g in ordered(program.forward) if is_cyclic(g)]
    indices = {e.indices[0] for g in groups for e in g if e.free[:1] == e.indices[:1]}
    counted = {s for index in indices for s in index.upper.free_symbols}
    turns = [s for s in program.sizes if s in counted and s not in program.derived]
    for many in (1, 2) if turns else ():
        free = {s: n for s, n in point.sizes.items() if s not in program.derived}
        sizes = with_derived(program, free | {s: max(many, program.least.get(s, 1)) for s in turns})
        if sizes is not None:
            told = " and ".join(f"{s} = {sizes[s]}" for s in turns)
            yield [Point(f"at {told}", program, sizes, drawn(program, sizes, seed)) for seed in SEEDS]
