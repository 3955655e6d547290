"""From one equation to the lines of NumPy that compute it.

Most equations are one assignment. A Kronecker delta that picks entries of the left-hand side is not multiplied out:
`(E/S - [c = y[n]])/N` is a dense part, then `dZ[np.arange(N), y] -= 1`, then `dZ /= N`.
"""

from dataclasses import dataclass, replace

from sympy import Add, Expr, Idx, Indexed, Integer, KroneckerDelta, Mul, Piecewise, S, Sum, Tuple

from derive.binders import has_binder
from derive.forms import arranged, form
from derive.nodes import Gather, Read, Scalar, Spread, Transpose
from derive.program import Equation, Program
from derive.terms import free_indices, holds, read_name, reads

from . import stretches, taps
from .chosen_places import by_data
from .loop_arrays import NewArrays, fresh_array
from .nodes import as_numbers, is_condition
from .numpy_text import NumpyPrinter
from .places_text import trimmed
from .precedence import ATOM, SIGN


@dataclass(frozen=True)
class Statement:
    """The lines that compute one variable, and the names that they read."""

    name: str
    lines: tuple[str, ...]
    reads: tuple[str, ...]
    shown: bool = True                  # whether its shape stands beside it
    risky: bool = False                 # whether np.where computes branches that overflow where they do not count
    marks: tuple[tuple, ...] | None = None  # lines and the names of what they begin to compute; None for the first


@dataclass(frozen=True)
class Update:
    """Entries of a variable that a delta picks: their positions, what is added, and over which summed indices.

    Or those along a stretch of an axis, whose position has an index of its own. What is `chosen` by a condition on data
    is 0 where that does not hold; there the position may be none.
    """

    positions: dict[Idx, Expr]
    term: Expr
    over: tuple[Idx, ...] = ()
    along: bool = False
    chosen: bool = False


def statement(equation: Equation, program: Program, printer: NumpyPrinter) -> Statement:
    """Return the lines of NumPy for one equation that waits for no other."""
    variable = _of_its_primal_shape(program.variables[equation.name], program)
    needed = [n for r in reads(equation.rhs, program.variables) if (n := read_name(r))]
    printer.like, printer.risky = real_read(equation, program), False
    special = taps.lines(equation, program, printer, NewArrays(printer))
    if special:
        return Statement(equation.name, tuple(special), tuple(dict.fromkeys(needed)))
    outer, dense, updates = split(equation, program)
    if updates:
        lines, extra = _scattered(equation, variable, program, outer, dense, updates, printer)
    else:
        lines, extra = _assigned(equation, variable, program, printer)
    if any(f"{printer.like}.dtype" in line for line in lines):
        extra = [*extra, printer.like]
    return Statement(
        equation.name, tuple(lines), tuple(dict.fromkeys([*needed, *extra])), risky=printer.risky)


def _of_its_primal_shape(variable, program):
    """Return a variable that is like its primal, or has none.

    The right-hand side of a system may be of more axes, and a program of one function may not compute the primal.
    """
    primal = program.variables.get(variable.primal)
    if primal is None:
        return replace(variable, primal=None)
    there = primal.kind in ("parameter", "input") or primal.name in program.computed
    return variable if there and primal.shape == variable.shape else replace(variable, primal=None)


def real_read(equation, program):
    """Return the name of an array of the module's dtype, one that the equation reads if it can be."""
    real = [n for r in reads(equation.rhs, program.variables)
            if program.variables[n := read_name(r)].kind not in ("labels", "factor")
            and not r.is_integer and n not in program.counted]
    return (real or [program.parameters[0].name])[0]


