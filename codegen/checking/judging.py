"""The checker: a gradient is right, wrong, or differences say nothing of it, in any units and at any size."""

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress
from .along import (
    SMALL,
    Slopes,
    confirmed_close_by,
    look_closer,
    rounding_close_by,
    rounding_error,
    rounding_of_gradients,
    slopes,
)
from .reports import NOTHING, RIGHT, WRONG, Finding, Report
from .sketching import SEEN, Sketcher, shown
from .stepping import sweeps
from .subjects import Subject, claimed

Array = NDArray[np.float64]
SHARE, SHARE_SINGLE = 0.9, 0.5   # of the entries that are not zero, so many must be seen; of a gradient in float32
DOUBLE, SINGLE, HALF = 1024 * 2.0**-52, 64 * 2.0**-23, 8 * 2.0**-10     # of a gradient's entries, beside the largest
LEAST = 64 * 5e-324             # a loss below this has no digits
TOO_FAST = "differences give one slope from step to step and the one that is claimed between them: f varies too fast"
ALL_KINKS = "each direction meets a kink at the point itself; try another point"
CHANGING = "f gives another value for the same arguments, later on: it keeps a state of its own"


def check_gradient(f: Callable, grads: Any, args: Sequence[Any] | Mapping[str, Any],
                   names: Sequence[str] | None = None, *, seed: int = 0, calls: int = 5000) -> Report:
    """Judge gradients of a function by differences of it, each against the noise that they are estimated to carry.

    A parameter of few entries is judged entry by entry, one of many by random signs over ever smaller parts of it.
    Nothing depends on the units of the loss or of a parameter. At a kink the interval of one-sided derivatives judges.
    What cannot be seen (a gradient of zeros, one below the noise, a loss in float32) "says nothing": it never passes.

    Parameters
    ----------
    f : takes the arguments; returns the loss, or a tuple whose first entry is the loss.
    grads : the gradients as arrays: a tuple or list for the first arguments, a NamedTuple or dictionary by name
        (`W`, `dW` or `grad_W`), or one array; or a function of the arguments that returns them, alone or after the
        loss. None where f itself returns (loss, gradients).
    args : the arguments, in order or by name. Real numbers are passed on in float64.
    names : the names of arguments given in order; those of f's own signature unless told.
    seed : of the random directions.
    calls : about how many calls of f to spend on a parameter.

    Raises
    ------
    ValueError
        The loss is not one finite real number, or gradients and arguments do not fit.
    """
    if not isinstance(args, Mapping | tuple | list):
        args = (args,)
    names = list(args) if isinstance(args, Mapping) else list(names or _names(f, len(args)))
    given, remarks = claimed(grads, f, args, names)
    subject = Subject(f, args, names)
    noise = _noises(grads if callable(grads) else None, subject, names, given)
    findings = []
    with Progress(len(given)) as bar:
        for name, gradient in given.items():
            bar.step(f"checking the gradient of {name}")
            findings.append(_judged(subject, name, gradient, noise.get(name), seed, calls))
    if subject.has_changed():
        findings = [f if f.bar is None else Finding(f.name, NOTHING, (CHANGING, f"by the first values: {f.verdict}"))
                    for f in findings]
    elif callable(grads):
        findings = _repeated(findings, given, claimed(grads, f, args, names)[0])
    return Report(subject.loss, tuple(findings), (*remarks, *subject.remarks), partial(sweeps, subject, given, seed))


def _repeated(findings, before, now):
    """Return the findings, wrong where the function of the gradients returns others when it is called again."""
    return [Finding(f.name, WRONG, ("its function returns another gradient when it is called again",), np.inf)
            if f.bar is not None and not _is_close(before[f.name], now.get(f.name)) else f for f in findings]


def _is_close(before, now):
    return np.shape(before) == np.shape(now) and np.allclose(before, now, rtol=1e-6, atol=0, equal_nan=True)


def _names(f, n):
    """Return the names of a function's first n arguments, made up where it does not tell."""
    try:
        found = [p.name for p in inspect.signature(f).parameters.values()
                 if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):
        found = []
    return [*found[:n], *(f"argument {k}" for k in range(len(found), n))]


