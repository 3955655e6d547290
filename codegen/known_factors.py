"""Factors that a loop of the backward pass need not wait for, computed for all of its turns at once.

    dz[t, n, k] = dh[t, n, k]*(1 - h[t, n, k]**2)           slope_z[t, n, k] = 1 - h[t, n, k]**2, before the loop

An adjoint that is one product, and read by one line of its own turn, is put into that line first:

    dg = dc*i, dz = dg*(1 - g**2)                           dz = dc*slope_z, slope_z = i*(1 - g**2)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sympy import Expr, Idx, Indexed, Mul, Sum

from derive.binders import Binder
from derive.forms import form
from derive.guards import is_guard
from derive.program import Equation, Program, Variable, base_of, is_cyclic, ordered
from derive.ranges import Prover, conjuncts
from derive.terms import bottom_up, free_indices, index_over, read_name, reads, subterms

from .lowering import Lowered
from .nodes import may_overflow


def with_known_factors_ahead(low: Lowered) -> Lowered:
    """Return a lowered program in which such factors, where they take an operation, are variables."""
    program = _with_products_put_in(low)
    ahead = _Ahead(dict(program.variables), program.prover)
    for group in ordered(program.equations):
        for e in group:
            if _is_loop(group, low) and e.free == e.indices:
                ahead.take(e, {q.name for q in group})
            else:
                ahead.lines.append(e)
    return replace(low, program=program.with_equations(ahead.lines, variables=ahead.variables),
                   backward=low.backward | frozenset(ahead.added))


def _is_loop(group: list[Equation], low: Lowered) -> bool:
    return is_cyclic(group) and group[0].name in low.backward and not any(e.implicit for e in group)


def _with_products_put_in(low: Lowered) -> Program:
    """Return the program without the adjoints of its loops that are products which one line of their turn reads."""
    program = low.program
    for e in [e for group in ordered(program.equations) if _is_loop(group, low) for e in group]:
        [group] = [group for group in ordered(program.equations) if e.name in {q.name for q in group}]
        found = [(q, r) for q in program.equations for r in reads(q.rhs, {e.name})]
        if len(found) == 1 and found[0][0] in group and _is_put_in(e, *found[0], program):
            reader, read = found[0]
            program = program.with_equations(
                q.with_rhs(q.rhs.xreplace({read: e.rhs})) if q is reader else q
                for q in program.equations if q.name != e.name)
    return program


def _is_put_in(e: Equation, reader: Equation, read: Expr, program: Program) -> bool:
    """Tell whether an equation is one product of arrays, entry by entry, that its reader reads as it is."""
    variable = program.variables[e.name]
    plain = isinstance(e.rhs, Mul) and not e.rhs.has(Sum, Binder) and not any(is_guard(f) for f in e.rhs.args)
    return plain and read == e.lhs and reader.free == reader.indices == e.free == e.indices and not variable.state


@dataclass
class _Ahead:
    """Goes through the equations of loops; what is known before them stands before them."""

    variables: dict[str, Variable]
    prover: Prover
    lines: list[Equation] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    known: dict[Expr, Variable] = field(default_factory=dict)

    def take(self, e: Equation, group: set[str]) -> None:
        """Append an equation of a loop, and before it the factors in it that are known."""
        turns = {i: index_over(i.name, i.upper + 1) for i in e.free}
        sometimes = self._left_out_at_times(e, turns)

        def changed(term: Expr) -> Expr:
            known = self._known(term, e, group) if isinstance(term, Mul) and reads(term, group) else []
            factor = Mul(*known)
            if not known or isinstance(factor, Indexed) or not self._is_over_turns(factor, e):
                return term
            if term in sometimes and may_overflow(form(factor, e.free)):
                return term
            whole = factor.xreplace(turns)
            if whole not in self.known:
                variable = self.known[whole] = self._introduced(e, factor)
                self.lines.append(Equation(variable.at(*turns.values()), whole))
            return Mul(self.known[whole].at(*e.free), *(f for f in term.args if f not in known))

        self.lines.append(e.with_rhs(bottom_up(e.rhs, changed)))

    def _left_out_at_times(self, e: Equation, turns: Mapping[Expr, Expr]) -> set[Expr]:
        """Return the products behind guards that leave some turns out: before the loop, a factor is of all turns."""
        guards = [g for g in subterms(e.rhs) if is_guard(g)]
        conditions = {g: [c.xreplace(turns) for c in conjuncts(g.args[0][1])] for g in guards}
        partial = [g for g, needed in conditions.items() if not all(map(self.prover.nonnegative, needed))]
        return {t for g in partial for t in subterms(g) if isinstance(t, Mul)}

    def _known(self, product: Mul, e: Equation, group: set[str]) -> list[Expr]:
        """Return the factors made of arrays that are there, at the indices as they are, or a state's turn before."""
        return [f for f in product.args if reads(f, self.variables) and not reads(f, group) and not is_guard(f)
                and not f.has(Sum, Binder) and all(self._is_here(r, e) for r in reads(f, self.variables))]

    def _is_over_turns(self, factor: Expr, e: Equation) -> bool:
        """Tell whether a factor has all axes, and is never met at the row before the first, which states alone have."""
        met = [self.variables[read_name(r)] for r in reads(factor, self.variables)]
        inside = e.free[0].lower == 0 or any(not v.state and v.shape and v.shape[0] == e.free[0].upper + 1 for v in met)
        return set(free_indices(factor)) == set(e.free) and inside and all(i.lower == 0 for i in e.free[1:])

    def _is_here(self, read: Expr, e: Equation) -> bool:
        """Tell whether a read is of this turn, or of a state's turn before, whatever the other indices are."""
        variable = self.variables[read_name(read)]
        places = list(zip(getattr(read, "indices", ()), variable.shape, strict=True))
        before = variable.state and places[0][0] - e.free[0] == -1
        return all(isinstance(i, Idx) and (size - 1 - i.upper).expand().is_nonnegative for i, size in places[before:])

    def _introduced(self, e: Equation, factor: Expr) -> Variable:
        stem = self.variables[e.name].primal or e.name
        name = next(n for n in (f"slope_{stem}", *(f"slope_{stem}{k}" for k in range(2, len(self.variables) + 3)))
                    if n not in self.variables)
        shape = tuple(i.upper + 1 for i in e.free)
        variable = Variable(name, base_of(name, shape), shape, index_names=tuple(i.name for i in e.free))
        self.variables[name] = variable
        self.added.append(name)
        return variable
