"""What a submission is: a network, code as somebody wrote it, and edits that make it wrong."""

import linecache
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from codegen.doctor import layered
from derive import Network

NUMBERS = count(1)


@dataclass
class Wrong:
    """Edits, (old, new); what a diagnosis has to say, and words of one that says it.

    No words where the doctor does not say it; None where it takes the code for right.
    """

    says: str
    edits: tuple[tuple[str, str], ...]
    named: str | None


@dataclass
class Submission:
    """Backprop that is right: a function of a network's parameters and inputs, or a layer's forward and backward."""

    network: Callable[[], Network]
    code: str
    entry: str | tuple[str, str]
    wrongs: list[Wrong] = field(default_factory=list)

    def wrong(self, says: str, *edits: tuple[str, str], named: str | None = "") -> None:
        """Add edits, of pieces that occur exactly once, that make the code wrong."""
        for old, _ in edits:
            assert self.code.count(old) == 1, f"{old!r} occurs {self.code.count(old)} times in {self.entry}"
        self.wrongs.append(Wrong(says, edits, named))

    def handed_in(self, *edits: tuple[str, str]) -> Callable:
        """Return the function that the code, edited, defines."""
        code = self.code
        for old, new in edits:
            code = code.replace(old, new)
        file = f"<{self.network.__name__}, handed in {next(NUMBERS)}>"
        linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)     # so that its lines are seen
        space = {"np": np}
        exec(compile(code, file, "exec"), space)
        return space[self.entry] if isinstance(self.entry, str) else layered(*(space[name] for name in self.entry))
