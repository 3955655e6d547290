"""A choice of 0 is none where what is chosen is 0 there already: behind a softmax of scores that are -oo.

    S[t, s] = z[t, s] if s <= t else -oo        E[t, s] = exp(S[t, s] - T[t]) is 0 unless s <= t
    dS[t, s] = E[t, s]/N[t]*(...)               and so is whatever has it as a factor:
    dz[t, s] = dS[t, s] if s <= t else 0        dz[t, s] = dS[t, s]
"""

from collections import Counter
from collections.abc import Collection

from sympy import Add, Expr, Idx, Indexed, Mul, Piecewise, S, exp, expand
from sympy.core.relational import GreaterThan, LessThan, StrictGreaterThan, StrictLessThan
from sympy.logic.boolalg import And, Or

from derive.program import Equation, Program, ordered
from derive.terms import bottom_up, instantiated, read_name


class Conditions:
    """For variables by name, the condition at their own indices without which an entry is one number."""

    def __init__(self, program: Program):
        self.parts = Counter(e.name for e in program.equations)
        self.states = {v.name for v in program.variables.values() if v.state}
        self.known: dict[str, tuple[Equation, Expr]] = {}

    def note(self, equation: Equation, condition: Expr | None):
        """Remember the condition of what an equation defines, if there is one and it defines all of a variable."""
        whole = self.parts[equation.name] == 1 and equation.name not in self.states
        if condition is not None and whole and equation.free == equation.indices:
            self.known[equation.name] = equation, condition

    def of(self, read: Expr) -> Expr | None:
        """Return the condition of what is read; None where nothing is known."""
        if read_name(read) not in self.known:
            return None
        equation, condition = self.known[read_name(read)]
        return _normal(instantiated(condition, dict(zip(equation.indices, getattr(read, "indices", ()), strict=True))))


def with_zeros_known(program: Program, exponentials: Collection[str], sums: Collection[str]) -> Program:
    """Return a lowered program without choices of 0 where the value is 0 already.

    `exponentials` are those of log-sum-exps, less their maxima, and `sums` what these add up to.
    """
    lowest, zero = Conditions(program), Conditions(program)

    def support(e: Equation) -> Expr | None:
        if isinstance(e.rhs, exp):
            terms = Add.make_args(e.rhs.args[0])
            found = [c for t in terms if (c := lowest.of(t)) is not None]
            return found[0] if found and (e.name in exponentials or len(terms) == 1) else None
        factors = {f: zero.of(f) for f in Mul.make_args(e.rhs)}
        others = [f for f, condition in factors.items() if condition is None and f.has(Idx)]
        # an adjoint of scores is not a number only where all of its row is none: every entry has the sum of them
        certain = all(read_name(1 / f) in sums for f in others) or program.variables[e.name].primal in lowest.known
        return next((c for c in factors.values() if c is not None), None) if certain else None

    for e in program.equations:
        lowest.note(e, _chosen(e.rhs, S.NegativeInfinity))
    if not lowest.known:
        return program
    for e in (e for group in ordered(program.equations) for e in group):
        condition = _chosen(e.rhs, S.Zero)
        zero.note(e, support(e) if condition is None else condition)
    return program.with_equations(
        e.with_rhs(bottom_up(e.rhs, lambda term: _without_choice(term, zero))) for e in program.equations)


def _chosen(rhs: Expr, otherwise: Expr) -> Expr | None:
    """Return the condition of a choice between a value and a number."""
    if not isinstance(rhs, Piecewise) or len(rhs.args) != 2 or rhs.args[1] != (otherwise, S.true):
        return None
    return _normal(rhs.args[0][1])


def _normal(condition: Expr) -> Expr:
    """Return a condition with each inequality as something that is at least 0, or above it where it is no integer."""
    if isinstance(condition, GreaterThan | LessThan):
        return GreaterThan(expand(condition.gts - condition.lts), 0, evaluate=False)
    if isinstance(condition, StrictGreaterThan | StrictLessThan):
        above = expand(condition.gts - condition.lts)
        return GreaterThan(above - 1, 0, evaluate=False) if above.is_integer else \
            StrictGreaterThan(above, 0, evaluate=False)
    return condition.func(*map(_normal, condition.args)) if isinstance(condition, And | Or) else condition


def _without_choice(rhs: Expr, zero: Conditions) -> Expr:
    """Return the value of a choice between 0 and what is read in range, times numbers, where that is 0 there."""
    choice = next((f for f in Mul.make_args(rhs) if _chosen(f, S.Zero) is not None), None)
    if choice is None:
        return rhs
    condition = _chosen(choice, S.Zero)
    value = Mul(choice.args[0][0], *(f for f in Mul.make_args(rhs) if f is not choice))
    read = [f for f in Mul.make_args(value) if f.has(Idx)]
    plain = len(read) == 1 and isinstance(read[0], Indexed) and all(isinstance(i, Idx) for i in read[0].indices)
    return value if plain and zero.of(read[0]) == condition else rhs
