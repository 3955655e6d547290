"""How one variable reaches the loss: its change carried from line to line, its adjoint written out."""

from functools import cached_property

from sympy import Expr

from ..errors import DerivationError
from ..program import Equation
from ..simplify import tidied_rhs
from ..terms import apart, free_indices, instantiated, reads
from .derivation import Derivation, Reason, Step
from .routes import Routes
from .sheet import name_of

MOST_NAMES = 20             # in a message
LONGEST = 110               # operations; a longer formula is not written out further


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
            known = [n for n in self.sheet.active if n != self.sheet.program.loss]
            listed = ", ".join(known[:MOST_NAMES]) + (", ..." if len(known) > MOST_NAMES else "")
            raise DerivationError(f"no path leads from {name!r} to the loss; there are paths from {listed}")

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

    @cached_property
    def routes(self) -> Routes:
        """The ways to the loss through the lines between."""
        names = dict.fromkeys([self.name, *(line.name for line in self.lines)])
        read = [(n, e) for n in names for e in self.lines if n in self.sheet.needs(e)]
        pairs = dict.fromkeys((n, e.name) for n, e in read if not (e.implicit and n == e.name))
        readers = {n: [reader for name, reader in pairs if name == n] for n in names}
        return Routes(readers, self.name, self.sheet.program.loss)

    @property
    def there(self) -> list[tuple[Equation, Step]]:
        """The change of each line on the way that comes from what changed before: other tangents are 0."""
        on_the_way = {self.name, *(line.name for line in self.lines)}
        still = {t.name: n for n, t in self.derivation.differentials.tangents.items() if n not in on_the_way}
        steps = []
        for line in self.lines:
            whole = self.derivation.differentials.of(line)
            right = whole.rhs.xreplace(dict.fromkeys(reads(whole.rhs, still), 0))
            reason = Reason("line", {"lines": (line,)})
            steps.append((line, Step("path", whole.lhs, self._tidied(right), reason, implicit=line.implicit)))
        return [(line, s) for line, s in steps if s.right != 0]

    @property
    def back(self) -> list[Step]:
        """The adjoint of the variable, the adjoints in it written out one after another while the formula has room."""
        return self._written_out[0]

    @property
    def is_written_out(self) -> bool:
        """Whether `back` goes all the way to the loss, or to what a recurrence goes round in."""
        return self._written_out[1]

    @cached_property
    def _written_out(self) -> tuple[list[Step], bool]:
        steps = [self._adjoint(self.name)] if self.name in self._adjoints else []
        seen = {self.name}
        while steps and (waiting := self._waiting(steps[-1].right, seen)):
            equation = self._adjoints[waiting[0]]
            right = steps[-1].right
            right = self._tidied(_written_in(right, equation, {i.name for i in free_indices(steps[0].left)}))
            if right.count_ops() > LONGEST:
                return steps, False
            seen.add(waiting[0])
            steps.append(Step("path", steps[0].left, right, self._read_off(waiting[0]), continues=True))
        return steps, True

    @property
    def partings(self) -> list[Step]:
        """The adjoints of the variable, and of those from which several paths lead on."""
        starts = [n for stretch in self.routes.drawn() for n in stretch.start]
        return [self._adjoint(n) for n in dict.fromkeys([self.name, *starts]) if n in self._adjoints]

    @cached_property
    def _adjoints(self) -> dict[str, Equation]:
        """The lines of the adjoints by what they are the adjoints of."""
        unfolding = self.derivation.unfolding
        lines = (*self.sheet.constants.values(), *self.sheet.program.backward)
        return {unfolding.primal_of(e.name): e for e in lines if e.name in unfolding.raw.variables}

    def _waiting(self, expr, seen):
        """Return what the adjoints in an expression belong to that may still be written out."""
        primals = {e.name: n for n, e in self._adjoints.items()}
        found = [primals[name_of(r)] for r in reads(expr, primals)]
        return [n for n in found if n not in seen and not _is_cyclic(self._adjoints[n])]

    def _adjoint(self, primal):
        equation = self._adjoints[primal]
        return Step("path", equation.lhs, equation.rhs, self._read_off(primal))

    def _read_off(self, primal):
        return Reason("read", {"lines": tuple(self.derivation.unfolding.readers(primal))})

    def _tidied(self, expr: Expr) -> Expr:
        return tidied_rhs(expr, self.sheet.program.prover)


def _is_cyclic(equation):
    return bool(reads(equation.rhs, [equation.name]))


def _written_in(expr, equation, taken):
    """Write an equation out where it is read; what its sums bind keeps clear of the indices around it."""
    found = {r: _at(equation, r) for r in reads(expr, [equation.name])}
    return apart(expr.xreplace(found), taken)


def _at(equation, read):
    return instantiated(equation.rhs, dict(zip(equation.indices, getattr(read, "indices", ()), strict=True)))
