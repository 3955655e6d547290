"""Second derivatives of every network beside PyTorch's, which differentiates its forward equations twice.

    python -m tests.second_order                    every network, about ten minutes
    python -m tests.second_order mlp lstm           some
    python -m tests.second_order --keep             and put their rows into the table of docs/second-derivatives.md

Differences are relative to the largest entry of the whole Hessian, or product; the exit status is 1 where one is too
large.
"""

import argparse
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import codegen
from derive.cost import operations
from derive.hessians import hessian, hessian_trace, hessian_vector_product
from derive.networks import loading
from derive.pipeline import derived

from . import torch_programs
from .shipped import arguments, large, with_sizes

TOLERANCE, SYMMETRIC = 1e-9, 1e-12
DEAREST = 6                 # gradients (with the loss) that a product with the Hessian may cost, in operations
PAGE = Path(__file__).parents[1] / "docs" / "second-derivatives.md"
TABLE = re.compile(r"(?<=<!-- python -m tests.second_order --keep -->\n)(.*?)(?=<!-- end -->)", re.DOTALL)
COLUMNS = ("network", "entries", "cost of H v", "H v", "uᵀHv − vᵀHu", "H", "H − Hᵀ", "trace of H")


@dataclass(frozen=True)
class Row:
    """How far a network's second derivatives are from PyTorch's, and from being symmetric."""

    name: str
    entries: int
    cost: float
    product: float
    exchanged: float
    hessian: float
    turned: float
    trace: float

    @property
    def passed(self) -> bool:
        largest = max(self.product, self.exchanged, self.hessian, self.trace)
        return self.cost <= DEAREST and largest <= TOLERANCE and self.turned <= SYMMETRIC       # none holds of a NaN

    def cells(self) -> list[str]:
        """Return the row as texts."""
        found = (self.product, self.exchanged, self.hessian, self.turned, self.trace)
        return [self.name, str(self.entries), f"{self.cost:.2f}", *(f"{x:.0e}" if x else "0" for x in found)]


class Point:
    """A network's forward program at a random point where its second derivatives are finite."""

    def __init__(self, name: str, seed: int = 0):
        self.program = loading.named(name).program()
        for positive in (False, True):
            self.sizes, self.given = arguments(self.program, seed, positive)
            self.theirs = self._torch_hessian()
            if np.isfinite(self.theirs).all():
                break
        self.scale = float(np.abs(self.theirs).max()) or 1.0

    def _torch_hessian(self) -> np.ndarray:
        """Return PyTorch's whole Hessian, the parameters one after the other along both axes."""
        tensors = {n: torch.tensor(v) for n, v in self.given.items()}
        parameters = [tensors[p.name].requires_grad_() for p in self.program.parameters]
        loss = torch_programs.loss(self.program, self.sizes, tensors)
        gradients = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
        rows = []
        for g in gradients:
            found = [torch.zeros(g.numel(), *p.shape) for p in parameters]
            if g.requires_grad:
                found = torch.autograd.grad(g.reshape(-1), parameters, torch.eye(g.numel(), dtype=g.dtype),
                                            is_grads_batched=True, retain_graph=True, materialize_grads=True)
            rows.append(np.hstack([f.numpy().reshape(g.numel(), -1) for f in found]))
        return np.vstack(rows)

    def call(self, program, *more):
        """Return what the function of a program returns here."""
        function = codegen.lambdify(program)
        return function(*self.given.values(), *more, **with_sizes(function, self.sizes))

    def direction(self, seed: int) -> np.ndarray:
        return np.random.default_rng(seed).normal(size=len(self.theirs))

    def apart(self, whole: np.ndarray) -> list[np.ndarray]:
        """Return a vector of all parameters as an array for each."""
        shapes = [self.given[p.name].shape for p in self.program.parameters]
        ends = np.cumsum([int(np.prod(s)) for s in shapes])[:-1]
        return [np.reshape(v, s) for v, s in zip(np.split(whole, ends), shapes, strict=True)]

    def products(self) -> tuple[float, float]:
        """Return how far H v is from PyTorch's, and u'(H v) from v'(H u)."""
        function = codegen.lambdify(hessian_vector_product(self.program))
        extra = with_sizes(function, self.sizes)
        u, v = self.direction(1), self.direction(2)
        Hu, Hv = (np.concatenate([np.ravel(g) for g in function(*self.given.values(), self.apart(d), **extra)])
                  for d in (u, v))
        largest = float(np.abs(self.theirs @ v).max()) or 1.0
        exchanged = abs(u @ Hv - v @ Hu) / (np.abs(u) @ np.abs(Hv) or 1.0)
        return float(np.abs(Hv - self.theirs @ v).max() / largest), float(exchanged)

    def hessian(self) -> np.ndarray:
        """Return our Hessian, all blocks of it; a block that stands for two is turned for the other."""
        names = [p.name for p in self.program.parameters]
        found = self.call(hessian(self.program))
        if len(names) == 1:
            return np.reshape(found, self.theirs.shape)
        count = {n: self.given[n].size for n in names}
        blocks = found._asdict()
        return np.block([[
            np.reshape(blocks[f"{a}_{b}"], (count[a], count[b])) if i <= k
            else np.reshape(blocks[f"{b}_{a}"], (count[b], count[a])).T for k, b in enumerate(names)]
            for i, a in enumerate(names)])


def cost(program) -> float:
    """Return how many operations a product with the Hessian takes, in those of the loss and its gradient."""
    gradient, sizes = derived(program), large(program)
    product = hessian_vector_product(program)
    return float(operations(product).xreplace(sizes) / operations(gradient).xreplace(sizes))


def judged(name: str) -> Row:
    """Derive a network's second derivatives, compute them at a point and compare."""
    point = Point(name)
    product, exchanged = point.products()
    ours = point.hessian()
    [trace] = np.atleast_1d(point.call(hessian_trace(point.program)))
    return Row(name, len(ours), cost(point.program), product, exchanged,
               float(np.abs(ours - point.theirs).max() / point.scale),
               float(np.abs(ours - ours.T).max() / point.scale),
               float(abs(trace - np.trace(point.theirs)) / max(np.abs(np.diag(point.theirs)).sum(), point.scale)))


def kept() -> dict[str, list[str]]:
    """Return the rows of the table on paper, as texts, by the names of the networks."""
    [text] = TABLE.findall(PAGE.read_text(encoding="utf-8"))
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines()[2:]]
    return {r[0]: r for r in rows}


def keep(rows: Iterable[Row]) -> None:
    """Put rows into the table on paper, in place of those of the same networks."""
    before = {name: cells for name, cells in kept().items() if name in loading.names()}
    found = before | {r.name: r.cells() for r in rows}
    lines = ["| " + " | ".join(cells) + " |" for cells in (COLUMNS, *(found[name] for name in sorted(found)))]
    text = "\n".join([lines[0], "|---" + "|--:" * (len(COLUMNS) - 1) + "|", *lines[1:]]) + "\n"
    PAGE.write_text(TABLE.sub(lambda _: text, PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def main(argv=None) -> int:
    """Judge networks, print how each does, and keep the table where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.second_order", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks; all by default")
    parser.add_argument("--keep", action="store_true", help=f"put the rows into the table of docs/{PAGE.name}")
    wanted = parser.parse_args(argv)
    rows = []
    for name in wanted.names or loading.names():
        rows.append(judged(name))
        print(*rows[-1].cells(), "" if rows[-1].passed else "FAILED", sep="  ", flush=True)
    if wanted.keep:
        keep(rows)
    return int(not all(r.passed for r in rows))


if __name__ == "__main__":
    sys.exit(main())
