"""Cholesky factors, defined implicitly: L L' = S with a lower triangular L.

    L[i, j]: 0 = Sum(L[i, k]*L[j, k], k) + [i < j] L[i, j] - S[i, j]            S is symmetric

The sum and S are symmetric in i and j, so what is left is too, and vanishes: as many equations as unknowns, and above
the diagonal L is 0. Linear systems with the derivative of that equation fall apart into triangular ones. With Phi(X),
the lower triangle of X with half its diagonal,

    multiplier      L' lam L = P,  P = Phi(L' dL),  dS = (lam + lam')/2
    tangent         L W L' = Sdot,  Ldot = L Phi(W)

Of the multiplier this is the part that counts: S is symmetric, so nothing reads it but as lam + lam'. See Murray,
Differentiation of the Cholesky decomposition, 2016, equations 8 and 10; Giles, Collected matrix derivative results for
forward and reverse mode algorithmic differentiation, 2008, section 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sympy import Add, Expr, Indexed, Mul, Piecewise, Sum

from .functions import half_step
from .guards import guarded, is_guard, unguarded
from .implicit import System, linear_system
from .program import Equation, Program, Variable, base_of
from .terms import bottom_up, canonical, fresh, index_names, instantiated, like, read_name, reads, rename


@dataclass(frozen=True)
class Factor:
    """A Cholesky factor: its equation, and what it is the factor of, at the equation's last two indices."""

    equation: Equation
    whole: Expr

    @property
    def stack(self) -> tuple[Expr, ...]:
        """The indices before those of row and column."""
        return self.equation.indices[:-2]

    def at(self, row: Expr, column: Expr) -> Expr:
        """Return the read of an entry."""
        base = self.equation.lhs.base
        return base[(*self.stack, row, column)]


    def known_whole(self, variables: Mapping[str, Variable]) -> Expr:
        """Return what it is the factor of: a matrix that is computed and stated to be symmetric, as it is."""
        found = reads(self.whole, [n for n, v in variables.items() if v.definite and v.kind == "variable"])
        row, column = self.equation.indices[-2:]
        here = next((r for r in found if r.indices[-2:] == (row, column)), None)
        if here is None:
            return self.whole
        return here if (here + rename(here, {row: column, column: row})) / 2 == self.whole else self.whole


def residual(unknown: Expr, whole: Expr) -> Expr:
    """Return what vanishes for the Cholesky factor that `unknown` reads, of a symmetric `whole` at its last indices."""
    *stack, row, column = unknown.indices
    k = fresh(column, index_names(unknown) | index_names(whole))
    product = Sum(unknown.base[(*stack, row, k)] * unknown.base[(*stack, column, k)], k)
    return product + guarded(unknown, [column - row - 1]) - whole


def factor(equation: Equation) -> Factor | None:
    """Return what an implicit equation says of a Cholesky factor, None where it says something else."""
    if not equation.implicit or len(equation.free) < 2 or equation.free[-2:] != equation.indices[-2:]:
        return None
    own = [t for t in Add.make_args(equation.rhs) if reads(t, {equation.name})]
    whole = Add(*own) - equation.rhs
    is_one = canonical(Add(*own)) == canonical(residual(equation.lhs, whole) + whole)
    return Factor(equation, whole) if is_one and _is_symmetric(whole, *equation.indices[-2:]) else None


def as_read(equation: Equation, variables: Mapping[str, Variable]) -> Equation:
    """Return an implicit equation as it is read where words say which unknown is lower triangular."""
    known = factor(equation)
    if known is not None:
        equation = equation.with_rhs(equation.rhs + known.whole - known.known_whole(variables))
    if len(equation.indices) < 2:
        return equation
    row, column = equation.indices[-2:]
    above = [t for t in Add.make_args(equation.rhs) if unguarded(t) == (equation.lhs, [(column - row - 1).expand()])]
    return equation.with_rhs(equation.rhs - Add(*above))


def with_known_factors(program: Program) -> Program:
    """Return the program in which multipliers and tangents of Cholesky factors are solved by triangular systems."""
    factors = [f for e in program.equations if (f := factor(e)) is not None]
    if not factors:
        return program
    variables, lines = dict(program.variables), []
    for e in program.equations:
        lines += _apart(e, factors, program, variables)
    return program.with_equations(lines, variables=variables)


