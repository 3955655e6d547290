"""The matrix of Newton's method, for an implicit equation that is not linear: the Jacobian that the rule gives."""

from collections.abc import Sequence
from dataclasses import replace

from sympy import Sum, Symbol

from .errors import DerivationError
from .implicit import System, linear_system, written_out
from .program import Equation, Program, Variable, base_of
from .rule import backward
from .simplify import tidied
from .terms import rename


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
