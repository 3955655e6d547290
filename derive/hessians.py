"""Second derivatives of the loss: products with the Hessian, forward over reverse."""

from .pipeline import derived
from .program import Program
from .simplify import simplified
from .tangents import tangent


def hessian_vector_product(program: Program) -> Program:
    """Return the product of the Hessian of a forward program's loss with a direction, one array for each parameter."""
    moving = tangent(derived(program))
    results = {p.name: tangent_name(moving, moving.adjoints[p.name]) for p in program.parameters}
    return for_results(moving, "hessian_vector_product", results, "product of the Hessian with a direction")


def tangent_name(program: Program, name: str) -> str:
    """Return the name of the tangent of a variable."""
    return next(v.name for v in program.variables.values() if v.tangent_of == name)


def for_results(program: Program, function: str, results: dict[str, str], subject: str) -> Program:
    """Return a program of one function, which returns some variables, simplified to what they need."""
    return simplified(program.with_equations(
        program.equations, results=results, function=function, subject=subject, adjoints={}, outputs=()))
