"""Two lines of somebody's code that make the gradients wrong together, found among edits of which none helps alone."""

import ast
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

import numpy as np

from derive.terms import reads

from .edits import SLIP, Edit
from .effects import Effects
from .evidence import Evidence, largest, near
from .influence import Influence
from .judge import LOSS, Judge, Repair
from .pairs import MOST_PAIRS, candidates, funnels
from .regions import Region, alive, beside
from .slots import text
from .source import Unit

SECONDS = 5.0               # for all pairs that what each changes alone tells of
FEW = 3                     # numbers: an edit and a formula that agree with fewer tell little
BOTH = "with both mended"
OUT = "does not belong there"               # of an edit, and a mistake of these kinds: something in another's place
LACKING = ("term", "factor", "upstream", "overwritten", "detached")
Guesses = Callable[[int, Sequence[str]], Effects]       # at a point, on some gradients


@dataclass(frozen=True)
class Tried:
    """An edit that makes nothing right, and the gradients that it gives at the first point."""

    unit: Unit
    edit: Edit
    line: str
    gradients: Mapping[str, Any]


def end_to_end(gradients: Mapping[str, Any], names: Sequence[str]) -> np.ndarray:
    """Return the gradients of these names as one row."""
    return np.concatenate([np.ravel(gradients[n]) for n in names])


def both(
    judge: Judge, tried: Sequence[Tried], guesses: Guesses | None, regions: Sequence[Region] = (),
) -> list[Repair]:
    """Return two mistakes that make all wrong together: two edits, or an edit and a formula; [] where none do.

    Where an edit was made before, that and a formula are two: then the formula alone is returned.
    """
    names, k = sorted(judge.wrong), judge.order[0]
    if LOSS in judge.wrong:
        return []

    right, before = (end_to_end(g, names) for g in (judge.evidence.gradients(k), judge.answer(k).gradients))
    there = [n for n in names if np.any(judge.answer(k).gradients[n])]
    tried = [t for t in tried if np.shape(end_to_end(t.gradients, names)) == right.shape and _leaves(t, there)]
    if before.shape != right.shape or not tried:
        return []
    rows, deadline = np.stack([end_to_end(t.gradients, names) for t in tried]), time.thread_time() + SECONDS
    found = islice(candidates(rows, before, right, _places(judge.evidence, k, names)), MOST_PAIRS)
    for a, b in sorted(found, key=lambda pair: _length(tried[pair[0]], tried[pair[1]])):
        if time.thread_time() > deadline:
            break
        if _right_with(judge, tried[a], tried[b]):
            return [Repair(t.line, t.edit.words, judge.wrong, BOTH) for t in (tried[a], tried[b])]
    if guesses is None or right.size < FEW:
        return []
    effects = guesses(k, names)
    for _, mutant in effects.matching((before - right)[None]):
        if (left := _judged_with(judge, mutant)) and _right_with(left):
            return [_told(effects, mutant, judge.wrong, "with that mended")]
    return _with_a_formula(judge, tried, rows - right, effects, regions)


def likely_together(judge: Judge, tried: Sequence[Tried], seconds: float) -> list[Repair]:
    """Return two likely edits of different places that make all wrong right, however they depend on each other."""
    deadline, names = time.thread_time() + seconds, judge.wrong - {LOSS}
    some = _that_change(judge, [t for t in tried if t.edit.rank <= SLIP], names)
    for (a, moved, right), (b, others, rights) in _in_pairs(some):
        if time.thread_time() > deadline:
            break
        one_alone = (moved - others <= right) and (others - moved <= rights)    # what one changes alone it makes right
        if names <= moved | others and one_alone and a.edit.slot != b.edit.slot and _right_with(judge, a, b):
            return [Repair(t.line, t.edit.words, judge.wrong, BOTH) for t in (a, b)]
    return []


def but_for_a_factor(judge: Judge, tried: Sequence[Tried]) -> list[Tried]:
    """Return the edits with which all that is wrong is the same number times what is right, the likeliest first."""
    names = sorted(judge.wrong)
    if LOSS in judge.wrong:
        return []
    right = end_to_end(judge.evidence.gradients(judge.order[0]), names)
    found = []
    for t in tried if right.size >= FEW and np.any(right) else ():
        given = end_to_end(t.gradients, names)
        if given.shape == right.shape and np.all(np.isfinite(given)):
            factor = given @ right / (right @ right)
            if largest(given - factor * right) <= 1e-9 * largest(given) and largest(given):
                found.append(t)
    return sorted(found, key=_length)


def _that_change(judge, tried, names):
    """Return edits, what each changes and what of that it makes right; of one line those that do not do the same.

    The likely ones come first.
    """
    k = judge.order[0]
    seen, now, wanted = judge.evidence.seen[k], judge.answer(k).gradients, judge.evidence.gradients(k)
    found = dict[tuple, tuple[Tried, frozenset[str], frozenset[str]]]()
    for t in sorted(tried, key=_length):
        moved = frozenset(n for n in names if not near(seen, t.gradients[n], now[n]))
        right = frozenset(n for n in moved if near(seen, t.gradients[n], wanted[n]))
        does = tuple(f"{number:.6g}" for n in sorted(names) for number in np.ravel(t.gradients[n]))
        if moved:
            found.setdefault((t.line, does), (t, moved, right))
    return list(found.values())


