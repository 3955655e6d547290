"""From implicit equations to what NumPy and SciPy solve: a matrix is factorised once, for all that is solved with it.

    Y: 0 = Sum(A[i, k]*Y[k, j], k) - B[i, j]            lu_A = ..., Y = lu_solve(lu_A, B)
    lam_Y: 0 = Sum(A[k, i]*lam_Y[k, j], k) - dY[i, j]   lam_Y = lu_solve(lu_A, dY, trans=1)

A matrix that is no variable becomes one first, `matrix_Y`. One that is declared to be positive definite has a Cholesky
factor. Where only one thing is solved with a matrix, in stacks, and in recurrences without one, `np.linalg.solve` does.
An equation that is not linear stays as it is, for Newton's method.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sympy import Add, Expr, Idx, Indexed, KroneckerDelta, Mul, Sum, log
from sympy.core.symbol import Str

from derive.determinants import Determinant, LogDeterminant
from derive.guards import is_guard
from derive.implicit import System, linear_system, resolved, simultaneous
from derive.program import Equation, Program, Variable, base_of
from derive.sharing import with_shared_functions
from derive.sides import with_sides_apart
from derive.terms import canonical, free_indices, like, read_name, rename, subterms
from derive.triangles import factor

from . import newton
from .solutions import Factored, Identity, OfMatrix, Parts, Solution, Triangle


@dataclass
class Solved:
    """A system, the variable that its matrix is, times a number, and whether rows and columns are exchanged in it."""

    system: System
    matrix: Variable
    number: Expr
    transposed: bool
    looped: bool

    @property
    def stack(self) -> tuple[Idx, ...]:
        """The indices along which systems are stacked where they are solved: not those of a loop."""
        return self.system.stack[1:] if self.looped else self.system.stack

    @property
    def plain(self) -> bool:
        """Whether the matrix is one, of two axes: not stacked, not over pairs of indices."""
        return len(self.system.rows) == 1 and not self.stack


def systems_solved(program: Program) -> Program:
    """Return the program with linear implicit equations as solutions, explicit ones.

    What residual and matrix of one that is not linear have in common is computed once.
    """
    if not any(e.implicit or isinstance(e.rhs, Determinant) for e in program.equations):
        return program
    return with_shared_functions(_Systems(with_sides_apart(program)).program)


class _Systems:
    def __init__(self, program: Program):
        self.variables = dict(program.variables)
        self.given = program
        self.before: dict[str, list[Equation]] = {}         # what must be computed before an equation
        self.known: dict[Expr, tuple[Variable, bool]] = {}  # a matrix that was named -> its variable, exchanged or not
        self.factors: dict[str, Variable] = {}
        self.triangles = {e.name: f for e in program.equations if (f := factor(e)) is not None}
        for name, f in self.triangles.items():
            if (matrix := read_name(f.known_whole(self.variables))):
                self.factors.setdefault(matrix, self.variables[name])
        whole = resolved(program, {e.name for e in program.equations if e.implicit})
        self.iterations = {e.name: self._iterated(e) for e in program.equations if e.implicit
                           and e.name not in self.triangles and linear_system(
                               next(x for x in whole.equations if x.name == e.name and x.implicit), program) is None}
        self.found = {e.name: s for e in whole.equations if e.implicit and (s := self._solved(e)) is not None}
        lines = [line for e in program.equations for line in self._lines(e)]
        self.program = program.with_equations(lines, variables=self.variables)

    # ---- the matrix

    def _solved(self, e) -> Solved | None:
        """Return an equation as a system with a named matrix; None where it is not linear."""
        system = linear_system(e, self.given)
        if system is None:
            return None
        if not system.rows:
            self.before[e.name] = []
            return Solved(system, self.variables[e.name], system.matrix, False, False)
        number, matrix = _normal(system.matrix)
        named = self._read(system, matrix) or self._named(system, matrix)
        return Solved(system, named[0], number, named[1], self._is_looped(e))

    def _read(self, system, matrix):
        """Return the variable that a matrix is, and whether rows and columns are exchanged in it."""
        if not isinstance(matrix, Indexed) or not all(isinstance(i, Idx) for i in matrix.indices):
            return None
        variable = self.variables[matrix.base.name]
        for order, transposed in (((*system.rows, *system.columns), False), ((*system.columns, *system.rows), True)):
            if matrix.indices == (*system.stack, *order):
                return variable, transposed
        return None

    def _named(self, system, matrix):
        """Return a variable for a matrix, the one that there is or a new one."""
        rows, columns = system.rows, system.columns
        for order, transposed in (((*rows, *columns), False), ((*columns, *rows), True)):
            key = _key(matrix, (*system.stack, *order))
            if key in self.known:
                return self.known[key][0], self.known[key][1] != transposed
        name = next(n for n in _names(f"matrix_{system.equation.name}") if n not in self.variables)
        indices = (*system.stack, *rows, *columns)
        variable = self._variable(name, indices, system.equation.name)
        self.known[_key(matrix, indices)] = variable, False
        self.before.setdefault(system.equation.name, []).append(Equation(variable.at(*indices), matrix))
        return variable, False

    def _iterated(self, e):
        """Return the lines of Newton's method; its matrix where it ends is known to what is solved later."""
        waiting = simultaneous(self.given)[e.name]
        members = [m for m in self.given.equations if m.name in waiting]
        lines = list(newton.iteration(e, members, self.given, self._new))
        looped = any(self.variables[m.name].state for m in next(g for g in self.given.groups() if e in g))
        for line in lines if not looped else ():
            if line.name.startswith("matrix_"):
                number, rest = _normal(line.rhs)
                if number == 1:
                    self.known[_key(rest, line.indices)] = self.variables[line.name], False
        return lines

    def _variable(self, name, indices, near):
        """Return a new variable, computed in the backward pass if what needs it first is."""
        shape = tuple(i.upper + 1 for i in indices)
        owner = self.given.variables[near]
        late = owner.primal is not None or owner.multiplier
        variable = Variable(name, base_of(name, shape), shape, index_names=tuple(i.name for i in indices),
                            primal=owner.primal if late else None, multiplier=late)
        self.variables[name] = variable
        return variable

    def _new(self, stem, indices):
        """Return a new variable that the forward pass computes."""
        name = next(n for n in _names(stem) if n not in self.variables)
        shape = tuple(i.upper + 1 for i in indices)
        self.variables[name] = Variable(name, base_of(name, shape), shape, index_names=tuple(i.name for i in indices))
        return self.variables[name]

    def _is_looped(self, e):
        """Tell whether an equation is part of a recurrence."""
        group = next(g for g in self.given.groups() if any(line.name == e.name for line in g))
        return bool({line.name for line in group} - {e.name, *simultaneous(self.given).get(e.name, ())})

    # ---- the lines

    def _lines(self, e) -> Iterator[Equation]:
        if isinstance(e.rhs, Determinant):
            yield from self._determined(e)
            return
        if e.name in self.triangles:
            yield self._factored(e)
            return
        if e.implicit and e.name in self.iterations:
            yield from self.iterations[e.name]
            return
        if e.name not in self.found:
            yield e
            return
        solved = self.found[e.name]
        yield from self.before.get(e.name, [])
        if not solved.system.rows:
            yield Equation(e.lhs, solved.system.right / solved.number)
            return
        yield from self._with_factor(e, solved)

    def _with_factor(self, e, solved):
        s = solved.system
        right = _as_identity(s.right / solved.number, s)
        if any(isinstance(t, KroneckerDelta) or is_guard(t) for t in subterms(right)):
            name = next(n for n in _names(f"right_{e.name}") if n not in self.variables)
            indices = tuple(i for i in e.free if i in free_indices(right))
            variable = self._variable(name, indices, e.name)
            yield Equation(variable.at(*indices), right)
            right = variable.at(*indices)
        matrix = solved.matrix
        rows = tuple(like(i, f"_row{k}") for k, i in enumerate(s.rows))
        right = rename(right, dict(zip(s.rows, rows, strict=True)))
        order = (*s.columns, *rows) if solved.transposed else (*rows, *s.columns)
        whole = matrix.at(*s.stack, *order)
        how, factor = "general", whole
        if solved.plain and matrix.name in self.triangles and (solved.looped or not s.stack):
            how = "transposed lower" if solved.transposed else "lower"
            factor = matrix.at(*s.stack, rows[0], s.columns[0])
        elif solved.plain and matrix.definite and (solved.looped or not s.stack):
            how, factor = "cholesky", self._triangle(matrix, e.name).at(*s.stack, rows[0], s.columns[0])
            yield from self._made(matrix)
        elif not s.stack and self._users(matrix) > 1:
            how = "transposed lu" if solved.transposed else "lu"
            factor = self._lu(matrix, e.name).base
            yield from self._made(matrix)
        yield Equation(e.lhs, Solution.made(how, e.name, right, factor, rows, s.columns, s.rows))

    def _factored(self, e):
        """Return the line of a Cholesky factor: of a matrix that is computed and stated to be symmetric, as it is."""
        row, column = e.indices[-2:]
        whole = self.triangles[e.name].known_whole(self.variables)
        name = read_name(whole) or f"the matrix of {e.name}"
        bound = like(row, "_row0"), like(column, "_column0")
        whole = rename(whole, dict(zip((row, column), bound, strict=True)))
        return Equation(e.lhs, Triangle.made(name, whole, *bound, (row, column)))

    def _determined(self, e):
        """Yield the lines of a determinant: from the factor that there is, or by a function of NumPy."""
        read, (row, column) = e.rhs.function, (limit[0] for limit in e.rhs.limits)
        matrix, stack = self.variables[read.base.name], read.indices[:-2]
        is_log, plain = isinstance(e.rhs, LogDeterminant), read.indices[-2:] == (row, column)
        looped = any(s.looped and s.matrix.name == matrix.name for s in self.found.values())
        if matrix.definite and is_log and plain and (looped or not stack):
            triangle = self._triangle(matrix, e.name)
            yield from self._made(matrix)
            yield Equation(e.lhs, 2 * Sum(log(triangle.at(*stack, row, row)), row))
        elif plain and not stack and is_log and self._users(matrix) > 1:
            factor = self._lu(matrix, e.name).base
            yield from self._made(matrix)
            yield Equation(e.lhs, OfMatrix(Parts(Str("lu"), factor), (row, 0, row.upper)))
        else:
            yield Equation(e.lhs, OfMatrix(Parts(Str(e.rhs.word), read), *e.rhs.limits))

    def _users(self, matrix):
        """Return how many solutions and determinants need the factor of a matrix."""
        solutions = sum(s.matrix.name == matrix.name and not s.system.stack and bool(s.system.rows)
                        for s in self.found.values())
        return solutions and solutions + sum(
            isinstance(e.rhs, LogDeterminant) and read_name(e.rhs.function) == matrix.name
            for e in self.given.equations)

    def _lu(self, matrix, near):
        if matrix.name not in self.factors:
            name = next(n for n in _names(f"lu_{matrix.name}") if n not in self.variables)
            variable = replace(self._variable(name, (), near), kind="factor")
            self.factors[matrix.name] = self.variables[name] = variable
            bound = [like(i, f"_axis{k}") for k, i in enumerate(matrix.indices)]
            self.pending = Equation(variable.base, Factored(matrix.at(*bound), *bound))
        return self.factors[matrix.name]

    def _triangle(self, matrix, near):
        if matrix.name not in self.factors:
            name = next(n for n in _names(f"chol_{matrix.name}") if n not in self.variables)
            *stack, row, column = matrix.indices
            variable = self._variable(name, (*stack, row, column), near)
            self.factors[matrix.name] = variable
            bound = like(row, "_row0"), like(column, "_column0")
            self.pending = Equation(
                variable.at(*stack, row, column),
                Triangle.made(matrix.name, matrix.at(*stack, *bound), *bound, (row, column)))
        return self.factors[matrix.name]

    pending: Equation | None = None

    def _made(self, matrix):
        """Yield the equation of a factor that was just made."""
        if self.pending is not None:
            yield self.pending
            self.pending = None


def _normal(matrix):
    """Split a matrix into a number and what does not begin with a sign."""
    number, rest = matrix.as_coeff_Mul()
    diagonal = [t for t in Add.make_args(rest) if isinstance(t.as_coeff_Mul()[1], KroneckerDelta)]
    if (diagonal[0].as_coeff_Mul()[0].is_negative if len(diagonal) == 1 else rest.could_extract_minus_sign()):
        number, rest = -number, -rest
    return number, rest


def _as_identity(right, system):
    """Return a right-hand side with the identity matrix told as one."""
    if len(system.rows) == 1 and len(system.several) == 1:
        delta = KroneckerDelta(system.rows[0], system.several[0])
        number, rest = right.as_coeff_Mul()
        if rest == delta:
            return Mul(number, Identity(system.rows[0], system.several[0]))
    return right


def _key(matrix, indices):
    return canonical(rename(matrix, {i: like(i, f"_axis{k}") for k, i in enumerate(indices)}))


def _names(stem) -> Iterator[str]:
    yield stem
    k = 2
    while True:
        yield f"{stem}_{k}"
        k += 1

