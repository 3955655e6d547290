"""The error of differences against their step, of a gradient that was checked."""

import numpy as np

from ..checking import Report
from .drawing import INK, LINES, axes

LEAST = 1e-17                       # what is exactly 0 stands at the foot of the figure


def error_against_step(report: Report, step: str = "step", error: str = "error of the difference") -> str:
    """Return a figure of the error of central differences at each step as SVG, a line for each gradient.

    A right gradient's line falls as h^2 and then rises as eps/h; that of a wrong one stays high. It is along one random
    direction, so the figure shows and does not judge: that is the report's. `step` and `error` name the axes.

    Raises
    ------
    ValueError
        No gradient can be drawn: all are zero, or none is one of real numbers.
    MissingExtra
        matplotlib is not installed.
    """
    with axes() as (ax, picture):
        drawn = [s for s in report.sweeps() if s.steps]
        if not drawn:
            raise ValueError("there is no gradient to draw: all are zero here, or not of real numbers")
        for k, sweep in enumerate(drawn):
            ax.plot(sweep.steps, np.maximum(sweep.errors, LEAST), color=LINES[k % len(LINES)], label=sweep.name,
                    linestyle=("-", "--", "-.", ":")[k // len(LINES) % 4], marker=".", markersize=3, linewidth=1.2)
        ax.set_xscale("log")
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        steps = np.array(drawn[0].steps)
        falling, rising = _guides(drawn, steps)
        for values, told, at in ((falling, "h²", 6), (rising, "ε|L|/h", -9)):
            ax.plot(steps, values, color=INK, linestyle=(0, (1, 2)), linewidth=1, zorder=0)
            inside = np.flatnonzero((values > 3 * low) & (values < high / 3))
            if inside.size:
                place = inside[np.clip(at, -inside.size, inside.size - 1)]
                ax.annotate(told, (steps[place], values[place]), xytext=(-6, -9 if told == "h²" else 7),
                            textcoords="offset points", fontsize=9, ha="right")
        ax.set_ylim(low, high)
        ax.invert_xaxis()
        ax.set_xlabel(step)
        ax.set_ylabel(error)
        ax.legend(fontsize=8, ncols=1 + len(drawn) // 17, loc="center left", bbox_to_anchor=(1, 0.5))
    return picture[0]


def _guides(sweeps, steps):
    """Return what a remainder of h^2 and rounding would give: the medians of what the gradients show."""
    ratios = [e / h**2 for s in sweeps for h, e in zip(s.steps, s.errors, strict=True) if 1e-3 <= h <= 1e-1 and e > 0]
    floors = [s.floor for s in sweeps]
    return (np.median(ratios) if ratios else np.nan) * steps**2, np.median(floors) / steps