def _apart(e, factors, program, variables) -> list[Equation]:
    """Return the lines that solve for an unknown, the equation itself where its matrix is that of no factor."""
    system = linear_system(e, program) if e.implicit and len(e.free) > 1 else None
    if system is None or len(system.rows) != 2:
        return [e]
    for f in factors:
        if f.equation.name == e.name or not {f.equation.name} & {read_name(r) for r in reads(system.matrix, variables)}:
            continue
        row, column = system.rows
        changes = dict(zip(f.equation.indices[:-2], system.stack, strict=False))
        for operator, solved in ((_adjoint_operator, _multiplier), (_operator, _tangent)):
            if _key(system) == _key(linear_system(replace(e, rhs=operator(e, f, row, column, changes)), program)):
                found = solved(e, f, system, changes, variables)
                if found is not None:
                    return found
    return [e]


def _entry(f, row, column, changes):
    return f.at(row, column).xreplace(changes)


def _operator(e, f, row, column, changes):
    """Return the derivative of the factor's equation by the factor, times the unknown."""
    k = fresh(column, index_names(e.lhs))
    across, down = e.lhs.xreplace({column: k}), rename(e.lhs, {row: column, column: k})
    return (Sum(_entry(f, row, k, changes) * down + _entry(f, column, k, changes) * across, k)
            + guarded(e.lhs, [column - row - 1]))


def _adjoint_operator(e, f, row, column, changes):
    """Return the transposed derivative times the unknown."""
    k = fresh(column, index_names(e.lhs))
    straight, turned = e.lhs.xreplace({column: k}), rename(e.lhs, {row: k, column: row})
    return Sum((straight + turned) * _entry(f, k, column, changes), k) + guarded(e.lhs, [column - row - 1])


def _key(system: System | None):
    """Return the matrix of a system, numbers drawn out of its guards: equal for equal matrices."""
    if system is None:
        return None
    order = {i: like(i, f"_axis{k}") for k, i in enumerate((*system.rows, *system.columns))}
    return canonical(bottom_up(rename(system.matrix, order), _without_number).expand())


def _without_number(term):
    if isinstance(term, Piecewise) and is_guard(term):
        number, rest = term.args[0][0].as_coeff_Mul()
        return Mul(number, Piecewise((rest, term.args[0][1]), *term.args[1:], evaluate=False))
    return term


def _multiplier(e, f, system, changes, variables):
    """P = Phi(L' dL), and L' lam L = P."""
    row, column = system.rows
    k, m = _two(e, system)
    right = instantiated(system.right, {row: k})
    inner = _new(f"P_{f.equation.name}", e, variables)
    product = Sum(_entry(f, k, row, changes) * right, k)
    unknown = instantiated(e.lhs, {row: k, column: m})
    sides = Sum(_entry(f, k, row, changes) * unknown * _entry(f, m, column, changes), k, m)
    read = inner.at(*e.indices)
    return [Equation(read, half_step(row - column) * product), e.with_rhs(sides - read)]


def _tangent(e, f, system, changes, variables):
    """L W L' = right, Phi(W), and the tangent is L Phi(W); None where the right-hand side is not symmetric."""
    if not _is_symmetric(system.right, *system.rows):
        return None
    row, column = system.rows
    k, m = _two(e, system)
    inner, lower = (_new(f"{stem}_{e.name}", e, variables).at(*e.indices) for stem in ("W", "Phi"))
    unknown, below = inner.xreplace({row: k, column: m}), lower.xreplace({row: k})
    sides = Sum(_entry(f, row, k, changes) * unknown * _entry(f, column, m, changes), k, m)
    return [Equation(inner, sides - system.right, implicit=True),
            Equation(lower, half_step(row - column) * inner),
            Equation(e.lhs, Sum(_entry(f, row, k, changes) * below, k))]


def _two(e, system):
    """Return two more indices of the range of rows and columns."""
    taken = index_names(e.lhs) | index_names(system.right)
    k = fresh(system.rows[1], taken)
    return k, fresh(k, taken | {k.name})


def _new(stem: str, e: Equation, variables: dict) -> Variable:
    """Add a variable that only the solution of an equation reads."""
    owner = variables[e.name]
    name = next(n for k in range(1, len(variables) + 3) if (n := f"{stem}{k if k > 1 else ''}") not in variables)
    variables[name] = replace(
        owner, name=name, base=base_of(name, owner.shape), primal=None, tangent_of=None, companion_of=e.name, note="",
        state=False)
    return variables[name]


def _is_symmetric(expr, row, column):
    """Tell whether an expression is the same with row and column exchanged, term by term; what is read whole must be.

    No triangle makes a matrix that is not symmetric: one that is read as it is was proven to be so, or is said to be.
    """
    if isinstance(expr.as_coeff_Mul()[1], Indexed) and {row, column} <= set(expr.as_coeff_Mul()[1].indices):
        return True
    turned = rename(expr, {row: column, column: row})
    return canonical(turned.expand()) == canonical(expr.expand())
