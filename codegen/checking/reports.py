"""What a check found: a verdict for each parameter, and the evidence."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape

import numpy as np
from numpy.typing import NDArray

from .stepping import Sweep

RIGHT, WRONG, NOTHING = "right", "wrong", "says nothing"
Index = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Finding:
    """The verdict on the gradient of one parameter.

    `evidence` says why, most important first. `disagreement` is the largest difference from the estimate, less its
    error bar, relative to the gradient's largest entry; 0 where all is within the bars. `bar` has for each entry the
    least error of that entry alone that would have been seen; `unresolved` the entries whose bar is too wide to see
    one of them wrong by a thousandth, and `kinks` those with a kink, with their intervals of one-sided derivatives.
    """

    name: str
    verdict: str
    evidence: tuple[str, ...]
    disagreement: float = 0.0
    worst: Index | None = None
    bar: NDArray[np.float64] | None = None
    unresolved: NDArray[np.bool_] | None = None
    kinks: dict[Index, tuple[float, float]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the gradient is right; what says nothing does not pass."""
        return self.verdict == RIGHT

    def of_entry(self, *index: int) -> str:
        """Return the verdict on one entry: right as seen, wrong, or says nothing (not resolvable)."""
        if self.verdict == WRONG and self.worst == index:
            return WRONG
        if self.verdict == NOTHING or (self.unresolved is not None and self.unresolved[index]):
            return NOTHING
        return self.verdict

    def __str__(self) -> str:
        """Say the verdict and, indented, why."""
        first, *rest = self.evidence or ("",)
        return "\n".join([f"{self.name}: {self.verdict}: {first}", *(f"    {line}" for line in rest)])


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What a check found: remarks on the whole, and a finding for each parameter.

    `sweeps()` calls the function again, and yields the error of its differences at each step, for a figure.
    """

    loss: float
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...] = ()
    sweeps: Callable[[], Iterator[Sweep]] = lambda: iter(())

    @property
    def passed(self) -> bool:
        """Whether every gradient is right."""
        return bool(self.findings) and all(f.passed for f in self.findings)

    @property
    def verdict(self) -> str:
        """Wrong where one is wrong, says nothing where one says nothing, else right."""
        verdicts = {f.verdict for f in self.findings}
        return WRONG if WRONG in verdicts else NOTHING if NOTHING in verdicts or not verdicts else RIGHT

    def __getitem__(self, name: str) -> Finding:
        return next(f for f in self.findings if f.name == name)

    def __bool__(self) -> bool:
        return self.passed

    def _repr_html_(self) -> str:
        """Return the same as a table, as a notebook shows it."""
        told = ((escape(f.name), f.verdict, "<br>".join(map(escape, f.evidence))) for f in self.findings)
        rows = "".join(f"<tr><th scope='row'><code>{name}</code></th><td>{verdict}</td>"
                       f"<td style='text-align: left'>{why}</td></tr>" for name, verdict, why in told)
        remarks = "".join(f"<p>{escape(r)}</p>" for r in self.remarks)
        return f"{remarks}<table><tr><th>gradient</th><th>verdict</th><th>evidence</th></tr>{rows}</table>"

    def __str__(self) -> str:
        """Say everything, remarks first."""
        return "\n".join([*self.remarks, *map(str, self.findings)])

    __repr__ = __str__
