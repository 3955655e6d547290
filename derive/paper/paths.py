"""How one variable reaches the loss: its change carried from line to line, its adjoint written out."""

from functools import cached_property

from sympy import Expr, Symbol

from ..errors import DerivationError
from ..program import Equation
from ..simplify import tidied
from ..terms import instantiated, reads
from .derivation import Derivation, Reason, Step
from .sheet import name_of

LONGEST = 400               # operations; a longer formula is not written out further


class Path:
    """The way of one variable to the loss.

    Raises
    ------
    DerivationError
        What is named is no variable before the loss.
    """

    def __init__(self, derivation: Derivation, name: str):
        self.derivation, self.sheet, self.name = derivation, derivation.sheet, name
        if name not in self.sheet.active or name == self.sheet.program.loss:
            known = ", ".join(n for n in self.sheet.active if n != self.sheet.program.loss)
            raise DerivationError(f"no path leads from {name!r} to the loss; there are paths from {known}")

    @cached_property
    def lines(self) -> list[Equation]:
        """The lines on the way, first to last."""
        reached, found = {self.name}, []
        rows = [row.line for row in self.sheet.rows][::-1]
        for _ in rows:                                          # a state may be read before it is defined
            for line in rows:
                if line not in found and self.sheet.needs(line) & reached:
                    reached.add(line.name)
                    found.append(line)
        return [line for line in rows if line in found]

    @property
    def there(self) -> list[tuple[Equation, Step]]:
        """The change of each line on the way that comes from what changed before: other tangents are 0."""
        on_the_way = {self.name, *(line.name for line in self.lines)}
        still = {t.name: n for n, t in self.derivation.differentials.tangents.items() if n not in on_the_way}
        steps = []
        for line in self.lines:
            whole = self.derivation.differentials.of(line)
            right = whole.rhs.xreplace(dict.fromkeys(reads(whole.rhs, still), 0))
            steps.append((line, Step("path", whole.lhs, self._tidied(right), Reason("line", {"lines": (line,)}))))
        return [(line, s) for line, s in steps if s.right != 0]

    @property
    def back(self) -> list[Step]:
        """The adjoint of the variable, the adjoints in it written out one after another."""
        lines = {e.name: e for e in (*self.sheet.constants.values(), *self.sheet.program.backward)}
        equation = lines.get(f"d{self.name}")
        if equation is None:
            return []
        steps = [Step("path", equation.lhs, equation.rhs, self._read_off(self.name))]
        seen = {equation.name}
        while True:
            right = steps[-1].right
            found = [r for r in reads(right, lines) if name_of(r) not in seen and not _is_cyclic(lines[name_of(r)])]
            if not found:
                return steps
            name = name_of(found[0])
            changes = {r: _at(lines[name], r) for r in found if name_of(r) == name}
            right = self._tidied(right.xreplace(changes))
            if right.count_ops() > LONGEST:
                return steps
            seen.add(name)
            primal = self.derivation.unfolding.primal_of(name)
            steps.append(Step("path", equation.lhs, right, self._read_off(primal), continues=True))

    def _read_off(self, primal):
        return Reason("read", {"lines": tuple(self.derivation.unfolding.readers(primal))})

    def _tidied(self, expr: Expr) -> Expr:
        program = self.sheet.program.with_equations([Equation(Symbol("path", real=True), expr)])
        return tidied(program).equations[0].rhs


def _is_cyclic(equation):
    return bool(reads(equation.rhs, [equation.name]))


def _at(equation, read):
    return instantiated(equation.rhs, dict(zip(equation.indices, getattr(read, "indices", ()), strict=True)))
