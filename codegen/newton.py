"""Implicit equations that are not linear: Newton's method, with the Jacobian that the rule gives.

    Y: 0 = Y - tanh(pre_Y), pre_Y = ...         residual_Y, matrix_Y (its derivative by Y), step_Y; then Y: 0 = step_Y

The three are equations like any other, which a function inside `forward` computes from a given Y (`newton_text`).
"""

from collections.abc import Callable, Iterator, Sequence

from derive.newton import jacobian
from derive.program import Equation, Program, Variable
from derive.terms import like

from .solutions import Solution


def iteration(e: Equation, members: Sequence[Equation], program: Program, new: Callable[..., Variable]
              ) -> Iterator[Equation]:
    """Yield the residual, the matrix and the step of Newton's method for an unknown, and the unknown: 0 = step.

    `members` are what the residual reads that depends on the unknown; `new(stem, indices)` makes a variable.
    """
    residual = new(f"residual_{e.name}", e.indices)
    step = new(f"step_{e.name}", e.indices)
    system = jacobian(e, members, program)
    yield Equation(residual.at(*e.indices), e.rhs)
    if not system.rows:
        yield Equation(step.at(*e.indices), residual.at(*e.indices) / system.matrix)
    else:
        matrix = new(f"matrix_{e.name}", (*system.stack, *system.columns, *system.rows))
        yield Equation(matrix.at(*system.stack, *system.columns, *system.rows), system.matrix)
        rows = tuple(like(i, f"_row{k}") for k, i in enumerate(system.rows))
        columns = tuple(like(i, f"_column{k}") for k, i in enumerate(system.rows))
        right = residual.at(*(dict(zip(system.rows, rows, strict=True)).get(i, i) for i in e.indices))
        yield Equation(step.at(*e.indices), Solution.made(
            "general", e.name, right, matrix.at(*system.stack, *rows, *columns), rows, columns, system.rows))
    yield e.with_rhs(step.at(*e.indices))