def _assigned(equation, variable, program, printer):
    """One assignment; what is constant along an axis is repeated there."""
    name = equation.name
    node = form(equation.rhs, equation.free)
    primal = program.variables.get(variable.primal)
    gradient = primal is not None and primal.kind == "parameter"
    fixed = not node.axes and not reads(equation.rhs, program.variables)
    if gradient and fixed:
        return [_constant(name, variable.primal, equation.rhs, node, printer)], [variable.primal]
    result = name in program.results.values()
    if fixed and (result or (equation.free and not equation.lhs.is_integer)):
        return [f"{name} = {_filled(variable, equation.rhs, node, printer)}"], []
    gradient = gradient or result           # what is handed back is the caller's own
    node = as_numbers(node) if gradient and is_condition(node) else node
    if gradient and node.axes == equation.free and _is_shared(node, program, printer):
        return [f"{name} = {printer.text(node).inside(ATOM)}.copy()"], []
    if isinstance(node, Spread) and all(i.upper == 0 for i in equation.free if i not in node.body.axes):
        kept = ", ".join(trimmed([":" if i in node.body.axes else "None" for i in equation.free]))
        copied = ".copy()" if gradient and isinstance(node.body, Read | Gather | Transpose) else ""
        return [f"{name} = {printer.text(node.body).inside(ATOM)}[{kept}]{copied}"], []
    if equation.free and (isinstance(node, Spread) or not node.axes):
        spread = f"np.broadcast_to({printer.code(node)}, {_shape(variable, printer)})"
        return [f"{name} = {spread}{'.copy()' if gradient else ''}"], []
    return [f"{name} = {printer.code(node)}"], []


def _constant(name, primal, value, node, printer):
    """Return the line that makes an array of one number, in the shape and dtype of the primal."""
    return (
        f"{name} = np.zeros_like({primal})" if value == 0 else f"{name} = np.full_like({primal}, {printer.code(node)})"
    )


def _filled(variable, value, node, printer):
    """Return the call that makes an array of one number, in the variable's shape and the module's dtype."""
    dtype = f"{printer.like}.dtype"
    if not variable.shape:
        return f"{dtype}.type({printer.code(node)})"
    shape = _shape(variable, printer)
    return f"np.zeros({shape}, {dtype})" if value == 0 else f"np.full({shape}, {printer.code(node)}, {dtype})"


def _sizes(variable, printer):
    """Return the sizes of a variable's array: that of a state has the initial row, too."""
    return [printer.size(s + 1 if variable.state and axis == 0 else s).code for axis, s in enumerate(variable.shape)]


def _shape(variable, printer):
    shape = ", ".join(_sizes(variable, printer))
    return f"({shape}{',' if len(variable.shape) == 1 else ''})"


def _is_shared(node, program, printer):
    """Tell whether a gradient would share its memory with an argument, a residual or another gradient."""
    while isinstance(node, Transpose):
        node = node.body
    if isinstance(node, Scalar):
        name = read_name(node.expr)
    else:
        name = node.name if isinstance(node, Read) else read_name(node.read) if isinstance(node, Gather) else ""
    if name not in program.variables:
        return False
    primal = program.variables[name].primal
    parameter = primal in program.variables and program.variables[primal].kind == "parameter"
    fresh = primal is not None and not parameter and name not in printer.handed
    printer.handed.add(name)
    return not fresh


def split(equation, program):
    """Return (outer factor, dense part, updates) with rhs = outer*(dense + what the updates add)."""
    rest, along = stretches.taken_apart(equation)
    outer, dense, updates = _picked_apart(equation.with_rhs(rest) if along else equation, program)
    if not along:
        return outer, dense, updates
    updates = [replace(u, term=outer.xreplace(u.positions) * u.term) for u in updates]
    return S.One, outer * dense, [*updates, *(Update(s.positions, s.term, along=True) for s in along)]


