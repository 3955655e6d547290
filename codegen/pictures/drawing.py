"""What all figures share: matplotlib where it is installed, one look, SVG that is the same for the same input."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..extras import extra

INK, LINES = "#5d6b7e", ("#2b5b9e", "#b3261e", "#b07d12", "#3b7d4f", "#7a4fa3", "#5d6b7e")
LOOK = {
    "svg.hashsalt": "derive", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10,
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": INK, "axes.labelcolor": INK,
    "text.color": INK, "xtick.color": INK, "ytick.color": INK, "legend.frameon": False,
    "axes.grid": True, "grid.color": "#c9d1dc", "grid.linewidth": 0.5,
}


@contextmanager
def axes(width: float = 6.0, height: float = 3.6) -> Iterator[tuple[Any, list[str]]]:
    """Give axes to draw on and a list that, after the block, holds the picture as SVG text.

    Raises
    ------
    MissingExtra
        matplotlib is not installed.
    """
    matplotlib, figures = extra("matplotlib", "figures", "plot"), extra("matplotlib.figure", "figures", "plot")
    result: list[str] = []
    with matplotlib.rc_context(LOOK):
        figure = figures.Figure(figsize=(width, height), layout="constrained")
        yield figure.add_subplot(), result
        text = io.StringIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")      # letters are text: who shows them has the font
            figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    result.append(text.getvalue())