def _judged(subject, name, gradient, noise, seed, calls) -> Finding:
    """Return the finding on one parameter."""
    given, x = subject.given[name], np.asarray(subject.arguments[name])
    kind = np.asarray(given).dtype.kind
    if gradient is None:
        return Finding(name, WRONG, (f"its gradient is None; expected an array of shape {x.shape}, that of {name}",),
                       np.inf)
    gradient = np.asarray(gradient)
    if gradient.shape != x.shape:
        return Finding(name, WRONG, (f"its gradient has shape {gradient.shape}; expected {x.shape}, that of {name}",),
                       np.inf)
    if kind in "iub":
        return Finding(name, NOTHING, (f"{name} has dtype {np.asarray(given).dtype}; differences need real numbers: "
                                       "pass floats",))
    if kind != "f" or gradient.dtype.kind not in "fiu":
        return Finding(name, WRONG, (f"its gradient has dtype {gradient.dtype}; expected real numbers",), np.inf)
    if x.size == 0:
        return Finding(name, NOTHING, (f"{name} has no entries",))
    bad = np.argwhere(~np.isfinite(gradient))
    if len(bad):
        index = tuple(map(int, bad[0]))
        return Finding(name, WRONG, (f"gradient{list(index) or ''} is {gradient[index]}",), np.inf, index)
    if subject.is_random:
        return Finding(name, NOTHING, ("f gives another value each time it is called",))
    rounding = {2: HALF, 4: SINGLE}.get(gradient.dtype.itemsize, DOUBLE) if gradient.dtype.kind == "f" else DOUBLE
    g = gradient.astype(float)
    largest = float(np.abs(g).max())
    tolerance = min(max(rounding * largest, noise or 0.0, 16 * _noise(subject, name, x)), 1e4 * rounding * largest)
    judge = _entry_by_entry if 23 * x.size <= calls else _by_sketches
    return judge(subject, name, x, g, tolerance, seed, calls)


def _noise(subject, name, x):
    """Return the rounding error of the loss about x."""
    near = np.pi / 3 * 1e-7 * np.maximum(1, np.abs(x))      # irrational: a staircase has no such step
    seen = rounding_error(lambda k: subject.at(**{name: x + k * near}))
    coarse = max(2.0**-24, subject.epsilon / 2) * abs(subject.loss) if subject.computes_in_single else 0.0
    return max(seen, coarse, subject.quantum, LEAST)


def _noises(function, subject, names, given):
    """Return the rounding errors that gradients computed by a function are seen to have, by parameter."""
    if function is None:
        return {}
    arguments = subject.arguments
    reals = [n for n in given if np.asarray(arguments[n]).dtype.kind == "f"]

    def gradients(factor):
        moved = {n: np.asarray(arguments[n]) * factor if n in reals else arguments[n] for n in names}
        args = moved if subject.by_name else tuple(moved.values())
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = claimed(function, subject.f, args, names)[0]
        return {n: found[n] for n in reals}

    try:
        return rounding_of_gradients(gradients)
    except Exception:
        return {}


def _entry_by_entry(subject, name, x, g, tolerance, seed, calls) -> Finding:
    """Judge every entry by a slope of its own."""
    noise = _noise(subject, name, x)
    flat = x.ravel()

    def probe(k, t):
        moved = flat.copy()
        moved[k] += t
        return subject.at(**{name: moved.reshape(x.shape)})

    scales, said = np.maximum(1, np.abs(flat)), g.ravel()
    largest = float(np.abs(g).max())
    wanted = SEEN * np.where(said != 0, np.abs(said), largest)
    found = slopes(probe, scales, subject.loss, noise, wanted)
    scales = _look_closer(found, probe, subject, name, x, wanted, scales)
    analytic = _tightened(found, subject, name, x, noise)
    apart = np.maximum(found.discrepancy(said) - tolerance, 0)
    bar = np.where([k in found.kinks for k in range(x.size)], 0, found.error) + tolerance
    shape = x.shape
    kinks = {tuple(map(int, np.unravel_index(k, shape))): sides for k, sides in found.kinks.items()}
    extra = [f"complex steps agree with the differences to {analytic:.0e}"] if analytic is not None else []
    if found.jumps:
        places = ", ".join(str(list(map(int, np.unravel_index(k, shape)))) for k in found.jumps[:3])
        extra.append(f"f jumps at the point where {places if shape else name} moves: it has no derivative there")
        if len(found.jumps) == x.size:
            return Finding(name, NOTHING, tuple(extra), bar=bar.reshape(shape), unresolved=np.ones(shape, bool))
    if apart.max() > 0 and _is_rescued(probe, found, said, apart, scales, subject):
        return Finding(name, NOTHING, (TOO_FAST,), 0.0, None, bar.reshape(shape), np.ones(shape, bool), kinks)
    if apart.max() > 0:
        k = int(_relative(apart, bar).argmax())
        index = tuple(map(int, np.unravel_index(k, shape)))
        wrong = int(np.count_nonzero(apart))
        evidence = _told(index, said[k], found, k), f"{wrong} of {x.size} entries are off by more than their error bars"
        return Finding(name, WRONG, evidence, _scaled(apart.max(), found.value, said), index,
                       bar.reshape(shape), _unresolved(bar, said).reshape(shape), kinks)
    if np.isnan(subject.at(**{name: x})):
        extra.append("f refuses the point itself")
    how = f"all {x.size} entries agree" if x.size > 1 else "the one entry agrees"
    estimate = float(np.abs(found.value).max())
    return _verdict(subject, name, g, tolerance, bar.reshape(shape), kinks, how, extra, estimate)


