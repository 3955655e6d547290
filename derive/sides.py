"""Systems with a matrix on either side of the unknown, A X B' = R: solved from the left, then from the right.

    X: 0 = Sum(A[i, k]*X[k, m]*B[j, m], k, m) - R[i, j]         half_X: 0 = Sum(A[i, k]*half_X[k, j], k) - R[i, j]
                                                                X: 0 = Sum(B[j, m]*X[i, m], m) - half_X[i, j]
"""

from collections.abc import Iterator
from dataclasses import replace

from sympy import Indexed, Mul, Sum

from .implicit import System, linear_system, resolved
from .program import Equation, Program, base_of
from .terms import free_indices, fresh, index_names, instantiated


def with_sides_apart(program: Program) -> Program:
    """Return the program with each system whose matrix is a product of two, one for each axis, as two systems."""
    variables = dict(program.variables)
    lines: list[Equation] = []
    candidates = {e.name for e in program.equations if e.implicit and len(e.free) > 1}
    whole = {e.name: e for e in resolved(program, candidates).equations} if candidates else {}
    for e in program.equations:
        system = linear_system(whole[e.name], program) if e.name in candidates and e.implicit else None
        lines += [e] if system is None or len(system.rows) != 2 else _apart(e, system, variables)
    return program.with_equations(lines, variables=variables)


def _apart(e, system: System, variables) -> Iterator[Equation]:
    """Yield the two systems, or the equation as it is."""
    number, rest = system.matrix.as_coeff_Mul()
    sides = [_side(f, system) for f in Mul.make_args(rest)]
    if sorted(sides) != [0, 1]:
        yield e
        return
    first, second = sorted(Mul.make_args(rest), key=lambda f: _side(f, system))
    name = next(n for k in range(1, len(variables) + 3)
                if (n := f"half_{e.name}{k if k > 1 else ''}") not in variables)
    owner = variables[e.name]
    variables[name] = replace(owner, name=name, base=base_of(name, owner.shape), note="")
    half = variables[name].at(*e.indices)
    yield Equation(half, _product(first, half, system, 0) - system.right / number, implicit=True)
    yield e.with_rhs(_product(second, e.lhs, system, 1) - half)


def _side(factor, system) -> int:
    """Return along which axis of the matrix a read of it varies, 2 for what varies along both, or is no read."""
    inside = set(free_indices(factor))
    for k in (0, 1):
        own = {system.rows[k], system.columns[k]}
        if isinstance(factor, Indexed) and own <= inside <= own | set(system.stack):
            return k
    return 2


def _product(matrix, unknown, system, axis):
    """Return the matrix times the unknown along one axis."""
    row, column = system.rows[axis], system.columns[axis]
    k = fresh(column, index_names(unknown) | index_names(matrix) - {column.name})
    return Sum(instantiated(matrix, {column: k}) * unknown.xreplace({row: k}), k)
