"""A derivation as data: what is done on the way back, one step after another, before any of it is written.

    Derivation.passages     a Passage for each line of the forward pass, last to first; each is a tuple of Steps
    Derivation.gradients    a Step for each parameter
    Step                    left = right, a kind, and a Reason; a step that `continues` goes on from the one before
    Reason                  a key into the table of words of a language, and the formulas that its sentence shows

Nothing here knows a language, a notation or a page: `document` turns steps into lines and sentences, and printers turn
those into LaTeX, Markdown, HTML or text. Every step is an equality that holds, and the tests compute both its sides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from sympy import Expr

from ..errors import DerivationError
from ..program import Equation, Program
from .differentials import Differentials
from .sheet import Row, Sheet
from .unfolding import Unfolding

LEVELS = ("gradients", "backprop", "every-step")


@dataclass(frozen=True)
class Reason:
    """Why a step holds: `key` names a sentence; `about` holds its formulas, lines and variables.

    A value of `about` is an expression or an equation, shown as a formula, or a tuple of them; what is called "lines"
    holds lines of the forward pass, shown as references.
    """

    key: str
    about: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Step:
    """One formula of a derivation: left = right.

    kind : "differential" of a line, "pairing" with the adjoint of the line, "reading" of an adjoint, "gradient".
    continues : the left-hand side is that of the step before, and is not written again.
    implicit : the right-hand side vanishes, which determines the left.
    whole : whether the step may stand in matrix notation; one that shows the indices is written with them.
    """

    kind: str
    left: Expr
    right: Expr
    reason: Reason | None = None
    continues: bool = False
    whole: bool = True
    implicit: bool = False

    @property
    def equation(self) -> Equation:
        """The step as an equation; its left-hand side may be a sum."""
        return Equation(self.left, self.right, self.implicit)


@dataclass(frozen=True)
class Passage:
    """What is done at one line of the forward pass on the way back; `facts` are derivatives of functions used here."""

    line: Equation
    steps: tuple[Step, ...]

    def of(self, *kinds: str) -> list[Step]:
        """Return the steps of some kinds."""
        return [s for s in self.steps if s.kind in kinds]


class Derivation:
    """The steps from a loss to its gradients at one level of detail: "gradients", "backprop" or "every-step".

    Raises
    ------
    DerivationError
        A level that is not known.
    """

    def __init__(self, program: Program, level: str = "backprop"):
        if level not in LEVELS:
            raise DerivationError(f"the level {level!r} is not known; expected one of {', '.join(LEVELS)}")
        self.program, self.level, self.sheet = program, level, Sheet(program)
        self.differentials = Differentials(self.sheet)
        self.unfolding = Unfolding(self.sheet, self.differentials)

    @property
    def forward(self) -> list[Equation]:
        """The lines of the forward pass."""
        return self.sheet.lines

    @cached_property
    def passages(self) -> list[Passage]:
        """What is done at each line between the parameters and the loss, last to first; lines without steps left out.

        At the level "gradients" the adjoints alone; at "backprop" the differential before them; at "every-step" all
        that leads from one to the other, the parameters' adjoints included.
        """
        steps = {"gradients": self._adjoints, "backprop": self._backprop, "every-step": self._every_step}[self.level]
        found = [Passage(row.line, tuple(steps(row))) for row in self.sheet.rows]
        return [p for p in found if p.steps]

    @cached_property
    def gradients(self) -> list[Step]:
        """The parameters' adjoints."""
        return [Step("gradient", e.lhs, e.rhs, implicit=e.implicit) for e in self.sheet.gradients]

    # ---- levels

    @staticmethod
    def _adjoints(row):
        return [Step("reading", a.lhs, a.rhs, implicit=a.implicit) for a in row.adjoints]

    def _backprop(self, row: Row) -> list[Step]:
        found, reason = self.differentials.of(row.line), Reason("differential", {"lines": (row.line,)})
        taken = [Step("differential", found.lhs, found.rhs, reason, implicit=found.implicit)]
        return [*(taken if found.rhs != 0 or row.adjoints else []), *self._adjoints(row)]

    def _every_step(self, row: Row) -> list[Step]:
        if any(e.implicit for e in self.program.equations):     # solved as a whole: there are no steps between
            return [*self._backprop(row), *(Step("reading", g.lhs, g.rhs) for g in row.gradients)]
        steps = [*self._differential(row), *self._pairing(row)]
        for adjoint in (*row.adjoints, *row.gradients):
            steps += self._reading(adjoint)
        return steps

    def _differential(self, row):
        """The differential: derivatives of functions by name, as computed, values used again, collected."""
        lhs, found = self.differentials.of(row.line).lhs, self.unfolding.stages(row.line)
        reused = Reason("reused", {"formulas": found.values}) if found.values else Reason("tidied")
        reasons = {
            "named": Reason("differential", {"lines": (row.line,)}), "reused": reused, "final": Reason("collected"),
            "computed": Reason("derivatives", {"formulas": found.facts}),
        }
        stages = [(reasons[key], right) for key, right in found.stages if right is not None]
        stages[0] = (reasons["named"], stages[0][1])
        return self._chain("differential", lhs, stages)

    def _pairing(self, row):
        """The differential substituted in <adjoint, differential>, the terms of each differential collected."""
        pairing = self.unfolding.pairing(row)
        if pairing is None:
            return []
        left, substituted, collected = pairing
        about = {"lines": (row.line,)}
        stages = [(Reason("substituted", about), substituted), (Reason("gathered"), collected)]
        return self._chain("pairing", left, stages, whole=True)

    def _reading(self, adjoint):
        """An adjoint as it is read off: with brackets, without them, in its final form."""
        primal = self.unfolding.primal_of(adjoint.name)
        readers = tuple(self.unfolding.readers(primal))
        first = Reason("read", {"lines": readers}) if len(readers) < 2 else Reason("contributions", {"lines": readers})
        constants = tuple(self.unfolding.constants_in(primal))
        last = Reason("constants", {"formulas": constants}) if constants else \
            Reason("deviations") if self.unfolding.vanishes_in(primal) else Reason("tidied")
        assumed = self.program.since.get(adjoint.name)
        facts = (*self.program.assumptions, *self.program.follows)
        last = Reason("assumed", {"fact": tuple(a for a in facts if a.fact in assumed)}) if assumed else last
        stages = [(first, self.unfolding.bracketed(primal)), (Reason("brackets"), self.unfolding.contributed(primal)),
                  (last, adjoint.rhs)]
        if stages[0][1] is None:
            stages = [(first, stages[1][1]), stages[2]]
        return self._chain("reading", adjoint.lhs, stages)

    @staticmethod
    def _chain(kind, left, stages, whole=False) -> list[Step]:
        """Return steps that go on from one another, without repeats; the last may stand in matrix notation too."""
        kept = [(reason, right) for k, (reason, right) in enumerate(stages) if k == 0 or right != stages[k - 1][1]]
        steps = [Step(kind, left, right, reason, k > 0, whole) for k, (reason, right) in enumerate(kept)]
        if not whole:
            steps.append(Step(kind, left, kept[-1][1], Reason("matrix"), continues=True))
        return steps
