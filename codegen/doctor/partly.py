"""Two mistakes in one gradient, of which one makes all of it wrong and the other a part: some rows, or columns.

What mends the first makes the other rows right, and what mends the second leaves those as they are.
"""

import time
from collections.abc import Sequence

import numpy as np

from .evidence import largest, near
from .judge import LOSS, Judge, Repair
from .two_edits import BOTH, Tried, length, right_with

MOST = 12                   # edits that make a part right
FEWEST = 2                  # entries of a part: one may be right by chance


def in_parts(judge: Judge, tried: Sequence[Tried], seconds: float) -> list[Repair]:
    """Return two edits that make all right, of which one alone makes rows or columns right; [] where none do."""
    if LOSS in judge.wrong:
        return []
    k, deadline = judge.order[0], time.thread_time() + seconds
    before = judge.answer(k).gradients
    usual = _right_parts(judge, k, before)
    found: dict[tuple, tuple[Tried, frozenset]] = {}
    for t in sorted(tried, key=length):
        parts = _right_parts(judge, k, t.gradients)
        if parts > usual:
            does = tuple(f"{number:.6g}" for n in sorted(judge.wrong) for number in np.ravel(t.gradients[n]))
            found.setdefault(does, (t, parts - usual))
    first = sorted(found.values(), key=lambda f: -len(f[1]))[:MOST]
    for one, parts in first:
        for other in sorted((t for t in tried if _leaves(judge, k, t, before, parts)), key=length):
            if time.thread_time() > deadline:
                return []
            if other.edit.slot != one.edit.slot and right_with(judge, one, other):
                return [Repair(t.line, t.edit.words, judge.wrong, BOTH) for t in (one, other)]
    return []


def _leaves(judge, k, tried, before, parts):
    """Tell whether an edit changes something, and nothing of some rows and columns."""
    seen = judge.evidence.seen[k]
    if any(np.shape(tried.gradients[n]) != np.shape(before[n]) for n in judge.wrong):
        return False
    kept = all(near(seen, np.take(tried.gradients[n], i, axis), np.take(before[n], i, axis)) for n, axis, i in parts)
    return kept and any(not near(seen, tried.gradients[n], before[n]) for n in judge.wrong)


def _right_parts(judge, k, gradients):
    """Return which rows, columns, ... of the wrong gradients are right: the gradient, the axis, the place."""
    seen, ours = judge.evidence.seen[k], judge.evidence.gradients(k)
    found = set()
    for name in judge.wrong & set(ours):
        right, theirs = np.asarray(ours[name]), np.asarray(gradients[name])
        if right.shape != theirs.shape or right.ndim < 2:
            continue
        close = np.abs(theirs - right) <= seen.tolerance * max(largest(right), largest(theirs))
        for axis in range(right.ndim):
            others = tuple(a for a in range(right.ndim) if a != axis)
            told = np.all(close, axis=others) & (np.sum(right != 0, axis=others) >= FEWEST)
            found |= {(name, axis, int(i)) for i in np.flatnonzero(told)}
    return frozenset(found)
