"""The statements of padding, windows, folds and reshapes: one slice for each tap of a kernel.

    windows_x = np.empty((N, C, K, I), x.dtype)         dx_padded = np.zeros((N, C, U + 2*P), dwindows_x.dtype)
    for p in range(K):                                  for p in range(K):
        windows_x[:, :, p] = x_padded[...]                  dx_padded[...] += dwindows_x[:, :, p]
"""

from sympy import Idx, Indexed, Integer, KroneckerDelta, Mul, S, Sum, Symbol

from derive.forms import form
from derive.guards import is_guard
from derive.program import Equation, Program
from derive.ranges import conjuncts
from derive.terms import free_indices

from . import joins
from .contractions import transposition
from .loop_arrays import NewArrays
from .numpy_text import NumpyPrinter
from .positions import mixed_radix


def lines(equation: Equation, program: Program, printer: NumpyPrinter, arrays: NewArrays) -> list[str]:
    """Return the lines of an equation that pads, gathers windows, folds them or reshapes; [] for any other."""
    rhs = equation.rhs
    joined = joins.pieces(equation)
    if joined:
        axis, parts = joined
        names = [f"{r.base.name}[1:]" if r.base.name in printer.states else r.base.name for r in parts]
        return NewArrays(printer).joined(equation.name, names, axis)
    sliced = joins.slices(equation)
    if sliced:
        axis, reads = sliced
        return arrays.joined(equation.name, [printer.code(form(read, axes)) for read, axes in reads], axis)
    if is_guard(rhs) and isinstance(rhs.args[0][0], Indexed):
        return _pad(equation, rhs.args[0][0], program, printer, arrays)
    if isinstance(rhs, Indexed) and not rhs.is_integer and any(len(free_indices(p)) > 1 for p in rhs.indices) \
            and not rhs.atoms(Indexed) - {rhs}:
        return _windows(equation, printer, arrays) if equation.name in printer.taps else _split(equation, printer)
    if isinstance(rhs, Sum):
        return _added(equation, printer, arrays) or _by_taps(equation, printer, arrays) \
            or _fold(equation, program, printer, arrays)
    return _placed(equation, printer, arrays)


def _pad(equation, read, program, printer, arrays):
    """Zeros around an array: the conditions are those of its range, and no others."""
    inside = [e.expand() for position, own in zip(read.indices, program.variables[read.base.name].indices, strict=True)
              for e in (position - own.lower, own.upper - position)]
    if any(e.expand() not in inside for e in conjuncts(equation.rhs.args[0][1])):
        return []
    widths = []
    for i, position, own in zip(equation.free, read.indices, program.variables[read.base.name].indices, strict=True):
        before = (i - position + own.lower).expand()
        if free_indices(before):
            return []
        widths.append((before, (i.upper - (own.upper - own.lower) - before).expand()))
    if any(w.is_negative for width in widths for w in width):
        cut = ", ".join(_kept(b, a, printer) for b, a in widths)
        widths = [(S.Zero if b.is_negative else b, S.Zero if a.is_negative else a) for b, a in widths]
        array = f"{read.base.name}[{cut}]"
    else:
        array = read.base.name
    return arrays.padded(equation.name, array, equation.lhs.base.shape, widths)


def _kept(before, after, printer):
    """Return the slice of an axis that is left where a negative width cuts rows off."""
    start = printer.size(-before).code if before.is_negative else ""
    stop = printer.size(after).code if after.is_negative else ""
    return f"{start}:{stop}"


def _split(equation, printer):
    """A reshape: the positions are mixed radix numbers, each of which runs through its axis."""
    shape = ", ".join(printer.size(i.upper + 1).code for i in equation.free)
    return [f"{equation.name} = {equation.rhs.base.name}.reshape({shape})"]


def _windows(equation, printer, arrays):
    """Copy one slice for each tap."""
    read, taps = equation.rhs, printer.taps[equation.name]
    counters = _counted(taps, printer)
    rest = tuple(i for i in equation.free if i not in taps)
    where = printer.code(form(equation.lhs.xreplace(counters), rest))
    what = printer.code(form(read.xreplace(counters), rest))
    return [
        arrays.allocated(equation.name, _sizes(equation, printer), "empty"),
        *_nested(taps, [f"{where} = {what}"], printer),
    ]


def _fold(equation, program, printer, arrays):
    """Add one slice for each tap into zeros, or put it there alone; a fold of mixed radix numbers is a reshape."""
    factors = Mul.make_args(equation.rhs.function)
    positions = {k: p for k, p in (_picked(f, equation) for f in factors) if k is not None}
    others = [f for f in factors if _picked(f, equation)[0] is None]
    if not positions or not others:
        return []
    if equation.name not in printer.taps:
        return _joined(equation, positions, others[0], printer) if len(others) == 1 else []
    taps, summand = printer.taps[equation.name], Mul(*others)
    counters = _counted(taps, printer)
    target = equation.lhs.xreplace({k: p.xreplace(counters) for k, p in positions.items()})
    axes = tuple(i for p in target.indices for i in free_indices(p))
    where = printer.code(form(target, axes))
    summand = summand.xreplace(counters)
    if _are_apart(taps, positions.values(), program.prover):
        slices = arrays.assigned(where, "=", form(summand, axes), axes)
    else:
        negative = summand.as_coeff_Mul()[0].is_negative
        what = printer.code(form(-summand if negative else summand, axes))
        slices = [f"{where} {'-' if negative else '+'}= {what}"]
    return [arrays.allocated(equation.name, _sizes(equation, printer), "zeros"), *_nested(taps, slices, printer)]


