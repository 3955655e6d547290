"""Gauss-Newton and Fisher matrices: the curvature of the loss in some outputs, carried through a network that is held.

Where a term of an adjoint reads the adjoint of a variable that the outputs depend on, only that read moves: so the
network counts as linear, and the loss as what it is. That is J' H J, H the loss's Hessian in the outputs.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import combinations_with_replacement

from sympy import Add, Mul, S, Sum

from .derivatives import Part
from .errors import DefinitionError
from .hessians import blocks_of, for_results, parameters_named, tangent_name, with_still
from .jacobians import Jacobians
from .naming import named
from .order import behind, moved
from .per_example import apart
from .pipeline import differentiated
from .program import Equation, Program
from .sharing import with_named_exponentials
from .tangents import tangent
from .terms import read_name, reads


def gauss_newton(program: Program, outputs: Sequence[str] = (), names: Sequence[str] = ()) -> Program:
    """Return the Gauss-Newton matrix of a forward program, a block for each pair of parameters, or of those named.

    Parameters
    ----------
    outputs : the variables in which the loss's own curvature counts; the network's outputs by default.

    Raises
    ------
    DefinitionError
        No outputs are known, or a name is not a variable's that the loss depends on by parameters.
    """
    outputs = _outputs(program, outputs)
    gradients = named(with_named_exponentials(differentiated(program, outputs)))
    held = _held(gradients, outputs)
    extended, blocks = blocks_of(gradients, parameters_named(program, names), "G", held)
    return for_results(extended, "gauss_newton", blocks, "Gauss-Newton matrix of the loss")


def gauss_newton_vector_product(program: Program, outputs: Sequence[str] = ()) -> Program:
    """Return the product of the Gauss-Newton matrix with a direction, one array for each parameter."""
    outputs = _outputs(program, outputs)
    gradients = named(differentiated(program, outputs))
    moving = with_still(tangent(gradients, through=_held(gradients, outputs)))
    results = {p.name: tangent_name(moving, moving.adjoints[p.name]) for p in program.parameters}
    return for_results(moving, "gauss_newton_vector_product", results,
                       "product of the Gauss-Newton matrix with a direction")


def fisher(program: Program, outputs: Sequence[str] = (), names: Sequence[str] = ()) -> Program:
    """Return the Fisher information of a loss that is a negative log likelihood in natural parameters.

    It is the Gauss-Newton matrix (Martens, New Insights on the Natural Gradient Method, 2020, section 9.2).

    Raises
    ------
    DefinitionError
        The curvature of the loss in the outputs depends on targets: an expectation over them is not taken.
    """
    found = gauss_newton(program, outputs, names)
    upstream = behind(program, _outputs(program, outputs))
    for e in found.equations:
        for r in reads(e.rhs, {v.name for v in program.inputs}):
            if read_name(r) not in upstream:
                raise DefinitionError(
                    f"the curvature of the loss of {program.name} in its outputs depends on {read_name(r)}; its Fisher "
                    "information is an expectation: take the empirical one, or other outputs"
                )
    return for_results(found, "fisher", dict(found.results), "Fisher information")


def empirical_fisher(program: Program, names: Sequence[str] = (), over: str | None = None) -> Program:
    """Return the mean (or the sum, if the loss is one) over examples of the outer products of their gradients."""
    names = parameters_named(program, names)
    gradients, index, found = apart(program, over)
    weight = index.upper + 1 if _is_mean(program, index) else S.One
    maker = Jacobians(gradients)
    blocks = {}
    for a, b in combinations_with_replacement(names, 2):
        slots = maker.slots(b)
        left, right = found[a], found[b]
        v, w = gradients.variables[left], gradients.variables[right]
        own = program.variables[a].indices
        product = v.at(index, *own) * w.at(index, *slots)
        blocks[f"{a}_{b}"] = maker.result(f"F_{a}_{b}", weight * Sum(product, index), (*own, *slots))
    return for_results(maker.extended(), "empirical_fisher", blocks, "empirical Fisher information")


def _is_mean(program, index):
    """Tell whether the loss divides by the number of examples."""
    [loss] = program.defining(program.loss)
    divisors = (f.as_base_exp() for t in Add.make_args(loss.rhs) for f in Mul.make_args(t))
    return any(power.could_extract_minus_sign() and base.has(index.upper + 1) for base, power in divisors)


def _outputs(program: Program, outputs: Sequence[str]) -> list[str]:
    """Return the names of the outputs."""
    names = list(outputs) or list(program.outputs)
    if not names:
        raise DefinitionError(f"{program.name} has no outputs; say net.output(...) or name the variables")
    for name in names:
        if not isinstance(name, str) or name not in program.variables or program.variables[name].kind != "variable":
            raise DefinitionError(f"{name!r} is not a variable of {program.name}; define it first")
    return names


def _held(program: Program, outputs: Collection[str]) -> Callable[[Equation], list[Part]]:
    """Return what tells the parts of an equation apart: terms, and the variables whose movement counts in each.

    What moves are the adjoints of what the outputs depend on, and sums in these that have names of their own.
    """
    known = {program.adjoints[n] for n in behind(program, outputs) if n in program.adjoints}
    adjoints = moved(program, known)

    def parts(e: Equation) -> list[Part]:
        if e.name not in adjoints:
            return []
        return [Part(t, adjoints if reads(t, adjoints) else None) for t in Add.make_args(e.rhs)]

    return parts

