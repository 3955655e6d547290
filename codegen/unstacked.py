"""The gates of a recurrence as arrays of their own: what is stacked along an axis and read place by place.

    z[t, n, q, k] = ...         i[t, n, k] = sigmoid(z[t, n, 0, k])
    z_0[t, n, k] = ...          i[t, n, k] = sigmoid(z_0[t, n, k])

A turn of the loop then works on arrays that lie in one piece, and not on every fourth row of one.
"""

from dataclasses import dataclass, replace

from sympy import Add, Expr, Idx, Integer, KroneckerDelta, Sum

from derive.program import Equation, Program, Variable, base_of, is_cyclic
from derive.terms import read_name, reads, subterms

MOST = 8            # places along an axis that are taken apart


@dataclass(frozen=True)
class Stack:
    """An axis of literal size of some variables, and the variable of each place."""

    axis: int
    size: int
    parts: dict[str, tuple[Variable, ...]]

    def at(self, read: Expr, place: int) -> Expr:
        """Return the read of one place's variable."""
        axis = self.axis
        return self.parts[read_name(read)][place].at(*read.indices[:axis], *read.indices[axis + 1:])


def with_gates_apart(program: Program) -> Program:
    """Return the program with the stacked variables of its recurrences taken apart."""
    loops = [e for group in program.groups() if is_cyclic(group) for e in group]
    for e in loops:
        stack = _stack(e, program) if e.name in program.variables else None
        if stack:
            program = _apart(stack, program)
    return program


def _stack(e: Equation, program: Program) -> Stack | None:
    """Return the stack that an equation of a recurrence fills, and its adjoint's; None where it fills none."""
    variable = program.variables[e.name]
    own = [q for q in program.equations if q.name in (e.name, program.adjoints.get(e.name))]
    if variable.primal or variable.state or e.implicit or any(q.name in program.wanted or len(q.free) < len(q.indices)
                                                              for q in own):
        return None
    for axis, size in enumerate(variable.shape):
        found = [r for q in program.equations for r in reads(q.rhs, {e.name})]
        places = {r.indices[axis] for r in found if r.indices[axis].is_Integer}
        if axis and size.is_Integer and size <= MOST and places == set(map(Integer, range(size))):
            names = {q.name for q in own}
            if all(_is_taken_apart(q, names, axis) for q in program.equations):
                return Stack(axis, int(size), {n: _parts(program, n, axis, int(size)) for n in sorted(names)})
    return None


def _is_taken_apart(equation: Equation, names: set[str], axis: int) -> bool:
    """Tell whether all places are read at numbers, or at an index that is on the left or bound by one sum."""
    sums = [s for s in subterms(equation.rhs) if isinstance(s, Sum)]
    for r in reads(equation.rhs, names):
        place = r.indices[axis]
        bound = sum(place in [limit[0] for limit in s.limits] and s.function.has(r) for s in sums)
        if not place.is_Integer and not (isinstance(place, Idx) and (place in equation.free) + bound == 1):
            return False
    return True


def _parts(program: Program, name: str, axis: int, size: int) -> tuple[Variable, ...]:
    variable = program.variables[name]
    shape = variable.shape[:axis] + variable.shape[axis + 1:]
    names = variable.index_names[:axis] + variable.index_names[axis + 1:]
    taken = {*program.variables, *(s.name for s in program.sizes)}
    mark = next(m for m in ("_", "__", "___") if not taken & {f"{name}{m}{k}" for k in range(size)})
    return tuple(
        replace(variable, name=f"{name}{mark}{k}", base=base_of(f"{name}{mark}{k}", shape), shape=shape,
                index_names=names, primal=variable.primal and f"{variable.primal}{mark}{k}")
        for k in range(size))


def _apart(stack: Stack, program: Program) -> Program:
    variables, lines = dict(program.variables), []
    for name, parts in stack.parts.items():
        del variables[name]
        variables |= {v.name: v for v in parts}
    for e in program.equations:
        if e.name in stack.parts:
            row = e.indices[stack.axis]
            lines += [Equation(stack.at(e.lhs, k), _read_apart(e.rhs.xreplace({row: Integer(k)}), stack))
                      for k in range(stack.size)]
        else:
            lines.append(e.with_rhs(_tiled(e, stack)))
    adjoints = {k: d for k, d in program.adjoints.items() if k not in stack.parts}
    for name in stack.parts:
        if name in program.adjoints:
            pairs = zip(stack.parts[name], stack.parts[program.adjoints[name]], strict=True)
            adjoints |= {v.name: d.name for v, d in pairs}
    return program.with_equations(lines, variables=variables, adjoints=adjoints)


def _tiled(e: Equation, stack: Stack) -> Expr:
    """Return a right-hand side that reads the parts: for an index on the left, a tile for each of its values."""
    rows = {r.indices[stack.axis] for r in reads(e.rhs, stack.parts) if r.indices[stack.axis] in e.free}
    rhs = e.rhs
    for row in sorted(rows, key=str):
        rhs = Add(*(KroneckerDelta(row, k) * rhs.xreplace({row: Integer(k)}) for k in range(stack.size)))
    return _read_apart(rhs, stack)


def _read_apart(expr: Expr, stack: Stack) -> Expr:
    """Return an expression that reads the parts, sums over their places written out."""
    for total in [t for t in subterms(expr) if isinstance(t, Sum)]:
        rows = {r.indices[stack.axis] for r in reads(total.function, stack.parts)}
        over = next((limit for limit in total.limits if limit[0] in rows), None)
        if over is not None:
            rest = [limit for limit in total.limits if limit is not over]
            terms = [total.function.xreplace({over[0]: Integer(k)}) for k in range(stack.size)]
            expr = expr.xreplace({total: Add(*(Sum(t, *rest) if rest else t for t in terms))})
    return expr.xreplace({r: stack.at(r, int(r.indices[stack.axis])) for r in reads(expr, stack.parts)})
