"""The counts of the mutation proof: kept in docs/mutation.csv, and put as a table into docs/doctor.md."""

import csv
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from textwrap import fill
from typing import NamedTuple

COLUMNS = ("mutants", "raise", "equal", "caught", "asked", "wrong", "named")
DOCS = Path(__file__).parents[1] / "docs"
COUNTS, PAGE = DOCS / "mutation.csv", DOCS / "doctor.md"
BEGIN, END = "<!-- by `python -m tests.mutation --keep` -->\n", "<!-- until here -->\n"


class Row(NamedTuple):
    """The mutants of one class of one network, counted."""

    network: str
    kind: str
    counts: Counter


def kept() -> list[Row]:
    """Return the counts that are kept."""
    if not COUNTS.exists():
        return []
    with COUNTS.open(encoding="utf-8", newline="") as file:
        return [Row(r["network"], r["class"], Counter({c: int(r[c]) for c in COLUMNS})) for r in csv.DictReader(file)]


def keep(rows: Iterable[Row]) -> None:
    """Keep the counts of networks in the place of what was kept of them, and renew the table."""
    rows = list(rows)
    new = {r.network for r in rows}
    rows = sorted([*rows, *(r for r in kept() if r.network not in new)], key=lambda r: (r.network, r.kind))
    with COUNTS.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("network", "class", *COLUMNS))
        writer.writerows((r.network, r.kind, *(r.counts[c] for c in COLUMNS)) for r in rows)
    if PAGE.exists():
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(renewed(text, rows), encoding="utf-8")


def renewed(page: str, rows: Iterable[Row]) -> str:
    """Return a page with the table of the counts between its marks."""
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: f"{BEGIN}\n{table(list(rows))}\n{END}", page,
                  flags=re.DOTALL)


def table(rows: list[Row]) -> str:
    """Return the counts by class, and by network, as Markdown."""
    total = summed(rows)
    parts = [fill(sentence(total), 120)]
    for head, place in (("class", 1), ("network", 0)):
        names = sorted({r[place] for r in rows})
        lines = [(name, summed(r for r in rows if r[place] == name)) for name in names]
        parts.append("\n".join([f"| {head} | {' | '.join(COLUMNS)} |", "|---" * (1 + len(COLUMNS)) + "|",
                                *(_line(name, counts) for name, counts in lines), _line("all", total)]))
    return "\n\n".join(parts) + "\n"


def _line(name, counts):
    return f"| {name} | {' | '.join(str(counts[c]) for c in COLUMNS)} |"


def summed(rows: Iterable[Row]) -> Counter:
    """Return the counts of rows together."""
    total: Counter = Counter()
    for r in rows:
        total.update(r.counts)
    return total


def real(counts: Counter) -> int:
    """Return how many mutants run and change a gradient."""
    return counts["mutants"] - counts["raise"] - counts["equal"]


def sentence(counts: Counter) -> str:
    """Return the outcome in words."""
    share = f" ({100 * counts['named'] / counts['asked']:.1f} %)" if counts["asked"] else ""
    return (f"{counts['mutants']:,} mutants: {counts['raise']:,} raise, {counts['equal']:,} change nothing; of the "
            f"other {real(counts):,} the differences catch {counts['caught']:,}. Asked about {counts['asked']:,} of "
            f"these, the doctor pronounces {counts['wrong']:,} wrong and names {counts['named']:,}{share}.")
