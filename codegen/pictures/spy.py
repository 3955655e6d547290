"""The sparsity of a matrix: which entries of a Hessian are not zero."""

import numpy as np
from numpy.typing import ArrayLike

from .drawing import LINES, axes


def sparsity(matrix: ArrayLike, labels: dict[str, int] | None = None) -> str:
    """Return a picture of a matrix's entries that are not zero as SVG.

    Parameters
    ----------
    matrix : of two axes, such as a Hessian.
    labels : the names of its blocks with the number of rows of each, in order, drawn as lines between them.

    Raises
    ------
    ValueError
        Not a matrix, or blocks that are not as many rows as it has.
    MissingExtra
        matplotlib is not installed.
    """
    entries = np.asarray(matrix, float)
    if entries.ndim != 2:
        raise ValueError(f"the matrix has shape {entries.shape}; expected two axes")
    blocks = labels or {}
    if blocks and sum(blocks.values()) != len(entries):
        raise ValueError(f"the blocks have {sum(blocks.values())} rows; expected the matrix's {len(entries)}")
    with axes(4.2, 4.2) as (ax, picture):
        ax.grid(visible=False)
        size = np.log10(np.where(entries != 0, np.abs(entries), np.nan))
        least, most = (np.nanmin(size), np.nanmax(size)) if entries.any() else (0.0, 0.0)
        palest = least - (most - least) / 2 - 1         # so that the smallest entry is not white
        shown = ax.imshow(size, cmap="Blues", vmin=palest, vmax=most, aspect="equal", interpolation="nearest")
        ax.figure.colorbar(shown, ax=ax, shrink=0.7, label="log₁₀ of the modulus; white: exactly 0")
        edges = np.cumsum([0, *blocks.values()])
        for edge in edges[1:-1]:
            ax.axhline(edge - 0.5, color=LINES[2], linewidth=0.8)
            ax.axvline(edge - 0.5, color=LINES[2], linewidth=0.8)
        if blocks:
            middles = (edges[1:] + edges[:-1]) / 2 - 0.5
            ax.set_xticks(middles, list(blocks))
            ax.set_yticks(middles, list(blocks))
    return picture[0]
