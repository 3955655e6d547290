"""Choices by data that are there only where an index is in range: the index's condition stands around the data's.

    Piecewise((v, And(j >= 1, Ne(y[j - 1], y[j]))), (0, True))      y[j - 1] where j >= 1, and not where j = 0
"""

from collections.abc import Callable
from dataclasses import dataclass

from sympy import ITE, And, Expr, Indexed, Not, Or, Piecewise, S
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean

from .guards import is_guard
from .terms import bottom_up, holds


def nested(expr: Expr, leaves_its_range: Callable[[Indexed], bool]) -> Expr:
    """Return an expression in which no condition reads what another condition beside it guards."""
    nesting = _Nesting(leaves_its_range)
    return bottom_up(expr, nesting.of) if holds(expr, Piecewise) else expr


@dataclass
class _Nesting:
    leaves_its_range: Callable[[Indexed], bool]

    def of(self, term: Expr) -> Expr:
        if not isinstance(term, Piecewise) or not any(self._leaves(condition) for _, condition in term.args) \
                or not any(self._leaves(value) and not is_guard(value) for value, _ in term.args):
            return term
        *cases, (rest, _) = term.args
        for value, condition in reversed(cases):
            rest = self._chosen(value, condition, rest)
        return rest

    def _leaves(self, part):
        return any(map(self.leaves_its_range, part.atoms(Indexed)))

    def _chosen(self, value: Expr, condition: Boolean, rest: Expr) -> Expr:
        """Return the value where a condition holds, else the rest; what is of indices alone is asked first."""
        if condition == True:
            return value
        if condition == False:
            return rest
        if isinstance(condition, ITE) and not condition.args[0].has(Indexed):
            where, then, otherwise = condition.args
            return _either(self._chosen(value, then, rest), where, self._chosen(value, otherwise, rest))
        guards = [c for c in condition.args if isinstance(c, Relational) and not c.has(Indexed)]
        others = [c for c in condition.args if c not in guards]
        if guards and others and isinstance(condition, And):
            where = And(*guards)
            return _either(self._chosen(self._only(value, where), And(*others), rest), where, rest)
        if guards and others and isinstance(condition, Or):
            where = And(*map(Not, guards))
            return _either(self._chosen(value, Or(*others), self._only(rest, where)), where, value)
        return _either(value, condition, rest)

    def _only(self, value, where):
        """Return a value that is taken where a condition on indices holds, with that said beside what it reads."""
        return _either(value, where, S.Zero) if self._leaves(value) and not is_guard(value) else value


def _either(value, condition, rest):
    more = rest.args if isinstance(rest, Piecewise) and not is_guard(rest) else [(rest, True)]
    return Piecewise((value, condition), *more, evaluate=False)
