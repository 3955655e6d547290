"""The page that tells the outcome of a sweep, from the outcomes of its programs."""

from collections import defaultdict
from collections.abc import Mapping

from tests.sweep_journal import Outcome

REASONS = {
    "is no real number at this point": "has no value at the small sizes where the referee judges it (0/0)",
    "a transpose needs two axes": "is 0 in a place where an array was meant",
    "reads a recurrence outside its range": "chooses, inside a recurrence, between rows that are not there",
}       # of what the toolkit says of a program that it does not take

PAGE = """# Random programs

Random networks over the whole language, each derived, generated and judged three times: by PyTorch on the forward
equations, by finite differences of the generated loss, and by the referee. Program number k is the same everywhere:
even numbers are networks in array notation (layers, normalisations, attention, losses by name), odd ones in index
notation (shifted, reversed, strided and looked-up reads, maxima, products, recurrences). This page is written by

    {command}

| outcome | programs |
|---|---|
{rows}
{failures}
These are the outcomes of each program's last run, on the code of

| commit | programs | from | to |
|---|---|---|---|
{commits}

What sweeps found is kept, each fault in the smallest program that has it, in `tests/test_sweep_findings.py` and
`tests/test_sweep_places.py`.
"""


def reason(outcome: str) -> str:
    """Return why a program was refused; "" for one that passed or failed."""
    return next((why for says, why in REASONS.items() if says in outcome), "")


def page(outcomes: Mapping[int, Outcome], command: str) -> str:
    """Return the page for the outcomes of programs by their numbers."""
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
    return PAGE.format(command=command, rows="\n".join(rows), commits="\n".join(ran),
                       failures=f"\nFailed:\n\n{failures}" if failures else "")


def _short(outcome):
    return outcome if len(outcome) <= 100 else f"{outcome[:97]}..."
