"""Axes of size 1 of what is computed, as keepdims=True leaves them, are left out: m[n, 0] is m[n].

    m[n, i] = Sum(X[n, d], d)/D                         m = X.mean(axis=1)
    Z[n, d] = X[n, d] - m[n, 0]                         Z = X - m[:, None]
"""

from dataclasses import replace

from sympy import Expr

from derive.program import Equation, Program, Variable, base_of
from derive.terms import read_name, reads
from derive.unit_axes import read_at_0


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
