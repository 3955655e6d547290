"""Searching the mutant that the code matches to rounding, at every point, where the derived gradient does not.

The hypothesis that explains most parameters is taken first; what remains is then looked at with that one made.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np
from sympy import KroneckerDelta, S

from derive.program import Equation, is_cyclic, ordered

from .constant_ratios import multiples
from .effects import Effects
from .evidence import Evidence
from .hypotheses import Hypotheses
from .influence import FITS, Influence
from .inlining import written_out
from .normalisations import compact
from .slips import FARFETCHED, LIKELY, POSSIBLE, RARE, Mutant
from .substitutes import Substitutes, gap_of
from .two_summands import of_two
from .weights import unmasked, updated, weighted

MOST_MISTAKES = 8
MOST_PAIRS = 100        # that look right, to be evaluated everywhere
ENOUGH = 5              # so many parameters that a mutant does not explain, and it is given up


@dataclass(frozen=True)
class Hit:
    """A mutant that the code matches, the parameters that it explains, and right ones that it makes wrong.

    Those are then explained by a second mistake, which happens to undo the first.
    """

    mutant: Mutant
    explained: tuple[str, ...]
    broken: tuple[str, ...] = ()
    also: tuple[Mutant, ...] = ()       # others that explain just the same
    made: Mutant | None = None          # where another mistake is in the same equation: that with both

    @property
    def equations(self) -> tuple[Equation, ...]:
        """Those that the mistake makes others, with another one that is in the same equation."""
        return (self.made or self.mutant).equations

    @property
    def order(self) -> tuple[int, int, int]:
        return len(self.broken) - len(self.explained), len(self.broken), self.mutant.rank


def explaining(hypotheses: Hypotheses, evidence: Evidence, seconds: float) -> list[Hit]:
    """Return mistakes that explain together all that is wrong, made in the evidence; [] where none do."""
    found = [hit for hits in Search(hypotheses, evidence, seconds).hits() for hit in hits]
    return [] if evidence.wrong() else found


class Search:
    """Looks for mistakes in one program's backward equations."""

    def __init__(self, hypotheses: Hypotheses, evidence: Evidence, seconds: float):
        self.program, self.hypotheses, self.evidence = hypotheses.program, hypotheses, evidence
        self.pairs, self.stuck = False, False       # whether pairs are tried; whether single mistakes have been in vain
        self.deadline = time.thread_time() + seconds
        self.more = seconds / 2             # for the next mistake, when one is found
        self.found: list[Hit] = []
        self.ruled_out: dict[tuple, set[int]] = {}      # mutants in vain, by how many were found and what was wrong
        self.reached = hypotheses.reached
        self.recurrent = [g for g in ordered(self.program.backward) if is_cyclic(g)]

    def go_on(self, seconds: float) -> None:
        """Give the search more time for single mistakes, those that it came to aside."""
        self.pairs, self.stuck, self.deadline = False, False, time.thread_time() + seconds

    def hits(self) -> Iterator[list[Hit]]:
        """Yield mistakes one by one, each a list: several where only together they explain anything."""
        for _ in range(MOST_MISTAKES):
            wrong = self.evidence.wrong()
            if not wrong or time.thread_time() > self.deadline:
                return
            found = None if self.stuck else self._best(wrong)
            if not self.stuck and (found is None or len(found.explained) < len(wrong)):
                found = self._substituted(wrong, found)
            hits = [found] if found else self._pair(wrong) if self.pairs else []
            self.stuck = not hits
            if self.stuck:
                return
            hits = [self._plain(self._whole(self._but_at_first(hit, wrong)), wrong) for hit in hits]
            for hit in hits:
                self.evidence.make(hit.equations)
            self.found += hits
            self.deadline = max(self.deadline, time.thread_time() + self.more)
            yield hits

    def _plain(self, hit, wrong):
        """Return a hit that does what nothing would do, sent back through its variable, as just that."""
        lines = hit.mutant.equations
        if len({e.name for e in lines}) > 1 or hit.made or any(e.implicit for e in lines):
            return hit
        words = "nothing is sent back through it: it is 0"
        nothing = replace(hit.mutant, equations=tuple(e.with_rhs(S.Zero) for e in lines), words=words, kind="detached")
        found = self.hit(nothing, wrong)
        return found if found and (found.explained, found.broken) == (hit.explained, hit.broken) else hit

    def _but_at_first(self, hit, wrong):
        """Return a hit in a state's adjoint but for its initial row, which is often apart, if that tells more."""
        changed = []
        for e in hit.mutant.equations if hit.made is None else ():
            old = next((o for o in self._lines(e.name) if o.lhs == e.lhs), e)
            first = next((i for i in e.free[:1] if i.lower == -1), None)
            rhs = e.rhs if first is None else old.rhs + (1 - KroneckerDelta(first, -1)) * (e.rhs - old.rhs)
            changed.append(e.with_rhs(rhs))
        if all(c.rhs == e.rhs for c, e in zip(changed, hit.mutant.equations, strict=False)):
            return hit
        words = f"{hit.mutant.words}, but for the initial row"
        found = self.hit(replace(hit.mutant, equations=tuple(changed), words=words), wrong)
        return found if found and found.order < hit.order else hit

    def _whole(self, hit):
        """Return a hit that leaves nothing of a term, as a sum over a softmax's gradient is 0, as the term missing."""
        if hit.mutant.kind != "factor" or hit.made:
            return hit
        wrong = [n for n in self.evidence.usual if n in hit.explained]
        for mutant in self.hypotheses.of(self._lines(hit.mutant.name)):
            if mutant.kind == "term" and mutant.words.endswith("is missing"):
                found = self.hit(mutant, wrong)
                if found and (found.explained, found.broken) == (hit.explained, hit.broken):
                    return replace(found, also=hit.also)
        return hit

    def _best(self, wrong):
        """Return the hypothesis that explains most parameters, the likeliest among those."""
        hits: list[Hit] = []
        places, out = self._places(wrong), self.ruled_out.setdefault((len(self.found), tuple(wrong)), set())
        for rank in (LIKELY, POSSIBLE, RARE, FARFETCHED):
            few = multiples(self.evidence, self.hypotheses.mutator, places) if rank == LIKELY else []
            few += self.hypotheses.throughout(rank, self.evidence.made)
            seen = [h for m in few if time.thread_time() < self.deadline and (h := self.hit(m, wrong))]
            for mutant in self.hypotheses.ranked(rank, places, self.evidence.made, self.deadline):
                if id(mutant) in out:
                    continue
                if hit := self.hit(mutant, wrong):
                    hits.append(hit)
                else:
                    out.add(id(mutant))
            hits += seen
            if any(len(h.explained) == len(wrong) and not h.broken for h in hits):
                break
            if rank == RARE:
                hits += [h for m in self._solved(places, wrong)
                         if time.thread_time() < self.deadline and (h := self.hit(m, wrong))]
        if not hits:
            return None
        best = self._or_throughout(min(hits, key=lambda h: h.order), hits, wrong)
        same = tuple(h.mutant for h in hits if h.explained == best.explained and h.mutant is not best.mutant
                     and h.mutant.rank <= best.mutant.rank + 1)
        return replace(best, also=same)

    def _solved(self, places, wrong) -> Iterator[Mutant]:
        """Yield mutants whose numbers are solved for: the weight of a term, of one without its mask, of an update."""
        made = self.evidence.made
        terms = [m for m in self.hypotheses.ranked(POSSIBLE, places, made, self.deadline) if m.kind == "term"]
        masks = (m for m in self.hypotheses.ranked(LIKELY, places, made, self.deadline)
                 if m.kind == "mask" and m.words.endswith(" is missing"))
        found = chain(weighted(self.evidence, terms, self._lines, wrong),
                      unmasked(self.evidence, masks, terms, self._lines, wrong),
                      updated(self.evidence, places, self._lines, wrong))
        yield from (m for m, _ in found)

    def _or_throughout(self, best, hits, wrong):
        """Return the hit, or that everything is so many times what it should be, where that leaves less to explain."""
        rivals = [h for h in hits if h.mutant.throughout is not None and h is not best]
        if len(best.explained) == len(wrong) or not rivals:
            return best
        return max((best, *(h for h in rivals if h.order[:2] == best.order[:2])), key=self._left_in_one_place)

    def _left_in_one_place(self, hit):
        """Return how many of the gradients that a hit leaves wrong another mistake, in one equation, may explain."""
        evidence = self.evidence.on(self.evidence.seen)
        evidence.make(hit.equations)
        influence = Search(self.hypotheses, evidence, 0)._influence(evidence.wrong())
        may = influence[0].explained(*influence[1]) if influence else {}
        return max(map(len, may.values()), default=0)

    def _substituted(self, wrong, found):
        """Return what stands in a place of an equation, where that explains more than what was found."""
        influence = self._influence(wrong)
        if influence is None:
            return found
        place, (gaps, scales, tolerance), point = influence
        search = Substitutes(self.hypotheses.mutator, place, point, self.deadline)
        may = place.explained(gaps, scales, tolerance)
        for name in self._places(wrong):
            if name not in may or len(may[name]) <= (len(found.explained) if found else 0):
                continue
            gap = gap_of(place, name, may[name], gaps, scales)
            lines = self._lines(name)
            for e in lines if not any(e.implicit for e in lines) else ():
                others = [other for other in lines if other is not e]
                forms = (form for form, _ in compact(self.program, place.point, e))
                for whole in (e, *written_out(self.program, set(self.program.adjoints.values()), e), *forms):
                    if time.thread_time() > self.deadline:
                        return found
                    found = self._first(search.of(whole, others, gap), wrong, found)
                if any(e.name == x.name for group in self.recurrent for x in group):
                    found = self._first(search.near(e, others), wrong, found)
        return found if found and len(found.explained) == len(wrong) else self._of_two(wrong, found)

    def _of_two(self, wrong, found):
        """Return what stands in a place and is of two summands, where that explains more than what was found."""
        sizes = self.evidence.seen[0].point.sizes
        here = [place for k, s in enumerate(self.evidence.seen) if s.point.sizes == sizes and not s.point.kinked
                and (place := self._influence_at(k, wrong))]
        searches = [Substitutes(self.hypotheses.mutator, i, point, self.deadline) for i, _, point in here]
        for name in self._places(wrong) if here else ():
            may = [i.explained(*exact).get(name, frozenset()) for i, exact, _ in here]
            lines = self._lines(name)
            if len(set(may)) > 1 or len(may[0]) <= (len(found.explained) if found else 0):
                continue
            gaps = [gap_of(i, name, may[0], gaps, scales) for i, (gaps, scales, _), _ in here]
            for e in lines if not any(e.implicit for e in lines) else ():
                others = [other for other in lines if other is not e]
                found = self._first(of_two(list(zip(searches, gaps, strict=True)), e, others), wrong, found)
        return found

    def _first(self, mutants, wrong, found):
        """Return the first mutant that explains more than what was found, or else that."""
        for mutant in mutants:
            if time.thread_time() > self.deadline:
                break
            hit = self.hit(mutant, wrong)
            if hit and (found is None or hit.order < found.order):
                return hit
        return found

    def _lines(self, name):
        return self.evidence.made.get(name) or tuple(self.program.defining(name))

    def _places(self, wrong: Sequence[str]) -> list[str]:
        """Return the backward equations in which a mistake may be, those that explain most parameters first."""
        idle = self.evidence.vanishing() - set(wrong)       # and right: of them nothing is known
        found = {e.name: self.reached.get(e.name, frozenset()) - idle for e in self.program.backward}
        inside = {n: below for n, below in found.items()
                  if below and (below <= set(wrong) or len(below & set(wrong)) >= len(below - set(wrong)) + 2)}
        if influence := self._influence(wrong):
            place, exact, _ = influence
            may = place.explained(*exact)
            inside = {n: may.get(n, frozenset()) if n in place.linear else inside.get(n, frozenset()) for n in found}
        return sorted((n for n in inside if inside[n]), key=lambda n: -len(inside[n]))

    def _influence(self, wrong):
        """Return the reach of each equation at the point that shows most, and the gaps of the gradients there."""
        apart = [len(self._apart(j, wrong)) for j in range(len(self.evidence.seen))]
        return self._influence_at(max(range(len(apart)), key=apart.__getitem__), wrong)

    def _apart(self, k, wrong):
        evidence = self.evidence
        return [n for n in wrong if not evidence.close(k, n, evidence.gradients(k)[n])]

    def _influence_at(self, k, wrong):
        evidence, apart = self.evidence, self._apart(k, wrong)
        point, ours = evidence.seen[k].point, evidence.gradients(k)
        theirs = {n: np.asarray(g) for n, g in evidence.seen[k].answer.gradients.items()}
        if any(not np.all(np.isfinite(g)) for g in (*theirs.values(), *ours.values())):
            return None
        try:
            place = Influence(self.program, point.ours, evidence.base(k), self.evidence.made)
        except NotImplementedError:
            return None
        gaps = {n: theirs[n] - g if n in apart else np.zeros_like(g) for n, g in ours.items()}
        scales = {n: evidence.scale(n, theirs[n], g) for n, g in ours.items()}
        return place, (gaps, scales, max(FITS, evidence.seen[k].tolerance)), point

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
            return self.evidence.changed(k, equations, wanted)
        except NotImplementedError:             # of what a change made 1/0, or too large
            return None

    def _pair(self, wrong):
        """Return two mistakes that explain together what neither does alone, [] where there are none."""
        k = next((k for k, _ in enumerate(self.evidence.seen)
                  if not any(self.evidence.close(k, n, self.evidence.gradients(k)[n]) for n in wrong)), 0)
        seen = self.evidence.seen[k]
        if any(np.shape(seen.answer.gradients[n]) != np.shape(g) for n, g in self.evidence.gradients(k).items()):
            return []
        effects = self.effects(k, wrong, time.thread_time() + (self.deadline - time.thread_time()) / 2)
        gap = effects.flat(seen.answer.gradients) - effects.usual
        for first, second in islice(effects.pairs(gap), MOST_PAIRS) if np.all(np.isfinite(gap)) else ():
            if time.thread_time() > self.deadline:
                return []
            for both in self._made_both(first, second):
                if hit := self.hit(both, wrong, first.equations):
                    return [replace(hit, mutant=first), replace(hit, mutant=second, made=both)]
        return []

    def effects(self, k: int, wrong: Sequence[str], deadline: float) -> Effects:
        """Return what mistakes that change some gradients only, alone, make of them at a point."""
        places = [n for n in dict.fromkeys(e.name for e in self.program.backward)
                  if self.reached[n] and self.reached[n] <= set(wrong)]
        found = Effects(self.hypotheses.mutator, self.evidence, k, places, wrong)
        for rank in (LIKELY, POSSIBLE, RARE, FARFETCHED):
            found.add(self.hypotheses.ranked(rank, places, self.evidence.made, deadline), deadline)
            found.add(iter(self.hypotheses.throughout(rank, self.evidence.made)), deadline)
        return found

    def _made_both(self, first, second):
        """Yield the second of two mistakes, and where they are in one equation, in one that has them both."""
        before = {e.lhs: e.rhs for e in self._lines(first.name)}
        if first.throughout is not None:
            yield replace(second, equations=self.hypotheses.mutator.sources.scaled(second.equations, first.throughout))
        elif first.name != second.name:
            yield second
        elif {e.lhs for e in (*first.equations, *second.equations)} == set(before):
            others = {e.lhs: e.rhs for e in first.equations}
            added = [e.with_rhs(e.rhs + others[e.lhs] - before[e.lhs]) for e in second.equations]
            yield replace(second, equations=tuple(added))
            if first.kind == "scale":
                factor = [e.with_rhs(e.rhs * others[e.lhs] / before[e.lhs]) for e in second.equations]
                yield replace(second, equations=tuple(factor))