def _added(equation, printer, arrays):
    """Add up slices, one for each place of the taps that are summed over: rows[n, p, u + p] over p."""
    taps, term = printer.taps.get(equation.name, ()), equation.rhs.function
    if taps != tuple(limit[0] for limit in equation.rhs.limits) or equation.rhs.has(KroneckerDelta):
        return []
    counters = _counted(taps, printer)
    what = printer.code(form(term.xreplace(counters), equation.free))
    if len(taps) > 1 or not isinstance(term, Indexed):
        return [arrays.allocated(equation.name, _sizes(equation, printer), "zeros"),
                *_nested(taps, [f"{equation.name} += {what}"], printer)]
    [tap] = taps
    several = tap.upper.is_Integer and tap.upper > 0
    first, second = (printer.code(form(term.xreplace({tap: Integer(k)}), equation.free)) for k in (0, 1))
    lines = [arrays.begun(equation.name, [first, second] if several else [first], _sizes(equation, printer))]
    if tap.upper != 1:
        stop = printer.size(tap.upper + 1).code
        lines += [f"for {tap.name} in range({2 if several else 1}, {stop}):", f"    {equation.name} += {what}"]
    return lines


def _by_taps(equation, printer, arrays):
    """Fill one slice for each place of a tap on the left, as of the gradient of a kernel: windows slide elsewhere."""
    taps = printer.taps.get(equation.name, ())
    if not taps or not set(taps) <= set(equation.free) or equation.rhs.has(KroneckerDelta):
        return []
    counters = _counted(taps, printer)
    rest = tuple(i for i in equation.free if i not in taps)
    where = printer.code(form(equation.lhs.xreplace(counters), rest))
    what = printer.code(form(equation.rhs.xreplace(counters), rest))
    return [arrays.allocated(equation.name, _sizes(equation, printer), "empty"),
            *_nested(taps, [f"{where} = {what}"], printer)]


def _are_apart(taps, positions, prover):
    """Tell whether no two taps reach one entry: windows that stand at steps as long as they are, or longer."""
    reached = set()
    for position in positions:
        own = [i for i in free_indices(position) if i in taps]
        others = [i for i in free_indices(position) if i not in taps]
        if not own:
            continue
        if len(own) != 1 or len(others) != 1:
            return False
        step, between = (position.expand().coeff(i, 1) for i in (*others, *own))
        if free_indices((position - step * others[0] - between * own[0]).expand()) or not between.is_positive \
                or not prover.nonnegative(step - between * own[0].upper - 1):
            return False
        reached.update(own)
    return reached == set(taps)


def _picked(factor, equation):
    """Return the index on the left that a bracket sets, and the position that it sets it to; else (None, None)."""
    if isinstance(factor, KroneckerDelta):
        for index, position in (factor.args, factor.args[::-1]):
            if (
                isinstance(index, Idx)
                and index in equation.free
                and free_indices(position)
                and not position.atoms(Indexed)
            ):
                return index, position
    return None, None


def _placed(equation, printer, arrays):
    """One slice for each place in a window that integer data may choose: dM*[2*r + s = first_M]."""
    brackets = [f for f in Mul.make_args(equation.rhs) if isinstance(f, KroneckerDelta)]
    if len(brackets) != 1 or equation.free != equation.indices:
        return []
    chosen = [p for p in brackets[0].args if isinstance(p, Indexed) and p.is_integer]
    places = [i for p in brackets[0].args if p not in chosen for i in free_indices(p)]
    if len(chosen) != 1 or len(places) < 2 or not set(places) <= set(equation.free):
        return []
    counters = _counted(places, printer)
    rest = tuple(i for i in equation.free if i not in places)
    where = printer.code(form(equation.lhs.xreplace(counters), rest))
    filled = arrays.assigned(where, "=", form(equation.rhs.xreplace(counters), rest), rest)
    return [arrays.allocated(equation.name, _sizes(equation, printer), "empty"), *_nested(places, filled, printer)]


def _joined(equation, positions, read, printer):
    """A reshape, there where every position is a mixed radix number."""
    if not isinstance(read, Indexed) or not all(map(mixed_radix, positions.values())):
        return []
    order = [d for i in equation.free for d in (mixed_radix(positions[i]) if i in positions else (i,))]
    have = tuple(read.indices)
    if set(order) != set(have) or len(order) != len(have):
        return []
    turned = "" if tuple(order) == have else transposition(have, tuple(order))
    shape = ", ".join(printer.size(s).code for s in equation.lhs.base.shape)
    return [f"{equation.name} = {read.base.name}{turned}.reshape({shape})"]


def _counted(taps, printer):
    counters = {i: Symbol(i.name, integer=True) for i in taps}
    printer.counters |= frozenset(counters.values())
    return counters


def _nested(taps, lines, printer):
    """Nest lines in one loop a tap."""
    result = []
    for depth, i in enumerate(taps):
        result.append(f"{'    ' * depth}for {i.name} in range({printer.size(i.upper + 1).code}):")
    return [*result, *("    " * len(taps) + line for line in lines)]


def _sizes(equation, printer):
    return [printer.size(s).code for s in equation.lhs.base.shape]
