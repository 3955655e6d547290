"""The chain rule written out, factor by factor, for parameters that reach the loss through scalars alone."""

from dataclasses import dataclass

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
    total: bool                 # is `by` all that the line of `of` reads, and a scalar?


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
        """Whether multiplying out makes the factors something else than side by side."""
        return any(link.value.as_coeff_Mul()[0] != 1 for path in self.paths for link in path)


def chains(sheet: Sheet, differentials: Differentials) -> list[Chain]:
    """Return the chains of at least two links, one for each parameter that has one."""
    program = sheet.primal
    lines = {e.name: e for e in sheet.lines if e.name in sheet.active and e.name not in sheet.abbreviations}
    if any(program.variables[name].shape for name in lines):
        return []
    needs = {name: [n for n in program.variables if n in sheet.needs(e) and (n in lines or _is_parameter(program, n))]
             for name, e in lines.items()}
    gradients = {name: differentials.gradients(e, needs[name]) for name, e in lines.items()}
    if any(g is None for g in gradients.values()):
        return []

    def link(of, by):
        alone = needs[of] == [by] and not program.variables[by].shape
        return Link(of, by, gradients[of][by].rhs, alone)

    found = []
    for parameter in program.parameters:
        routes = _routes(program.loss, parameter.name, needs, MOST_PATHS + 1)
        if 0 < len(routes) <= MOST_PATHS and any(len(r) > 2 for r in routes):
            found.append(Chain(parameter.name, [[link(*pair) for pair in zip(r, r[1:], strict=False)] for r in routes]))
    return found


def _is_parameter(program, name):
    return program.variables[name].kind == "parameter"


def _routes(start, goal, needs, most):
    """Return the first few paths from the loss down to a parameter."""
    found, todo = [], [[start]]
    while todo and len(found) < most:
        route = todo.pop(0)
        if route[-1] == goal:
            found.append(route)
        todo += [[*route, n] for n in needs.get(route[-1], [])]
    return found
