"""Reads at sums of indices, lowered to arrays that NumPy can slice: padding, windows, folds, reshapes.

    padded(x)[n, c, S*i + L*p - P]      x_padded, x with zeros around it; then windows_x[n, c, p, i], one slice a tap
    Sum(... [u = S*i + L*p - P])        dwindows_x[n, c, p, i], then a slice-add a tap into dx_padded; dx is cut out
    x[n, t, h*E + e]                    a reshape, split_x[n, t, h, e], there and back

Each step is program to program: the new variables are equations like any other, and `statements` knows their patterns.
"""

from typing import NamedTuple

from sympy import Add, Idx, KroneckerDelta, Mul, Piecewise, Sum

from derive.guards import guarded, is_guard
from derive.program import Equation, Program
from derive.ranges import conjuncts
from derive.terms import free_indices

from . import joins
from .window_folds import FoldLowering


class Windowed(NamedTuple):
    """A program without reads at sums of indices, what its backward pass makes, and the taps of its windows."""

    program: Program
    backward: frozenset[str]
    taps: dict[str, tuple[Idx, ...]]


def windowed(program: Program) -> Windowed:
    """Return the program with padding, windows and folds as equations of their own."""
    lowering = _Windows(program)
    for e in program.equations:
        lowering.take(e)
    lowered = program.with_equations(lowering.lines, variables=lowering.variables)
    return Windowed(lowered, frozenset(lowering.backward), lowering.taps)


class _Windows(FoldLowering):
    def take(self, e: Equation) -> None:
        """Append an equation, and before it the arrays that it needs."""
        self.of = e
        if e.name in self.cycle:
            e = e.with_rhs(Add(*map(_chosen_first, Add.make_args(e.rhs))))
        factors = (f for term in Add.make_args(e.rhs) for f in Mul.make_args(term))
        self.outermost = frozenset(f for f in factors if isinstance(f, Piecewise))
        if joins.pieces(e):
            self.lines.append(e)
            return
        terms = [self._folded(t) if t.has(KroneckerDelta) else t for t in map(self._scattering, Add.make_args(e.rhs))]
        self.lines.append(e.with_rhs(self._changed(Add(*terms))))


def _chosen_first(term):
    """Return a sum of guarded terms as the guarded sum, where the conditions are on no index that is summed."""
    if not isinstance(term, Sum) or not is_guard(term.function):
        return term
    body, condition = term.function.args[0]
    if any(limit[0] in free_indices(c) for limit in term.limits for c in conjuncts(condition)):
        return term
    return guarded(Sum(body, *term.limits), conjuncts(condition))
