"""Forward mode: each equation followed by its tangent, Vdot for every V that moves with the parameters.

    ydot[i] = Sum over r of  dF/dx[g(i, r)] * xdot[g(i, r)]

That of an implicit equation, 0 = F, vanishes: so it defines the tangent of the unknown, implicitly and linearly.

A direction, one array for each parameter, is an input like any other. A tangent of a derived program is a program too:
the tangents of its gradients are the product of the Hessian with the direction.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from sympy import Add, Expr

from .derivatives import Part, Partial, partials_of_parts
from .implicit import resolved
from .naming import named
from .order import moved
from .program import Equation, Program, Variable, base_of
from .rule import carried
from .terms import read_name

Parts = Callable[[Equation], Sequence[Part]]


def whole(equation: Equation) -> Sequence[Part]:
    """Tell nothing apart in an equation."""
    return ()


def tangent(program: Program, of: Collection[str] | None = None, through: Parts = whole) -> Program:
    """Return the program with the tangent of each equation beside it, in a direction of the parameters.

    Parameters
    ----------
    of : the parameters (or inputs) that move; all parameters by default.
    through : the parts of an equation that its tangent is taken of, and what moves in each (Gauss-Newton holds the
        network and moves its adjoints).

    Raises
    ------
    DerivationError
        A function without a derivative; the message names the expression.
    """
    program = named(program)
    moving = [p.name for p in program.parameters] if of is None else list(of)
    found = _partials(program, moving, through)
    active = [*moving, *(n for n in dict.fromkeys(e.name for e in program.equations) if n in found)]
    tangents = tangents_of(program, active, moving)
    lines: list[Equation] = []
    for group in program.groups():
        lines += group
        lines += [Equation(tangents[e.name].at(*e.indices), _tangent_of(found[e.name].get(e, []), tangents), e.implicit)
                  for e in group if e.name in found]
    program = program.with_equations(lines, variables=_beside(program.variables, tangents))
    return resolved(program, {t.name for t in tangents.values()})


def tangents_of(program: Program, names: Collection[str], moving: Collection[str]) -> dict[str, Variable]:
    """Return the tangents of some variables: Vdot; those of what moves by itself are inputs, directions."""
    taken = {*program.variables, *(s.name for s in program.sizes)}
    result = {}
    for n in names:
        v = program.variables[n]
        name = next(c for k in range(1, len(taken) + 3) if (c := f"{n}dot{k if k > 1 else ''}") not in taken)
        taken.add(name)
        result[n] = replace(
            v, name=name, base=base_of(name, v.shape), kind="input" if n in moving else "variable", tangent_of=n,
            companion_of=None, note="direction" if n in moving else "",
        )
    return result


def _partials(program, moving, through) -> dict[str, dict[Equation, list[Partial]]]:
    """Return the partial derivatives by what moves, of each equation of each variable that moves with it."""
    candidates = moved(program, moving)
    known = {e: [p for p in partials_of_parts(e, candidates, through(e)) if read_name(p.read) in candidates]
             for e in program.equations if e.name in candidates}
    active = set(moving)
    found: dict[str, dict[Equation, list[Partial]]] = {}
    while True:
        more = {e.name for e, ps in known.items() if any(read_name(p.read) in active for p in ps)} - active
        if not more:
            break
        active |= more
    for e, ps in known.items():
        if e.name in active:
            found.setdefault(e.name, {})[e] = [p for p in ps if read_name(p.read) in active]
    return found


def _tangent_of(found: list[Partial], tangents: Mapping[str, Variable]) -> Expr:
    return Add(*(carried(p, tangents[read_name(p.read)].at(*getattr(p.read, "indices", ()))) for p in found))


def _beside(variables, tangents):
    """Return the variables, each followed by its tangent; directions come last, after all that was there."""
    result = {}
    for name, v in variables.items():
        result[name] = v
        if name in tangents and tangents[name].kind != "input":
            result[tangents[name].name] = tangents[name]
    return result | {t.name: t for t in tangents.values() if t.kind == "input"}
