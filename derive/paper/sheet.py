"""What is shown of a derived program: its lines, and on the way back each line with the adjoints that it completes.

A log-sum-exp that only the lines above the loss need has no line of its own: it is written out where it is read, and
exp(Z - lse) is the softmax. A function value that was named to be shared is a line, but has no adjoint of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sympy import Expr, Idx, exp

from ..binders import Binder, LogSumExp, has_binder
from ..naming import named
from ..order import between
from ..program import Equation, Program, companion_name
from ..rule import adjoined
from ..simplify import assumed, is_another, is_spread, tidied
from ..terms import instantiated, read_name, reads


@dataclass(frozen=True)
class Row:
    """One line of the forward pass on the way back, the adjoints that are complete once it is done, and gradients."""

    line: Equation
    adjoints: list[Equation] = field(default_factory=list)
    gradients: list[Equation] = field(default_factory=list)


class Sheet:
    """A derived program as it stands on paper."""

    def __init__(self, program: Program):
        self.program = program
        explicit = (e for e in program.forward if not e.implicit)
        self.definitions = {e.name: e for e in explicit if all(isinstance(i, Idx) for i in e.indices)}

    @cached_property
    def primal(self) -> Program:
        """The forward equations alone."""
        binders = (e for e in self.program.forward if isinstance(e.rhs, Binder) and e.rhs.companion_word)
        companions = set(map(companion_name, binders))
        gone = companions | {e.name for e in self.program.backward}
        variables = {n: v for n, v in self.program.variables.items() if n not in gone}
        equations = (e for e in self.program.forward if e.name not in companions)
        return self.program.with_equations(equations, variables=variables, adjoints={}, since={})

    @cached_property
    def _named(self) -> Program:
        return named(self.primal)

    @cached_property
    def _plain(self) -> Program:
        """All adjoints in order; those that have no line of their own are derived again, the others are 0 here."""
        derived = adjoined(self._named, known=self.program.adjoints)
        return tidied(assumed(tidied(derived.with_equations(derived.backward))))

    @cached_property
    def active(self) -> dict[str, None]:
        """The variables between the parameters and the loss, parameters included, last first."""
        if self.program.results:                # all lines are shown as they are: nothing is derived on the page
            return {}
        return dict.fromkeys([*between(self._named), *(p.name for p in self._named.parameters)])

    @cached_property
    def constants(self) -> dict[str, Equation]:
        """The adjoints that are constants, or the same along an axis, and were put where they are read, by name."""
        found: dict[str, Equation] = {}
        for e in self._plain.backward:
            rhs = self.inlined(e.rhs, found)
            primal = self._plain.variables[e.name].primal
            read = [name_of(r) for r in reads(rhs, self._plain.variables)]
            told = is_another(rhs, e.indices) or is_spread(rhs, e.indices, self._plain.variables)
            if primal not in self.program.adjoints and told and (
                    not read or (read[0] in self.program.variables and not self._is_shared_value(primal))):
                found[e.name] = Equation(e.lhs, rhs)
        return found

    def _is_shared_value(self, name):
        """Tell whether a line is a function value that has its name after the function: tanh_Z = tanh(Z)."""
        line = self.definitions.get(name)
        return line is not None and name.startswith(f"{getattr(line.rhs, 'word', type(line.rhs).__name__)}_")

    # ---- lines

    @cached_property
    def hidden(self) -> dict[str, Equation]:
        """The log-sum-exps that are written out where they are read."""
        return {
            n: e for n, e in self.definitions.items()
            if isinstance(e.rhs, LogSumExp) and n.startswith(f"{LogSumExp.word}_")
            and n not in self.program.outputs and n not in self.program.adjoints
        }

    @cached_property
    def abbreviations(self) -> dict[str, Equation]:
        """The function values that were named to be shared: they have a line, and no adjoint."""
        return {
            n: e for n, e in self.definitions.items()
            if n in self.active and n not in self.program.adjoints and n not in self.hidden
            and f"d{n}" not in self.constants and not has_binder(e.rhs)
        }

    @cached_property
    def exponentials(self) -> list[Equation]:
        """The lines that are exponentials, which differentials read where their values stand."""
        return [e for e in self.definitions.values() if isinstance(e.rhs, exp)]

    @cached_property
    def lines(self) -> list[Equation]:
        """The forward equations that are shown."""
        return [e for e in self.program.forward if e.name not in self.hidden]

    def needs(self, equation: Equation) -> set[str]:
        """Return the active variables that an equation reads, also through what is written out or abbreviated."""
        found: set[str] = set()
        todo = [equation]
        while todo:
            for name in {name_of(r) for r in reads(todo.pop().rhs, self.active)} - found:
                found.add(name)
                inner = self.hidden.get(name) or self.abbreviations.get(name)
                todo += [inner] if inner else []
        return found

    # ---- rows

    @cached_property
    def rows(self) -> list[Row]:
        """The lines between the parameters and the loss, last to first, each with the adjoints that it completes."""
        passed = {*self.hidden, *self.abbreviations}
        result = [Row(e) for e in reversed(self.primal.equations) if e.name in self.active and e.name not in passed]
        last = {name: row for row in result for name in self.needs(row.line) if name not in self.hidden}
        complete = self.constants | {e.name: e for e in self.program.backward}
        companions: dict[str, list[Equation]] = {}
        for e in self.program.backward:
            companions.setdefault(self.program.variables[e.name].companion_of or "", []).append(e)
        for e in self._plain.backward:
            primal = self._plain.variables[e.name].primal
            if e.name in complete and primal in last:
                row = last[primal]
                row.adjoints.extend(companions.get(e.name, ()))
                (row.gradients if self.is_parameter(primal) else row.adjoints).append(complete[e.name])
        return result

    @property
    def gradients(self) -> list[Equation]:
        """The adjoints of the parameters, in the order in which they become known; of unused ones last."""
        found = [g for row in self.rows for g in row.gradients]
        names = {g.name for g in found}
        return found + [
            e for e in self.program.backward
            if self.is_parameter(self.program.variables[e.name].primal) and e.name not in names
        ]

    def is_parameter(self, name: str | None) -> bool:
        """Tell whether a variable is a parameter."""
        return name is not None and self.program.variables[name].kind == "parameter"

    # ---- expressions

    def inlined(self, expr: Expr, definitions: Mapping[str, Equation]) -> Expr:
        """Return an expression with reads of what `definitions` define written out."""
        while found := reads(expr, definitions):
            expr = expr.xreplace({r: written_out(r, definitions[name_of(r)]) for r in found})
        return expr


def name_of(read: Expr) -> str:
    """Return the name of the variable that a read reads."""
    name = read_name(read)
    assert name is not None, f"{read} is no read"
    return name


def written_out(read: Expr, definition: Equation) -> Expr:
    """Return what a read stands for."""
    indices = read.indices if read.is_Indexed else ()
    return instantiated(definition.rhs, dict(zip(definition.indices, indices, strict=True)))
