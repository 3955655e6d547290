"""Numerical differentiation: the judge of every gradient, knowing nothing of how it was derived.

    (f(x + h) - f(x - h)) / 2h = f'(x) + h^2 f'''(x)/6 + ... + rounding, about eps |f|/h

A loss f takes x (an array, or a float where x is a scalar) and returns one number. Derivatives are taken entry by
entry, in float64; x has the shape of its gradient and is never modified. Needs NumPy alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Loss = Callable[[Any], Any]
Index = tuple[int, ...]
Kinks = dict[Index, tuple[float, float]]

SWEEP = tuple(10.0**-k for k in range(1, 13))
RATIO = 10**0.5                                 # irrational, so that no period of f divides all the steps
LADDER = RATIO ** -np.arange(2.0, 13.0)         # steps from 1e-1 to 1e-6, times max(1, |x|)
ROUNDING = 8                                    # so many rounding errors of f may meet in one extrapolated slope


class Step(NamedTuple):
    """One line of a step sweep: the step, the estimate, and its largest error where the exact gradient is known."""

    h: float
    estimate: Array | float
    error: float | None


@dataclass(frozen=True, eq=False)
class Estimate:
    """A gradient by differences: value ± error, entrywise, in the shape of x.

    `kinks` has the index of each entry with a kink beside x, and its interval of one-sided derivatives, which value
    ± error then covers. Derivatives below `resolution` are lost in the rounding of f.
    """

    value: Array
    error: Array
    kinks: Kinks
    resolution: float


@dataclass(frozen=True)
class Comparison:
    """How far a gradient is from its estimate, in numbers that do not change with the units of the loss.

    `disagreement` is the largest difference relative to the gradient's largest entry; one within its error bar never
    exceeds the tolerance. `noise` is the largest error bar, so relative: what could not have been seen. `index`,
    `ours`, `estimate`, `error` are of the entry that disagrees most; `kinks` counts those judged by an interval.
    """

    disagreement: float
    noise: float
    tolerance: float
    index: Index
    ours: float
    estimate: float
    error: float
    kinks: int

    @property
    def agrees(self) -> bool:
        """Whether the gradient is right, by differences precise enough to have seen a wrong one."""
        return self.disagreement <= self.tolerance and self.noise <= 0.1

    def __str__(self) -> str:
        """Say where the gradient disagrees most, and by how much."""
        return (f"gradient{list(self.index) or ''} is {self.ours:.6g}; differences give {self.estimate:.6g} "
                f"± {self.error:.1g} (disagreement {self.disagreement:.1g}, noise {self.noise:.1g})")


def central_difference(f: Loss, x: ArrayLike, h: float = 1e-5) -> Array | float:
    """Return (f(x + h) - f(x - h)) / 2h, entry by entry; a float where x is a scalar."""
    point = _point(x)
    return _like(point, [(_moved(f, point, i, h) - _moved(f, point, i, -h)) / (2 * h) for i in range(point.size)])


def complex_step(f: Loss, x: ArrayLike, h: float = 1e-30) -> Array | float:
    """Return Im f(x + ih) / h, exact to rounding; f must be analytic, and computed in complex numbers throughout.

    Squire & Trapp (1998), SIAM Review 40(1). Raises ValueError where f returns a real number. Where f takes a modulus,
    a maximum or a comparison on the way, the answer is silently wrong.
    """
    point = _point(x).astype(complex)
    return _like(point, [_moved(f, point, i, 1j * h).imag / h for i in range(point.size)])


def step_sweep(f: Loss, x: ArrayLike, exact: ArrayLike | None = None, steps: Sequence[float] = SWEEP) -> list[Step]:
    """Return the central difference for each step; its error is seen to fall as h^2, then to rise as eps/h."""
    estimates = [(h, central_difference(f, x, h)) for h in steps]
    return [Step(h, e, None if exact is None else float(np.abs(e - np.asarray(exact)).max())) for h, e in estimates]


def derivative_estimate(f: Loss, x: ArrayLike) -> Estimate:
    """Return the gradient of f at x by extrapolated central differences, with error bars and kinks.

    Each entry is probed at steps from 1e-1 to 1e-6 times max(1, |x|), and of all extrapolations to h = 0 the one with
    the least error, truncation and rounding together, is kept: Ridders (1982), Adv. Eng. Software 4(2). Probes that f
    refuses are left out. Multiplying f by a constant multiplies all that is returned.
    """
    point = _point(x)
    left, centre, right, h, noise = _probe(f, point, np.outer(LADDER, np.maximum(1, np.abs(point))))
    value, error = extrapolated((right - left) / (2 * h), noise / h)
    value, error = value.reshape(point.shape), error.reshape(point.shape)
    kinks = one_sided(left, centre, right, h, noise, point.shape)
    for index, (lower, upper) in kinks.items():
        value[index], error[index] = (lower + upper) / 2, (upper - lower) / 2
    return Estimate(value, error, kinks, float((noise[0] / h[0]).max()))


def kinks_crossed(f: Loss, x: ArrayLike, h: float = 1e-5) -> Kinks:
    """Return the entries of x that meet a kink of f within ± h, each with its interval of one-sided derivatives."""
    point = _point(x)
    return one_sided(*_probe(f, point, np.outer([h * RATIO, h, h / RATIO], np.ones(point.size))), point.shape)


def compare(estimate: Estimate | ArrayLike, gradient: ArrayLike, tolerance: float = 1e-6) -> Comparison:
    """Compare a gradient with its estimate, or with an array that is taken to be exact.

    Differences are relative to the largest entry, since that is what rounding is relative to; a gradient that is all
    but lost in the rounding of f is measured against that instead, so that 1e-17 for an exact 0 is no error.
    """
    if not isinstance(estimate, Estimate):
        exact = np.asarray(estimate, float)
        estimate = Estimate(exact, np.zeros_like(exact), {}, 0.0)
    value, error, ours = estimate.value, estimate.error, np.asarray(gradient, float)
    if ours.shape != value.shape:
        raise ValueError(f"the gradient has shape {ours.shape}; expected {value.shape}, the shape of x")
    size = np.max([np.abs(ours).max(), np.abs(value).max(), 100 * estimate.resolution])
    kinked = np.zeros(ours.shape, bool)
    for index in estimate.kinks:
        kinked[index] = True
    apart = np.abs(ours - value)
    relative = np.where(kinked, _ratio(np.maximum(apart - error, 0), size),
                        _ratio(apart, np.maximum(size, error / tolerance)))
    worst = tuple(map(int, np.unravel_index(relative.argmax(), ours.shape)))
    noise = _ratio(np.where(kinked, 0, error), size).max()
    return Comparison(float(relative[worst]), float(noise), tolerance, worst,
                      float(ours[worst]), float(value[worst]), float(error[worst]), len(estimate.kinks))


def _point(x: ArrayLike) -> Array:
    """Return x as float64; raise ValueError where it is empty or not of real numbers."""
    point = np.asarray(x)
    if point.dtype.kind not in "iuf" or point.size == 0:
        raise ValueError(f"x has dtype {point.dtype} and shape {point.shape}; expected real numbers, at least one")
    return point.astype(float)


def _like(point: NDArray[Any], entries: Sequence[float]) -> Array | float:
    """Return the entries in the shape of the point, as a float where that is a scalar."""
    return np.reshape(entries, point.shape) if point.ndim else float(entries[0])


def _moved(f: Loss, point: NDArray[Any], i: int = 0, step: complex = 0.0) -> Any:
    """Return f, checked to be one number, at a copy of the point with entry i moved by the step."""
    moved = point.copy()
    moved.flat[i] += step
    value = np.asarray(f(moved if moved.ndim else moved.item()))
    kinds, expected = ("c", "complex number") if np.iscomplexobj(point) else ("iuf", "real number")
    if value.size != 1 or value.dtype.kind not in kinds:
        raise ValueError(f"f returned dtype {value.dtype} and shape {value.shape}; expected one {expected}")
    return value.item()


def _probe(f: Loss, point: Array, h: Array) -> tuple[Array, float, Array, Array, Array]:
    """Return f(x - h), f(x), f(x + h), h, and what rounding can do to a difference; a row a step, a column an entry.

    Steps are rounded so that x ± h is exact. A probe that f refuses, being out of its domain, is nan.
    """
    centre = _moved(f, point)
    if not np.isfinite(centre):
        raise ValueError(f"f(x) is {centre}; expected a finite loss where its derivative is taken")

    def probe(i: int, step: float) -> float:
        try:
            with np.errstate(all="ignore"):
                value = _moved(f, point, i, step)
        except (ArithmeticError, ValueError):
            return np.nan
        return float(value) if np.isfinite(value) else np.nan

    h = (point.ravel() + h) - point.ravel()
    left, right = (np.array([[probe(i, s) for i, s in enumerate(row)] for row in steps]) for steps in (-h, h))
    rounding = np.finfo(float).eps * np.maximum(np.abs(left), np.abs(right))
    return left, centre, right, h, ROUNDING * np.fmax(rounding, _noise(f, point))


def _noise(f: Loss, point: Array) -> float:
    """Return the rounding error of f about x, seen in fourth differences over steps so small that f is a line there.

    Moré & Wild (2011), SIAM J. Sci. Comput. 33(3), with a median, which one kink does not upset. A fourth difference
    has 1 + 16 + 36 + 16 + 1 = 70 times the variance; the median of a normal variable's modulus is 0.67 deviations.
    """
    near = 1e-7 * np.maximum(1, np.abs(point))
    differences = np.diff([_moved(f, point + k * near) for k in range(16)], n=4)
    return float(np.median(np.abs(differences)) / (0.67 * 70**0.5))


def extrapolated(slopes: Array, rounding: Array) -> tuple[Array, Array]:
    """Return each column's best extrapolation to h = 0 and its error, the steps falling by RATIO from row to row."""
    tableau, errors = [slopes[1:]], [np.abs(np.diff(slopes, axis=0)) + rounding[1:]]
    for j in range(1, len(slopes)):             # the j-th extrapolation removes the error in h^2j
        coarse, fine = slopes[:-1], slopes[1:]
        slopes = fine + (fine - coarse) / (RATIO ** (2 * j) - 1)
        tableau.append(slopes)
        errors.append(np.maximum(np.abs(slopes - fine), np.abs(slopes - coarse)) + rounding[j:])
    # Coarse steps can agree by stepping over all that happens near x: they must agree with the finest too.
    finest, bar = _best(np.stack([v[-1] for v in tableau]), np.stack([e[-1] for e in errors]))
    value, error = np.concatenate(tableau), np.concatenate(errors)
    return _best(value, np.maximum(error, np.nan_to_num(np.abs(value - finest) - bar, nan=-np.inf)))


