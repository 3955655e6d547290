"""Second derivatives of the loss, as programs of one function: Hessians, their products, their trace."""

from collections.abc import Sequence
from itertools import combinations_with_replacement

from sympy import Add, S, Sum

from .errors import DefinitionError
from .jacobians import Jacobians
from .pipeline import derived
from .program import Equation, Program
from .sharing import with_named_exponentials
from .simplify import is_another, simplified, tidied, without_constants, without_dead, without_reads
from .tangents import Parts, tangent, tangents_of, whole
from .terms import index_over
from .textbook import recognised


def hessian_vector_product(program: Program) -> Program:
    """Return the product of the Hessian of a forward program's loss with a direction, one array for each parameter."""
    moving = with_still(tangent(derived(program)))
    results = {p.name: tangent_name(moving, moving.adjoints[p.name]) for p in program.parameters}
    return for_results(moving, "hessian_vector_product", results, "product of the Hessian with a direction")


def with_still(moving: Program) -> Program:
    """Return the program with the tangents of gradients that do not move, as those of a piecewise linear loss: 0."""
    told = {v.tangent_of for v in moving.variables.values()}
    still = tangents_of(moving, [g for p in moving.parameters if (g := moving.adjoints[p.name]) not in told], ())
    lines = [Equation(t.at(*t.indices), S.Zero) for t in still.values()]
    return moving.with_equations([*moving.equations, *lines],
                                 variables={**moving.variables, **{t.name: t for t in still.values()}})


def hessian(program: Program, names: Sequence[str] = ()) -> Program:
    """Return the Hessian of a forward program's loss: a block for each pair of parameters, or of those named.

    The block of W and b is H_W_b[i, k] = d2 loss / dW[i] db[k]; that of b and W is its transpose, and left out.
    """
    gradients = with_named_exponentials(derived(program))
    extended, blocks = blocks_of(gradients, parameters_named(program, names), "H")
    return for_results(extended, "hessian", blocks, "Hessian of the loss")


def blocks_of(gradients: Program, names: Sequence[str], letter: str, through: Parts = whole) -> tuple[Program, dict]:
    """Return a program with the Jacobians of gradients by parameters, and what the block of each pair is called."""
    jacobians = Jacobians(gradients)
    results = {}
    for second in names:
        slots = jacobians.slots(second)
        found = jacobians.by(second, slots, through)
        for first in names[:names.index(second) + 1]:
            v = gradients.variables[first]
            block = found.get(gradients.adjoints[first], S.Zero)
            results[first, second] = jacobians.result(f"{letter}_{first}_{second}", block, (*v.indices, *slots))
    return jacobians.extended(), {f"{a}_{b}": results[a, b] for a, b in combinations_with_replacement(names, 2)}


def jacobian(program: Program, of: str, names: Sequence[str] = ()) -> Program:
    """Return the Jacobian of a variable by each parameter, or by those named, at all of their indices.

    Raises
    ------
    DefinitionError
        The variable is not one that the program defines, or a name is not a parameter's.
    """
    names, of = parameters_named(program, names), of or next(iter(program.outputs), program.loss)
    if not isinstance(of, str) or of not in program.variables or program.variables[of].kind != "variable":
        raise DefinitionError(f"{of!r} is not a variable of {program.name}; define it first")
    jacobians = Jacobians(with_named_exponentials(tidied(recognised(program))))
    own = program.variables[of].indices
    indices = [index_over(i.name, i.upper + 1) for i in own]            # a state's without the row of its initial value
    rows, results = dict(zip(own, indices, strict=True)), {}
    for name in names:
        slots = jacobians.slots(name)
        value = jacobians.by(name, slots).get(of, S.Zero)
        results[name] = jacobians.result(f"J_{of}_{name}", value.xreplace(rows), (*indices, *slots))
    return for_results(jacobians.extended(), "jacobian", results, f"Jacobian of {of}")


def tangent_of_loss(program: Program) -> Program:
    """Return the loss of a forward program and its derivative in a direction, those of the outputs too."""
    moving = tangent(tidied(recognised(program)))
    results = {}
    for name in (program.loss, *program.outputs):
        results[name] = name
        found = next((v.name for v in moving.variables.values() if v.tangent_of == name), None)
        if found:
            results[found] = found
    return for_results(moving, "tangent", results, "loss and its derivative in a direction")


def hessian_trace(program: Program) -> Program:
    """Return the trace of the Hessian of a forward program's loss: the sum of all second derivatives by one entry."""
    gradients = with_named_exponentials(derived(program))
    jacobians = Jacobians(gradients)
    terms = []
    for p in program.parameters:
        slots = jacobians.slots(p.name)
        block = jacobians.by(p.name, slots).get(gradients.adjoints[p.name], S.Zero)
        diagonal = block.xreplace(dict(zip(slots, p.indices, strict=True)))
        terms.append(Sum(diagonal, *p.indices) if p.indices and diagonal != 0 else diagonal)
    results = {"trace": jacobians.result("trace", Add(*terms), ())}
    return for_results(jacobians.extended(), "hessian_trace", results, "trace of the Hessian of the loss")


def parameters_named(program: Program, names: Sequence[str]) -> list[str]:
    """Return the names of the parameters that are asked for, all of them by default.

    Raises
    ------
    DefinitionError
        A name that is not a parameter's.
    """
    known = [p.name for p in program.parameters]
    for name in names:
        if name not in known:
            raise DefinitionError(f"{name!r} is not a parameter of {program.name}; expected one of {', '.join(known)}")
    return list(dict.fromkeys(names)) or known


def tangent_name(program: Program, name: str) -> str:
    """Return the name of the tangent of a variable."""
    return next(v.name for v in program.variables.values() if v.tangent_of == name)


def for_results(program: Program, function: str, results: dict[str, str], subject: str) -> Program:
    """Return a program of one function, which returns some variables, simplified to what they need."""
    program = without_constants(tidied(program))
    name = f"{program.network}_{function}"
    given = tuple(a for a in program.assumptions if not set(a.about) & set(program.checked))
    program = simplified(program.with_equations(
        program.equations, name=name, results=results, function=function, subject=subject, adjoints={}, outputs=(),
        assumptions=given))
    return _read_once(program)


def _read_once(program):
    """Return a program in which what a Jacobian needs has one name: another that was found equal is read by it."""
    wanted = set(program.results.values())
    same = {e.name: e for e in program.equations
            if e.name.startswith("J_") and e.name not in wanted and is_another(e.rhs, e.indices)}
    if not same:
        return program
    lines = [e.with_rhs(without_reads(e.rhs, same)) for e in program.equations]
    return without_dead(tidied(program.with_equations(lines)))
