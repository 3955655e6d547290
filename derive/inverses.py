"""A system whose matrix has an inverse that is a variable: the adjoint and the tangent of an inverse need no solving.

    A Y = I,  A' lam_Y = dY         lam_Y = Y' dY, so dA = -Y' dY Y'
"""

from dataclasses import replace

from sympy import Expr, KroneckerDelta, Sum

from .binders import has_binder
from .implicit import System, linear_system, same_matrix
from .program import Equation, Program
from .terms import canonical, free_indices, fresh, index_names, instantiated, read_name, rename


def with_known_inverses(program: Program) -> Program:
    """Return the program in which the multipliers and tangents of an inverse are products with it."""
    inverses = {e.name: s for e in program.equations if e.implicit and (s := _inverse(e, program)) is not None}
    if not inverses:
        return program
    return program.with_equations(
        _product(e, inverses[of], program) if (of := _of(e, program)) in inverses else e for e in program.equations
    )


def with_shared_solutions(program: Program) -> Program:
    """Return the program in which a system is solved once for right-hand sides that differ by a factor only."""
    solved: list[System] = []
    definitions = {e.name: e for e in program.backward if not e.implicit}
    lines = []
    for e in program.equations:
        system = linear_system(e, program) if e.implicit else None
        if system is not None and system.rows:
            right = system.right
            if (adjoint := definitions.get(read_name(right))) is not None and right == adjoint.lhs:
                system = replace(system, right=adjoint.rhs)
            e = next((line for s in solved if (line := _multiple(system, s, program)) is not None), e)
            solved += [system] if e.implicit else []
        lines.append(e)
    return program.with_equations(lines)


def _multiple(system: System, other: System, program: Program) -> Equation | None:
    """Return an unknown as a multiple of another one with the same matrix, None where it is none."""
    there, here = other.equation.indices, system.equation.indices
    if len(there) != len(here):
        return None
    changes = dict(zip((*there, *other.columns), (*here, *system.columns), strict=False))
    if [changes[i] for i in other.rows] != list(system.rows):
        return None
    matrix, right = (instantiated(x, changes) for x in (other.matrix, other.right))
    exchanged = dict(zip((*system.rows, *system.columns), (*system.columns, *system.rows), strict=True))
    alike = [matrix, rename(matrix, exchanged)] if _is_symmetric(matrix, program) else [matrix]
    factor = system.right / right
    if canonical(system.matrix) not in map(canonical, alike) or free_indices(factor) or has_binder(factor):
        return None
    return Equation(system.equation.lhs, factor * other.equation.lhs.xreplace(changes))


def _is_symmetric(matrix, program):
    variable = program.variables.get(read_name(matrix))
    return variable is not None and variable.definite


def _of(equation, program):
    """Return the variable whose multiplier or tangent an implicit equation defines, "" for no such equation."""
    variable = program.variables[equation.name]
    if not equation.implicit or not (variable.multiplier or variable.tangent_of):
        return ""
    return variable.tangent_of or variable.primal or ""


def _inverse(equation: Equation, program: Program) -> System | None:
    """Return the system of an equation that says A Y = I, None for another."""
    system = linear_system(equation, program)
    if system is None or len(system.rows) != 1 or len(system.several) != 1:
        return None
    return system if system.right == KroneckerDelta(system.rows[0], system.several[0]) else None


def _product(equation: Equation, inverse: System, program: Program) -> Equation:
    """Return an equation with the same matrix as that of an inverse, or its transpose, solved by that inverse."""
    system = linear_system(equation, program)
    if system is None or len(system.rows) != 1:
        return equation
    here = dict(zip(inverse.equation.indices, equation.indices, strict=True))
    matrix = rename(inverse.matrix, {**here, **dict(zip(inverse.columns, system.columns, strict=True))})
    known = System(inverse.equation, matrix, inverse.right, tuple(here[i] for i in inverse.rows), system.columns,
                   tuple(here[i] for i in inverse.stack))
    # the systems may stand along different axes of the unknown, as those of Y A = I and A Y = I do
    for first, second, straight in ((system.rows, system.columns, True), (system.columns, system.rows, False)):
        if same_matrix(system.matrix, first, second, known):
            return Equation(equation.lhs, _times(inverse, system, straight))
    return equation


def _times(inverse: System, system: System, straight: bool) -> Expr:
    """Return Sum(Y[p, r]*right[r], r), p being where the solution is read; with [r, p] for the transposed matrix."""
    [place] = system.rows
    row = fresh(place, index_names(system.right) | {i.name for i in system.equation.free})
    bound = (place, row) if straight else (row, place)
    changes = dict(zip((inverse.rows[0], inverse.several[0]), bound, strict=True))
    stack = dict(zip(inverse.stack, system.stack, strict=False))
    read = inverse.equation.lhs.xreplace(stack | changes)
    return Sum(read * instantiated(system.right, {place: row}), row)
