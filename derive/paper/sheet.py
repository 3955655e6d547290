"""What is shown of a derived program: its lines, what each line's differential says, and the adjoints read off it.

A log-sum-exp that only the lines above the loss need has no line of its own: it is written out where it is read, and
exp(Z - lse) is the softmax. A function value that was named to be shared is a line, but has no adjoint of its own.
"""

from dataclasses import dataclass, field
from functools import cached_property

from sympy import Expr, Idx, KroneckerDelta, exp

from ..arrays import Array
from ..binders import LogSumExp, Maximum, has_binder
from ..functions import relu, step
from ..program import Equation, Program, companion_name
from ..rule import backward
from ..simplify import tidied
from ..terms import bottom_up, free_indices, instantiated, read_name, reads


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
        self.definitions = {e.name: e for e in program.forward if all(isinstance(i, Idx) for i in e.indices)}

    @cached_property
    def primal(self) -> Program:
        """The forward equations alone."""
        ties = {companion_name(e) for e in self.program.forward if isinstance(e.rhs, Maximum)}    # the rule counts anew
        adjoint = set(self.program.adjoints.values()) | ties
        variables = {n: v for n, v in self.program.variables.items() if n not in adjoint}
        return self.program.with_equations(
            (e for e in self.program.forward if e.name not in ties), variables=variables, adjoints={})

    @cached_property
    def _plain(self) -> Program:
        """The program with every adjoint, those too that are constants."""
        return tidied(backward(self.primal))

    @cached_property
    def active(self) -> list[str]:
        """The variables between the parameters and the loss."""
        return list(self._plain.adjoints)

    @cached_property
    def constants(self) -> dict[str, Equation]:
        """The adjoints that are constants and were put where they are read, by the name of the adjoint."""
        values: dict[str, Expr] = {}
        found = {}
        for e in self._plain.backward:
            rhs = e.rhs.xreplace({r: values[read_name(r)] for r in reads(e.rhs, values)})
            if self._plain.variables[e.name].primal not in self.program.adjoints \
                    and not free_indices(rhs) and not reads(rhs, self._plain.variables):
                values[e.name] = rhs
                found[e.name] = Equation(e.lhs, rhs)
        return found

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
        found, todo = set(), [equation]
        while todo:
            for name in {read_name(r) for r in reads(todo.pop().rhs, self._active)} - found:
                found.add(name)
                inner = self.hidden.get(name) or self.abbreviations.get(name)
                todo += [inner] if inner else []
        return found

    @cached_property
    def _active(self):
        return frozenset(self.active)

    @cached_property
    def rows(self) -> list[Row]:
        """The lines that have an adjoint or are the loss, last to first, each adjoint where it is complete."""
        shown = [e for e in reversed(self.primal.equations) if e.name in self._active and e.name not in self.hidden | self.abbreviations]
        result = [Row(e) for e in shown]
        last = {name: row for row in result for name in self.needs(row.line)}
        complete = {e.name: e for e in (*self.constants.values(), *self.program.backward)}
        for e in self._plain.backward:
            primal = self._plain.variables[e.name].primal
            if e.name in complete and primal in last and primal not in self.hidden:
                row, parameter = last[primal], self.program.variables[primal].kind == "parameter"
                (row.gradients if parameter else row.adjoints).append(complete[e.name])
        return result

    @property
    def gradients(self) -> list[Equation]:
        """The adjoints of the parameters, in the order in which they become known; of unused ones last."""
        found = [g for row in self.rows for g in row.gradients]
        names = {g.name for g in found}
        return found + [e for e in self.program.backward
                        if self.program.variables[self.program.variables[e.name].primal].kind == "parameter"
                        and e.name not in names]

    # ---- expressions

    def inlined(self, expr: Expr, names) -> Expr:
        """Return an expression with reads of the equations in `names` written out."""
        while found := reads(expr, names):
            changes = {r: self.written_out(r, names[read_name(r)]) for r in found}
            expr = expr.xreplace(changes)
        return expr

    @staticmethod
    def written_out(read: Expr, definition: Equation) -> Expr:
        """Return what a read stands for."""
        indices = getattr(read, "indices", ()) if read.is_Indexed else ()
        return instantiated(definition.rhs, dict(zip(definition.indices, indices, strict=True)))

    def through_relu(self, expr: Expr) -> Expr:
        """Write step(A) as step(Z) where A = relu(Z): the definition says it so."""
        def change(term):
            definition = self.definitions.get(read_name(term.args[0])) if isinstance(term, step) else None
            if definition is not None and isinstance(definition.rhs, relu):
                inner = self.written_out(term.args[0], definition).args[0]
                return step(inner)
            return term
        return bottom_up(expr, change)

    def softmax_of(self, term: Expr) -> tuple[str, LogSumExp, Expr] | None:
        """Return (name, log-sum-exp, exponent) where a term is exp(f - lse) with a hidden lse of f, else None."""
        if not isinstance(term, exp):
            return None
        for read in reads(term.args[0], self.hidden):
            lse = self.written_out(read, self.hidden[read_name(read)])
            exponent = term.args[0] + read
            if not reads(exponent, [read_name(read)]) and _same_term(exponent, lse):
                return read_name(read), lse, exponent
        return None


def _same_term(exponent, lse):
    """Tell whether `exponent` is the term of `lse` at some value of its bound index."""
    [(bound, _, _), *more] = lse.limits
    if more:
        return False
    return any(lse.function.xreplace({bound: i}) == exponent for i in free_indices(exponent))


def pseudo_array(name: str, indices: tuple[Idx, ...]) -> Expr:
    """Return a read of an array that stands for an expression."""
    return Array(name, tuple(i.upper + 1 for i in indices))[indices]


def is_label_bracket(term: Expr) -> bool:
    """Tell whether a term is [c = y[n]]: one-hot labels."""
    return isinstance(term, KroneckerDelta) and any(
        a.is_Indexed and all(isinstance(i, Idx) for i in a.indices) for a in term.args) and any(
        isinstance(a, Idx) for a in term.args)

