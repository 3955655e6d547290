"""Derivatives of a loss along directions: values with error bars, and the interval where there is a kink."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..differences import LADDER, RATIO, ROUNDING, extrapolated, one_sided

Array = NDArray[np.float64]
Probe = Callable[[int, float], float]           # the loss, moved along direction k by so much
WIDE = RATIO ** -np.arange(2.0, 25.0)           # steps from 1e-1 to 1e-12, where the usual ones show too little
CLOSE = 2.0 ** -np.arange(22.0, 54.0)           # steps from 2e-7 to the spacing of floats
NEAR = RATIO ** -np.arange(12.0, 21.0)          # steps from 1e-6 to 1e-10, closer than a kink that is merely near
SMALL = 2.0**-7                                 # what is less than this may be in units of its own: steps of its size


@dataclass
class Slopes:
    """Derivatives along directions: value ± error; where there is a kink, `kinks` has the interval by direction.

    `jumps` are the directions in which the function leaps at the point, and has no derivative.
    """

    value: Array
    error: Array
    kinks: dict[int, tuple[float, float]]
    jumps: tuple[int, ...] = ()

    def discrepancy(self, claimed: Array) -> Array:
        """Return how far what is claimed lies outside what the slopes allow; 0 inside."""
        apart = np.maximum(np.abs(claimed - self.value) - self.error, 0)
        for k, (lower, upper) in self.kinks.items():
            apart[k] = max(lower - claimed[k], claimed[k] - upper, 0)
        return np.where(np.isnan(claimed), np.inf, apart)


def slopes(probe: Probe, scales: Array, centre: float, noise: float, wanted: Array, escape: bool = False,
           ladder: Array = LADDER) -> Slopes:
    """Return the derivatives along as many directions as there are scales.

    Parameters
    ----------
    probe : the loss moved along a direction.
    scales : for each direction, the unit of its steps.
    centre, noise : the loss where it is not moved, and its rounding error.
    wanted : for each direction an error that is small enough; where it is not reached, more steps are tried.
    escape : look past kinks that are near the point but not at it.
    ladder : the steps, in units of the scales.
    """
    found, gaps = _by(probe, ladder, np.arange(len(scales)), scales, centre, noise)
    again = [k for k in np.flatnonzero(found.error > wanted) if k not in found.kinks and k not in found.jumps]
    if again:
        wide, _ = _by(probe, WIDE, np.array(again), scales, centre, noise)
        for j, k in enumerate(again):
            _keep_better(found, k, wide.value[j], wide.error[j])
    if escape and found.kinks:
        _escape(found, gaps, probe, scales, centre, noise)
    return found


def _by(probe, ladder, which, scales, centre, noise):
    """Return slopes by steps of a ladder, and each direction's gap between one-sided slopes at the last step."""
    h = np.outer(ladder, scales[which])
    left, right = (np.array([[probe(k, sign * t) for k, t in zip(which, row, strict=True)] for row in h])
                   for sign in (-1, 1))
    rounding = ROUNDING * np.fmax(np.finfo(float).eps * np.maximum(np.abs(left), np.abs(right)), noise)
    rounding = np.where(np.isnan(rounding), ROUNDING * noise, rounding)
    value, error = extrapolated((right - left) / (2 * h), rounding / h)
    kinks = {index[0]: sides for index, sides in one_sided(left, centre, right, h, rounding, (len(which),)).items()}
    bends = np.abs(left - 2 * centre + right)[-3:]
    leaps = ((bends[1:] > 0.8 * bends[:-1]) & (bends[1:] > 16 * rounding[-2:])).all(axis=0)
    jumps = tuple(k for k in map(int, np.flatnonzero(leaps)) if k in kinks)
    for k in jumps:
        del kinks[k]
        value[k], error[k] = np.nan, np.inf
    for k, (lower, upper) in kinks.items():
        value[k], error[k] = (lower + upper) / 2, (upper - lower) / 2
    gap = np.abs(left[-1] - 2 * centre + right[-1]) / h[-1]
    return Slopes(np.nan_to_num(value), np.where(np.isnan(value), np.inf, error), kinks, jumps), gap


def _keep_better(found, k, value, error):
    """Keep an estimate of less error, with the difference as its error where the two contradict each other."""
    if error < found.error[k]:
        apart = abs(value - found.value[k])
        if apart > found.error[k] + error:
            error = apart
        if error < found.error[k]:
            found.value[k], found.error[k] = value, error