def _picked_apart(equation, program):
    """Return what `split` does, of the entries that deltas pick."""
    if not holds(equation.rhs, KroneckerDelta):
        return S.One, equation.rhs, []
    factors = Mul.make_args(equation.rhs)
    inner = [f for f in factors if isinstance(f, Add) and f.has(KroneckerDelta)]
    if len(inner) == 1 and not any(f.has(KroneckerDelta) for f in factors if f is not inner[0]):
        outer, terms = Mul(*(f for f in factors if f is not inner[0])), inner[0].args
    else:
        outer, terms = S.One, Add.make_args(equation.rhs)
    terms = [t for term in terms for t in _opened(term)]
    updates = [(t, update_of(t, equation, program)) for t in terms]
    dense = Add(*(t for t, u in updates if u is None))
    picked = _one_a_place([u for _, u in updates if u is not None])
    if outer != 1 and dense.as_coeff_Mul()[0].is_negative:      # the sign goes where all is divided
        return -outer, -dense, [replace(u, term=-u.term) for u in picked]
    return outer, dense, picked


def _opened(term):
    """Yield the terms of a product with a sum in which deltas pick entries: a (b + [i = k] c) is a b + [i = k] a c."""
    factors = Mul.make_args(term)
    inner = next((f for f in factors if isinstance(f, Add) and f.has(KroneckerDelta)), None)
    if inner is None:
        return [term]
    outer = Mul(*(f for f in factors if f is not inner))
    dense = Add(*(t for t in inner.args if not t.has(KroneckerDelta)))
    return [*(outer * t for t in inner.args if t.has(KroneckerDelta)), *([outer * dense] if dense != 0 else [])]


def _one_a_place(updates):
    """Add up first what is added at the same places."""
    together: dict[object, Update] = {}
    for k, u in enumerate(updates):
        key = k if u.over else tuple(u.positions.items())
        together[key] = replace(u, term=together[key].term + u.term) if key in together else u
    return list(together.values())


def update_of(term: Expr, equation: Equation, program: Program, anywhere: bool = False) -> Update | None:
    """Return the update that a term stands for, None where its deltas pick no entries of the left-hand side.

    With `anywhere`, labels may be moved out of the axis.
    """
    limits: tuple[Tuple, ...] = ()
    constant = S.One
    for f in Mul.make_args(term):
        if isinstance(f, Sum):
            limits, inside = f.limits, f.function
        else:
            constant *= f
    body = constant * inside if limits else term
    if limits and by_data(inside):
        return _update_by_data(constant, inside, limits, equation, program)
    positions: dict[Idx, Expr] = {}
    rest = []
    for f in Mul.make_args(body):
        target = _picked(f, equation, positions) if isinstance(f, KroneckerDelta) else None
        if target is None:
            rest.append(f)
        else:
            positions |= target
    positions = {i: place.xreplace(positions) for i, place in positions.items()}
    if not positions or any(r.has(KroneckerDelta) for r in rest) or not all(
            (_is_place(i, place, program) or (anywhere and place.has(Indexed)))
            and not set(free_indices(place)) & set(positions) for i, place in positions.items()):
        return None
    chosen = {i for p in positions.values() for i in free_indices(p)}
    inner = [limit for limit in limits if limit[0] not in chosen]
    added = Mul(*rest).xreplace(positions)
    return Update(positions, Sum(added, *inner) if inner else added, tuple(i for i, *_ in limits if i in chosen))


def _update_by_data(constant, choice, limits, equation, program):
    """Return the update that a sum of what counts under a condition on labels stands for, None where it is none."""
    value, condition = choice.args[0]
    found = update_of(Sum(constant * value, *limits), equation, program, anywhere=True)
    if found is None or not found.over or has_binder(found.term):
        return None
    others = Mul(constant, *(f for f in Mul.make_args(value) if not isinstance(f, KroneckerDelta)))
    if set(free_indices(others)) & set(found.positions):        # it may be none of the entries that are read there
        return None
    return replace(found, term=Piecewise((found.term, condition), (S.Zero, True), evaluate=False), chosen=True)


def _picked(delta, equation, positions):
    """Return {index: position} where a delta sets one index of the left-hand side."""
    for index, position in (delta.args, delta.args[::-1]):
        if isinstance(index, Idx) and index in equation.free and index not in positions \
                and index not in free_indices(position):
            return {index: position}
    return None


