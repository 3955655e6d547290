"""Derivatives inside a program, replaced by named equations: tangents where x is one number an example, else adjoints.

    derivative(u[n], x[n])              u_x[n], by the Jacobian with its bracket [n = m] solved
    derivative(loss, W[d, h])           loss_W[d, h], by reverse mode: loss_V is the derivative of loss by V

What comes out is a program without derivatives, which differentiates again.
"""

from dataclasses import replace

from sympy import Expr, Idx, Sum

from .errors import DefinitionError
from .jacobians import Jacobians, placed
from .naming import named
from .order import moved
from .program import Equation, Program, Variable, base_of
from .rule import backward
from .simplify import tidied, without_constants
from .slopes import Slope
from .terms import canonical, free_indices, read_name, reads
from .textbook import recognised


def unnested(program: Program) -> Program:
    """Return the program with every derivative in it named and computed by equations of its own.

    Raises
    ------
    DefinitionError
        A derivative by what is no real array, or of what does not depend on it, or of rows by other rows.
    """
    if not any(e.rhs.has(Slope) for e in program.equations):
        return program
    done = program.with_equations((), variables=_with_unknowns_given(program))
    for e in program.equations:
        while slope := _innermost(e.rhs):
            done = recognised(done)
            before = {x.name for x in done.equations}
            done, value = _value(done, slope, e.name)
            e = e.with_rhs(e.rhs.xreplace({slope: value}))
            *lines, e = placed([*done.equations, e], {x.name for x in done.equations} - before)
            done, (*lines, e) = _without_repeats(done, [*lines, e], before)
            done = done.with_equations(_needed(lines, before, e))
        done = done.with_equations((*done.equations, e), variables={**done.variables, e.name: replace(
            done.variables[e.name], kind="variable")})
    defined = {e.name for e in done.equations}
    variables = {n: v for n, v in done.variables.items() if v.kind != "variable" or n in defined}
    order = [*program.variables, *(n for n in variables if n not in program.variables)]
    return done.with_equations(done.equations, variables=_as_defined(variables, order, done.equations))


def _with_unknowns_given(program):
    """Return the variables, those that equations define implicitly as inputs: given, until their equation stands."""
    unknowns = {e.name for e in program.equations if e.implicit}
    return {n: replace(v, kind="input") if n in unknowns else v for n, v in program.variables.items()}


def _without_repeats(program, lines, before):
    """Return lines that read what an earlier line has already, rather than a new one of the same value."""
    first: dict[tuple, Equation] = {}
    same: dict[str, Variable] = {}
    result = []
    for e in lines:
        rhs = e.rhs.xreplace({r: same[read_name(r)].at(*getattr(r, "indices", ())) for r in reads(e.rhs, same)})
        e, key = e.with_rhs(rhs), (canonical(rhs), e.indices)
        if e.name in {x.name for x in lines[:-1]} - before and key in first:
            same[e.name] = program.variables[first[key].name]
            continue
        first.setdefault(key, e)
        result.append(e)
    return program, result


def _needed(lines, before, reader):
    """Return the lines without those that are new and that no line needs."""
    names = {x.name for x in lines}
    live = {read_name(r) for x in (*(x for x in lines if x.name in before), reader) for r in reads(x.rhs, names)}
    while more := {read_name(r) for x in lines if x.name in live for r in reads(x.rhs, names)} - live:
        live |= more
    return [x for x in lines if x.name in before or x.name in live]


def _as_defined(variables, declared, equations):
    """Return the variables in an order in which new ones stand where they are defined."""
    places = {e.name: k for k, e in reversed(list(enumerate(equations)))}
    given = [n for n in declared if n in variables and n not in places]
    return {n: variables[n] for n in (*given, *sorted((n for n in declared if n in places and n in variables),
                                                        key=places.__getitem__))}


def _innermost(expr: Expr) -> Slope | None:
    found = [s for s in expr.atoms(Slope) if not any(a.has(Slope) for a in s.args)]
    return min(found, key=str, default=None)


def _value(program: Program, slope: Slope, reader: str) -> tuple[Program, Expr]:
    """Return a program that has what a derivative needs, and the derivative's value."""
    u, x, rows = slope.args
    variable = program.variables.get(read_name(x))
    if variable is None or variable.kind not in ("parameter", "input"):
        raise DefinitionError(
            f"{reader}: {slope} is by {x}; expected an input or a parameter, or an unknown in its own equation")
    if read_name(u) not in program.variables:
        program, u = _with_name(program, u, reader)
    active = moved(program, [variable.name])
    if read_name(u) not in active:
        raise DefinitionError(f"{reader}: {read_name(u)} does not depend on {variable.name}; its derivative is 0")
    own, by = getattr(u, "indices", ()), getattr(x, "indices", ())
    shared = next((k for k, (i, j) in enumerate(zip(own, by, strict=False)) if i != j), min(len(own), len(by)))
    apart = _by_rows(program, read_name(u), active, shared)
    if rows != 0 and not apart:
        raise DefinitionError(
            f"{reader}: a row of {read_name(u)} depends on other rows of {variable.name}; say which entries are meant, "
            "in index notation: derivative(u[n], x[m])"
        )
    if apart and len(own) == shared < len(by):
        return _by_adjoints(program, u, x, shared)
    return _by_tangents(program, u, x)


