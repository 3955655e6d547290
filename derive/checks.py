"""What must hold of an equation when it is written: names known, reads in their range, nothing waiting for itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import permutations

from sympy import (
    Abs,
    And,
    Derivative,
    Expr,
    Idx,
    Indexed,
    IndexedBase,
    Max,
    Min,
    Mod,
    Not,
    Or,
    Piecewise,
    S,
    Subs,
    Symbol,
    expand,
    floor,
    sympify,
)
from sympy.concrete.expr_with_limits import ExprWithLimits
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean
from sympy.utilities.iterables import strongly_connected_components

from .binders import is_binder
from .errors import DefinitionError
from .program import Equation, Program, Variable, is_cyclic
from .ranges import Prover, conjuncts, index_range
from .terms import free_indices, read_name

_UNREAL = (S.NaN, S.ComplexInfinity, S.ImaginaryUnit)


@dataclass(frozen=True)
class Reading:
    """A read, what is known to be >= 0 where it is made, and the ranges of indices to which a sum gives limits."""

    read: Expr
    guards: tuple[Expr, ...] = ()
    ranges: Mapping[Expr, tuple] = field(default_factory=dict)


def readings(expr: Expr, guards: tuple = (), ranges: Mapping | None = None) -> Iterator[Reading]:
    """Yield all reads in a right-hand side, those inside indices included."""
    ranges = ranges or {}
    if isinstance(expr, Piecewise):
        for branch, condition, known in branches(expr, guards):
            yield from readings(condition, known, ranges)
            yield from readings(branch, known + known_where(condition), ranges)
    elif isinstance(expr, And | Or):
        for part in expr.args:
            others = (p if isinstance(expr, And) else Not(p) for p in expr.args if p is not part)
            yield from readings(part, guards + tuple(e for p in others for e in known_where(p)), ranges)
    elif isinstance(expr, Indexed | Symbol) and not isinstance(expr, Idx):
        yield Reading(expr, guards, ranges)
        for index in getattr(expr, "indices", ()):
            yield from readings(index, guards, ranges)
    elif is_binder(expr):
        yield from readings(expr.function, guards, {**ranges, **_limits(expr)})
    elif not isinstance(expr, Idx | IndexedBase):
        for a in expr.args:
            yield from readings(a, guards, ranges)


def branches(choice: Piecewise, guards: tuple = ()) -> Iterator[tuple[Expr, Boolean, tuple]]:
    """Yield the branches of a choice, their conditions, and what must be >= 0 where none before them holds."""
    for branch, condition in choice.args:
        yield branch, condition, guards
        guards += known_where(Not(condition)) if isinstance(condition, Relational) else ()


def known_where(condition: Boolean) -> tuple[Expr, ...]:
    """Return what is >= 0 where a condition on indices holds; nothing for a condition on real values."""
    known: list[Expr] = []
    for part in sorted(And.make_args(condition), key=str):
        try:
            known += conjuncts(part)
        except ValueError:
            continue
    return tuple(e for e in known if e.is_integer)


def _limits(binder):
    """Return the limits that differ from the range which the index itself carries."""
    return {i: (low, high) for i, low, high in binder.limits if index_range(i) != (low, high)}


def check_terms(expr: Expr, name: str) -> None:
    """Refuse what has no meaning in an equation.

    Raises
    ------
    DefinitionError
        An integral, a derivative, a number that is not real, a Piecewise that does not say what holds elsewhere.
    """
    if expr in _UNREAL:
        reason = ", which is 1/0 or log(0), perhaps in one of its cases" if expr == S.ComplexInfinity else ""
        raise DefinitionError(f"{name} has {expr} in it{reason}; expected real values")
    if isinstance(expr, Derivative | Subs) or (isinstance(expr, ExprWithLimits) and not is_binder(expr)):
        raise DefinitionError(
            f"{name} has {expr} in it; expected no other binder than Sum, Product, LogSumExp and Maximum"
        )
    if isinstance(expr, Piecewise) and expr.args[-1][1] != S.true:
        raise DefinitionError(f"{name} has {expr} in it, undefined elsewhere; end it with a branch (..., True)")
    if not isinstance(expr, Indexed | Idx | IndexedBase):
        for a in expr.args:
            check_terms(a, name)


def check_read(reading: Reading, name: str, variables: Mapping[str, Variable], prover: Prover, where: str) -> None:
    """Refuse a read of an unknown name, or at an index that may leave its range.

    Raises
    ------
    DefinitionError
    """
    read = reading.read
    variable = variables.get(read_name(read))
    if variable is None or variable.base not in (read, getattr(read, "base", None)):
        given = read_name(read)
        told = f", {given} = net.parameter({given!r}), or net.input({given!r}) for a number that is given" \
            if isinstance(read, Symbol) and variable is None else ""
        raise DefinitionError(f"{name} reads {given}, which is not defined in {where}; declare it first{told}")
    knowing = prover.knowing(reading.guards)
    for axis, (index, size) in enumerate(zip(getattr(read, "indices", ()), variable.shape, strict=True)):
        if index.is_integer is not True:
            label = variables.get(read_name(index))
            is_input = label is not None and label.kind == "input"
            told = f"; declare {read_name(index)} by net.labels(..., classes={size})" if is_input else ""
            raise DefinitionError(
                f"{name} reads {read}: the index {index} is not an integer; expected one made of net.indices(...), "
                f"integers, sizes and labels{told}"
            )
        if index.has(Mod) or any(_is_left_by(quotient, index) for quotient in index.atoms(floor)):
            raise DefinitionError(
                f"{name} reads {read}: a remainder is no index here; expected sums and products of indices and sizes, "
                "floor(i/b), or labels; count by two indices, q and r, and read at b*q + r where the whole is meant, "
                f"or, where the ends are joined, {_around(read, axis, variable)}"
            )
        first = S.NegativeOne if variable.state and axis == 0 else S.Zero
        low, high = reading.ranges.get(index, index_range(index))
        if low in (first, 0) and high == size - 1:
            continue
        if not knowing.within(index, first, size - 1, reading.ranges):
            shown = f"{index} runs from {low} to {high}" if low is not None else f"{index} may leave its range"
            raise DefinitionError(
                f"{name} reads {read}: axis {axis} of {variable.name} has indices {first} to {size - 1}, and {shown}; "
                f"{_remedy(read, axis, variable, variables.get(read_name(index)))}"
            )


def _is_left_by(quotient: Expr, index: Expr) -> bool:
    """Tell whether an index is what a quotient rounded down leaves: i - b*floor(i/b)."""
    whole, by = quotient.args[0].together().as_numer_denom()
    return expand(index - (whole - by * quotient)) == 0


def _remedy(read: Indexed, axis: int, variable: Variable, label: Variable | None) -> str:
    """Say what may be meant by a read that may leave its range along an axis, where `label` is read, if it is one."""
    index, size = read.indices[axis], variable.shape[axis]
    if index.is_Integer and index < 0:
        return f"count from the end by {size + index}"
    if variable.state and axis == 0 and _is_later(index):
        [turn] = index.atoms(Idx)
        return (f"a recurrence goes forward and reads {variable.name}[{turn} - 1]; one that begins at the end reads "
                f"its data from there, at {size - 1 - turn}")
    if label is not None and label.classes is not None:
        return f"{label.name} counts {label.classes} classes; expected classes={size}, or {label.classes} entries there"
    if variable.state and axis > 0:
        return f"a recurrence goes along the first axis, net.state(\"{variable.name}\", {size}, ...)"
    if index.has(Max, Min, Abs):
        return f"join pieces: {_joined(variable, axis, ':1', ':-1')} has the first entry twice"
    for order in permutations(read.indices):
        if all(isinstance(i, Idx) and index_range(i) == (0, n - 1) for i, n in zip(order, variable.shape, strict=True)):
            return f"{variable.name}[{', '.join(map(str, order))}] would be in range"
    if index == size:
        return f"the last is at {size - 1}"
    inside = _inside(index, size)
    return f"read padded({variable.name}) where reads outside should be zero{inside}"


def _inside(index: Expr, size: Expr) -> str:
    """Return over how many places t + k stays inside, where t counts all places and k those of a window."""
    whole = [i for i in index.atoms(Idx) if i.upper + 1 == size]
    rest = [i for i in index.atoms(Idx) if i not in whole]
    if len(whole) != 1 or len(rest) != 1 or index != whole[0] + rest[0]:
        return ""
    window = rest[0].upper + 1
    left = f"{size} - {window} + 1" if window.is_Symbol and size.is_Symbol else str(size - window + 1)
    return f", or let {whole[0]} count the {left} places that are inside, net.size(\"I\", {left})"


def _is_later(place: Expr) -> bool:
    """Tell whether a place is an index and more, t + 1."""
    inside = place.atoms(Idx)
    return len(inside) == 1 and bool((place - next(iter(inside))).is_positive)


def _around(read, axis, variable):
    """Return the code that reads the next entry where the ends of an axis are joined."""
    if not variable.state:
        return _joined(variable, axis, "1:", ":1")
    index, size = (*free_indices(read.indices[axis]), variable.indices[axis])[0], variable.shape[axis]
    first, after = ([*read.indices[:axis], place, *read.indices[axis + 1:]] for place in (0, index + 1))
    one, other = (f"{variable.name}[{', '.join(map(str, places))}]" for places in (after, first))
    return f"Piecewise(({one}, {index} + 1 < {size}), ({other}, True))"


def _joined(variable, axis, *pieces):
    """Return the code that joins pieces of an array along an axis."""
    cut = (f"{variable.name}[{':, ' * axis}{piece}]" for piece in pieces)
    return f"concatenate({', '.join(cut)}{f', axis={axis}' if axis else ''})"


def check_turns(program: Program) -> None:
    """Refuse states that need themselves in the same turn, or in a later one.

    Raises
    ------
    DefinitionError
    """
    for group in program.groups():
        if is_cyclic(group):
            _check_turns(group, program)


def _check_turns(group: list[Equation], program: Program) -> None:
    """Without the reads of earlier rows, the equations of a group must have an order."""
    names, unknowns = {e.name for e in group}, {e.name for e in group if e.implicit}
    edges: dict[tuple[str, str], tuple[Equation, Expr]] = {}
    for e in group:
        for reading in readings(e.rhs):
            if read_name(reading.read) in names and not _is_earlier(e, reading, program):
                edges.setdefault((e.name, read_name(reading.read)), (e, reading.read))
    for component in strongly_connected_components((sorted(names), sorted(edges))):
        if unknowns & set(component):
            continue                        # they satisfy an equation together
        for (reader, needed), (equation, read) in edges.items():
            if reader in component and needed in component:
                raise DefinitionError(
                    f"{reader} waits for itself: {equation.lhs} reads {read}, which is not proven to be of an earlier "
                    "row; a state may read its rows t - 1 and before"
                )


def _is_earlier(equation: Equation, reading: Reading, program: Program) -> bool:
    """Tell whether the row that is read is proven to be before the one that is being defined.

    A place in the same row is before it where its next index is: a recurrence over two indices goes through row by row.
    """
    variable = program.variables[read_name(reading.read)]
    if not variable.state:
        return False
    knowing = program.prover.knowing(reading.guards)
    for place, size in zip(map(sympify, reading.read.indices), variable.shape, strict=True):
        turns = [i for i in equation.free if i.upper == size - 1]
        if any(knowing.nonnegative(t - 1 - place, reading.ranges) for t in turns):
            return True
        if place not in turns:
            return False
    return False
