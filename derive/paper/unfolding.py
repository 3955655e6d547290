"""What a student writes between an equation and its adjoints: each stage of a differential, each bracket of a read."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from sympy import Add, Derivative, Expr, Function, Idx, KroneckerDelta, Mul, Subs, Sum, Symbol, exp, log
from sympy.core.function import UndefinedFunction

from ..binders import has_binder
from ..derivatives import partials
from ..deviations import means_of, without_vanishing
from ..functions import Elementwise
from ..program import Equation, Program
from ..rule import backward, differential
from ..simplify import tidied_rhs
from ..terms import apart, bottom_up, fresh, index_names, instantiated, reads, rename, subterms
from .differentials import Differentials
from .sheet import Row, Sheet, name_of

FAMILIAR = (exp, log)               # whose derivatives need no mention
VARIABLES = "zuxvstpq"              # the first that nothing is called stands for the argument of a function


@dataclass(frozen=True)
class Stages:
    """A differential in its stages (None where a stage has no form), and what leads from one to the next."""

    stages: list[tuple[str, Expr | None]]
    facts: tuple[Equation, ...]         # f'(z) = ..., of the functions in the line
    values: tuple[Equation, ...]        # the lines whose values are used again


class Unfolding:
    """Unfolds the lines and adjoints of one sheet."""

    def __init__(self, sheet: Sheet, differentials: Differentials):
        self.sheet, self.program, self.differentials = sheet, sheet.program, differentials
        self._passed = {**sheet.hidden, **sheet.abbreviations}

    # ---- differentials

    def stages(self, line: Equation) -> Stages:
        """Return a line's differential: with derivatives by name, as computed, with values used again, collected."""
        final = self.differentials.of(line).rhs
        reused = self.differentials.by_rule(line)
        heads = _functions(line.rhs)
        facts = tuple(fact for fact in (self.fact(h) for h in heads) if fact is not None)
        named = computed = None
        if not reads(line.rhs, self._passed) and not has_binder_inside(line.rhs):
            computed = self._differential(line)
            shown = {h: _by_name(h.__name__) for h in heads if self.fact(h) is not None}
            if shown:
                rhs = bottom_up(line.rhs, lambda t: shown[t.func](*t.args) if t.func in shown else t)
                named = self._differential(Equation(line.lhs, rhs))
        values = (line,) if reads(reused, [line.name]) and computed not in (None, reused) else ()
        return Stages([("named", named), ("computed", computed), ("reused", reused), ("final", final)], facts, values)

    def fact(self, head: type) -> Equation | None:
        """Return f'(z) = ... for an elementwise function, None where that is 0 or not known."""
        z = Symbol(next((c for c in VARIABLES if c not in self.program.variables), VARIABLES[0]), real=True)
        value = head(z).diff(z)
        if value == 0 or value.has(Derivative, Subs):
            return None
        return Equation(_by_name(f"{head.__name__}'")(z), self._tidy(value))

    def _differential(self, line):
        tangents = {n: t for n, t in self.differentials.tangents.items() if reads(line.rhs, [n])}
        return self._tidy(Add(*(differential(line, {n: t}, reuse=False) for n, t in tangents.items())))

    # ---- adjoints

    @cached_property
    def raw(self) -> Program:
        """The adjoint equations as the rule gives them."""
        return backward(self.sheet.primal)

    @cached_property
    def _sent(self) -> dict[str, Equation]:
        """The adjoint equations as the rule gives them, by primal, the loss's own adjoint being 1."""
        one = {Symbol(self.raw.adjoints.get(self.program.loss, "no loss"), real=True): 1}
        return {self.primal_of(e.name): Equation(e.lhs, e.rhs.xreplace(one)) for e in self.raw.backward}

    def primal_of(self, adjoint: str) -> str:
        """Return the variable whose adjoint this is."""
        return self.raw.variables[adjoint].primal or ""

    def readers(self, name: str) -> list[Equation]:
        """Return the lines that read a variable, also through what has no line of its own, last first."""
        return [row.line for row in self.sheet.rows if name in self.sheet.needs(row.line)]

    def contributed(self, name: str, line: Equation | None = None) -> Expr:
        """Return what all lines, or one of them, send back to a variable, adjoints without a line written out."""
        found = self._sent[name]
        rhs = Add(*self._inlined(found.rhs, line)) if line is None else Add(*self._from(found.rhs, line))
        return self._tidy(apart(rhs, {i.name for i in found.free}))

    def _inlined(self, rhs, line):
        return [self._written_out(t, line) for t in Add.make_args(rhs)]

    def _from(self, rhs, line) -> Iterator[Expr]:
        """Yield the terms that the adjoint of a line brings, those included that come through a passed variable."""
        own = self.raw.adjoints[line.name]
        passed = {self.raw.adjoints[n] for n in self._passed if n in self.raw.adjoints}
        for term in Add.make_args(rhs):
            if reads(term, passed):
                yield self._written_out(term, line)
            elif any(_is_at(read, line) for read in reads(term, [own])) or (
                    line.name == self.program.loss and not reads(term, self.raw.adjoints.values())):
                yield term

    def _written_out(self, term, line):
        for read in reads(term, [self.raw.adjoints[n] for n in self._passed if n in self.raw.adjoints]):
            equation = self._sent[self.primal_of(name_of(read))]
            rhs = Add(*(self._inlined(equation.rhs, None) if line is None else self._from(equation.rhs, line)))
            here = dict(zip(equation.indices, getattr(read, "indices", ()), strict=True))
            term = term.xreplace({read: instantiated(rhs, here)})
        return term

    def bracketed(self, name: str) -> Expr | None:
        """Return a variable's adjoint with the bracket of each read, None where a reader has no such form."""
        readers = self.readers(name)
        if any(not r.indices or reads(r.rhs, self._passed) or has_binder_inside(r.rhs) for r in readers) or not readers:
            return None
        return Add(*(self._bracket(p, reader, name) for reader in readers for p in partials(reader, [name])))

    def _bracket(self, partial, reader, name):
        """Sum over i, r of ybar[i] dF/dx [k = g]: the rule as it stands, i and r out of the way of k."""
        here = self.program.variables[name].indices if name in self.program.variables else ()
        taken = {i.name for i in here}
        changes: dict[Expr, Expr] = {}
        inside = index_names(partial.coefficient) | index_names(partial.read) | {i.name for i in reader.free}
        for index in (*reader.free, *(limit[0] for limit in partial.limits)):
            if index.name in taken:
                changes[index] = fresh(index, taken | inside)
            taken.add(changes.get(index, index).name)
        positions = getattr(partial.read, "indices", ())
        ybar = self.raw.variables[self.raw.adjoints[reader.name]].at(*reader.indices)
        body = rename(ybar * partial.coefficient, changes)
        brackets = [KroneckerDelta(k, rename(g, changes)) for k, g in zip(here, positions, strict=True)]
        ranges = [(i, i.lower, i.upper) for i in reader.free] + [tuple(limit) for limit in partial.limits]
        limits = [(changes.get(i, i), rename(low, changes), rename(high, changes)) for i, low, high in ranges]
        return Sum(Mul(body, *brackets), *limits) if limits else Mul(body, *brackets)

    def pairing(self, row: Row) -> tuple[Expr, Expr, Expr] | None:
        """Return <adjoint, differential> of a line, with the differential put in, and collected by differentials.

        None for the loss, which begins, and for a line whose differential is 0.
        """
        line, found = row.line, self.differentials.of(row.line)
        if line.name == self.program.loss or found.rhs == 0 or line.name not in self.raw.adjoints:
            return None
        ybar = self.raw.variables[self.raw.adjoints[line.name]].at(*line.indices)
        limits = [(i, i.lower, i.upper) for i in line.free]
        terms = []
        for name in (n for n in self.program.variables if n in self.sheet.needs(line) and n not in self._passed):
            at = self.program.variables[name].indices
            sent = self.contributed(name, line)
            terms.append(_summed(sent * self.differentials.tangents[name].at(*at), [(i, i.lower, i.upper) for i in at]))
        substituted = _summed(Mul(ybar, found.rhs, evaluate=False), limits)
        return _summed(ybar * found.lhs, limits), substituted, Add(*terms)

    def vanishes_in(self, name: str) -> bool:
        """Tell whether a sum of deviations from a mean is among the contributions to an adjoint."""
        contributed = self.contributed(name)
        return without_vanishing(contributed, means_of(self.program)) != contributed

    def constants_in(self, name: str) -> list[Equation]:
        """Return the adjoints of lines reading a variable that are constants, as equations."""
        known = (self.sheet.constants.get(f"d{r.name}") for r in self.readers(name))
        return [e for e in known if e is not None and self.primal_of(e.name) != self.program.loss]

    def _tidy(self, rhs):
        return tidied_rhs(rhs, self.program.prover)