def _with_name(program, expr, reader):
    """Name what is differentiated."""
    indices = tuple(free_indices(expr))
    name = next(n for k in range(1, len(program.variables) + 3)
                if (n := f"inner_{reader}{f'_{k}' if k > 1 else ''}") not in program.variables)
    shape = tuple(i.upper + 1 for i in indices)
    v = Variable(name, base_of(name, shape), shape, index_names=tuple(i.name for i in indices))
    lines = (*program.equations, Equation(v.at(*indices), expr))
    return program.with_equations(lines, variables={**program.variables, name: v}), v.at(*indices)


def _by_rows(program: Program, u: str, active: set[str], rows: int) -> bool:
    """Tell whether each row of u depends on its own row of what moves alone, the first `rows` axes counting rows."""
    wanted, todo = set(), [u]
    while todo:
        name = todo.pop()
        for e in program.defining(name) if name not in wanted else ():
            for r in reads(e.rhs, active):
                if e.indices[:rows] != getattr(r, "indices", ())[:rows] or not all(
                        isinstance(i, Idx) for i in e.indices[:rows]):
                    return False
                todo.append(read_name(r))
        wanted.add(name)
    return True


def _by_tangents(program: Program, u: Expr, x: Expr) -> tuple[Program, Expr]:
    """Return the entry of the Jacobian of u by x, the rule read forward."""
    name = read_name(x)
    jacobians = Jacobians(_moving(program, name, {}), lambda v: f"{v}_{name}")
    slots = jacobians.slots(name)
    own = jacobians.program.variables[read_name(u)].indices
    value = jacobians.by(name, slots)[read_name(u)]
    here = dict(zip((*own, *slots), (*getattr(u, "indices", ()), *getattr(x, "indices", ())), strict=True))
    return _restored(jacobians.extended(), program), value.xreplace(here)


def _by_adjoints(program: Program, u: Expr, x: Expr, rows: int) -> tuple[Program, Expr]:
    """Return the derivative of each row of u by its row of x: the gradient of the sum of all rows."""
    name, of = read_name(x), read_name(u)
    others = {p.name: replace(p, kind="input") for p in program.parameters}
    moving = named(_moving(program, name, others))
    v, loss = moving.variables[of], of
    lines = list(moving.equations)
    variables = dict(moving.variables)
    if rows:
        loss = next(n for k in range(len(variables) + 2) if (n := f"sum_{of}{'_' * k}") not in variables)
        variables[loss] = Variable(loss, base_of(loss, ()), ())
        lines.append(Equation(variables[loss].base, Sum(v.at(*v.indices), *v.indices)))
    found = backward(moving.with_equations(lines, variables=variables, loss=loss, adjoints={}))
    for change in (tidied, without_constants, tidied):
        found = change(found)
    names = {adjoint: f"{of}_{primal}" for primal, adjoint in found.adjoints.items()}
    taken = set(found.variables) | {s.name for s in program.sizes}
    for adjoint, wanted in names.items():
        names[adjoint] = next(n for k in range(1, len(taken) + 3)
                              if (n := f"{wanted}{f'_{k}' if k > 1 else ''}") not in taken)
        taken.add(names[adjoint])
    result = found.adjoints[name]
    found = _renamed(found, names)
    kept = [e for e in found.equations if e.name != loss or not rows]
    variables = {n: w for n, w in found.variables.items() if n != loss or not rows}
    found = found.with_equations(kept, variables=variables, adjoints={}, loss=program.loss)
    return _restored(found, program), found.variables[names[result]].at(*getattr(x, "indices", ()))


def _moving(program, name, others):
    """Return the program with x as a parameter."""
    moved = {**others, name: replace(program.variables[name], kind="parameter")}
    return program.with_equations(program.equations, variables={**program.variables, **moved})


def _restored(extended: Program, program: Program) -> Program:
    """Return the extended program with parameters and inputs what they were."""
    variables = {n: replace(v, kind=program.variables[n].kind) if n in program.variables else v
                 for n, v in extended.variables.items()}
    return extended.with_equations(extended.equations, variables=variables)


def _renamed(program: Program, names: dict[str, str]) -> Program:
    """Return the program with variables renamed, adjoints of something else no more."""
    variables, bases = {}, {}
    for n, v in program.variables.items():
        new = names.get(n, n)
        base = base_of(new, v.shape) if n in names else v.base
        variables[new] = replace(v, name=new, base=base, primal=None) if n in names else v
        if n in names:
            bases[n] = variables[new]

    def changed(expr):
        return expr.xreplace({r: bases[read_name(r)].at(*getattr(r, "indices", ())) for r in reads(expr, bases)})

    lines = [replace(e, lhs=changed(e.lhs), rhs=changed(e.rhs)) for e in program.equations]
    return program.with_equations(lines, variables=variables)


