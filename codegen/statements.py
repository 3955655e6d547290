"""From one equation to the lines of NumPy that compute it.

Most equations are one assignment. A Kronecker delta that picks entries of the left-hand side is not multiplied out:
`(E/S - [c = y[n]])/N` is a dense part, then `dZ[np.arange(N), y] -= 1`, then `dZ /= N`.
"""

from dataclasses import dataclass

from sympy import Add, Expr, Idx, Indexed, KroneckerDelta, Mul, S, Sum

from derive.forms import Gather, Read, Spread, arranged, form
from derive.program import Equation, Program
from derive.terms import free_indices, read_name, reads

from . import taps
from .numpy_text import NumpyPrinter


@dataclass(frozen=True)
class Statement:
    """The lines that compute one variable, and the names that they read."""

    name: str
    lines: tuple[str, ...]
    reads: tuple[str, ...]
    comment: str = ""
    shown: bool = True                  # whether its shape stands beside it


@dataclass(frozen=True)
class Update:
    """Entries of a variable that a delta picks: their positions, what is added, and over which summed indices."""

    positions: dict[Idx, Expr]
    term: Expr
    over: tuple[Idx, ...]


def statement(equation: Equation, program: Program, printer: NumpyPrinter, comment: str = "") -> Statement:
    """Return the lines of NumPy for one equation that waits for no other."""
    variable = program.variables[equation.name]
    needed = [read_name(r) for r in reads(equation.rhs, program.variables)]
    special = taps.lines(equation, program, printer)
    if special:
        return Statement(equation.name, tuple(special), tuple(dict.fromkeys(needed)), comment)
    outer, dense, updates = _split(equation)
    if updates:
        lines = _scattered(equation, outer, dense, updates, printer)
        if dense == 0:
            needed.append(variable.primal or equation.name)
    else:
        lines, extra = _assigned(equation, variable, program, printer)
        needed += extra
    return Statement(equation.name, tuple(lines), tuple(dict.fromkeys(needed)), comment)


def _assigned(equation, variable, program, printer):
    """One assignment; what is constant along an axis is repeated there."""
    name = equation.name
    node = form(equation.rhs, equation.free)
    if not equation.free:
        return [f"{name} = {printer.code(node)}"], []
    if not node.axes and variable.primal and program.variables[variable.primal].kind == "parameter":
        if equation.rhs == 0:
            return [f"{name} = np.zeros_like({variable.primal})"], [variable.primal]
        return [f"{name} = np.full_like({variable.primal}, {printer.code(node)})"], [variable.primal]
    if isinstance(node, Spread) or not node.axes:
        shape = ", ".join(printer.size(s).code for s in variable.shape)
        spread = f"np.broadcast_to({printer.code(node)}, ({shape}{',' if len(variable.shape) == 1 else ''}))"
        copied = variable.primal and program.variables[variable.primal].kind == "parameter"
        return [f"{name} = {spread}{'.copy()' if copied else ''}"], []
    return [f"{name} = {printer.code(node)}"], []


def _split(equation):
    """Return (outer factor, dense part, updates) with rhs = outer*(dense + what the updates add)."""
    factors = Mul.make_args(equation.rhs)
    inner = [f for f in factors if isinstance(f, Add) and f.has(KroneckerDelta)]
    if len(inner) == 1 and not any(f.has(KroneckerDelta) for f in factors if f is not inner[0]):
        outer, terms = Mul(*(f for f in factors if f is not inner[0])), inner[0].args
    else:
        outer, terms = S.One, Add.make_args(equation.rhs)
    updates = [(t, update_of(t, equation)) for t in terms]
    dense = Add(*(t for t, u in updates if u is None))
    return outer, dense, [u for _, u in updates if u is not None]


