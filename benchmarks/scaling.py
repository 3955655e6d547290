"""How cost grows: derivation, generation and output against depth, running time against depth, width, T and batch.

Slopes are those of straight lines fitted on logarithmic axes: 1 is linear. Derivation and generation are seconds of the
processor, running is seconds of the clock. Memory at peak is what NumPy allocates in one call, beside the residual
memory that `program.cost()` tells beforehand.
"""

import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
from sympy import Integer

import codegen

from . import networks
from .naive import FUNCTIONS
from .report import RESULTS, machine
from .workloads import WORKLOADS, Workload, perceptron, recurrence

ROOT = Path(__file__).parents[1]
DEPTHS = (4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True)
class Series:
    """A quantity against a size: what it is, the sizes, the numbers."""

    name: str
    against: str
    unit: str
    sizes: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def slope(self) -> float:
        """The slope of the fitted line on logarithmic axes, over the larger half of the sizes."""
        half = len(self.sizes) // 2
        return float(np.polyfit(np.log(self.sizes[half:]), np.log(self.values[half:]), 1)[0])


def derivation(depths=DEPTHS) -> list[Series]:
    """Return the processor's seconds of derivation and generation, and the length of the module, against depth."""
    found: dict[str, list[float]] = {"derivation": [], "generation": [], "module": []}
    networks.perceptron(2).backward()                           # SymPy's caches are warm
    for depth in depths:
        start = time.process_time()
        program = networks.perceptron(depth).backward()
        derived = time.process_time()
        text = codegen.source(program)
        found["derivation"].append(derived - start)
        found["generation"].append(time.process_time() - derived)
        found["module"].append(len(text) / 1000)
    units = {"derivation": "s", "generation": "s", "module": "kB"}
    return [Series(name, "layers", units[name], tuple(depths), tuple(values)) for name, values in found.items()]


def running() -> list[Series]:
    """Return the seconds a call of our plain modules against depth, width, T and batch."""
    made: list[tuple[str, tuple[int, ...], Callable[[int], Workload]]] = [
        ("depth", (2, 4, 8, 16, 32), lambda k: perceptron("mlp", 64, 256, *[256] * (k - 1), 10)),
        ("width", (128, 256, 512, 1024), lambda w: perceptron("mlp", 128, w, w, w, 10)),
        ("T", (16, 32, 64, 128, 256), lambda T: recurrence("rnn", "RNN", networks.rnn, 1, T, 32, 64, 128)),
        ("batch", (64, 128, 256, 512, 1024), lambda n: perceptron("mlp", n, 256, 256, 256, 10)),
    ]
    return [Series("loss and gradient", against, "s", sizes, tuple(_seconds(make(n)) for n in sizes))
            for against, sizes, make in made]


def _seconds(workload):
    function = codegen.lambdify(workload.network().backward())
    arguments = workload.arguments(np.float32)
    function(**arguments)
    times = []
    for _ in range(9):
        start = time.perf_counter()
        function(**arguments)
        times.append(time.perf_counter() - start)
    return median(times)


def import_seconds(name: str = "mlp", tries: int = 5) -> float:
    """Return the seconds that importing a generated module takes once NumPy is there, its bytecode cached."""
    code = ("import numpy, time; start = time.perf_counter(); "
            f"import generated.{name}; print(time.perf_counter() - start)")
    found = [float(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
                                  env={**os.environ, "PYTHONPATH": str(ROOT)}).stdout) for _ in range(tries + 1)]
    return median(found[1:])


def peak_bytes(run: Callable) -> int:
    """Return the most memory that one call of a function holds at a time, in bytes, beyond its arguments."""
    run()
    tracemalloc.start()
    run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def memory() -> list[tuple[str, float, float, float]]:
    """Return for each workload with a gradient: its title, our megabytes at peak, naive NumPy's, and the residuals'."""
    rows = []
    for workload in WORKLOADS.values():
        if workload.wanted != "gradient":
            continue
        program = workload.network().backward()
        function, arguments = codegen.lambdify(program), workload.arguments(np.float32)
        sizes = {s: Integer(workload.sizes[s.name]) for s in program.sizes if s.name in workload.sizes}
        sizes |= {s: formula.xreplace(sizes) for s, formula in program.derived.items()}
        told = program.cost(itemsize=4).residuals.xreplace(sizes)
        naive = FUNCTIONS[workload.name]
        ours = peak_bytes(lambda f=function, a=arguments: f(**a))
        theirs = peak_bytes(lambda f=naive, a=arguments: f(**a))
        rows.append((workload.title, ours / 1e6, theirs / 1e6, float(told) / 1e6))
    return rows


def markdown(series: list[Series], memories: list[tuple[str, float, float, float]], imported: float) -> str:
    """Return what was found as Markdown."""
    lines = ["| quantity | against | slope | at the largest |", "|---|---|---|---|"]
    lines += [f"| {s.name} | {s.against} | {s.slope:.2f} | {s.values[-1]:.3g} {s.unit} at {s.sizes[-1]} |"
              for s in series]
    lines += ["", f"Importing a generated module takes {imported * 1e3:.1f} ms once NumPy is there.", "",
              "| float32, megabytes | ours, plain, at peak | naive NumPy at peak | residuals, by formula |",
              "|---|---|---|---|"]
    lines += [f"| {title} | {ours:.3g} | {naive:.3g} | {told:.3g} |" for title, ours, naive, told in memories]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and keep the tables and the figure where asked."""
    series = [*derivation(), *running()]
    text = markdown(series, memory(), import_seconds())
    print(text)
    if "--keep" in sys.argv:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "scaling.md").write_text(f"Measured on {machine()}.\n\n{text}", encoding="utf-8")
        if find_spec("matplotlib"):
            from .figures import growth

            growth(series, RESULTS / "scaling.svg")


if __name__ == "__main__":
    main()
