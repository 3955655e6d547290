"""A maximum of relus is the relu of a maximum: where windows are pooled, of fewer numbers.

    R[u] = relu(Z[u])                           top_M[i] = max_r Z[2 i + r]
    M[i] = max_r R[2 i + r]                     M[i] = relu(top_M[i])

and backward the mask is one of M, before its adjoint is put to the places of the maxima. Where all of a window is at
most 0, both say that no gradient goes there; elsewhere the largest Z and the largest R stand at the same places.
"""

from dataclasses import dataclass, replace

from sympy import Mul

from derive.binders import Maximum
from derive.functions import relu, step
from derive.program import Equation, Program, Variable, base_of
from derive.terms import read_name, reads


@dataclass(frozen=True)
class Pooled:
    """A relu, the maximum that alone reads it, and the lines of their adjoints."""

    relu: Equation
    maximum: Equation
    adjoint: Equation           # of the relu's value
    inner: Equation             # of its argument: the mask times that


def with_relus_after_maxima(program: Program) -> Program:
    """Return the program with every relu after the maximum that reads it and nothing else."""
    for e in program.equations:
        found = _pooled(e, program)
        if found:
            program = _turned(found, program)
    return program


def _pooled(e: Equation, program: Program) -> Pooled | None:
    """Return what a relu and a maximum of it are made of; None where its value is read elsewhere, or wanted."""
    inner = e.rhs.args[0] if isinstance(e.rhs, relu) else None
    if not read_name(inner) or getattr(inner, "indices", ()) != e.free or e.name in program.wanted:
        return None
    readers = [q for q in program.equations if reads(q.rhs, {e.name})]
    maxima = [q for q in readers if isinstance(q.rhs, Maximum) and read_name(q.rhs.function) == e.name]
    adjoint = _only(program.equations, lambda q: program.variables[q.name].primal == e.name)
    if len(maxima) != 1 or adjoint is None or maxima[0].name not in program.adjoints:
        return None
    users = [q for q in program.equations if reads(q.rhs, {adjoint.name})]
    mask = _only(users, lambda q: q.indices == adjoint.indices and
                 q.rhs == Mul(step(e.lhs.base[q.indices]), adjoint.lhs))
    own = {e.name, maxima[0].name}
    rest = [q for q in readers if q not in (*maxima, mask) and program.variables[q.name].companion_of not in own
            and q is not adjoint]
    if mask is None or rest or users != [mask]:
        return None
    return Pooled(e, maxima[0], adjoint, mask)


def _only(equations, fits) -> Equation | None:
    found = [q for q in equations if fits(q)]
    return found[0] if len(found) == 1 else None


def _turned(found: Pooled, program: Program) -> Program:
    """Return the program with the relu after the maximum."""
    maximum, below = program.variables[found.maximum.name], found.relu.rhs.args[0]
    value = program.variables[program.adjoints[maximum.name]]
    top = _renamed(maximum, f"top_{maximum.name}", program)
    dtop = replace(_renamed(value, f"d{top.name}", program), primal=top.name)
    here = {found.relu.name: program.variables[read_name(below)], maximum.name: top, value.name: dtop}
    lines: list[Equation] = []
    for q in program.equations:
        if q is found.maximum:
            lines += [Equation(top.at(*q.indices), _moved(q.rhs, here)), q.with_rhs(relu(top.at(*q.indices)))]
        elif q is found.inner:
            lines.append(q.with_rhs(_moved(found.adjoint.rhs, here)))
        elif program.variables[q.name].companion_of == maximum.name:
            lines.append(q.with_rhs(_moved(q.rhs, here)))
        elif q not in (found.relu, found.adjoint):
            lines.append(q)
        if q.name == value.name:
            lines.append(Equation(dtop.at(*q.indices), step(maximum.at(*q.indices)) * q.lhs))
    adjoints = {k: d for k, d in program.adjoints.items() if k != found.relu.name} | {top.name: dtop.name}
    return program.with_equations(lines, variables={**program.variables, top.name: top, dtop.name: dtop},
                                  adjoints=adjoints)


def _renamed(variable: Variable, stem: str, program: Program) -> Variable:
    taken = {*program.variables, *(s.name for s in program.sizes)}
    name = next(n for n in (stem, *(f"{stem}{k}" for k in range(2, len(taken) + 3))) if n not in taken)
    return replace(variable, name=name, base=base_of(name, variable.shape), note="")


def _moved(expr, variables: dict[str, Variable]):
    """Return an expression that reads other variables at the same places."""
    return expr.xreplace({r: variables[read_name(r)].at(*r.indices) for r in reads(expr, variables)})