def _is_place(index, position, program):
    """Tell whether entries can be picked at a position: labels, a constant, an index that stays in the axis."""
    if isinstance(position, Idx):
        return (index.upper - position.upper).expand().is_nonnegative and (position.lower - index.lower).is_nonnegative
    return isinstance(position, Indexed) or not free_indices(position) or _is_moved_label(index, position, program)


def _is_moved_label(index, position, program):
    """Tell whether a position is that of a label and some, in the axis whatever the label."""
    labels = [r for r in position.atoms(Indexed) if r.is_integer]
    if len(labels) != 1 or (classes := program.variables[read_name(labels[0])].classes) is None:
        return False
    moved = (position - labels[0]).expand()
    room = (index.upper - classes + 1 - moved).expand()
    return not free_indices(moved) and bool(room.is_nonnegative and (moved - index.lower).is_nonnegative)


def _scattered(equation, variable, program, outer, dense, updates, printer):
    """A dense part, then what is added at the picked entries, then the common factor."""
    name, primal = equation.name, variable.primal
    if primal is not None and program.variables[primal].kind == "variable":
        primal = None                   # no residual is kept for its shape alone
    node, extra = form(dense, equation.free), []
    if is_tiled(equation, dense, updates):
        new = NewArrays(printer).allocated(name, _sizes(variable, printer), "empty")
        first = new if primal is None else f"{name} = np.empty_like({primal})"
        lines = [first, *(added(equation, u, printer, fresh=True) for u in updates)]
        return lines + scaled(name, outer, equation, printer), [] if primal is None else [primal]
    if node.axes and not isinstance(node, Spread):
        first = fresh_array(equation.lhs, dense, printer)
    elif primal is not None:
        first, extra = _constant(name, primal, dense, node, printer), [primal]
    else:
        first = f"{name} = {_filled(variable, dense, node, printer)}"
    lines = [first, *(added(equation, u, printer, fresh) for u, fresh in fresh_first(dense, updates))]
    return lines + scaled(name, outer, equation, printer), extra


def fresh_first(dense: Expr, updates: list[Update]) -> list[tuple[Update, bool]]:
    """Return the updates, and whether each is the first one where there is 0 so far: it is set, and not added."""
    return [(u, dense == 0 and k == 0 and not u.over) for k, u in enumerate(updates)]


def is_tiled(equation: Equation, dense: Expr, updates: list[Update]) -> bool:
    """Tell whether there is nothing but updates, one at each place along an axis: they leave no entry unset."""
    if all(u.along for u in updates):
        return dense == 0 and stretches.are_tiled([u.positions for u in updates])
    places = [tuple(u.positions.items()) for u in updates]
    if dense != 0 or any(len(p) != 1 or u.over for p, u in zip(places, updates, strict=True)):
        return False
    axes, at = {i for ((i, _),) in places}, [place for ((_, place),) in places]
    return len(axes) == 1 and sorted(at, key=str) == sorted(map(Integer, range(len(at))), key=str) \
        and next(iter(axes)).upper + 1 == len(at)