def _best(value: Array, error: Array) -> tuple[Array, Array]:
    """Return each column's value of least error, and that error."""
    error = np.where(np.isnan(error), np.inf, error)
    best = error.argmin(axis=0), np.arange(error.shape[1])
    return value[best], error[best]


def one_sided(left: Array, centre: float, right: Array, h: Array, noise: Array, shape: Index) -> Kinks:
    """Return the entries with a kink within their last three steps, and the hulls of their one-sided derivatives.

    The gap between one-sided differences is h f'' + O(h^3) where f is smooth. So the part of it that does not shrink
    with h falls 30-fold from step to step there, and stays where there is a kink.
    """
    left, right, rounding = ((centre - left) / h)[-3:], ((right - centre) / h)[-3:], (noise / h)[-1]
    gap = right - left
    coarse, fine = np.abs(gap[1:] - gap[:-1] / RATIO)
    kinked = (fine > 4 * rounding) & (fine > coarse / 10)
    limits = [side[2] + (side[2] - side[1]) / (RATIO - 1) for side in (left, right)]
    sides = np.concatenate([left, right, limits])
    lower, upper = sides.min(axis=0) - rounding, sides.max(axis=0) + rounding
    return {
        tuple(map(int, np.unravel_index(i, shape))): (float(lower[i]), float(upper[i])) for i in np.flatnonzero(kinked)
    }


def _ratio(part: Array, whole: Array) -> Array:
    """Return part / whole, 0 where both are 0 and infinity where either is not a number."""
    with np.errstate(all="ignore"):
        ratio = np.where(part == 0, 0.0, part / whole)
    return np.where(np.isnan(ratio), np.inf, ratio)
