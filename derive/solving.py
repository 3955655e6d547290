"""What it takes to solve the implicit equations of a program, in operations; n unknowns are one system's.

    factorisation       2/3 n^3, of a positive definite matrix 1/3 n^3: once for all that is solved with a matrix
    solution            2 n^2 for each right-hand side, n^2 with a triangular matrix
    Newton's method     one step: residual, matrix, factorisation, solution

Golub and Van Loan, Matrix Computations, 4th edition, 2013, sections 3.1, 3.2 and 4.2.
"""

from sympy import Expr, Integer, Rational

from .counting import operations_of
from .determinants import Determinant
from .implicit import System, linear_system, resolved, simultaneous
from .newton import jacobian
from .program import Equation, Program, base_of
from .terms import canonical, count, free_indices, like, read_name, rename
from .triangles import factor


def is_solved(equation: Equation) -> bool:
    """Tell whether an equation is solved for what it defines, or takes a determinant."""
    return equation.implicit or isinstance(equation.rhs, Determinant)


class Solving:
    """Counts the operations of the equations of a program that are solved, one after the other."""

    def __init__(self, program: Program):
        self.program = program
        self.factorised: set[Expr | str] = set()
        self.kept: set[Expr] = set()                # matrices of Newton's method, where it ends
        self.triangles = {e.name for e in program.equations if factor(e) is not None}
        whole = resolved(program, {e.name for e in program.equations if e.implicit})
        self.whole = {e.name: e for e in whole.equations if e.implicit}
        self.iterated: list[str] = []

    def operations(self, e: Equation) -> Expr:
        """Return the operations that one equation takes; of what Newton's method solves, those of one step."""
        if isinstance(e.rhs, Determinant):
            number, size = _size(free_indices(e.rhs)), _size([e.rhs.limits[0][0]])
            return self._factorised(e.rhs.function, number, size) + number * size
        if (known := factor(e)) is not None:
            whole = known.known_whole(self.program.variables)
            self.factorised.add(read_name(whole))
            size = _size(e.free[-1:])
            return Rational(1, 3) * _size(e.free[:-2]) * size**3 + operations_of(e.with_rhs(whole))
        system = linear_system(self.whole[e.name], self.program)
        if system is not None:
            return operations_of(Equation(e.lhs, system.right)) + self._solved(system)
        self.iterated.append(e.name)
        waiting = simultaneous(self.program)[e.name]
        members = [m for m in self.program.equations if m.name in waiting]
        before = set(self.factorised)
        found = operations_of(e) + self._solved(jacobian(e, members, self.program))
        group = next(g for g in self.program.groups() if any(m.name == e.name for m in g))
        if not any(self.program.variables[m.name].state for m in group):
            self.kept |= {key for key in self.factorised - before if not isinstance(key, str)}
        self.factorised = before                # factorised anew by what is solved with it later
        return found

    def _solved(self, system: System) -> Expr:
        """Return the operations of a matrix, its factorisation and its solutions."""
        matrix, number = system.matrix, _size(system.several) * _size(system.stack)
        if not system.rows:
            return operations_of(Equation(system.equation.lhs, matrix)) + number
        size, rest = _size(system.rows), matrix.as_coeff_Mul()[1]
        name = read_name(rest)
        if name in self.triangles:
            return number * size**2
        places = (*system.stack, *system.rows, *system.columns)
        axes = [like(i, f"_axis{k}") for k, i in enumerate(places)]
        entry = Equation(base_of("matrix", tuple(i.upper + 1 for i in axes))[tuple(axes)],
                         rename(rest, dict(zip(places, axes, strict=True))))
        made = Integer(0) if name or canonical(entry.rhs) in self.kept else operations_of(entry)
        return made + self._factorised(entry.rhs, _size(system.stack), size) + 2 * number * size**2

    def _factorised(self, matrix: Expr, number: Expr, size: Expr) -> Expr:
        """Return the operations of factorising a matrix, 0 where that has been done."""
        name = read_name(matrix)
        key = name or canonical(matrix)
        if key in self.factorised:
            return Integer(0)
        self.factorised.add(key)
        definite = bool(name) and self.program.variables[name].definite
        return Rational(1 if definite else 2, 3) * number * size**3


def _size(indices) -> Expr:
    return count([(i, i.lower, i.upper) for i in indices])
