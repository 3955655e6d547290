"""Where a single mistake may be: backward equations are linear in the adjoints, so its reach is linear algebra.

If one equation gives e too much, each gradient is off by T e, where T is the derivative of that gradient with respect
to what the equation gives. So a mistake in it explains the gap between the code's gradients and ours if, and only if,
the gap is in the range of T: that needs no idea of what the mistake is.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sympy import Expr, Idx, IndexedBase, Symbol

from derive.program import Equation, Program, is_cyclic, ordered
from derive.terms import read_name, reads

from .evaluate import Evaluated, Values
from .evidence import largest
from .expressions import Scope, compiled

PROBE = "probe"         # an array that stands for an adjoint: one of its entries is 1, the others are 0
FITS = 1e-6             # of a gradient's largest entry, that a gap is out of reach by at most
LINEAR = 1e-7           # of a value, that the derivatives may leave unexplained
MOST_ROWS = 4000        # of all gradients together


class Influence:
    """What each backward equation's value does to the gradients, at one point.

    Raises
    ------
    NotImplementedError
        A backward equation is not linear in the adjoints, or the program is too large.
    """

    def __init__(self, program: Program, point: Evaluated, values: Values, lines: Mapping[str, Sequence[Equation]]):
        self.program, self.point, self.values, self.lines = program, point, values, lines
        self.parameters = {program.adjoints[p.name]: p.name for p in program.parameters if p.name in program.adjoints}
        shapes = {n: np.shape(values[a]) for a, n in self.parameters.items()}
        sizes = [int(np.prod(s, dtype=int)) for s in shapes.values()]
        ends = np.cumsum([0, *sizes])
        self.rows = {n: slice(int(a), int(b)) for n, a, b in zip(shapes, ends[:-1], ends[1:], strict=True)}
        self.count = int(ends[-1])
        if self.count > MOST_ROWS:
            raise NotImplementedError(f"{self.count} entries of gradients")
        self.backward = [e for n in dict.fromkeys(e.name for e in program.backward) for e in self._defining(n)]
        self.linear = self._linear()
        self.reach: dict[str, np.ndarray] = {}
        with np.errstate(all="ignore"):
            self._reaches()

    def _defining(self, name):
        return self.lines.get(name) or self.program.defining(name)

    def _linear(self) -> set[str]:
        """Return the adjoints, and what is computed from them."""
        found = set(self.program.adjoints.values()) & {e.name for e in self.backward}
        while more := {e.name for e in self.backward if e.name not in found and reads(e.rhs, found)}:
            found |= more
        return found

    def _reaches(self):
        """Fill `reach`: for each variable, the derivative of all gradients with respect to what its equations give."""
        given: dict[str, dict[str, np.ndarray]] = {n: {} for n in self.linear}       # u -> w: dw/du, for w that read u
        for e in self.backward:
            if e.name in self.linear:
                for name, matrix in self._derivatives(e):
                    given[name][e.name] = given[name].get(e.name, 0) + matrix
        for group in reversed(ordered(e for e in self.backward if e.name in self.linear)):
            self._group(list(dict.fromkeys(e.name for e in group)), given, is_cyclic(group))

    def _group(self, names, given, cyclic):
        sizes = [int(np.size(self.values[n])) for n in names]
        ends = np.cumsum([0, *sizes])
        place = {n: slice(int(a), int(b)) for n, a, b in zip(names, ends[:-1], ends[1:], strict=True)}
        outside, inside = np.zeros((self.count, ends[-1])), np.eye(ends[-1])
        for n in names:
            if n in self.parameters:
                outside[self.rows[self.parameters[n]], place[n]] += np.eye(np.size(self.values[n]))
            for w, matrix in given[n].items():
                if w in place:
                    inside[place[w], place[n]] -= matrix
                else:
                    outside[:, place[n]] += self.reach[w] @ matrix
        if cyclic:
            try:
                outside = np.linalg.solve(inside.T, outside.T).T
            except np.linalg.LinAlgError:
                raise NotImplementedError(f"{', '.join(names)} does not settle") from None
        if not np.all(np.isfinite(outside)):
            raise NotImplementedError(f"the reach of {', '.join(names)} is not finite")
        self.reach.update({n: outside[:, place[n]] for n in names})

    def _derivatives(self, equation: Equation) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each adjoint that an equation reads, with the derivative of what it gives with respect to that one."""
        names = list(dict.fromkeys(read_name(r) for r in reads(equation.rhs, self.linear)))
        nothing = {n: np.zeros_like(self.values[n]) for n in names}
        rest = self._value(equation, equation.rhs, nothing)
        whole = self._value(equation, equation.rhs, {})
        told, scale = rest, largest(rest)
        for n in names:
            size = int(np.size(self.values[n]))
            which = Idx(Symbol("which", integer=True), (0, size - 1))
            base = IndexedBase(PROBE, real=True)
            probed = {r: base[(*getattr(r, "indices", ()), which)] for r in reads(equation.rhs, {n})}
            unit = np.eye(size).reshape((*np.shape(self.values[n]), size))
            found = self._value(equation, equation.rhs.xreplace(probed), {**nothing, PROBE: unit}, which,
                                state=n in self.point.scope.states)
            matrix = found - rest[..., None]
            part = matrix @ np.ravel(self.values[n])
            told, scale = told + part, max(scale, largest(part))
            full = np.zeros((*np.shape(self.values[equation.name]), size))
            full[self.where(equation)] = matrix
            full = full.reshape(-1, size)
            if equation.implicit and n == equation.name:
                full = full + np.eye(size)          # 0 = F(x) is x = x + F(x)
            yield n, full
        if not largest(told - whole) <= LINEAR * scale:
            raise NotImplementedError(f"the equation of {equation.name} is not linear in the adjoints")

    def explained(
        self, gaps: Mapping[str, Any], scales: Mapping[str, float], tolerance: float,
    ) -> dict[str, frozenset[str]]:
        """Return for each place the most gradients whose gaps one mistake there may explain, the others left alone.

        `gaps` has what each of the code's gradients differs from ours by, 0 where it is right; `scales` their sizes.
        Where there are two mistakes, the gradients beneath the second are not the first one's to explain.
        """
        wrong = {n for n in self.rows if largest(gaps[n]) > 0}
        below = {v: {n for n, rows in self.rows.items() if np.any(matrix[rows])} for v, matrix in self.reach.items()}
        found = {}
        for v in self.reach:
            sets = {frozenset((wrong & below[v]) - other) for other in (frozenset(), *map(frozenset, below.values()))}
            sets |= {frozenset({n}) for n in wrong & below[v]}
            for some in sorted(sets - {frozenset()}, key=lambda s: (-len(s), sorted(s))):
                rows = [n for n in self.rows if n in some or n not in wrong]
                if self._within([v], rows, gaps, scales, tolerance):
                    found[v] = some
                    break
        return found

    def _within(self, places, names, gaps, scales, tolerance) -> bool:
        """Tell whether mistakes at some places explain the gaps of some gradients, and leave others of them alone."""
        gap = np.concatenate([np.ravel(gaps[n]) / scales[n] for n in names])
        reach = np.concatenate([np.hstack([self.reach[v][self.rows[n]] for v in places]) / scales[n] for n in names])
        told = np.any(reach, axis=1)
        if largest(gap[~told]) > tolerance:
            return False
        step = np.linalg.lstsq(reach[told], gap[told], rcond=1e-12)[0]
        return largest(reach[told] @ step - gap[told]) <= tolerance

    def _value(self, equation: Equation, rhs: Expr, other: Values, *more: Idx, state: bool = False) -> Any:
        """Return a right-hand side's value in full, with other values of some variables."""
        scope = self.point.scope
        states = scope.states | ({PROBE} if state else set())
        here = Scope({**self.values, **other}, frozenset(states), scope.sizes, scope.numbers)
        context = (*equation.free, *more)
        counts = [scope.number(i.upper) - scope.number(i.lower) + 1 for i in context]
        return np.broadcast_to(np.asarray(compiled(rhs, context)(here), float), counts)

    def where(self, equation: Equation) -> tuple:
        """Return where in its array an equation stands."""
        number, shifted = self.point.scope.number, equation.name in self.point.scope.states
        shifts = [1 if shifted and axis == 0 else 0 for axis in range(len(equation.indices))]
        return tuple(slice(number(i.lower) + shift, number(i.upper) + 1 + shift) if isinstance(i, Idx)
                     else int(i) + shift for i, shift in zip(equation.indices, shifts, strict=True))