def update_of(term: Expr, equation: Equation) -> Update | None:
    """Return the update that a term stands for, None where its deltas pick no entries of the left-hand side."""
    over: tuple[Idx, ...] = ()
    constant = S.One
    for f in Mul.make_args(term):
        if isinstance(f, Sum):
            over, inside = tuple(limit[0] for limit in f.limits), f.function
        else:
            constant *= f
    body = constant * inside if over else term
    positions: dict[Idx, Expr] = {}
    rest = []
    for f in Mul.make_args(body):
        target = _picked(f, equation, positions) if isinstance(f, KroneckerDelta) else None
        if target is None:
            rest.append(f)
        else:
            positions |= target
    if not positions or any(r.has(KroneckerDelta) for r in rest) or not _scatters(positions, over):
        return None
    return Update(positions, Mul(*rest).xreplace(positions), over)


def _picked(delta, equation, positions):
    """Return {index: position} where a delta sets one index of the left-hand side."""
    for index, position in (delta.args, delta.args[::-1]):
        if isinstance(index, Idx) and index in equation.free and index not in positions \
                and index not in free_indices(position):
            return {index: position}
    return None


def _scatters(positions, over):
    """Tell whether the positions are labels or constants, and every summed index stands in one of them."""
    inside = [i for p in positions.values() for i in free_indices(p)]
    plain = all(isinstance(p, Indexed) or not free_indices(p) for p in positions.values())
    return plain and all(i in inside for i in over)


def _scattered(equation, outer, dense, updates, printer):
    """A dense part, then what is added at the picked entries, then the common factor."""
    name = equation.name
    first = f"{name} = np.zeros_like({name.removeprefix('d')})" if dense == 0 else fresh_array(equation.lhs, dense, printer)
    lines = [first, *(added(equation, update, printer) for update in updates)]
    return lines + _scaled(name, outer, equation, printer)


def fresh_array(lhs, dense, printer) -> str:
    """One assignment whose result may be written to: what would be a view is copied."""
    node = form(dense, tuple(i for i in lhs.indices if isinstance(i, Idx)))
    code = printer.code(node)
    return f"{lhs.base.name} = np.array({code})" if isinstance(node, Read | Gather | Spread) else f"{lhs.base.name} = {code}"


def added(equation, update, printer):
    """One line that adds an update; entries that may be picked twice need np.add.at."""
    name = equation.name
    kept = tuple(i for i in equation.free if i not in update.positions)
    inside = {i for p in update.positions.values() for i in free_indices(p)}
    rows = tuple(i for i in kept if i in inside)            # axes that labels depend on go through arange
    axes = (*rows, *update.over)
    parts = []
    for index in equation.free:
        if index in update.positions:
            position = update.positions[index]
            axis = equation.indices.index(index)
            parts.append(printer.at(position, axes).code if free_indices(position) else printer.place(name, axis, position))
        elif index in rows:
            parts.append(printer.at(index, axes).code)
        else:
            parts.append(":")
    while parts and parts[-1] == ":":
        parts.pop()
    where = ", ".join(parts)
    negative, term = signed(update.term)
    value = form(term, (*axes, *(i for i in kept if i not in rows)))
    if update.over:
        place = where if len(parts) == 1 else f"({where})"
        return f"np.{'subtract' if negative else 'add'}.at({name}, {place}, {printer.code(value)})"
    return f"{name}[{where}] {'-' if negative else '+'}= {printer.code(value)}"


def signed(term):
    """Return (is negative, the term without its sign)."""
    return (True, -term) if term.as_coeff_Mul()[0].is_negative else (False, term)


def _scaled(name, outer, equation, printer):
    """Multiply by the common factor in place: numbers and sizes below the line divide."""
    if outer == 1:
        return []
    top, bottom = outer.as_numer_denom()
    lines = []
    if top != 1:
        lines.append(f"{name} *= {printer.code(arranged(form(top, equation.free), equation.free))}")
    if bottom != 1:
        lines.append(f"{name} /= {printer.code(arranged(form(bottom, equation.free), equation.free))}")
    return lines
