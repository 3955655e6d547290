"""The table of the README: ratios to the floor in float32 with one thread, made from the kept numbers."""

import csv
from pathlib import Path

from .report import HERE, RESULTS, short
from .workloads import WORKLOADS

README = HERE.parent / "README.md"
BEGIN, END = "<!-- measured: python -m benchmarks --keep -->\n", "<!-- end of what is measured -->\n"
COLUMNS = {"ours, plain": "plain", "ours, fast": "fast", "ours, compiled": "compiled", "naive NumPy": "naive NumPy",
           "expert NumPy": "expert NumPy", "PyTorch eager": "PyTorch", "torch.compile": "torch.compile",
           "JAX jit": "JAX jit", "HIPS autograd": "autograd"}


def headline(numbers: Path = RESULTS / "table.csv") -> str:
    """Return the table in Markdown: a row a workload, the lowest ratio in bold."""
    rows: dict[str, dict[str, float]] = {}
    with numbers.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            if (line["dtype"], line["threads"], line["base"]) == ("float32", "1", "floor") and line["ratio"]:
                rows.setdefault(line["workload"], {})[line["contender"]] = float(line["ratio"])
    measured = [c for c in COLUMNS if any(c in found for found in rows.values())]
    text = [f"| time / floor | {' | '.join(COLUMNS[c] for c in measured)} |", f"|---|{'---|' * len(measured)}"]
    for name, found in rows.items():
        ratios = {c: found[c] for c in measured if c in found}
        best = min(ratios.values())
        cells = [_cell(ratios[c], best) if c in ratios else "–" for c in measured]
        text.append(f"| {WORKLOADS[name].title} | {' | '.join(cells)} |")
    return "\n".join(text) + "\n"


def _cell(ratio, best):
    return f"**{short(ratio)}**" if ratio == best else short(ratio)


def put(readme: Path = README) -> None:
    """Write the table between the two comments of the README that tell where it stands."""
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n{headline()}\n{END}{after}", encoding="utf-8")
