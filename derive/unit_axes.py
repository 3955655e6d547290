"""Axes of size 1, as keepdims=True leaves them: variables do without, and an index over one is 0.

    m[n, i] = Sum(X[n, d], d)/D                         m[n] = Sum(X[n, d], d)/D
    Z[n, d] = X[n, d] - m[n, 0]                         Z[n, d] = X[n, d] - m[n]
"""

from collections.abc import Sequence
from dataclasses import replace

from sympy import Expr, Idx, S, Sum

from .program import Equation, Program, Variable, base_of
from .terms import bottom_up, instantiated, read_name, reads


def without_unit_axes(program: Program) -> Program:
    """Return a program whose variables have no axes of size 1, but for arguments, outputs, states and unknowns."""
    left_out = {v.name: axes for v in program.variables.values() if (axes := _unit_axes(v, program))}
    if not left_out:
        return program
    variables = {n: _without(v, left_out.get(n, ())) for n, v in program.variables.items()}
    return program.with_equations((_shortened(e, left_out, variables) for e in program.equations), variables=variables)


def _unit_axes(variable: Variable, program: Program) -> tuple[int, ...]:
    """Return the axes that are left out."""
    kept = {*program.outputs, *program.results.values(), *(n for a in program.assumptions for n in a.about)}
    kept |= {e.name for e in program.equations if e.implicit}
    like = program.variables.get(variable.primal or "", variable)
    if any(v.kind != "variable" or v.state or v.name in kept for v in (variable, like)):
        return ()
    return tuple(k for k, size in enumerate(variable.shape) if size == 1)


def _without(variable: Variable, axes: tuple[int, ...]) -> Variable:
    if not axes:
        return variable
    shape, names = (tuple(x for k, x in enumerate(each) if k not in axes)
                    for each in (variable.shape, variable.index_names))
    return replace(variable, base=base_of(variable.name, shape), shape=shape, index_names=names)


def _shortened(equation: Equation, left_out: dict, variables: dict) -> Equation:
    """Return an equation that has and reads no such axis, and sums over none."""
    rhs = read_at_0(equation.rhs, equation.free)
    changes = {r: _read(r, left_out, variables) for r in reads(rhs, left_out)}
    lhs = _read(equation.lhs, left_out, variables) if equation.name in left_out else equation.lhs
    return replace(equation, lhs=lhs, rhs=rhs.xreplace(changes))


def _read(read: Expr, left_out: dict, variables: dict) -> Expr:
    axes = left_out[read_name(read)]
    return variables[read_name(read)].at(*(i for k, i in enumerate(read.indices) if k not in axes))


def with_units_read_at_0(program: Program) -> Program:
    """Return an equal program whose right-hand sides have no index of an axis of size 1, and no sum over one."""
    return program.with_equations(e.with_rhs(read_at_0(e.rhs, e.free)) for e in program.equations)


def read_at_0(rhs: Expr, free: Sequence[Idx]) -> Expr:
    """Return a right-hand side with 0 for each index, free or summed, that runs from 0 to 0."""
    units = {i: S.Zero for i in free if i.lower == i.upper == 0}
    return bottom_up(instantiated(rhs, units) if units else rhs, _of_one_term)


def _of_one_term(term: Expr) -> Expr:
    """Return what a sum over an index from 0 to 0 is."""
    if not isinstance(term, Sum):
        return term
    units = {i: S.Zero for i, low, high in term.limits if low == high == 0}
    if not units:
        return term
    rest = [limit for limit in term.limits if limit[0] not in units]
    inner = instantiated(term.function, units)
    return Sum(inner, *rest) if rest else inner
