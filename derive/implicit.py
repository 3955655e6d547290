"""Implicit equations: which variables wait for each other in one, and the matrix of one that is linear.

    Y[i, j] such that 0 = Sum(A[i, k]*Y[k, j], k) - B[i, j]     has the matrix A[i, k], one system a column j

The matrix is the derivative of the residual by the unknown, read off the rule's own partial derivatives. Where it holds
a bracket [j = l] of an axis of the unknown and the same axis of the equation, the system falls apart along that axis:
into stacked systems where the matrix varies along it, else into right-hand sides of one system.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sympy import Add, Expr, Idx, KroneckerDelta, Mul, Piecewise, S, Sum
from sympy.utilities.iterables import strongly_connected_components

from .bracket import Summand, eliminated
from .derivatives import partials
from .errors import DerivationError
from .guards import guarded, unguarded
from .program import Equation, Program
from .terms import (
    bottom_up,
    bound_indices,
    canonical,
    free_indices,
    fresh,
    index_names,
    instantiated,
    like,
    read_name,
    reads,
    rename,
)


def resolved(program: Program, names: Collection[str]) -> Program:
    """Return the program with what waits for an unknown written out in the equations that define some unknowns.

    Raises
    ------
    DerivationError
        Two unknowns that wait for each other.
    """
    waiting = simultaneous(program)
    lines = {e.name: e for e in program.equations}
    return program.with_equations(
        written_out(e, {n: lines[n] for n in waiting[e.name]}) if e.implicit and e.name in names else e
        for e in program.equations
    )


def simultaneous(program: Program) -> dict[str, list[str]]:
    """Return for each unknown the variables that wait for it and that it waits for, apart from earlier rows of states.

    Raises
    ------
    DerivationError
        Two unknowns that wait for each other.
    """
    unknowns = {e.name for e in program.equations if e.implicit}
    if not unknowns:
        return {}
    names = list(dict.fromkeys(e.name for e in program.equations))
    edges = dict.fromkeys((e.name, read_name(r)) for e in program.equations for r in reads(e.rhs, names)
                          if not _is_other_row(e, r, program))
    found: dict[str, list[str]] = {}
    for component in strongly_connected_components((names, list(edges))):
        inside = [n for n in names if n in component and n in unknowns]
        if len(inside) > 1:
            raise DerivationError(f"{', '.join(inside)} wait for each other; define one unknown that holds them all, "
                                  "z = net.unknown('z', N + M), and each as a part of it, cut(z, 0, N)")
        found |= {n: [m for m in component if m != n] for n in inside}
    return found


def _is_other_row(equation, read, program):
    """Tell whether what is read is of another row of a recurrence than the one that is being defined."""
    states = program.variables[read_name(read)].state or program.variables[equation.name].state
    if not states or not getattr(read, "indices", ()):
        return False
    shifts = [(read.indices[0] - i).expand() for i in equation.free]
    return read.indices[0] == -1 or any(s.is_Integer and s != 0 for s in shifts)


def written_out(equation, definitions):
    """Return an equation with the reads of what `definitions` define replaced by their right-hand sides."""
    rhs = equation.rhs
    while found := reads(rhs, definitions):
        rhs = rhs.xreplace({r: _value(r, definitions[read_name(r)], rhs) for r in found})
    return equation.with_rhs(rhs)


def _value(read, definition, around):
    """Return the right-hand side of a definition where it is read; what it binds has names of its own."""
    changes = dict(zip(definition.indices, getattr(read, "indices", ()), strict=True))
    taken = index_names(around)
    value = definition.rhs
    for index in bound_indices(value):
        new = fresh(index, taken | index_names(value))
        value, taken = rename(value, {index: new}), taken | {new.name}
    return instantiated(value, changes)


def sides(equation: Equation) -> tuple[Expr, Expr]:
    """Return the sides of the equation that an unknown satisfies: on the left what has the unknown, the rest right."""
    terms = Add.make_args(equation.rhs)
    left = Add(*(t for t in terms if reads(t, {equation.name})))
    if left == 0:                           # the unknown stands in what has a name of its own
        left = Add(*(t for t in terms if t.could_extract_minus_sign()))
    right = equation.rhs - left
    return (-left, right) if left.could_extract_minus_sign() else (left, Add(*map(_opposite, Add.make_args(right))))


def _opposite(term):
    """Return a term with the other sign, a difference among its factors turned round: (1 - z^2) u of (z^2 - 1) u."""
    factors = list(Mul.make_args(term))
    for k, f in enumerate(factors):
        if f.is_Add and any(t.could_extract_minus_sign() for t in f.args) and not term.could_extract_minus_sign():
            factors[k] = Add(*(-t for t in f.args))
            return Mul(*factors)
    return -term


@dataclass(frozen=True)
class System:
    """A linear system for an unknown: Sum(matrix*unknown, over `columns`) = right, stacked along `stack`.

    `rows` are the equation's indices along the axes of the matrix, `columns` the unknown's along the same axes; `stack`
    are those along which the matrix varies; the right-hand side has the equation's other indices too.
    """

    equation: Equation
    matrix: Expr
    right: Expr
    rows: tuple[Idx, ...]
    columns: tuple[Idx, ...]
    stack: tuple[Idx, ...]

    @property
    def several(self) -> tuple[Idx, ...]:
        """The indices along which right-hand sides of one system lie."""
        return tuple(i for i in self.equation.free if i not in (*self.rows, *self.stack))

    @property
    def transposed(self) -> Expr:
        """The matrix with rows and columns exchanged."""
        return rename(self.matrix, dict(zip((*self.rows, *self.columns), (*self.columns, *self.rows), strict=True)))


def linear_system(equation: Equation, program: Program) -> System | None:
    """Return the system that an implicit equation is, None where it is not linear in its unknown."""
    unknown = {equation.name}
    try:
        found = partials(equation, unknown)
    except DerivationError:                 # a function of a sum, which is not linear
        return None
    if not found or any(reads(p.coefficient, unknown) for p in found):
        return None
    return system_of(equation, found, _without(equation.rhs, unknown), program)


def system_of(equation: Equation, found, constant: Expr, program: Program) -> System:
    """Return the linear system whose residual has these partial derivatives, and this value where the unknown is 0."""
    slots = _slots(equation)
    by_slot = dict(zip(equation.indices, slots, strict=True))
    terms = []
    for p in found:
        here = {p.read: equation.lhs}
        summand = Summand(p.coefficient.xreplace(here), [tuple(limit) for limit in p.limits])
        terms += Add.make_args(eliminated(summand, slots, getattr(p.read, "indices", ()), program.prover))
    if not any(t != 0 for t in terms):
        raise DerivationError(f"{equation.name} is defined by an equation that does not depend on it")
    apart = [i for i in equation.free if all(_has_bracket(t, i, by_slot[i]) for t in terms)]
    terms = [_without_brackets(t, [(i, by_slot[i]) for i in apart]) for t in terms]
    matrix = Add(*terms)
    rows = tuple(i for i in equation.free if i not in apart)
    free = free_indices(matrix)
    return System(equation, matrix, -constant, rows, tuple(by_slot[i] for i in rows),
                  tuple(i for i in apart if i in free))


def _slots(equation):
    """Return one more index an axis, named apart from all that the equation has."""
    taken = index_names(equation.rhs) | {i.name for i in equation.free}
    slots = []
    for i in equation.indices:
        slots.append(fresh(i, taken) if isinstance(i, Idx) else i)
        taken = taken | {getattr(slots[-1], "name", "")}
    return tuple(slots)


def _has_bracket(term, index, slot):
    term, _ = unguarded(term)
    return KroneckerDelta(index, slot) in Mul.make_args(term) or (
        isinstance(term, Sum) and _has_bracket(term.function, index, slot))


def _without_brackets(term, pairs):
    """Return a term without its brackets of the given pairs, the second of each replaced by the first."""
    gone = {KroneckerDelta(i, slot) for i, slot in pairs}
    term, conditions = unguarded(term)
    if conditions:
        here = {slot: i for i, slot in pairs}
        return guarded(_without_brackets(term, pairs), [rename(c, here) for c in conditions])
    if isinstance(term, Sum):
        return term.func(_without_brackets(term.function, pairs), *term.limits)
    kept = Mul(*(f for f in Mul.make_args(term) if f not in gone))
    return rename(kept, {slot: i for i, slot in pairs})


def _without(expr, names):
    """Return an expression with 0 where variables are read; sums and choices of nothing are nothing."""
    expr = expr.xreplace(dict.fromkeys(reads(expr, names), S.Zero))
    return bottom_up(expr, lambda t: S.Zero if _is_nothing(t) else t)


def _is_nothing(term):
    if isinstance(term, Piecewise):
        return all(value == 0 for value, _ in term.args)
    return isinstance(term, Sum) and term.function == 0


def same_matrix(matrix: Expr, rows, columns, other: System) -> bool:
    """Tell whether a matrix over rows and columns is that of a system, entry by entry."""
    return _key(matrix, (*rows, *columns)) == _key(other.matrix, (*other.rows, *other.columns))


def _key(matrix, indices):
    stack = [i for i in free_indices(matrix) if i not in indices]
    order = [*sorted(stack, key=lambda i: i.name), *indices]
    return canonical(rename(matrix, {i: like(i, f"_axis{k}") for k, i in enumerate(order)}))