def added(equation, update, printer, fresh=False, text=None):
    """One line that adds an update, or sets what is fresh; entries that may be picked twice need np.add.at.

    `text` prints the value, in place of the printer.
    """
    name, text = equation.name, text or printer.text
    if update.along:
        where, axes = along(equation, update, printer)
        negative, term = (False, update.term) if fresh else signed(update.term)
        return f"{where} {'' if fresh else '-' if negative else '+'}= {printer.code(form(term, axes))}"
    kept = tuple(i for i in equation.free if i not in update.positions)
    inside = {i for p in update.positions.values() for i in free_indices(p)}
    rows = tuple(i for i in kept if i in inside)            # axes that labels depend on go through arange
    axes = (*rows, *update.over)
    parts = []
    for index in equation.free:
        axis, position = equation.indices.index(index), update.positions.get(index, index)
        if index in update.positions and not free_indices(position):
            parts.append(printer.place(name, axis, position))
        elif index in update.positions or index in rows:
            at = printer.at(printer.stored(name, axis, position), axes).code
            parts.append(f"np.clip({at}, 0, {printer.size(index.upper).code})" if update.chosen else at)
        else:
            parts.append(":")
    before = _slices_before(parts) if axes else 0
    while parts and parts[-1] == ":":
        parts.pop()
    where = ", ".join(parts)
    negative, term = (False, update.term) if fresh else signed(update.term)
    whole = tuple(i for i in kept if i not in rows)
    value = form(term, (*whole[:before], *axes, *whole[before:]))
    counted = _counted(equation, update, parts) if update.over else None
    if counted is not None:
        helper, place, array = counted
        printer.helpers[helper] = None
        added_up = text(form(term, (*axes, *whole))).inside(SIGN if negative else 0)
        return f"_{helper}({array}, {place}, {'-' if negative else ''}{added_up})"
    if update.over:
        place = where if len(parts) == 1 else f"np.s_[{where}]" if ":" in parts else f"({where})"
        added = text(value).code
        if isinstance(value, Spread) and len(equation.free) == 1:   # NumPy 2.4 reads beyond shorter values there
            added = f"np.broadcast_to({added}, {place}.shape)"
        return f"np.{'subtract' if negative else 'add'}.at({name}, {place}, {added})"
    return f"{name}[{where}] {'' if fresh else '-' if negative else '+'}= {text(value).code}"


def _counted(equation, update, parts):
    """Return a helper, the places and the array where labels tell the row along one axis, or the whole entry.

    Of an axis along which all goes to one place the array has that place alone: rows of dE[:, :, 0].
    """
    name = equation.name
    fixed = [k for k, i in enumerate(equation.free) if not free_indices(update.positions.get(i, i))]
    labels = [k for k, part in enumerate(parts) if part != ":" and k not in fixed]
    left = len(equation.free) - len(fixed)
    if left == 1 or equation.free != equation.indices:
        return None
    if fixed:
        name += f"[{', '.join(parts[k] if k in fixed else ':' for k in range(fixed[-1] + 1))}]"
    if len(labels) == left and not fixed:
        return "add_entries", f"({', '.join(parts)})", name
    if len(labels) != 1:
        return None
    axis = labels[0] - sum(k < labels[0] for k in fixed)
    turned = f"{name}.T" if left == 2 else f"np.moveaxis({name}, {axis}, 0)"
    return "add_rows", parts[labels[0]], turned if axis else name


def along(equation: Equation, update: Update, printer: NumpyPrinter) -> tuple[str, tuple[Idx, ...]]:
    """Return the slice that an update along stretches is added to, and the axes of what is added."""
    axes = stretches.axes(equation, update.positions)
    return printer.code(form(equation.lhs.base[tuple(update.positions.get(i, i) for i in equation.free)], axes)), axes


def _slices_before(parts):
    """Return how many slices stand before the axes that arrays pick: all if they stand together, else none."""
    arrays = [k for k, part in enumerate(parts) if part != ":"]
    return arrays[0] if arrays == list(range(arrays[0], arrays[-1] + 1)) else 0


def signed(term):
    """Return (is negative, the term without its sign)."""
    negative = all(t.as_coeff_Mul()[0].is_negative for t in Add.make_args(term))
    return (True, -term) if negative else (False, term)


def scaled(name, outer, equation, printer):
    """Multiply by the common factor in place: numbers and sizes below the line divide."""
    if outer == 1:
        return []
    top, bottom = outer.as_numer_denom()
    if top == -1 and bottom != 1:
        top, bottom = -top, -bottom
    lines = []
    if top != 1:
        lines.append(f"{name} *= {printer.code(arranged(form(top, equation.free), equation.free))}")
    if bottom != 1:
        lines.append(f"{name} /= {printer.code(arranged(form(bottom, equation.free), equation.free))}")
    return lines
