"""The differential of each line: the rule read forward, then written the way the adjoints are read off it.

A scalar line is written with inner products, dL = <P - Y, dZ>/N: the gradient by each array that it reads.
"""

from dataclasses import replace

from sympy import Add, Expr, Idx, Mul, Pow, Rational, Sum, Symbol, exp

from ..arrays import Array
from ..program import Equation, Program, Variable
from ..rule import backward, differential
from ..simplify import tidied, without_constants
from ..terms import bottom_up, free_indices, instantiated, read_name, reads, rename, subterms
from .names import TANGENT_OF
from .sheet import Sheet


def tangent(variable: Variable) -> Variable:
    """Return the tangent of a variable: a variable of the same shape."""
    name = f"{TANGENT_OF}{variable.name}"
    base = Array(name, variable.shape) if variable.shape else Symbol(name, real=True)
    return replace(variable, name=name, base=base, kind="variable")


class Differentials:
    """Takes the differential of the lines of one sheet."""

    def __init__(self, sheet: Sheet):
        self.sheet, self.program = sheet, sheet.program
        names = [*sheet.active, *sheet.hidden]
        self.tangents = {n: tangent(self.program.variables[n]) for n in names if n in self.program.variables}

    def of(self, line: Equation) -> Equation:
        """Return the differential of a line as an equation."""
        lhs = self.tangents[line.name].at(*line.indices)
        rhs = self._by_gradients(line) if not line.indices else None
        return Equation(lhs, self._by_rule(line) if rhs is None else rhs)

    def _by_rule(self, line):
        """The rule read forward, a term for each tangent; factors before all of them only where they are all there is."""
        written = Equation(line.lhs, self.sheet.inlined(line.rhs, self.sheet.abbreviations))
        known = [n for n in self.tangents if n not in self.sheet.abbreviations]
        read = {read_name(r) for r in reads(written.rhs, known)}
        terms = [self._term(written, name, line) for name in known if name in read]
        together = self._tidy(Add(*terms))
        return together if _is_factored(together) else Add(*terms)

    def _term(self, written: Equation, name: str, line: Equation) -> Expr:
        """Return what one variable's tangent contributes; that of a hidden variable is written out."""
        rhs = differential(written, {name: self.tangents[name]})
        if name in self.sheet.hidden:
            definition = self.sheet.hidden[name]
            inner = differential(definition, self.tangents)
            rhs = rhs.xreplace({r: instantiated(inner, dict(zip(definition.indices, getattr(r, "indices", ()), strict=True)))
                                for r in reads(rhs, [self.tangents[name].name])})
        return self._tidy(self._shared(rhs, line))

    def _shared(self, rhs: Expr, line: Equation) -> Expr:
        """Read the abbreviations of a line where their values stand, powers of a root included."""
        for read in reads(line.rhs, self.sheet.abbreviations):
            value = self.sheet.written_out(read, self.sheet.abbreviations[read_name(read)])
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
        [line] = tidied(self.program.with_equations([Equation(Symbol("differential", real=True), rhs)])).equations
        return line.rhs

    # ---- scalar lines

    def _by_gradients(self, line) -> Expr | None:
        """Return the sum of <gradient by V, dV> over what a scalar line reads, None where it reads single entries."""
        names = [n for n in self.sheet.needs(line) if n not in self.sheet.hidden and n not in self.sheet.abbreviations]
        names = [n for n in self.program.variables if n in names]
        gradients = self.gradients(line, names)
        if gradients is None:
            return None
        terms = []
        for name in names:
            read = self.tangents[name].at(*gradients[name].indices)
            product = gradients[name].rhs * read
            terms.append(Sum(product, *gradients[name].indices) if gradients[name].indices else product)
        return Add(*map(self._tidy, terms))

    def gradients(self, line: Equation, names: list[str]) -> dict[str, Equation] | None:
        """Return the gradient of a scalar line by each of some arrays, as far as they are read whole; else None."""
        program = self._program_of(line, names)
        if not all(_is_read_whole(program, name) for name in names):
            return None
        derived = backward(program)
        for change in (tidied, without_constants, tidied):
            derived = change(derived)
        found = {derived.variables[e.name].primal: e for e in derived.backward}
        if any(reads(found[n].rhs, derived.adjoints.values()) for n in names):
            return None
        return {n: Equation(found[n].lhs, self._shared(found[n].rhs, line)) for n in names}

    def _program_of(self, line: Equation, names: list[str]) -> Program:
        """Return a line, with what it reads as parameters, as a program of its own."""
        rhs = self.sheet.inlined(line.rhs, self.sheet.abbreviations)
        equations = [*(e for n, e in self.sheet.hidden.items() if reads(rhs, [n])), Equation(line.lhs, rhs)]
        made = {e.name for e in equations}
        kinds = {n: "parameter" if n in names else v.kind if n in made or v.kind == "labels" else "input"
                 for n, v in self.sheet.primal.variables.items()}
        read = {read_name(t) for e in equations for t in subterms(e.rhs)} | made
        variables = {n: replace(v, kind=kinds[n]) for n, v in self.sheet.primal.variables.items() if n in read}
        return self.sheet.primal.with_equations(equations, variables=variables, loss=line.name, outputs=())


def _is_factored(expr):
    """Tell whether an expression is a product of factors and a sum of bare tangents: A*(dS - dT)."""
    sums = [f for f in Mul.make_args(expr) if isinstance(f, Add)]
    return len(sums) == 1 and all(
        sum(not f.is_number for f in Mul.make_args(t)) == 1 and (read_name(t.as_coeff_Mul()[1]) or "").startswith(TANGENT_OF)
        for t in sums[0].args)


def _is_read_whole(program, name):
    """Tell whether some equation reads an array at distinct indices over all its axes."""
    variable = program.variables[name]
    return not variable.shape or (any(
        all(isinstance(i, Idx) and i.lower == 0 for i in r.indices) and len(set(r.indices)) == len(r.indices)
        for e in program.equations for r in reads(e.rhs, [name])
    ) and not variable.state)
