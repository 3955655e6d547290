"""Run the benchmarks: `python -m benchmarks`, or a selection; print the table, keep it where asked."""

import argparse
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from . import headline, measuring, report
from .contenders import NAMES
from .workloads import WORKLOADS


def main(arguments: list[str] | None = None) -> int:
    """Measure, one process a number of threads; print the table and, with --keep, write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(WORKLOADS)}; all by default")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--dtypes", nargs="+", default=["float32", "float64"], choices=["float32", "float64"])
    parser.add_argument("--contenders", nargs="+", default=list(NAMES), choices=NAMES, metavar="NAME",
                        help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument("--seconds", type=float, default=4.0, help="time for the rounds of one workload")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/: Markdown, CSV and a figure")
    parser.add_argument("--lines", type=Path, help="a file that every line is added to as it is measured")
    parser.add_argument("--render", type=Path, help="measure nothing: keep the table of such a file")
    parser.add_argument("--scaling", action="store_true", help="measure how cost grows, instead: benchmarks/scaling.py")
    parser.add_argument("--name", default="table", help="of the kept files; the README has those that are called table")
    parser.add_argument("--note", default="", help="a sentence that the kept table begins with")
    options = parser.parse_args(arguments)
    unknown = [w for w in options.workloads if w not in WORKLOADS]
    if unknown:
        parser.error(f"no workload is called {unknown[0]!r}; expected one of {', '.join(WORKLOADS)}")
    if options.scaling:
        return scaling(options.keep)
    if options.render:
        keep(read(options.render), options.note, options.name)
        return 0
    lines = []
    for threads in options.threads:
        lines += measured(threads, options)
    print(report.table(lines))
    if options.keep:
        keep(lines, options.note, options.name)
    return 0


def measured(threads: int, options: argparse.Namespace) -> list[dict]:
    """Return the lines that one measuring process gives."""
    command = [sys.executable, "-m", "benchmarks.measuring", "--threads", str(threads), "--dtypes", *options.dtypes,
               "--workloads", *(options.workloads or WORKLOADS), "--contenders", *options.contenders,
               "--seconds", str(options.seconds)]
    lines = []
    with subprocess.Popen(command, env=measuring.environment(threads), stdout=subprocess.PIPE, text=True,
                          cwd=Path(__file__).parents[1]) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                lines.append(json.loads(line))
                if options.lines:
                    with options.lines.open("a", encoding="utf-8") as file:
                        file.write(line)
    if process.returncode:
        raise SystemExit(f"measuring with {threads} thread(s) failed with status {process.returncode}")
    return lines


def read(path: Path) -> list[dict]:
    """Return the lines of a file, the last where one was measured twice, in the order of the workloads."""
    found = {(d["threads"], d["dtype"], d["workload"]): d for d in map(json.loads, path.read_text().splitlines())}
    order = list(WORKLOADS)
    return [found[key] for key in sorted(found, key=lambda k: (k[0], k[1], order.index(k[2])))]


def keep(lines: list[dict], note: str, name: str = "table") -> None:
    """Write a table and all its numbers; of the one that is called table also the figure, and the README's part."""
    report.RESULTS.mkdir(exist_ok=True)
    (report.RESULTS / f"{name}.md").write_text(report.markdown(lines, note), encoding="utf-8")
    (report.RESULTS / f"{name}.csv").write_text(report.as_csv(lines), encoding="utf-8")
    if name == "table":
        headline.put()
        if find_spec("matplotlib"):
            from . import figures

            figures.ratios(report.RESULTS / "table.csv", report.RESULTS / "table.svg")


def scaling(kept: bool) -> int:
    """Measure how cost grows, in a process of one thread; print it and, where asked, keep it."""
    command = [sys.executable, "-m", "benchmarks.scaling", *(["--keep"] if kept else [])]
    return subprocess.run(command, env=measuring.environment(1), cwd=Path(__file__).parents[1], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
