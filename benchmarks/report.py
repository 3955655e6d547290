"""The table: one row a workload, dtype and number of threads, one column a contender; as text, Markdown and CSV."""

import csv
import io
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .contenders import NAMES

HERE = Path(__file__).parent
RESULTS = HERE / "results"


EXPLAINED = (
    "Each cell: the median over rounds of (time / floor) in the same round, and the median time of a call. The floor:",
    "the required matrix products alone, into buffers, and one pass over the memory of elementwise work; where there",
    "is none (the 2-2-1 network) ratios are to naive NumPy. Values and gradients agreed with float64 NumPy before they",
    "were timed. Seconds are the processor's with one thread, the clock's with more. The best of each row is bold.",
)


def machine() -> str:
    """Describe the machine and the versions, without a date or a name."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        found = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = found[0] if found else model
    packages = ("numpy", "sympy", "torch", "jax", "autograd")
    versions = [f"{p} {_version(p)}" for p in packages]
    cores = os.cpu_count()
    return f"{model}, {cores} cores, {platform.system()}; Python {platform.python_version()}, {', '.join(versions)}"


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def cell(row: dict | None) -> str:
    """Return one cell: the ratio to the base and the time, or why there is none."""
    if row is None:
        return ""
    if "absent" in row:
        return "–"
    return f"{short(row['ratio'])} ({_time(row['seconds'])})"


def short(ratio: float) -> str:
    """Return a ratio with two digits after the point, fewer where it is large."""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}" if ratio < 100 else f"{ratio:.0f}"


def _time(seconds):
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def markdown(lines: list[dict], note: str = "") -> str:
    """Return the whole table in Markdown, best of each row in bold."""
    names = ["floor", *(n for n in NAMES if any(_there(line, n) for line in lines))]
    text = [f"Measured on {machine()}.", "",
            *EXPLAINED, ""]
    if note:
        text += [note, ""]
    groups = dict.fromkeys((line["dtype"], line["threads"]) for line in lines)
    for dtype, threads in groups:
        text += [f"### {dtype}, {threads} thread{'s' if threads > 1 else ''}", "",
                 f"| workload | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
        for line in lines:
            if (line["dtype"], line["threads"]) == (dtype, threads):
                text.append(f"| {line['title']} | {' | '.join(_cells(line, names))} |")
        text.append("")
    reasons = dict.fromkeys(
        f"- {name}, {line['title']}, {line['dtype']}: {row['absent']}"
        for line in lines for name, row in line["rows"].items()
        if "absent" in row and name in names and "straight-line" not in row["absent"])
    if reasons:
        text += ["What is missing, and why:", "", *reasons, ""]
    return "\n".join(text)


def _there(line, name):
    return "ratio" in line["rows"].get(name, {})


def _cells(line, names):
    ratios = {n: line["rows"][n]["ratio"] for n in names if n != "floor" and _there(line, n)}
    best = min(ratios, key=ratios.__getitem__, default=None)
    return [f"**{cell(line['rows'][n])}**" if n == best else cell(line["rows"].get(n)) for n in names]


def table(lines: list[dict]) -> str:
    """Return the ratios as text for a terminal."""
    rows = []
    for line in lines:
        found = [f"{n} {short(r['ratio'])} [{short(r['low'])}–{short(r['high'])}]"
                 for n, r in line["rows"].items() if "ratio" in r and n != line["base"]]
        base = line["rows"][line["base"]]
        rows.append(f"{line['title']}, {line['dtype']}, {line['threads']} thread(s); {line['base']} "
                    f"{_time(base['seconds'])}\n    " + "\n    ".join(found))
    return "\n".join(rows)


def as_csv(lines: list[dict]) -> str:
    """Return every number: medians, ratios and their quartiles, rounds, disagreement."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["workload", "dtype", "threads", "contender", "seconds", "base", "ratio", "ratio_quarter",
                     "ratio_three_quarters", "rounds", "disagreement", "absent"])
    for line in lines:
        for name, row in line["rows"].items():
            numbers = [f"{row[k]:.4g}" if k in row else "" for k in ("seconds", "ratio", "low", "high")]
            writer.writerow([line["workload"], line["dtype"], line["threads"], name, numbers[0], line["base"],
                             *numbers[1:], row.get("rounds", ""),
                             f"{row['disagreement']:.1e}" if "disagreement" in row else "", row.get("absent", "")])
    return out.getvalue()
