"""What the doctor says: findings, each a mistake with its parameters, its equation and its evidence; and a verdict."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

RIGHT, WRONG, UNKNOWN = "right", "wrong", "cannot tell"


@dataclass(frozen=True)
class Finding:
    """One mistake.

    `kind` is its class; `name` the variable whose equation it is in ("" where none); `explains` the parameters whose
    gradients it accounts for.
    """

    kind: str
    words: str
    name: str = ""
    explains: tuple[str, ...] = ()
    mistake: str = ""                   # the mistake alone, without its place and evidence

    def __str__(self) -> str:
        return self.words


@dataclass
class Diagnosis:
    """What is the matter with somebody's backprop of a network, or that nothing is.

    `verdict` is "right", "wrong" or "cannot tell". `disagreements` has for each parameter the largest difference from
    the derived gradient, relative to its largest entry; `remarks` what is worth knowing and no mistake.
    """

    network: str
    verdict: str = UNKNOWN
    findings: list[Finding] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    disagreements: Mapping[str, float] = field(default_factory=dict)
    tolerance: float = 0.0
    where: str = ""                     # " where Y is one-hot in each row", " but where a maximum is attained twice"

    def find(self, kind: str, words: str, name: str = "", explains: Iterable[str] = (), mistake: str = "") -> None:
        """Add a finding."""
        self.findings.append(Finding(kind, words, name, tuple(explains), mistake))

    @property
    def right(self) -> bool:
        return self.verdict == RIGHT

    @property
    def kinds(self) -> tuple[str, ...]:
        """The classes of the mistakes found, in the order told."""
        return tuple(f.kind for f in self.findings)

    def lines(self) -> list[str]:
        """Return the diagnosis, a sentence a line."""
        return [self.headline(), *(f"{k}. {f}" for k, f in enumerate(self.findings, 1)), *self.remarks]

    def headline(self) -> str:
        """Return the verdict in one sentence."""
        if self.verdict == RIGHT:
            worst = max(self.disagreements.values(), default=0.0)
            where = max(self.disagreements, key=lambda n: self.disagreements[n], default="")
            size = f"at most {worst:.1g} of the largest entry (in d{where})" if worst else "none"
            return f"{self.network}: right{self.where}. Disagreement: {size}; rounding explains {self.tolerance:.0e}"
        if self.verdict == UNKNOWN:
            return f"{self.network}: cannot tell"
        count = len(self.findings)
        return f"{self.network}: wrong" + (f", {count} mistakes" if count > 1 else "")

    def __str__(self) -> str:
        return "\n".join(self.lines())
