"""A choice of 0 is none where what is chosen is 0 there already: behind a softmax of scores that are -oo.

    S[t, s] = z[t, s] if s <= t else -oo        E[t, s] = exp(S[t, s] - T[t]) is 0 unless s <= t
    dS[t, s] = E[t, s]/N[t]*(...)               and so is whatever has it as a factor:
    dz[t, s] = dS[t, s] if s <= t else 0        dz[t, s] = dS[t, s]
"""

from collections import Counter

from sympy import Add, Expr, Idx, Indexed, Mul, Piecewise, Pow, S, exp, expand, log
from sympy.core.relational import GreaterThan, LessThan, StrictGreaterThan, StrictLessThan
from sympy.logic.boolalg import And, Or

from derive.program import Equation, Program, ordered
from derive.terms import instantiated, read_name, subterms


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
        return _normal(instantiated(condition, dict(zip(equation.indices, read.indices, strict=True))))


def with_zeros_known(program: Program) -> Program:
    """Return a lowered program without choices of 0 where the value is 0 already."""
    lowest, zero = Conditions(program), Conditions(program)
    for e in (e for group in ordered(program.equations) for e in group):
        lowest.note(e, _chosen(e.rhs, S.NegativeInfinity))
        zero.note(e, _support(e.rhs, lowest, zero))
    return program.with_equations(e.with_rhs(_without_choice(e.rhs, lowest, zero)) for e in program.equations)


def _chosen(rhs: Expr, otherwise: Expr) -> Expr | None:
    """Return the condition of a choice between a value and a number."""
    if not isinstance(rhs, Piecewise) or len(rhs.args) != 2 or rhs.args[1] != (otherwise, S.true):
        return None
    return _normal(rhs.args[0][1])


def _normal(condition: Expr) -> Expr:
    """Return a condition with each inequality as something that is at least 0, or above it."""
    if isinstance(condition, GreaterThan | LessThan):
        return GreaterThan(expand(condition.gts - condition.lts), 0, evaluate=False)
    if isinstance(condition, StrictGreaterThan | StrictLessThan):
        return StrictGreaterThan(expand(condition.gts - condition.lts), 0, evaluate=False)
    return condition.func(*map(_normal, condition.args)) if isinstance(condition, And | Or) else condition


def _support(term: Expr, lowest: Conditions, zero: Conditions) -> Expr | None:
    """Return the condition without which a term is 0; None where none is known."""
    if isinstance(term, exp):
        found = [c for t in Add.make_args(term.args[0]) if (c := lowest.of(t)) is not None]
        return found[0] if found else None
    if isinstance(term, Mul):
        return next((c for f in term.args if (c := _support(f, lowest, zero)) is not None), None)
    return zero.of(term) if read_name(term) else _chosen(term, S.Zero)


def _without_choice(rhs: Expr, lowest: Conditions, zero: Conditions) -> Expr:
    condition = _chosen(rhs, S.Zero)
    value = rhs.args[0][0] if condition is not None else rhs
    is_zero = condition is not None and _has_values(value) and _support(value, lowest, zero) == condition
    return value if is_zero else rhs


def _has_values(value: Expr) -> bool:
    """Tell whether a value can be computed where it does not count: no read leaves its range, no 0 divides."""
    terms = list(subterms(value))
    moving = [t for t in terms if isinstance(t, log) or (isinstance(t, Pow) and not t.exp.is_nonnegative)]
    return all(isinstance(i, Idx) for t in terms if isinstance(t, Indexed) for i in t.indices) and not any(
        isinstance(t, Idx | Indexed) for m in moving for t in subterms(m))
