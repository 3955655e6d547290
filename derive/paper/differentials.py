"""The differential of each line: the rule read forward, then written the way the adjoints are read off it.

A scalar line is written with inner products, dL = <P - Y, dZ>/N: the gradient by each array that it reads.
"""

from dataclasses import replace

from sympy import Add, Expr, Idx, Mul, Pow, Rational, Sum, Symbol, exp

from ..arrays import Array
from ..program import Equation, Program, Variable
from ..rule import backward, differential
from ..simplify import assumed, tidied, tidied_rhs, without_constants
from ..terms import bottom_up, free_indices, read_name, reads, rename, subterms
from .constants import is_constant
from .names import TANGENT_OF
from .sheet import Sheet, name_of, written_out


def tangent(variable: Variable) -> Variable:
    """Return the tangent of a variable: a variable of the same shape."""
    name = f"{TANGENT_OF}{variable.name}"
    base = Array(name, variable.shape) if variable.shape else Symbol(name, real=True)
    return replace(variable, name=name, base=base, kind="variable")


class Differentials:
    """Takes the differential of the lines of one sheet."""

    def __init__(self, sheet: Sheet):
        self.sheet, self.program = sheet, sheet.program
        names = [n for n in (*sheet.active, *sheet.hidden) if n in self.program.variables]
        self.tangents = {n: tangent(self.program.variables[n]) for n in names}
        self._direct = {n: t for n, t in self.tangents.items() if n not in sheet.abbreviations}

    def of(self, line: Equation) -> Equation:
        """Return the differential of a line as an equation."""
        lhs = self.tangents[line.name].at(*line.indices)
        rhs = self._by_gradients(line) if not line.indices else None
        return Equation(lhs, self.by_rule(line) if rhs is None else rhs, line.implicit)

    def by_rule(self, line: Equation) -> Expr:
        """Return the rule read forward, a term a tangent; factors before all only where they are all there is."""
        written = line.with_rhs(self.sheet.inlined(line.rhs, self.sheet.abbreviations))
        names = dict.fromkeys(name_of(r) for r in reads(written.rhs, self._direct))
        terms = [self._term(written, name, line) for name in names]
        together = self._tidy(Add(*terms))
        return together if _is_factored(together) else Add(*terms)

    def _term(self, written: Equation, name: str, line: Equation) -> Expr:
        """Return what one variable's tangent contributes; that of a hidden variable is written out."""
        rhs = differential(written, {name: self.tangents[name]})
        if name in self.sheet.hidden:
            definition = self.sheet.hidden[name]
            inner = Equation(definition.lhs, differential(definition, self._direct))
            rhs = rhs.xreplace({r: written_out(r, inner) for r in reads(rhs, [self.tangents[name].name])})
        return self._tidy(self._shared(rhs, line))

    def _shared(self, rhs: Expr, line: Equation) -> Expr:
        """Read the abbreviations of a line where their values stand, powers of a root included."""
        for read in reads(line.rhs, self.sheet.abbreviations):
            value = written_out(read, self.sheet.abbreviations[name_of(read)])
            rhs = rhs.xreplace({value: read})
            if isinstance(value, Pow) and value.exp == Rational(1, 2):
                powers = {t for t in subterms(rhs) if isinstance(t, Pow) and t.base == value.base}
                rhs = rhs.xreplace({p: read ** (2 * p.exp) for p in powers})
        return bottom_up(rhs, self._reused)

    def _reused(self, term: Expr) -> Expr:
        """Return the read of a line whose right-hand side is this exponential, where there is one."""
        for e in self.sheet.exponentials if isinstance(term, exp) else ():
            there, here = free_indices(e.rhs), free_indices(term)
            if len(there) == len(here):
                changes = dict(zip(there, here, strict=True))
                if rename(e.rhs, changes) == term:
                    return rename(e.lhs, changes)
        return term

    def _tidy(self, rhs):
        return tidied_rhs(rhs, self.program.prover)

    # ---- scalar lines

    def _by_gradients(self, line) -> Expr | None:
        """Return the sum of <gradient by V, dV> over what a scalar line reads, None where it reads single entries."""
        needed = self.sheet.needs(line) - {*self.sheet.hidden, *self.sheet.abbreviations}
        gradients = self.gradients(line, [n for n in self.program.variables if n in needed])
        if gradients is None:
            return None
        products = ((g.rhs * self.tangents[name].at(*g.indices), g.indices) for name, g in gradients.items())
        return Add(*(self._tidy(Sum(p, *indices) if indices else p) for p, indices in products))

    def gradients(self, line: Equation, names: list[str]) -> dict[str, Equation] | None:
        """Return the gradient of a scalar line by each of some arrays, as far as they are read whole; else None."""
        if line.implicit:
            return None
        program = self._program_of(line, names)
        if not all(_is_read_whole(program, name) for name in names):
            return None
        derived = backward(program)
        for change in (tidied, assumed, without_constants, tidied):
            derived = change(derived)
        found = {derived.variables[e.name].primal: e for e in derived.backward}
        if any(reads(found[n].rhs, set(derived.adjoints.values())) for n in names):
            return None
        return {n: Equation(found[n].lhs, self._shared(found[n].rhs, line)) for n in names}

    def _program_of(self, line: Equation, names: list[str]) -> Program:
        """Return a line, with what it reads as parameters, as a program of its own."""
        equations = self._with_hidden([line])
        made = {e.name for e in equations}
        read = {read_name(t) for e in equations for t in subterms(e.rhs)} | made
        variables = {n: _as_kind(v, "parameter" if n in names else None if n in made else "input")
                     for n, v in self.sheet.primal.variables.items() if n in read}
        return self.sheet.primal.with_equations(equations, variables=variables, loss=line.name, outputs=())

    def _with_hidden(self, lines: list[Equation]) -> list[Equation]:
        """Return lines without abbreviations, after those that no line of the note has and that they read."""
        written = [e.with_rhs(self.sheet.inlined(e.rhs, self.sheet.abbreviations)) for e in lines]
        names = dict.fromkeys(name_of(r) for e in written for r in reads(e.rhs, self.sheet.hidden))
        before = [self.sheet.hidden[n] for n in names if n not in {e.name for e in lines}]
        return [*(self._with_hidden(before) if before else []), *written]


def _as_kind(variable, kind):
    return variable if kind is None or variable.kind == "labels" else replace(variable, kind=kind)


def _is_factored(expr):
    """Tell whether an expression is a sum of bare tangents, A*(dS - dT), or anything, after constant factors."""
    sums = [f for f in Mul.make_args(expr) if isinstance(f, Add)]
    if len(sums) != 1:
        return False
    bare = all((read_name(t.as_coeff_Mul()[1]) or "").startswith(TANGENT_OF) for t in sums[0].args)
    return bare or all(is_constant(f) for f in Mul.make_args(expr) if f is not sums[0])


def _is_read_whole(program, name):
    """Tell whether some equation reads an array at distinct indices over all its axes."""
    variable = program.variables[name]
    found = (r.indices for e in program.equations for r in reads(e.rhs, [name]) if variable.shape)
    whole = any(all(isinstance(i, Idx) and i.lower == 0 for i in at) and len(set(at)) == len(at) for at in found)
    return not variable.shape or (whole and not variable.state)