def _look_closer(found, probe, subject, name, x, wanted, scales):
    """Look by steps of the size of the largest entry, then by those of each entry's own; return the scales taken."""
    flat, taken = np.abs(x.ravel()), scales.copy()
    for closer in (np.full(flat.shape, flat.max()), flat):
        if ((closer > 0) & (closer < SMALL)).any():
            noise = rounding_close_by(lambda moved: subject.at(**{name: moved}), x, closer.reshape(x.shape))
            put = look_closer(found, probe, closer, subject.loss, noise, wanted)
            taken[put] = closer[put]
    return taken


def _is_rescued(probe, found, said, apart, scales, subject):
    """Tell whether closer steps show what is claimed, for all entries that differ: then f goes up and down between."""
    return all(k not in found.kinks
               and confirmed_close_by(partial(probe, k), said[k], found.value[k], scales[k], subject.loss)
               for k in np.flatnonzero(apart)[:20])


def _by_sketches(subject, name, x, g, tolerance, seed, calls) -> Finding:
    """Judge by random signs over boxes of entries."""
    sketcher = Sketcher(lambda moved: subject.at(**{name: moved}), x, g, tolerance, subject.loss,
                        _noise(subject, name, x), np.random.default_rng(seed))
    seen = sketcher.sketch(calls)
    if seen.is_too_fast:
        return Finding(name, NOTHING, (TOO_FAST,), bar=seen.bar, unresolved=np.ones(x.shape, bool))
    if seen.kinks and seen.kinks == seen.directions and seen.worst is None:
        return Finding(name, NOTHING, (ALL_KINKS,), bar=seen.bar, unresolved=np.ones(x.shape, bool))
    if seen.worst is not None:
        place = shown(seen.worst)
        one = all(s.stop - s.start == 1 for s in seen.worst)
        evidence = (f"gradient[{place}] is {seen.claimed:.6g}; differences give {seen.slope:.6g} ± {seen.error:.1g}"
                    if one else
                    f"along random signs over gradient[{place}] it is {seen.claimed:.6g}; "
                    f"differences give {seen.slope:.6g} ± {seen.error:.1g}")
        index = tuple(s.start for s in seen.worst) if one else None
        return Finding(name, WRONG, (evidence, f"seen in {seen.directions} directions of {x.size} entries"),
                       float(seen.discrepancy / max(np.abs(g).max(), np.finfo(float).tiny)), index, seen.bar,
                       _unresolved(seen.bar, g))
    extra = [f"{seen.kinks} directions met kinks and were judged by their one-sided derivatives"] if seen.kinks else []
    how = f"{seen.directions} directions over {x.size} entries agree"
    return _verdict(subject, name, g, tolerance, seen.bar, {}, how, extra, 0.0)


