"""Tensors of too many entries: random signs over boxes of them, halved where too little is seen.

Along a direction of random signs an error of one entry among a million counts in full, and errors of many do not
cancel but by chance. What limits the sight is the error bar of the slope, and that narrows as the box does: fewer
entries move, so the loss is closer to a line and meets fewer kinks.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count

import numpy as np
from numpy.typing import NDArray

from ..differences import LADDER
from .along import SMALL, confirmed_close_by, look_closer, rounding_close_by, slopes

Array = NDArray[np.float64]
Box = tuple[slice, ...]
Index = tuple[int, ...]
FEW = 1e-3                      # of the entries may stay unseen
SEEN = 4e-4                     # a bar this narrow, relative to an entry, shows an error of a thousandth in it


@dataclass
class Seen:
    """What sketches showed: each entry's bar, the worst box, and how far off it is."""

    bar: Array
    directions: int = 0
    worst: Box | None = None
    discrepancy: float = 0.0
    claimed: float = 0.0
    slope: float = 0.0
    error: float = 0.0
    kinks: int = 0
    is_too_fast: bool = False       # closer steps show what is claimed, and others do not


class Sketcher:
    """Sketches of one parameter's gradient.

    Parameters
    ----------
    loss : the loss where this parameter has another value.
    x, claimed, tolerance : the parameter, its gradient as claimed, and the rounding that an entry of it may have.
    centre, noise : the loss at x, and its rounding error.
    """

    def __init__(self, loss: Callable[[Array], float], x: Array, claimed: Array, tolerance: float,
                 centre: float, noise: float, random: np.random.Generator):
        self.loss, self.x, self.claimed, self.tolerance = loss, x, claimed, tolerance
        self.centre, self.noise, self.random = centre, noise, random
        self.calls = 0
        self.seen = Seen(np.full(x.shape, np.inf))

    def sketch(self, calls: int) -> Seen:
        """Look at the whole, then at halves of whatever box has most entries unseen, for about so many calls."""
        whole = self._whole
        ticket, queue = count(), [(0, 0, whole)]
        while queue and self.calls < calls and self.seen.worst is None and not self.seen.is_too_fast:
            _, _, box = heapq.heappop(queue)
            signs = [self._signs(box) for _ in range(3 if box == whole else 2)]
            self._look(box, [*signs, np.where(self.claimed < 0, -1.0, 1.0)] if box == whole else signs)
            if self._unseen(whole) <= FEW * self.x.size:
                break
            if self._unseen(box):
                for half in halves(box):
                    heapq.heappush(queue, (-self._unseen(half), next(ticket), half))
        if self.seen.worst is not None:
            self._localise()
        return self.seen

    @property
    def _whole(self) -> Box:
        return tuple(slice(0, n) for n in self.x.shape)

    def _is_in(self, box):
        inside = np.zeros(self.x.shape, bool)
        inside[box] = True
        return inside

    def _unseen(self, box):
        size = np.abs(self.claimed[box])
        return int(np.count_nonzero((self.seen.bar[box] > SEEN * size) & (size > 0)))

    def _signs(self, box):
        return 2.0 * self.random.integers(0, 2, self.claimed[box].shape, np.int8) - 1

    def _look(self, box, signs, ladder=LADDER, wanted=None) -> None:
        """Compare slopes along directions of signs with those claimed."""
        x, part = self.x[box], self.claimed[box]
        size = float(np.sqrt(np.mean(x**2)))
        scale = max(1.0, size)
        nonzero = np.abs(part[part != 0])
        wanted = wanted or SEEN * (float(np.median(nonzero)) if nonzero.size else float(np.abs(self.claimed).max()))

        def probe(k, t):
            self.calls += 1
            moved = self.x.copy()
            moved[box] += t * signs[k]
            return self.loss(moved)

        found = slopes(probe, np.full(len(signs), scale), self.centre, self.noise, np.full(len(signs), wanted),
                       escape=part.size > 1, ladder=ladder)
        closer: list[int] = []
        if 0 < size < SMALL:
            noise = rounding_close_by(self.loss, self.x, np.where(self._is_in(box), size, 0.0))
            closer = look_closer(found, probe, np.full(len(signs), size), self.centre, noise,
                                 np.full(len(signs), wanted))
        said = np.array([float(np.sum(part * s)) for s in signs])
        slack = self.tolerance * np.sqrt(part.size) + 4 * np.finfo(float).eps * float(np.abs(part).sum())
        apart = np.maximum(found.discrepancy(said) - slack, 0)
        self.seen.directions += len(signs)
        self.seen.kinks += len(found.kinks)
        widths = [found.error[k] for k in range(len(signs)) if k not in found.kinks]
        if widths:
            self.seen.bar[box] = np.minimum(self.seen.bar[box], min(widths) + slack)
        k = int(apart.argmax())
        if apart[k] > 0 and self.seen.worst is None and box == self._whole and k not in found.kinks \
                and confirmed_close_by(partial(probe, k), said[k], found.value[k], size if k in closer else scale,
                                       self.centre):
            self.seen.is_too_fast = True
        elif apart[k] > 0:
            self.seen.worst, self.seen.discrepancy = box, float(apart[k])
            self.seen.claimed, self.seen.slope, self.seen.error = said[k], found.value[k], found.error[k]

    def _localise(self):
        """Go down into that half which is farther off, as long as one of them is seen to be."""
        while (box := self.seen.worst) is not None and len(halves(box)) == 2:
            ends = []
            for half in halves(box):
                self.seen.worst, self.seen.discrepancy = None, 0.0
                self._look(half, [self._signs(half) for _ in range(2)], LADDER[3:7], np.inf)
                ends.append((self.seen.discrepancy, half, (self.seen.claimed, self.seen.slope, self.seen.error)))
            apart, half, numbers = max(ends, key=lambda end: end[0])
            self.seen.worst, self.seen.discrepancy = (half, apart) if apart > 0 else (box, 0.0)
            self.seen.claimed, self.seen.slope, self.seen.error = numbers
            if apart == 0:
                return


def halves(box: Box) -> list[Box]:
    """Return a box cut in two across its longest axis, none where it is one entry."""
    lengths = [s.stop - s.start for s in box]
    if max(lengths, default=1) <= 1:
        return []
    axis = lengths.index(max(lengths))
    low, high = box[axis].start, box[axis].stop
    middle = (low + high) // 2
    return [(*box[:axis], part, *box[axis + 1:]) for part in (slice(low, middle), slice(middle, high))]


def shown(box: Box) -> str:
    """Return a box as one indexes it."""
    return ", ".join(str(s.start) if s.stop - s.start == 1 else f"{s.start}:{s.stop}" for s in box)
