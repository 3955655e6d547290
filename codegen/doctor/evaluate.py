"""Evaluating a program as it stands: each equation by broadcasting, a recurrence swept until it rests, roots by Newton.

Nothing is planned or printed, so any equation can be changed and evaluated again, a wrong one too. Sizes are small.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sympy import Abs, Add, Idx, Mul, Sum, Symbol

from derive.binders import ArgMaximum
from derive.program import Equation, Program, is_cyclic, ordered
from derive.terms import read_name, reads

from .expressions import Scope, compiled

STEP = 1e-6             # of the differences that Newton's Jacobian is made of
MOST_STEPS = 50
Values = dict[str, Any]
Group = Sequence[Equation]


class Evaluated:
    """All values of a program at one point, and what they become when some of its equations are changed."""

    def __init__(self, program: Program, sizes: Mapping[Symbol, int], arguments: Mapping[str, Any]):
        self.program = program
        states = frozenset(v.name for v in program.variables.values() if v.state)
        self.scope = Scope({}, states, {s: int(n) for s, n in sizes.items()})
        self.groups = ordered(program.equations)
        self.cyclic = [is_cyclic(g) for g in self.groups]
        self.needs = [{read_name(r) for e in g for r in reads(e.rhs, program.variables)} for g in self.groups]
        self.values = dict(arguments)
        with np.errstate(all="ignore"):
            for group, cyclic in zip(self.groups, self.cyclic, strict=True):
                self._evaluate(group, cyclic, self.values)

    def gradients(self, values: Values | None = None) -> Values:
        """Return the gradients by the parameters' names."""
        values, adjoints = self.values if values is None else values, self.program.adjoints
        return {p.name: values[adjoints[p.name]] if p.name in adjoints else np.zeros_like(self.values[p.name])
                for p in self.program.parameters}

    def terms(self, name: str) -> float:
        """Return the size of the largest sum of terms, each without its sign, that defines an entry of a variable."""
        scope = Scope(self.values, self.scope.states, self.scope.sizes, self.scope.numbers)
        found = 0.0
        with np.errstate(all="ignore"):
            for e in self.program.defining(name):
                value = np.asarray(compiled(_unsigned(e.rhs), e.free)(scope), float) if not e.implicit else np.zeros(1)
                found = max(found, float(np.max(value[np.isfinite(value)], initial=0.0)))
        return found

    def changed(
        self, equations: Sequence[Equation], values: Values | None = None,
        wanted: Callable[[str, Any], bool] = lambda name, value: True,
    ) -> Values | None:
        """Return the values with some equations changed: only those are evaluated, and what depends on them.

        `equations` replace all equations of the same names. `wanted` is asked about each value that came out another
        one; where it says no, the rest is not evaluated, and None is returned.
        """
        base = self.values if values is None else values
        result, dirty = dict(base), set[str]()
        names = {e.name for e in equations}
        with np.errstate(all="ignore"):
            for group, cyclic, needs in zip(self.groups, self.cyclic, self.needs, strict=True):
                here = {e.name for e in group}
                if not (here & names or needs & dirty):
                    continue
                kept = [e for e in group if e.name not in names] + [e for e in equations if e.name in here]
                self._evaluate(kept, cyclic or bool(here & names and is_cyclic(kept)), result)
                other = [n for n in sorted(here) if not np.array_equal(result[n], base[n], equal_nan=True)]
                if not all(wanted(n, result[n]) for n in other):
                    return None
                dirty.update(other)
        return result

    def _evaluate(self, group, cyclic, values):
        """Add what one group defines; a recurrence is swept until nothing changes any more."""
        names = list({e.name: None for e in group})
        for e in group:
            values[e.name] = self._empty(e)
        self.scope.values = values
        implicit, explicit = [e for e in group if e.implicit], [e for e in group if not e.implicit]
        parts = ordered(explicit) if implicit else []
        if implicit and not any(map(is_cyclic, parts)):
            self._solve(implicit, [e for part in parts for e in part], values)
        else:
            self._sweep(group, cyclic, names, values)

    def _solve(self, implicit, explicit, values):
        """Find the unknowns for which all implicit right-hand sides vanish."""
        shapes = [np.shape(values[e.name]) for e in implicit]
        ends = np.cumsum([int(np.prod(s)) for s in shapes])

        def residual(unknowns):
            for e, shape, part in zip(implicit, shapes, np.split(unknowns, ends[:-1]), strict=True):
                values[e.name] = part.reshape(shape)
            for e in explicit:
                self._assign(e, values)
            return np.concatenate([np.ravel(self._value(e, shape)) for e, shape in zip(implicit, shapes, strict=True)])

        unknowns = np.concatenate([np.ravel(self._value(replace(e, rhs=e.start), shape))
                                   for e, shape in zip(implicit, shapes, strict=True)])
        unknowns = root(residual, unknowns)
        if unknowns is None:
            unknowns = np.full(ends[-1], np.nan)
        residual(unknowns)

    def _value(self, equation, shape):
        return np.broadcast_to(np.asarray(compiled(equation.rhs, equation.free)(self.scope), float), shape)

    def _sweep(self, group, cyclic, names, values):
        if not cyclic:
            for e in group:
                self._assign(e, values)
            return
        for _ in range(2 + sum(sum(np.shape(values[n])) for n in names)):
            before = {n: np.copy(values[n]) for n in names}
            for e in group:
                self._assign(e, values)
            if all(np.array_equal(before[n], values[n], equal_nan=True) for n in names):
                return
        for n in names:
            values[n] = np.full_like(values[n], np.nan)

    def _empty(self, equation):
        shape = [self.scope.number(s) for s in self.program.variables[equation.name].shape]
        if equation.name in self.scope.states:
            shape[0] += 1
        return np.zeros(shape, int if isinstance(equation.rhs, ArgMaximum) else float)

    def _assign(self, equation, values):
        if equation.implicit:
            self._solve([equation], [], values)
            return
        number, state = self.scope.number, equation.name in self.scope.states
        where: list[Any] = []
        for axis, i in enumerate(equation.indices):
            shift = 1 if state and axis == 0 else 0
            where.append(slice(number(i.lower) + shift, number(i.upper) + 1 + shift) if isinstance(i, Idx)
                         else int(i) + shift)
        values[equation.name][tuple(where)] = compiled(equation.rhs, equation.free)(self.scope)


def _unsigned(expr):
    """Return a sum of terms with each term's absolute value in its place."""
    if isinstance(expr, Add | Mul):
        return expr.func(*map(_unsigned, expr.args))
    return Sum(_unsigned(expr.function), *expr.limits) if isinstance(expr, Sum) else Abs(expr)


def root(function: Callable[[Any], Any], start: Any) -> Any:
    """Return where a function of a vector vanishes, None where Newton's method, its steps halved, does not find it."""
    x, value = start, function(start)
    for _ in range(MOST_STEPS):
        size = np.max(np.abs(value), initial=0.0)
        if not np.isfinite(size):
            return None
        if size == 0:
            return x
        steps = STEP * np.maximum(1.0, np.abs(x))
        columns = [(function(x + h) - function(x - h)) / (2 * np.max(h)) for h in np.diag(steps)]
        try:
            step = np.linalg.solve(np.stack(columns, axis=1), value)
        except np.linalg.LinAlgError:
            return None
        for scale in 0.5 ** np.arange(12):
            moved = function(x - scale * step)
            if np.max(np.abs(moved)) < size:
                break
        else:                           # as small as rounding lets it be, or stuck
            return x if size <= 1e-9 * max(1.0, float(np.max(np.abs(x)))) else None
        x, value = x - scale * step, moved
    return None