def _tightened(found: Slopes, subject, name, x, noise) -> float | None:
    """Put complex steps in place of differences where f is seen to be analytic; return how well the two agree."""
    if found.kinks or found.jumps:
        return None
    values = []
    for k in range(x.size):
        direction = np.zeros(x.size)
        direction[k] = 1.0
        values.append(subject.complex_slope(name, direction.reshape(x.shape)))
        if not np.isfinite(values[-1]):
            return None
    steps = np.array(values)
    largest = np.abs(found.value).max()
    seen = found.error <= SEEN * np.abs(found.value)
    size = np.abs(steps).max()                      # an imaginary part is rounded as the loss is, relative to its size
    rounding = max(1e-13 * size, 64 * noise, noise / max(abs(subject.loss), noise) * 64 * size)
    if (found.error > 1e6 * noise).any():           # more than rounding blurs them: complex steps pass over jumps
        return None
    apart = np.abs(steps - found.value)
    if not seen[steps != 0].any() or np.mean(seen[steps != 0]) < 0.5 or (apart > found.error + rounding).any():
        return None
    better = found.error > rounding
    found.value[better], found.error[better] = steps[better], rounding
    return float(apart[seen].max() / largest)


def _verdict(subject, name, g, tolerance, bar, kinks, how, extra, estimate) -> Finding:
    """Return right, or says nothing: all that was seen agrees, but enough must have been seen."""
    unresolved = _unresolved(bar, g)
    for index in kinks:
        unresolved[index] = False
    largest, nonzero = float(np.abs(g).max()), int(np.count_nonzero(g))
    share = SHARE if tolerance < SINGLE * largest else SHARE_SINGLE
    lost, finest = int(np.count_nonzero(unresolved & (g != 0))), float(bar.min())

    def finding(verdict, first):
        return Finding(name, verdict, (first, *extra), 0.0, None, bar, unresolved, kinks)

    if kinks:
        listed = ", ".join(f"{list(i)} in [{low:.4g}, {high:.4g}]" for i, (low, high) in list(kinks.items())[:3])
        extra = [*extra, f"{len(kinks)} entries at a kink, judged by one-sided derivatives: {listed}"
                 + (", ..." if len(kinks) > 3 else "")]
    if subject.quantum > 1e-9 * abs(subject.loss) and not subject.computes_in_single:
        return finding(NOTHING, f"f is rounded to multiples of {subject.quantum:.1g}: its differences show too little")
    if subject.computes_in_single:
        return finding(NOTHING, "f computes in float32; its differences show too little: compute in float64")
    if not kinks and not np.isfinite(finest):
        return finding(NOTHING, "f refuses all points nearby: no difference could be taken")
    if not kinks and largest <= max(finest, 0.0) and estimate <= 2 * max(finest, float(np.median(bar))):
        return finding(NOTHING, f"its gradient is zero here, or too small to be seen (± {finest:.1g}): saturated, or "
                                "without influence at this point; try another")
    if lost > (1 - share) * nonzero or np.count_nonzero(unresolved & (g == 0)) > (1 - share) * g.size:
        of = "rounding of the gradient" if tolerance > float(np.median(bar)) / 2 else "noise of the loss"
        return finding(NOTHING, f"{lost} of {nonzero} entries are not resolvable: they are too small beside the {of}, "
                                f"{_noise_told(bar)}")
    if lost:
        extra = [*extra, f"{lost} of {nonzero} entries are not resolvable: an error of a thousandth could not be seen"]
    if nonzero < g.size:
        extra = [*extra, f"{g.size - nonzero} entries are exactly zero"]
    if kinks and lost == 0 and largest == 0:
        return finding(RIGHT, f"{how}, within their one-sided derivatives")
    seen = float(np.median(bar[np.isfinite(bar)]))
    return finding(RIGHT, f"{how}; an error of {seen:.1g} in one would have been seen"
                          f" ({seen / largest:.0e} of the largest)")


def _noise_told(bar):
    finite = bar[np.isfinite(bar)]
    return f"which hides errors up to {np.median(finite):.1g}" if finite.size else "and no difference could be taken"


def _unresolved(bar, g):
    """Tell for which entries too little is seen; for zeros, beside the largest entry."""
    size = np.abs(g)
    return np.asarray(bar > SEEN * np.where(size > 0, size, size.max()))


def _relative(apart, bar):
    return apart / np.maximum(bar, np.finfo(float).tiny)


def _scaled(apart, value, said):
    return float(apart / max(np.abs(value).max(), np.abs(said).max(), np.finfo(float).tiny))


def _told(index, said, found, k):
    """Say what an entry is and what it should be."""
    place = f"gradient{list(index) or ''} is {said:.6g}"
    if k in found.kinks:
        low, high = found.kinks[k]
        return f"{place}; there is a kink, and its one-sided derivatives are within [{low:.6g}, {high:.6g}]"
    return f"{place}; differences give {found.value[k]:.6g} ± {found.error[k]:.1g}"
