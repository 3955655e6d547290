"""Newton's method inside a recurrence: in each turn, a function of the unknown's row, and the call that iterates it.

    for t in range(T):
        def newton_y(y_t):
            pre_y_t = pre_y[t] + y_t @ W            # what does not depend on the unknown was added up before the loop
            ...
            return residual_y, step_y
        y[t] = _newton("y", newton_y, np.zeros(K, W.dtype))
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sympy import Add, Expr

from derive.errors import DerivationError
from derive.forms import form
from derive.guards import guarded
from derive.program import Equation, base_of, ordered
from derive.terms import read_name, reads

from .newton_text import function, start
from .statements import statement

if TYPE_CHECKING:
    from .loops import Looped, Row


def only_inside(loop: "Looped") -> list[str]:
    """Return the variables that go with an unknown in a loop and that nothing else reads: they have no rows."""
    found: list[str] = []
    for group in loop.turn():
        names = {e.name for e in group}
        if names & loop.unknowns:
            shared = {*_read_outside(loop, names), *loop.unknowns}
            found += [r.equation.name for r in loop.rows if r.equation.name in names - shared and not r.before]
    return found


def _read_outside(loop, names):
    """Return those of a group's variables that others read."""
    others = [e for e in loop.program.equations if e.name not in names]
    return [n for n in sorted(names) if n in loop.program.wanted or any(reads(e.rhs, {n}) for e in others)]


def _wanted(loop, names):
    """Return those of a group's variables that others read, and all that these read in turn."""
    lines = {e.name: e for e in loop.main}
    todo = _read_outside(loop, names)
    wanted: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in wanted:
            wanted.add(name)
            todo += [] if name in loop.unknowns else [read_name(r) for r in reads(lines[name].rhs, names)]
    return wanted


def lines(loop: "Looped", rows: Sequence["Row"]) -> Iterator[str]:
    """Yield the lines of one turn: the function, the call, and the rows that others need of what it computes.

    Raises
    ------
    DerivationError
        A residual that waits for itself otherwise than by its unknown.
    """
    [unknown] = [r.equation for r in rows if r.equation.implicit]
    depth, variables = len(loop.outer) + 1, dict(loop.program.variables)
    names = {r.equation.name: r.equation.name for r in rows}
    for name in names:
        if name not in loop.local:                      # there is an array of that name, with all rows
            names[name] = next(n for k in range(1, len(variables) + 2)
                               if (n := f"{name}_{loop.counter}{k if k > 1 else ''}") not in variables)
        v = variables[name]
        variables[names[name]] = replace(
            v, name=names[name], base=base_of(names[name], v.shape[depth:]), shape=v.shape[depth:], state=False,
            index_names=v.index_names[depth:], primal=None)
    inner = [_in_one_turn(loop, r, names, variables) for r in rows if not r.equation.implicit]
    groups = ordered(inner)
    if any(len(g) > 1 or reads(g[0].rhs, {g[0].name}) for g in groups):
        raise DerivationError(f"{unknown.name}: what its equation reads waits for itself in one turn of a recurrence; "
                              "define one unknown that holds it all")
    program = loop.program.with_equations(inner, variables=variables)
    like, risky = loop.printer.like, loop.printer.risky
    made = []
    for [e] in groups:
        made.append(statement(e, program, loop.printer))
        risky |= loop.printer.risky
    loop.printer.like, loop.printer.risky = like, risky
    loop.printer.helpers["newton"] = None
    residual, step = (next(names[n] for n in names if n.startswith(f"{stem}_{unknown.name}"))
                      for stem in ("residual", "step"))
    here = {unknown.indices[depth - 1]: loop.counter}
    begin = replace(unknown, lhs=variables[names[unknown.name]].at(*unknown.indices[depth:]),
                    start=loop.plain(unknown.start.xreplace(here)))
    target = loop.printer.code(form(loop.plain(unknown.lhs.xreplace(here)), begin.free))
    yield from function(unknown.name, names[unknown.name], made, [residual, step])
    yield f'{target} = _newton("{unknown.name}", newton_{unknown.name}, {start(begin, loop.printer)})'
    wanted = _wanted(loop, set(names))
    for [e] in groups:
        row = next(r for r in rows if names[r.equation.name] == e.name)
        if row.equation.name in wanted:
            yield from (line.code for line in loop.pulled(row))


def _in_one_turn(loop, row, names, variables) -> Equation:
    """Return an equation at the turn of the loop, in variables without rows; what was added up before is one term."""
    depth, e = len(loop.outer) + 1, row.equation
    here = {e.indices[depth - 1]: loop.counter}
    terms = [t.at(here) for t in row.pulled]
    rest = e.indices[depth:]
    before = [loop.program.variables[e.name].at(*loop.outer, loop.counter, *rest)] if row.before else []
    found = Add(*(_local(loop.plain(guarded(t.expr, loop.left(t.conditions))), loop, names, variables) for t in terms))
    return Equation(variables[names[e.name]].at(*rest), found + Add(*before))


def _local(expr: Expr, loop, names, variables) -> Expr:
    """Return an expression that reads what one turn computes by the names that it has there."""
    turn = (*loop.outer, loop.counter)
    found = reads(expr, [n for n in names if names[n] != n])
    changes = {r: variables[names[read_name(r)]].at(*r.indices[len(turn):]) for r in found
               if r.indices[:len(turn)] == turn}
    return expr.xreplace(changes)
