"""The page that tells the outcomes of sweeps: a table for each stream, from the outcomes of its programs."""

import re
from collections import defaultdict
from collections.abc import Mapping

from tests.sweep_journal import Outcome

REASONS = {
    "is no real number at this point": "has no value at the small sizes where the referee judges it (0/0)",
    "a transpose needs two axes": "is 0 in a place where an array was meant",
    "reads a recurrence outside its range": "chooses, inside a recurrence, between rows that are not there",
}       # of what the toolkit says of a program that it does not take

TABLES = """| outcome | programs |
|---|---|
{rows}
{failures}
These are the outcomes of each program's last run, on the code of

| commit | programs | from | to |
|---|---|---|---|
{commits}
"""


def reason(outcome: str) -> str:
    """Return why a program was refused; "" for one that passed or failed."""
    return next((why for says, why in REASONS.items() if says in outcome), "")


def reported(page: str, stream: str, outcomes: Mapping[int, Outcome]) -> str:
    """Return a page with the tables of a stream between the comments that are there for them."""
    place = re.compile(rf"(?<=<!-- {stream} -->\n)(.*?)(?=<!-- end -->)", re.DOTALL)
    if not place.search(page):
        raise ValueError(f"the page has no place for the stream {stream}; expected <!-- {stream} --> and <!-- end -->")
    return place.sub(lambda _: f"\n{tables(outcomes)}\n", page, count=1)


def tables(outcomes: Mapping[int, Outcome]) -> str:
    """Return what became of programs, by their numbers."""
    groups: dict[str, list[int]] = defaultdict(list)
    commits: dict[str, list[int]] = defaultdict(list)
    for number, (result, commit) in sorted(outcomes.items()):
        why = reason(result)
        groups["passed" if result == "passed" else f"refused: {why}" if why else "failed"].append(number)
        commits[commit or "no clone"].append(number)
    refused = sorted(g for g in groups if g.startswith("refused"))
    rows = [f"| {g} | {len(groups[g])} |" for g in ("passed", *refused, "failed")]
    rows.append(f"| all | {len(outcomes)} |")
    failures = "".join(f"- program {n}: {_short(outcomes[n].result)}\n" for n in groups["failed"])
    ran = (f"| {commit} | {len(numbers)} | {numbers[0]} | {numbers[-1]} |" for commit, numbers in commits.items())
    return TABLES.format(rows="\n".join(rows), commits="\n".join(ran),
                         failures=f"\nFailed:\n\n{failures}" if failures else "")


def _short(outcome):
    return outcome if len(outcome) <= 100 else f"{outcome[:97]}..."