def _is_at(read: Expr, line: Equation) -> bool:
    """Tell whether an adjoint is read at the rows of a line: a state has one line for row -1 and one for the rest."""
    at = getattr(read, "indices", ())
    return all(not k.is_number if isinstance(i, Idx) else i == k for i, k in zip(line.indices, at, strict=True))


def has_binder_inside(expr: Expr) -> bool:
    """Tell whether a sum or the like stands inside a function or a power, where the rule needs it named first."""
    if not has_binder(expr):
        return False
    if isinstance(expr, Add):
        return any(map(has_binder_inside, expr.args))
    if isinstance(expr, Mul):
        return sum(map(has_binder, expr.args)) > 1 or any(map(has_binder_inside, expr.args))
    return has_binder_inside(expr.function) if isinstance(expr, Sum) else True


def _functions(expr: Expr) -> list[type]:
    """Return the elementwise functions of one argument in an expression, in order of appearance."""
    heads = (t.func for t in subterms(expr) if isinstance(t, Function) and len(t.args) == 1 and t.args[0].is_real)
    return [h for h in dict.fromkeys(heads) if h not in FAMILIAR and not isinstance(h, UndefinedFunction)]


@cache
def _by_name(name: str) -> type:
    """Return a function that is only a name, whose derivative is its name with a prime."""
    return type(name, (Elementwise,), {"fdiff": lambda self, argindex=1: _by_name(f"{name}'")(self.args[0])})


def _summed(expr, limits):
    return Sum(expr, *limits) if limits and expr != 0 else expr
