"""The chain rule written out, factor by factor, for parameters that reach the loss through scalars alone."""

from dataclasses import dataclass
from itertools import pairwise

from sympy import Add, Expr, Mul

from .differentials import Differentials
from .sheet import Sheet

MOST_PATHS = 3


@dataclass(frozen=True)
class Link:
    """One factor of a chain: the derivative of a scalar by what its line reads."""

    of: str
    by: str
    value: Expr
    total: bool                 # is `by` a scalar, and all that the line of `of` reads?


@dataclass(frozen=True)
class Chain:
    """The derivative of the loss by a parameter: a sum over paths of products of links."""

    parameter: str
    paths: list[list[Link]]

    @property
    def result(self) -> Expr:
        """The sum of the products."""
        return Add(*(Mul(*(link.value for link in path)) for path in self.paths))

    @property
    def folds(self) -> bool:
        """Whether multiplying out makes something else of the factors than writing them side by side."""
        return any(link.value.as_coeff_Mul()[0] != 1 for path in self.paths for link in path)


def chains(sheet: Sheet, differentials: Differentials) -> list[Chain]:
    """Return a chain for each parameter, where all lines are scalars and some parameter is two links from the loss."""
    program = sheet.primal
    lines = {row.line.name: row.line for row in sheet.rows}
    if any(program.variables[name].shape for name in lines):
        return []
    needs = {name: [n for n in program.variables if n in sheet.needs(line) and (n in lines or sheet.is_parameter(n))]
             for name, line in lines.items()}
    values: dict[tuple[str, str], Expr] = {}
    for name, line in lines.items():
        gradients = differentials.gradients(line, needs[name])
        if gradients is None:
            return []
        values |= {(name, by): gradient.rhs for by, gradient in gradients.items()}

    def link(of, by):
        return Link(of, by, values[of, by], needs[of] == [by] and not program.variables[by].shape)

    found = []
    for parameter in program.parameters:
        routes = _routes(program.loss, parameter.name, needs)
        if 0 < len(routes) <= MOST_PATHS and any(len(r) > 2 for r in routes):
            found.append(Chain(parameter.name, [[link(*pair) for pair in pairwise(r)] for r in routes]))
    return found


def _routes(start, goal, needs):
    """Return the paths from the loss down to a parameter; one more than may be shown are enough to know."""
    found: list[list[str]] = []
    todo = [[start]]
    while todo and len(found) <= MOST_PATHS:
        route = todo.pop(0)
        if route[-1] == goal:
            found.append(route)
        todo += [[*route, n] for n in needs.get(route[-1], [])]
    return found