def look_closer(found: Slopes, probe: Probe, scales: Array, centre: float, noise: float, wanted: Array) -> list[int]:
    """Put what steps of a smaller scale show in place of what wider ones did, where they see as much as is wanted.

    A function of small entries may be one of their ratio to something as small: wide steps pass over what it does, and
    show a slope that is not there. `scales` are 0 where there is no smaller one. Returns where something was put.
    """
    small = np.flatnonzero((scales > 0) & (scales < SMALL))
    put: list[int] = []
    if not small.size or not np.isfinite(noise):
        return put
    near = slopes(lambda j, t: probe(int(small[j]), t), scales[small], centre, noise, wanted[small])
    for j, k in enumerate(small.tolist()):
        if j in near.jumps or (near.error[j] > wanted[k] and j not in near.kinks):
            continue
        contradicts = abs(near.value[j] - found.value[k]) > near.error[j] + found.error[k]
        if j in near.kinks:
            found.kinks[k] = near.kinks[j]
        elif k in found.kinks or k in found.jumps or contradicts or near.error[j] < found.error[k]:
            found.kinks.pop(k, None)
        else:
            continue
        found.jumps = tuple(i for i in found.jumps if i != k)
        found.value[k], found.error[k] = near.value[j], near.error[j]
        put.append(k)
    return put


def _escape(found, gaps, probe, scales, centre, noise):
    """Where closer steps show one slope only, take that."""
    kinked = np.array(list(found.kinks))
    near, fine = _by(probe, NEAR, kinked, scales, centre, noise)
    bars = 2 * ROUNDING * noise / (NEAR[-1] * scales[kinked])
    for j, k in enumerate(kinked.tolist()):
        if j not in near.kinks and bars[j] < gaps[k] / 4 and fine[j] < gaps[k] / 2:
            del found.kinks[k]
            found.value[k], found.error[k] = near.value[j], near.error[j]


def confirmed_close_by(probe: Callable[[float], float], claimed: float, value: float, scale: float,
                       centre: float) -> bool:
    """Tell whether ever smaller steps, down to the spacing of floats, show what is claimed, not the value found before.

    So it is with a function that goes up and down between the usual steps: neither then says more than the other.
    """
    agreed = 0
    for h in scale * CLOSE:
        left, right = probe(-h), probe(h)
        slope = (right - left) / (2 * h)
        bar = 16 * np.finfo(float).eps * max(abs(left), abs(right), abs(centre)) / h
        near, far = abs(slope - claimed), abs(slope - value)
        agreed = agreed + 1 if bar < abs(claimed - value) / 4 and near <= far / 3 + bar else 0
        if agreed == 5:
            return True
    return False


def rounding_error(f: Callable[[int], float]) -> float:
    """Return the rounding error of f(0), f(1), ..., f(15), a function so slow that it is all but a cubic there.

    Moré & Wild (2011), SIAM J. Sci. Comput. 33(3); the median is not upset by one kink.
    """
    return _rounding_of([f(k) for k in range(16)])


def rounding_close_by(loss: Callable[[Array], float], x: Array, scales: Array) -> float:
    """Return the rounding error of a loss for steps of these scales, infinity where it stays the same for most."""
    near = np.pi / 3 * 1e-4 * scales
    values = [loss(x + k * near) for k in range(16)]
    return _rounding_of(values) if len(set(values)) > 12 else float("inf")


def _rounding_of(values):
    differences = np.diff(values, n=4)
    differences = differences[np.isfinite(differences)]
    return float(np.median(np.abs(differences)) / (0.67 * 70**0.5)) if differences.size else float("inf")


def rounding_of_gradients(gradients: Callable[[float], Mapping[str, Array]]) -> dict[str, float]:
    """Return the rounding errors that gradients are seen to have, by name.

    `gradients` computes them with all that is real multiplied by a factor, of which they are functions as slow as that.
    """
    seen = [gradients(1 + k * 1e-9) for k in range(1, 13)]
    result = {}
    for n in seen[0]:
        fourth = np.abs(np.diff(np.stack([np.asarray(g[n], float) for g in seen]), n=4, axis=0)) / 70**0.5
        result[n] = 8 * float(np.median(fourth, axis=0).max(initial=0.0))
    return result
