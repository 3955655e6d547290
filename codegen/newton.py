"""Implicit equations that are not linear: Newton's method, with the Jacobian that the rule gives.

    Y: 0 = Y - tanh(pre_Y), pre_Y = ...         residual_Y, matrix_Y (its derivative by Y), step_Y; then Y: 0 = step_Y

The three are equations like any other, which a function inside `forward` computes from a given Y (`newton_text`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sympy import Sum, Symbol

from derive.errors import DerivationError
from derive.implicit import System, linear_system, written_out
from derive.program import Equation, Program, Variable, base_of
from derive.rule import backward
from derive.simplify import tidied
from derive.terms import like, rename

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


def jacobian(e: Equation, members: Sequence[Equation], program: Program) -> System:
    """Return the derivative of a residual by its unknown, as a system whose rows are the unknown's places.

    It is what the rule sends to the unknown from a sum of all residuals, each with a weight: linear in the weights.
    """
    unknown = program.variables[e.name]
    residual, weight = (
        replace(unknown, name=n, base=base_of(n, unknown.shape), kind=kind)
        for n, kind in ((f"residual {e.name}", "variable"), (f"weight {e.name}", "input"))
    )
    made = {m.name for m in members}
    variables = {n: v if n in made or v.kind == "labels" else replace(v, kind="parameter" if n == e.name else "input",
                                                                      primal=None, multiplier=False, tangent_of=None)
                 for n, v in program.variables.items()}
    loss = Symbol("weighted residuals", real=True)
    weighted = weight.at(*e.indices) * residual.at(*e.indices)
    equations = [*members, Equation(residual.at(*e.indices), e.rhs),
                 Equation(loss, Sum(weighted, *e.free) if e.free else weighted)]
    variables |= {residual.name: residual, weight.name: weight, loss.name: Variable(loss.name, loss, ())}
    derived = tidied(backward(program.with_equations(
        equations, variables=variables, loss=loss.name, outputs=(), adjoints={}, results={})))
    lines = {line.name: line for line in derived.backward}
    gradient = written_out(lines[derived.adjoints[e.name]], lines)
    here = dict(zip(gradient.indices, e.indices, strict=True))
    system = linear_system(Equation(weight.at(*e.indices), rename(gradient.rhs, here), implicit=True), derived)
    if system is None or system.matrix == 0:
        raise DerivationError(f"{e.name}: its equation does not depend on it")
    return system
