"""Figures of the results, as SVG with the same bytes for the same numbers. Needs matplotlib, in the extra `plot`."""

import csv
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from .scaling import Series
from .workloads import WORKLOADS

COLOURS = {
    "ours, fast": "#0b5394", "ours, plain": "#6fa8dc", "ours, compiled": "#20124d", "ours, scalar": "#134f5c",
    "expert NumPy": "#6aa84f", "naive NumPy": "#b6d7a8", "PyTorch eager": "#cc4125",
    "torch.compile": "#e69138", "JAX jit": "#8e7cc3", "HIPS autograd": "#999999",
}


def save(figure: Figure, path: Path) -> None:
    """Write a figure, without a date and with names that do not change."""
    with mpl.rc_context({"svg.hashsalt": "derive", "svg.fonttype": "none"}):
        figure.savefig(path, format="svg", metadata={"Date": None}, bbox_inches="tight")


def ratios(table: Path, path: Path, dtype: str = "float32", threads: str = "1") -> None:
    """Draw time over floor of every contender on every workload, on a logarithmic axis, from the table's CSV."""
    with table.open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if (r["dtype"], r["threads"]) == (dtype, threads) and r["ratio"]]
    names = [n for n in WORKLOADS if any(r["workload"] == n for r in rows)]
    figure = Figure(figsize=(8, 0.48 * len(names) + 1.2))
    axes = figure.add_subplot()
    for colour_of, colour in COLOURS.items():
        mine = [r for r in rows if r["contender"] == colour_of]
        if mine:
            axes.scatter([float(r["ratio"]) for r in mine], [names.index(r["workload"]) for r in mine], color=colour,
                         s=70 if colour_of.startswith("ours") else 28, label=colour_of, zorder=3,
                         marker="D" if colour_of.startswith("ours") else "o")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), [WORKLOADS[n].title for n in names], fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="x", color="#dddddd", zorder=0)
    axes.set_xlabel(f"time / floor (2-2-1: / naive NumPy), {dtype}, {threads} thread; smaller is better", fontsize=8)
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1))
    save(figure, path)


def growth(series: list[Series], path: Path) -> None:
    """Draw each quantity against its size on logarithmic axes, with its slope."""
    panels = list(dict.fromkeys(s.against for s in series))
    figure = Figure(figsize=(3 * len(panels), 2.8))
    for k, against in enumerate(panels, start=1):
        axes = figure.add_subplot(1, len(panels), k)
        for s in (s for s in series if s.against == against):
            axes.loglog(s.sizes, s.values, marker="o", markersize=3, label=f"{s.name}, {s.unit}, slope {s.slope:.2f}")
        axes.set_xlabel(against, fontsize=8)
        axes.tick_params(labelsize=7)
        axes.grid(color="#dddddd")
        axes.legend(fontsize=6)
    figure.tight_layout()
    save(figure, path)
