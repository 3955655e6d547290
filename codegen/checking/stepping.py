"""The error of differences at each step: falling as h^2 where Taylor's remainder rules, rising as eps/h by rounding."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .subjects import Subject

STEPS = 10.0 ** (-np.arange(0, 49) / 4)         # from 1 to 1e-12, four a decade


@dataclass(frozen=True)
class Sweep:
    """How far central differences along one direction are from a gradient claimed, step by step.

    `errors` are relative to the gradient's length in that direction; `floor` is the rounding error of the loss on the
    same scale, so that floor/h is what rounding alone would make of a step h. A step that f refuses is left out.
    """

    name: str
    steps: tuple[float, ...]
    errors: tuple[float, ...]
    floor: float


def sweeps(subject: Subject, gradients: Mapping[str, Any], seed: int) -> Iterator[Sweep]:
    """Yield a sweep for each gradient that is not zero and has the shape of its argument, along random signs."""
    for name, given in gradients.items():
        x, g = np.asarray(subject.arguments[name]), np.asarray(given)
        if x.dtype.kind != "f" or g.shape != x.shape or g.dtype.kind not in "fiu" or not np.isfinite(g).all():
            continue
        random = np.random.default_rng(seed)
        direction = random.choice([-1.0, 1.0], x.shape) * np.maximum(1, np.abs(x)) / max(x.size, 1) ** 0.5
        slope, length = float((g * direction).sum()), float(np.sqrt(((g * direction) ** 2).sum()))
        if not length:
            continue
        pairs = []
        for h in STEPS:
            up, down = (subject.at(**{name: x + s * h * direction}) for s in (1, -1))
            error = abs((up - down) / (2 * h) - slope) / length
            if np.isfinite(error):
                pairs.append((float(h), float(error)))
        steps, errors = zip(*pairs, strict=True) if pairs else ((), ())
        yield Sweep(name, steps, errors, float(np.finfo(float).eps) * abs(subject.loss) / length)
