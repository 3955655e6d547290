"""What printing knows of the code around, and what the printed code needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sympy import Idx, Symbol

from derive.nodes import Node
from derive.program import Program

from .lowering import Lowered
from .precedence import Text


@dataclass
class Surroundings:
    """Prints nothing itself: what is known of the code around, and what the printed code needs."""

    states: frozenset[str] = frozenset()                    # arrays that hold row t at t + 1, the row -1 first
    adjoints: frozenset[str] = frozenset()                  # names that stand first among factors of one rank
    settings: frozenset[str] = frozenset()                  # names that stand before all other factors
    counters: frozenset[Symbol] = frozenset()               # loop variables: integers, but no sizes
    labels: frozenset[str] = frozenset()                    # integer data, which is no number of the module's dtype
    counted: frozenset[str] = frozenset()                   # arrays that may be of integers or conditions
    comparing: bool = False                                 # inside a comparison, where an integer stays one
    like: str = ""                                          # an array at hand that has the module's dtype
    handed: set[str] = field(default_factory=set)           # arrays that are gradients under another name
    risky: bool = False                                     # whether a branch may overflow where another one counts
    product_shape: str = ""                                 # of the last product of matrices before it was reshaped
    joined: bool = False                                    # many products by one matrix as one, on more reshapes
    taps: Mapping[str, tuple[Idx, ...]] = field(default_factory=dict)       # what arrays of windows are looped over
    layouts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)   # of products whose axes lie in another order
    sizes: dict[str, Symbol] = field(default_factory=dict)
    helpers: dict[str, None] = field(default_factory=dict)
    scipy: dict[str, None] = field(default_factory=dict)
    linalg: dict[str, None] = field(default_factory=dict)   # functions of scipy.linalg

    def code(self, node: Node) -> str:
        """Return the code of a whole right-hand side."""
        return self.text(node).code

    def text(self, node: Node) -> Text:
        own = getattr(node, "text", None)
        return getattr(self, f"_{type(node).__name__.lower()}")(node) if own is None else own(self)


def around(program: Program, low: Lowered) -> dict[str, Any]:
    """Return what printers know of a program, and of what it is lowered to."""
    adjoints = [n for n, v in program.variables.items() if v.primal] if program.results else program.adjoints.values()
    return {"states": frozenset(v.name for v in low.program.variables.values() if v.state),
            "adjoints": frozenset(adjoints), "labels": frozenset(v.name for v in program.kind("labels")),
            "taps": low.taps, "counted": low.program.counted}
