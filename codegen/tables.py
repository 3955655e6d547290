"""What the command line shows, as tables."""

import re
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from derive.cost import leading
from derive.network import Network
from derive.program import Program

from .building import STEPS, Built
from .verify import JUDGES, Verdict, by_parameter


def summary(built: Sequence[Built]) -> Table:
    """Return the table of a build: one network a row."""
    table = Table(title="Largest disagreement with each judge, and seconds for each step", title_justify="left",
                  box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("network", no_wrap=True)
    for name in ("equations", "parameters", "operations", *(re.sub("[ -]", "\n", j) for j in JUDGES), *STEPS):
        table.add_column(name, justify="right", overflow="fold")
    for b in built:
        by_judge = {v.judge: v for v in b.verdicts}
        table.add_row(
            b.name, str(len(b.program.equations)), str(len(b.program.parameters)),
            leading(b.operations, b.program.derived),
            *(_cell(by_judge.get(judge)) for judge in JUDGES), *(f"{b.seconds[s]:.2f}" for s in STEPS),
        )
    return table


def remarks(built: Sequence[Built]) -> Iterator[str]:
    """Yield what judges had to say beyond numbers."""
    for b in built:
        for v in b.verdicts:
            yield from (f"{b.name}: {v.judge}: {line}" for line in (*v.complaints, *v.notes))
        if not b.passed:
            yield f"{b.name} fails its checks; its files were not written"


def _cell(verdict: Verdict | None) -> str:
    if verdict is None or verdict.skipped:
        return "–"
    number = "exact" if verdict.largest == 0 else f"{verdict.largest:.0e}"
    return number if verdict.passed else f"[bold red]FAILS {number}[/]"


def verdicts(network: str, program: Program, found: Sequence[Verdict]) -> Table:
    """Return the table of a check: one parameter a row."""
    table = Table(title=f"{network}: relative disagreement", title_justify="left")
    table.add_column("parameter")
    for v in found:
        table.add_column(f"{v.judge}\nat most {v.tolerance:.0e}", justify="right")
    table.add_column("verdict")
    for name, disagreements, fine in by_parameter(program, found):
        cells = ("–" if d is None else "exact" if d == 0 else f"{d:.1e}" for d in disagreements)
        table.add_row(name, *cells, "agrees" if fine else "[bold red]DIFFERS[/]")
    return table


def known(nets: Sequence[Network]) -> Table:
    """Return the table of networks shipped."""
    table = Table(box=None, pad_edge=False)
    for name in ("network", "parameters", "what it is"):
        table.add_column(name, no_wrap=name == "network")
    for net in nets:
        table.add_row(net.name, ", ".join(p.name for p in net.program().parameters), net.title)
    return table
