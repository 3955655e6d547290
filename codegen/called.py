"""The function of a module that callers call, `loss_and_grads` or the one of a program of one function, in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from derive.arrays import shape_text
from derive.program import Program, Variable

from .checks import arguments


@dataclass(frozen=True)
class Called:
    """What a function is called, what it takes, and what it returns of a program's variables.

    `results` are these variables, each with what it is called where a block of rows has computed a part of it, and
    `part` is what receives all of them: `part, of_part` of the loss and its gradients, dW being `of_part.W`.
    """

    name: str
    told: str                       # the sentence of the docstring: "Return the Hessian of the loss, H_w_w (D, D)."
    subject: str                    # what it returns, in words
    given: tuple[str, ...]          # its arguments
    checked: tuple[str, ...]        # what `_checked` is given of them
    results: Mapping[str, str]
    part: str
    returned: str                   # the expression that is returned, of the results by name


def loss_and_grads(program: Program) -> Called:
    """Return what `loss_and_grads` is."""
    given = tuple(arguments(program))
    gradients = {program.adjoints[p.name]: f"of_part.{p.name}" for p in program.parameters}
    return Called(
        "loss_and_grads", "Return the loss and its gradients, a `Params`.", "the loss and its gradients", given, given,
        {program.loss: "part", **gradients}, "part, of_part", f"{program.loss}, Params({', '.join(gradients)})")


def of_results(program: Program) -> Called:
    """Return what the function of a program of one function is."""
    directions = [v.name for v in program.directions]
    given = [n for n in arguments(program) if n not in directions]
    outer, inner = (given, given) if not directions else ([*given, "direction"], [*given, "*direction"])
    names = list(program.results.values())
    alone = len(names) == 1 and not is_by_parameter(program)
    results = {n: "part" if alone else f"part.{entry}" for entry, n in program.results.items()}
    rows = [handed_back(program.variables[n]) for n in names]
    returned = rows[0] if alone else f"{tuple_name(program)}({', '.join(rows)})"
    return Called(program.function, _told(program), f"the {program.subject}", tuple(outer), tuple(inner), results,
                  "part", returned)


def handed_back(variable: Variable) -> str:
    """Return the rows of an array that callers get: a state's without its initial value."""
    return f"{variable.name}[1:]" if variable.state else variable.name


def is_by_parameter(program: Program) -> bool:
    """Tell whether there is one result for each parameter."""
    return list(program.results) == [p.name for p in program.parameters]


def tuple_name(program: Program) -> str:
    """Return the name of the NamedTuple of a function's results."""
    return "Params" if is_by_parameter(program) else "".join(w.capitalize() for w in program.function.split("_"))


def _told(program):
    """Say what the function returns."""
    entries = ", ".join(f"{n} {shape_text(program.variables[n].shape)}" for n in program.results.values())
    if is_by_parameter(program):
        return f"Return the {program.subject}: an array for each parameter."
    if len(program.results) == 1 and len(entries) < 80:
        return f"Return the {program.subject}, {entries}."
    return f"Return the {program.subject}."
