"""Reads at sums of indices, lowered to arrays that NumPy can slice: padding, windows, folds, reshapes.

    padded(x)[n, c, S*i + L*p - P]      x_padded, x with zeros around it; then windows_x[n, c, p, i], one slice a tap
    Sum(... [u = S*i + L*p - P])        dwindows_x[n, c, p, i], then a slice-add a tap into dx_padded; dx is cut out
    x[n, t, h*E + e]                    a reshape, split_x[n, t, h, e], there and back

Each step is program to program: the new variables are equations like any other, and `statements` knows their patterns.
"""

from typing import NamedTuple

from sympy import Add, Idx, Integer, KroneckerDelta, Mul, Piecewise, Sum

from derive.guards import drawn_out, guarded
from derive.program import Equation, Program
from derive.terms import read_name, reads

from . import joins, stretches
from .added_windows import AddedWindows


class Windowed(NamedTuple):
    """A program without reads at sums of indices, what its backward pass makes, and the taps of its windows."""

    program: Program
    backward: frozenset[str]
    taps: dict[str, tuple[Idx, ...]]


def windowed(program: Program, whole_rows: bool = False, kept_windows: bool = False) -> Windowed:
    """Return the program with padding, windows and folds as equations of their own; folds of whole rows, if asked.

    Windows that are added up place by place are arrays too where all are kept.
    """
    lowering = _Windows(program, whole_rows, kept_windows)
    for e in program.equations:
        lowering.take(e)
    lowered = program.with_equations(lowering.lines, variables=lowering.variables)
    return Windowed(lowered, frozenset(lowering.backward - _read_before(lowering)), lowering.taps)


def _read_before(lowering: "_Windows") -> set[str]:
    """Return the arrays that the backward pass asked for first, and what is computed before it reads, too."""
    found: set[str] = set()
    while more := {read_name(r) for e in lowering.lines if e.name not in lowering.backward - found
                   for r in reads(e.rhs, lowering.backward - found)}:
        found |= more
    return found


class _Windows(AddedWindows):
    def take(self, e: Equation) -> None:
        """Append an equation, and before it the arrays that it needs."""
        if stretches.is_plain(e.rhs, _is_whole):
            self.lines.append(e)
            return
        self.of, self.kept = e, {*e.free}
        e = e.with_rhs(Add(*map(self._masked_last, Add.make_args(e.rhs))))
        factors = (f for term in Add.make_args(e.rhs) for f in Mul.make_args(term))
        self.outermost = frozenset(f for f in factors if isinstance(f, Piecewise))
        self.alone = self.outermost & set(Add.make_args(e.rhs))
        if joins.pieces(e):
            self.lines.append(e)
            return
        apart = [] if e.name in self.cycle else stretches.terms(e)
        rest = Add(*(t for t in Add.make_args(e.rhs) if t not in apart))
        terms = [self._folded(t) if t.has(KroneckerDelta) else t for t in map(self._scattering, Add.make_args(rest))]
        self.lines.append(e.with_rhs(Add(self._changed(Add(*terms)), *apart)))

    def _masked_last(self, term):
        """Return a term whose sums are masked once they are there, where no mask says what may be read of them."""
        if not any(isinstance(f, Sum) for f in Mul.make_args(term)):
            return term
        whole, conditions = drawn_out(term)
        return guarded(whole, conditions) if self.of.name in self.cycle or not self._reads_outside(whole) else term


def _is_whole(position):
    return isinstance(position, Idx | Integer)