def _in_pairs(some):
    """Return all pairs, those of the likeliest first, and of these those of the earliest."""
    ranks = [t.edit.rank for t, *_ in some]
    order = sorted(combinations(range(len(some)), 2), key=lambda pair: (ranks[pair[0]] + ranks[pair[1]], sum(pair)))
    return [(some[a], some[b]) for a, b in order]


def _hides(judge, tried, regions):
    """Tell whether an edit keeps what is elsewhere from the gradients: what is wrong there is not seen then."""
    k = judge.order[0]

    def alive_among(some, usual):
        def changed():
            now = judge.answer(k)
            return bool(now.failure) or any(not near(judge.evidence.seen[k], now.gradients[n], usual[n])
                                            for n in judge.wrong)

        return alive(some, changed)

    some = beside(alive_among(regions, judge.answer(k).gradients), tried.edit)
    with tried.edit.slot.holding(located(tried.edit)):
        hides = tried.unit.run() and len(alive_among(some, tried.gradients)) < len(some)
    tried.unit.reset()
    return hides


def _leaves(tried, names):
    """Tell whether something is left of gradients: what is 0 for an edit is 0 for many a formula, and tells nothing."""
    return all(np.any(tried.gradients[n]) for n in names)


def _places(evidence, k, names) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the equations that all of some gradients come from, where these tell what they give."""
    try:
        return list(funnels(Influence(evidence.program, evidence.seen[k].point.ours, evidence.base(k), {}), names))
    except NotImplementedError:
        return []


def _length(*edits):
    """Return how far-fetched edits are, and how long what is edited is."""
    lengths = (len(text(t.edit.old)) if isinstance(t.edit.old, ast.AST) else 100 for t in edits)
    return max(t.edit.rank for t in edits), sum(t.edit.rank for t in edits), sum(lengths)


def _right_with(judge, *edits):
    """Tell whether all is right with some edits."""
    units = list({id(t.unit): t.unit for t in edits}.values())
    with ExitStack() as held:
        for t in edits:
            held.enter_context(t.edit.slot.holding(located(t.edit)))
        mends = judge.mended() if all(u.run() for u in units) else frozenset()
    for u in units:
        u.reset()
    return mends == judge.wrong


def _with_a_formula(judge, tried, gaps, effects, regions) -> list[Repair]:
    """Return an edit that leaves just what a mistake in an equation makes, and that; or the edit that mends it."""
    deadline = time.thread_time() + SECONDS
    found = islice(effects.matching(gaps), MOST_PAIRS)
    for a, mutant in sorted(found, key=lambda pair: _exchanged(tried[pair[0]], pair[1])):     # two mistakes apart first
        if time.thread_time() > deadline:
            break
        if _reads_nothing_from_above(judge.evidence.program, mutant):
            continue
        left = _judged_with(judge, mutant)
        if left is None or not _right_with(left, tried[a]) or _hides(judge, tried[a], regions):
            continue
        first = Repair(tried[a].line, tried[a].edit.words, judge.wrong, BOTH)
        for t in tried:
            if time.thread_time() > deadline:
                break
            if t is not tried[a] and _right_with(judge, tried[a], t):
                return [first, Repair(t.line, t.edit.words, judge.wrong, BOTH)]
        second = _told(effects, mutant, judge.wrong, BOTH)
        return [_in_its_place(first, second)] if _exchanged(tried[a], mutant) else [first, second]
    return []


def _reads_nothing_from_above(program, mutant):
    """Tell whether a formula leaves out what comes from above: what it gives, an edit may give for any reason."""
    adjoints = set(program.adjoints.values())
    above = [bool(reads(e.rhs, adjoints)) for e in mutant.equations if e.name == mutant.name]
    return not any(above) and any(reads(e.rhs, adjoints) for e in program.defining(mutant.name))


def _exchanged(tried, mutant):
    """Tell whether an edit takes something out that is to be replaced by what an equation lacks."""
    return str(tried.edit.reason).endswith(OUT) and (mutant.kind in LACKING or "is missing" in mutant.words)


def _in_its_place(first, second) -> Repair:
    """Return as one mistake what is taken out and what is missing."""
    return Repair(first.line, f"{first.words}; another stands where it should: in {second.line} {second.words}",
                  first.mends, "with that in its place")


def _told(effects, mutant, wrong, how) -> Repair:
    """Return a mistake in an equation."""
    words = f"{mutant.words} ({effects.mutator.wording.equation(mutant.name, mutant.equations)})"
    return Repair(mutant.name, words, wrong, how)


def _judged_with(judge, mutant) -> Judge | None:
    """Return a judge of code in which a mistake is left."""
    evidence = judge.evidence
    left = Evidence(evidence.program, evidence.seen, dict(evidence.bases), dict(evidence.made))
    try:
        left.make(mutant.equations)
    except NotImplementedError:
        return None
    return Judge(judge.patient, left, judge.wrong, () if evidence.bases else mutant.equations)


def located(edit: Edit) -> Any:
    """Return what an edit puts there, with line numbers."""
    for node in edit.new if isinstance(edit.new, list) else [edit.new]:
        if not hasattr(node, "lineno"):
            ast.copy_location(node, edit.old if isinstance(edit.old, ast.AST) else edit.old[0])
        ast.fix_missing_locations(node)
    return edit.new
