"""Two mistakes of which each hides the other: found among what the code gives with one thing in it edited.

What two edits change adds up where they are in different terms, in the gradients or in what an equation gives; it
multiplies, entry by entry, where they are in factors of one product. So what each edit changes alone tells which two
make all right, and not every two have to be tried.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from .influence import Influence

CLOSE = 1e-7            # of what is to be explained, that two edits may leave
FULL = 1e-6             # the least singular value, relative, of a reach by which gradients tell what an equation gives
MOST_PAIRS = 200        # that look right, to be run


def candidates(
    tried: np.ndarray, before: np.ndarray, right: np.ndarray, places: Iterable[tuple[np.ndarray, np.ndarray]],
) -> Iterator[tuple[int, int]]:
    """Yield pairs of edits that may make all right together, by their numbers.

    Parameters
    ----------
    tried : what the code gives with each edit, all wrong gradients in one row.
    before, right : what it gives as it is, and what it should.
    places : of equations that all wrong gradients come from: these by what the equation gives, and what it should give.
    """
    seen = set[tuple[int, int]]()
    for changes, wanted in _spaces(tried, before, right, places):
        for pair in islice(adding_up(changes, wanted), MOST_PAIRS):
            if pair not in seen:
                seen.add(pair)
                yield pair


def _spaces(tried, before, right, places):
    """Yield what each edit changes, and what should be changed, in ways in which two changes may add up."""
    yield tried - before, right - before
    for reach, value in places:
        back = np.linalg.pinv(reach).T
        with np.errstate(all="ignore"):
            yield from _logarithms(value + (tried - right) @ back, value + (before - right) @ back, value)


def _logarithms(given, now, wanted):
    """Yield the logarithms of what each edit multiplies entries by; where an entry is 0 there is none."""
    alive = (np.abs(now) > FULL * np.max(np.abs(now))) & (np.abs(wanted) > FULL * np.max(np.abs(wanted)))
    if np.any(alive):
        with np.errstate(all="ignore"):
            changes = np.log(np.abs(given[:, alive] / now[alive]))
            yield np.where(np.isfinite(changes), changes, np.inf), np.log(np.abs(wanted[alive] / now[alive]))


def adding_up(changes: np.ndarray, wanted: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield pairs of rows whose sum is what is wanted, the earliest first."""
    size = float(np.max(np.abs(wanted), initial=0.0))
    if not np.isfinite(size):
        return
    alive = np.flatnonzero(np.all(np.isfinite(changes), axis=1) & np.any(np.abs(changes) > CLOSE * size, axis=1))
    if size == 0 or len(alive) < 2:
        return
    along = np.random.default_rng(0).normal(size=len(wanted))
    numbers, whole, error = changes[alive] @ along, float(wanted @ along), CLOSE * size * np.sum(np.abs(along))
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    found = []
    for a, first in enumerate(numbers):
        low, high = np.searchsorted(ordered, (whole - first - error, whole - first + error))
        found += [(int(alive[a]), int(alive[b])) for b in order[low:high] if a < b]
    for a, b in sorted(found, key=sum):
        if np.max(np.abs(changes[a] + changes[b] - wanted)) <= CLOSE * size:
            yield a, b


def funnels(influence: Influence, names: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the equations that some gradients come from, all of them, where these tell what the equation gives."""
    for place in influence.reach:
        parts = [influence.reach[place][influence.rows[n]] for n in names]
        if all(np.any(part) for part in parts):
            reach = np.concatenate(parts)
            values = np.linalg.svd(reach, compute_uv=False)
            if len(values) == reach.shape[1] and values[-1] > FULL * values[0]:
                yield reach, np.ravel(influence.values[place])
