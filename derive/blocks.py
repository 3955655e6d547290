"""Cells that wait for each other because an unknown is among them: solved together, by Newton's method.

Every cell of a block has a residual: an unknown's is what must vanish, another cell's is its right-hand side minus its
value. In exact arithmetic one step must do, as it does where the unknowns stand linearly; else the steps must fall
below the last digits. By the implicit function theorem, the adjoints c of the cells have the multipliers m with

    c[u] + Sum over residuals R of m[R] dR/du = 0        and m[R] dR/dx is what goes on to every x outside the block.

Like all that the referee uses, nothing here knows the rule: the derivatives are SymPy's, of scalars.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from sympy import Expr, Float, S

from .errors import DerivationError

STEPS = 200             # of Newton's method at most
SPARE = 6               # digits that a last step may still change


class NotLinear(DerivationError):
    """Exact arithmetic cannot solve a system that is not linear."""


class Block:
    """A block of cells: their scalars, which of them are unknowns, and a way to evaluate what a scalar's cells give."""

    def __init__(self, cells: Sequence, scalars: Mapping, unknowns: Mapping, shown: str):
        self.cells, self.scalars, self.shown = list(cells), scalars, shown
        self.unknowns = {c: unknowns[c] for c in cells if c in unknowns}        # with where Newton's method starts

    def solved(self, at: Callable, digits: int | None) -> dict:
        """Return the values of the cells; `at(expr, cell, now)` evaluates, `now` holding those of the block."""
        now = self._started(at)
        for _ in range(STEPS):
            residuals = [self._residual(at, c, now) for c in self.cells]
            if all(r == 0 for r in residuals):
                return now
            step = solution(self._jacobian(at, now), residuals, self.shown)
            now = {c: v - s for (c, v), s in zip(now.items(), step, strict=True)}
            if digits is None:
                if any(self._residual(at, c, now) != 0 for c in self.cells):
                    raise NotLinear(f"{self.shown}: an equation that is not linear has no exact solution; give digits")
                return now
            small = Float(10, digits) ** (SPARE - digits)
            if all(abs(s) <= small * max(abs(v), 1) for s, v in zip(step, now.values(), strict=True)):
                return now
        raise DerivationError(f"{self.shown}: Newton's method does not converge in {STEPS} steps; give another start")

    def _started(self, at):
        """Begin at the start of the unknowns, and with what follows from it."""
        now = dict(self.unknowns)
        waiting = [c for c in self.cells if c not in now]
        while waiting:
            ready = [c for c in waiting if all(r in now or r not in self.cells for r in self.scalars[c].reads)]
            if not ready:
                raise DerivationError(f"{self.shown} waits for itself")
            now |= {c: at(self.scalars[c].rhs, c, now) for c in ready}
            waiting = [c for c in waiting if c not in ready]
        return {c: now[c] for c in self.cells}

    def _residual(self, at, cell, now):
        value = at(self.scalars[cell].rhs, cell, now)
        return value if cell in self.unknowns else value - now[cell]

    def _jacobian(self, at, now):
        """Return the derivatives of the residuals, one row a residual."""
        return [[self.partial(at, r, u, now) for u in self.cells] for r in self.cells]

    def partial(self, at: Callable, residual, cell, now: Mapping) -> Expr:
        """Return the derivative of a residual by a cell, in the block or outside."""
        own = S.NegativeOne if residual == cell and residual not in self.unknowns else S.Zero
        u = self.scalars[residual].reads.get(cell)
        return own if u is None else own + at(_derivative(self.scalars[residual].rhs, u), residual, now)

    def multipliers(self, at: Callable, now: Mapping, adjoints: Sequence) -> dict:
        """Return the multiplier of each residual for the adjoints of the cells."""
        rows = [list(column) for column in zip(*self._jacobian(at, now), strict=True)]
        return dict(zip(self.cells, solution(rows, [-c for c in adjoints], self.shown), strict=True))


@lru_cache(maxsize=1 << 14)
def _derivative(expr, u):
    return expr.diff(u)


def solution(rows: Sequence[Sequence[Expr]], right: Sequence[Expr], shown: str) -> list[Expr]:
    """Solve a linear system by elimination, the largest pivot first.

    Raises
    ------
    DerivationError
        The matrix is singular.
    """
    lines = [[*row, b] for row, b in zip(rows, right, strict=True)]
    size = len(lines)
    for k in range(size):
        best = max(range(k, size), key=lambda r: abs(lines[r][k]))
        if lines[best][k] == 0:
            raise DerivationError(f"{shown} is not determined by its equation: the matrix is singular at this point")
        lines[k], lines[best] = lines[best], lines[k]
        for r in range(k + 1, size):
            factor = lines[r][k] / lines[k][k]
            if factor != 0:
                lines[r] = [a - factor * b for a, b in zip(lines[r], lines[k], strict=True)]
    result: list[Expr] = [S.Zero] * size
    for k in reversed(range(size)):
        known = sum((lines[k][c] * result[c] for c in range(k + 1, size)), S.Zero)
        result[k] = (lines[k][size] - known) / lines[k][k]
    return result
