"""Reads at sums of indices, lowered to arrays that NumPy can slice: padding, windows, folds, reshapes.

    padded(x)[n, c, S*i + L*p - P]      x_padded, x with zeros around it; then windows_x[n, c, p, i], one slice a tap
    Sum(... [u = S*i + L*p - P])        dwindows_x[n, c, p, i], then a slice-add a tap into dx_padded; dx is cut out
    x[n, t, h*E + e]                    a reshape, split_x[n, t, h, e], there and back

Each step is program to program: the new variables are equations like any other, and `statements` knows their patterns.
"""

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from sympy import Add, Expr, Idx, Indexed, KroneckerDelta, Max, Mul, Piecewise, S, Sum, expand

from derive.arrays import Array
from derive.binders import is_binder
from derive.errors import DerivationError
from derive.guards import guarded, is_guard
from derive.program import Equation, Program, Variable, is_cyclic
from derive.ranges import conjuncts, index_atoms
from derive.terms import free_indices, fresh, index_names, index_over, read_name, reads, rename

from . import joins


class Windowed(NamedTuple):
    """A program without reads at sums of indices, what its backward pass makes, and the taps of its windows."""

    program: Program
    backward: frozenset[str]
    taps: dict[str, tuple[Idx, ...]]


def windowed(program: Program) -> Windowed:
    """Return the program with padding, windows and folds as equations of their own."""
    lowering = _Windows(program)
    for e in program.equations:
        lowering.take(e)
    lowered = program.with_equations(lowering.lines, variables=lowering.variables)
    return Windowed(lowered, frozenset(lowering.backward), lowering.taps)


class _Windows:
    def __init__(self, program: Program):
        self.program = program
        self.variables = dict(program.variables)
        self.taken = set(self.variables) | {s.name for s in program.sizes}
        self.lines: list[Equation] = []
        self.known: dict[tuple, tuple] = {}         # what was made of a variable -> (variable, order of indices)
        self.taps: dict[str, tuple[Idx, ...]] = {}  # an array of windows, or a fold -> the indices it is looped over
        self.layouts: dict[tuple, list[int]] = {}   # patterns of the positions of windows -> the order of their indices
        self.tapped: dict[tuple, list[int]] = {}    # pattern of a position -> which of its indices are taps
        self.backward: set[str] = {n for n, v in program.variables.items() if v.primal}
        self.recurrent = {e.name for group in program.groups() if is_cyclic(group) for e in group}
        self.recurrent |= {v.name for v in program.variables.values() if v.state}

    def take(self, e: Equation) -> None:
        """Append an equation, and before it the arrays that it needs."""
        self.of = e
        if joins.pieces(e):
            self.lines.append(e)
            return
        terms = [self._folded(t) if t.has(KroneckerDelta) else t for t in map(self._scattering, Add.make_args(e.rhs))]
        self.lines.append(Equation(e.lhs, self._changed(Add(*terms))))

    # ---- reads

    def _changed(self, expr: Expr) -> Expr:
        """Return an expression whose reads are plain, slices, or picked by labels."""
        if isinstance(expr, Piecewise):
            return self._unpadded(expr) if is_guard(expr) else self._branched(expr)
        if isinstance(expr, Sum):
            expr = boxed(expr)
        if isinstance(expr, Indexed):
            return self._windowed(expr)
        if not expr.args or isinstance(expr, Idx | Array):
            return expr
        args = [self._changed(a) if isinstance(a, Expr) else a for a in expr.args]
        return expr if all(a is b for a, b in zip(args, expr.args, strict=True)) else expr.func(*args)

    def _branched(self, choice):
        """Return a choice by conditions as a guarded correction of its last branch, where a branch reads outside."""
        if not any(self._reads_outside(branch) for branch, _ in choice.args):
            return choice.func(*((self._changed(branch), c) for branch, c in choice.args), evaluate=False)
        value, condition = choice.args[-1]
        if condition != True or self._reads_outside(value):
            raise DerivationError(f"{self.of.name}: the last branch of {choice} reads outside a range")
        for branch, condition in reversed(choice.args[:-1]):
            value = value + self._changed(guarded(expand(branch - value), conjuncts(condition)))
        return value

    def _reads_outside(self, expr):
        return any(self._padding(p, i) != (0, 0) for r in reads(expr, self.variables)
                   if isinstance(r, Indexed) and not r.is_integer
                   for p, i in zip(r.indices, self._axes(r), strict=True))

    def _unpadded(self, guard):
        """Read padded arrays, and drop the conditions that their zeros make true."""
        body, conditions = guard.args[0][0], [expand(c) for c in conjuncts(guard.args[0][1])]
        if self.of.name in self.recurrent and all(map(self._chooses, conditions)):
            return guarded(self._changed(body), conditions)             # the loop's range and its slices see to it
        return Add(*(self._zero_outside(term, conditions) for term in self._terms(body)))

    def _chooses(self, condition):
        """Tell whether a condition chooses turns of a loop, or a slice of what a turn computes."""
        inside = free_indices(condition)
        return len(inside) == 1 and inside[0] in self.of.free and abs(condition.coeff(inside[0], 1)) == 1

    def _terms(self, body):
        """Return the terms of a guarded body; they are told apart only where zeros do not make all of it zero."""
        outside = [r for r in reads(body, self.variables) if self._reads_outside(r)]
        return [body] if all(r in Mul.make_args(body) for r in outside) else Add.make_args(expand(body))

    def _zero_outside(self, term, conditions):
        """Read padded arrays in a term, and drop the conditions where their zeros make it zero."""
        changes, met = {}, set()
        for read in reads(term, self.variables):
            if not isinstance(read, Indexed) or read.is_integer:
                continue
            padding = [self._padding(p, i) for p, i in zip(read.indices, self._axes(read), strict=True)]
            if any(p != (0, 0) for p in padding):
                changes[read] = self._padded(read, padding)
                if read in Mul.make_args(term):
                    for position, i in zip(read.indices, self._axes(read), strict=True):
                        met |= {expand(position - i.lower), expand(i.upper - position)}
        return guarded(self._changed(term.xreplace(changes)), [c for c in conditions if c not in met])

    def _axes(self, read):
        return self.variables[read.base.name].indices

    def _padding(self, position, axis):
        """Return how many zeros a position needs before and after an axis."""
        if _is_label(position) or position == axis or (isinstance(position, Idx) and position.lower == axis.lower
                                                       and position.upper == axis.upper):
            return S.Zero, S.Zero
        low, high = self._ends(position)
        before = self._positive_part(expand(axis.lower - low))
        excess = expand(high - axis.upper)
        if before != 0 and self.program.prover.nonnegative(before - excess) \
                and not self.program.prover.nonnegative(-excess):
            return before, before
        return before, self._positive_part(excess)

    def _positive_part(self, e):
        if self.program.prover.nonnegative(-e):
            return S.Zero
        return e if self.program.prover.nonnegative(e) else Max(0, e)

    def _ends(self, position):
        """Return the lowest and the highest value of an affine position with coefficients of known sign."""
        low = high = expand(position)
        for i in sorted(index_atoms(position), key=str):
            slope = low.coeff(i, 1)
            ends = (i.lower, i.upper) if self.program.prover.nonnegative(slope) else (i.upper, i.lower)
            low, high = expand(low.xreplace({i: ends[0]})), expand(high.xreplace({i: ends[1]}))
        return low, high

    def _padded(self, read, padding):
        """Return the read of an array with zeros around it."""
        name = read.base.name
        key = ("padded", name, tuple(padding))
        if key not in self.known:
            v = self.variables[name]
            rows = [i.upper - i.lower + 1 + b + a for i, (b, a) in zip(v.indices, padding, strict=True)]
            indices = tuple(index_over(n, s) for n, s in zip(v.index_names, rows, strict=True))
            new = self._declared(f"{name}_padded", indices)
            inner = tuple(i - b + own.lower for i, own, (b, _) in zip(indices, v.indices, padding, strict=True))
            conditions = [c for i, own, (b, a) in zip(inner, v.indices, padding, strict=True) if (b, a) != (0, 0)
                          for c in (i - own.lower, own.upper - i)]
            self.lines.append(Equation(new.at(*indices), guarded(v.at(*inner), conditions)))
            self.known[key] = new, None
        new, _ = self.known[key]
        own = self._axes(read)
        return new.at(*(expand(p + b - i.lower) for p, i, (b, _) in zip(read.indices, own, padding, strict=True)))

    def _windowed(self, read):
        """Return a read whose positions hold one index each, of a reshaped array or one of windows if need be."""
        if read.is_integer or not any(map(self._is_sum, read.indices)):
            return read
        read = self._split(read)
        if not any(map(self._is_sum, read.indices)):
            return read
        axes = [_canonical(p) for p in read.indices]
        key = ("windows", read.base.name, tuple(pattern for _, pattern in axes))
        order = [i for indices, _ in axes for i in indices]
        if key not in self.known:
            stored = self._stored_order(axes)
            new = self._declared(f"windows_{read.base.name.removesuffix('_padded').removeprefix('split_')}", stored)
            self.taps[new.name] = tuple(t for indices, (pattern, _) in axes for t in self._taps_of(indices, pattern))
            self.lines.append(Equation(new.at(*stored), read))
            self.known[key] = new, [order.index(i) for i in stored]
            self.layouts[key[2]] = self.known[key][1]
        new, places = self.known[key]
        return new.at(*(order[k] for k in places))

    def _is_sum(self, position):
        return len(free_indices(position)) > 1 and not _is_label(position)

    def _split(self, read):
        """Return the read of a reshaped array where positions h*E + e run through an axis."""
        own = self._axes(read)
        digits = [self._digits(p, i) for p, i in zip(read.indices, own, strict=True)]
        if not any(digits) or read.base.name in self.recurrent:
            return read
        key = ("split", read.base.name, tuple(tuple(d.upper for d in ds) for ds in digits))
        if key not in self.known:
            indices: list[Idx] = []
            for ds, i in zip(digits, own, strict=True):
                for d in ds or [i]:
                    indices.append(fresh(index_over(d.name, d.upper + 1), {j.name for j in indices}))
            places, waiting = [], list(indices)
            for ds, i in zip(digits, own, strict=True):
                mine = [waiting.pop(0) for _ in ds or [i]]
                places.append(_radix_number(mine))
            new = self._declared(f"split_{read.base.name.removesuffix('_padded')}", tuple(indices))
            self.lines.append(Equation(new.at(*indices), read.base[tuple(places)]))
            self.known[key] = new, None
        new, _ = self.known[key]
        return new.at(*(i for ds, p in zip(digits, read.indices, strict=True) for i in ds or [p]))

    def _digits(self, position, axis):
        """Return the indices of a mixed radix number that runs through an axis; () for another position."""
        digits = mixed_radix(position)
        if len(digits) < 2 or axis.lower != 0:
            return ()
        product = Mul(*(i.upper + 1 for i in digits))
        return digits if expand(self._in_free_sizes(product - axis.upper - 1)) == 0 else ()

    def _in_free_sizes(self, size):
        """Return a size in terms of those that follow from no others, as far as products and sums go."""
        for symbol, value in reversed(list(self.program.derived.items())):
            size = size.xreplace({symbol: value})
        return size

    def _stored_order(self, axes):
        """Return the axes of windows: all that is summed together, where the array has what is summed, else taps first.

        A contraction is then one matrix product without a copy, and each slice that is copied is as long as can be.
        """
        for indices, (pattern, _) in axes:
            if len(indices) > 1 and pattern not in self.tapped:
                summed = [k for k, i in enumerate(indices) if i not in self.of.free]
                self.tapped[pattern] = summed if 0 < len(summed) < len(indices) else list(range(1, len(indices)))
        blocks = [(indices, self._taps_of(indices, pattern)) for indices, (pattern, _) in axes]
        plain = [k for k, (indices, taps) in enumerate(blocks) if not taps and set(indices) - set(self.of.free)]
        place = plain[0] if plain else next(k for k, (_, taps) in enumerate(blocks) if taps)
        kept = [[i for i in indices if i not in taps and k not in plain] for k, (indices, taps) in enumerate(blocks)]
        summed = [i for k, (indices, taps) in enumerate(blocks) for i in (indices if k in plain else taps)]
        return (*chain(*kept[:place]), *summed, *chain(*kept[place:]))

    def _taps_of(self, indices, pattern):
        return [indices[k] for k in self.tapped.get(pattern, ())] if len(indices) > 1 else []

    def _declared(self, stem, indices) -> Variable:
        name, k = stem, 2
        while name in self.taken:
            name, k = f"{stem}_{k}", k + 1
        self.taken.add(name)
        if self.of.name in self.backward:
            self.backward.add(name)
        shape = tuple(i.upper + 1 for i in indices)
        self.variables[name] = Variable(name, Array(name, shape), shape, index_names=tuple(i.name for i in indices))
        return self.variables[name]

    # ---- folds

    def _scattering(self, term: Expr) -> Expr:
        """Return the adjoint of a read of windows in the form of a fold: x[k - p] becomes x[i] [k = i + p].

        One matrix product makes the adjoint of the windows then, with no windows of the adjoint.
        """
        constants = [f for f in Mul.make_args(term) if not isinstance(f, Sum)]
        sums = [f for f in Mul.make_args(term) if isinstance(f, Sum)]
        if len(sums) != 1 or self.of.name not in self.backward or self.of.name in self.recurrent:
            return term
        body, conditions = _opened(sums[0].function)
        limits = list(sums[0].limits)
        for k in self.of.free:
            place = self._shifted(k, body, {limit[0] for limit in limits})
            if place is None or any(c.has(k) for c in constants):
                continue
            position, axis = place
            met = {expand(position - axis.lower), expand(axis.upper - position)}
            if not met <= set(map(expand, conditions)):
                continue
            i = fresh(axis, index_names(body) | {j.name for j in (*self.of.free, *(limit[0] for limit in limits))})
            body = body.xreplace({position: i}) * KroneckerDelta(k, expand(k - position + i))
            conditions = [c for c in conditions if expand(c) not in met]
            limits.append((i, i.lower, i.upper))
        if len(limits) == len(sums[0].limits):
            return term
        return Mul(*constants, Sum(guarded(body, conditions), *limits))

    def _shifted(self, k, body, bound):
        """Return the position k - p that alone reads with an index of the left-hand side, and its axis."""
        found = {}
        for read in reads(body, self.variables):
            for p, axis in zip(getattr(read, "indices", ()), self._axes(read) if read.is_Indexed else (), strict=True):
                if k in free_indices(p):
                    found[p] = axis
        if len(found) != 1:
            return None
        [(position, axis)] = found.items()
        taps = set(free_indices(position)) - {k}
        fits = position.coeff(k, 1) == 1 and taps and taps <= bound and axis.lower == 0
        return (position, axis) if fits and not body.xreplace({position: S.Zero}).has(k) else None

    def _folded(self, term: Expr) -> Expr:
        """Return the read of what a term with brackets of sums of indices adds up to; other terms as they are."""
        constants = [f for f in Mul.make_args(term) if not isinstance(f, Sum)]
        sums = [f for f in Mul.make_args(term) if isinstance(f, Sum)]
        if len(sums) != 1 or any(c.has(KroneckerDelta) for c in constants):
            return term
        body, conditions = _opened(sums[0].function)
        positions: dict[Idx, Expr] = {}
        rest = list(constants)
        for f in Mul.make_args(body):
            place = self._picked(f)
            if place is None:
                rest.append(f)
            else:
                positions |= place
        if not positions:
            return term
        bound = tuple(limit[0] for limit in sums[0].limits)
        return self._fold(positions, Mul(*rest), conditions, bound)

    def _picked(self, factor):
        """Return {index on the left: position} for a bracket of an affine position, else None."""
        if isinstance(factor, KroneckerDelta):
            for index, position in (factor.args, factor.args[::-1]):
                if (
                    isinstance(index, Idx)
                    and index in self.of.free
                    and free_indices(position)
                    and not _is_label(position)
                ):
                    return {index: position}
        return None

    def _fold(self, positions, rest, conditions, bound):
        here = dict(positions)
        inside = tuple(i for p in positions.values() for i in _canonical(p)[0])
        summed = tuple(i for i in bound if i not in inside)
        ends = {k: self._padding(p, k) for k, p in positions.items()}
        met = {c for k, p in positions.items() for c in (expand(p - k.lower), expand(k.upper - p))}
        conditions = [c for c in (expand(c.xreplace(here)) for c in conditions) if c not in met]
        parts = guarded(rest.xreplace(here), conditions)
        parts = self._changed(Sum(parts, *summed) if summed else parts)
        digits = {k: self._digits(p, k) for k, p in positions.items()}
        split = {k: ds for k, ds in digits.items() if ds}
        slid = {k: p for k, p in positions.items() if not digits[k]}
        if slid:
            parts = self._slid(slid, ends, parts, split, inside)
        if not split:
            return parts
        if slid or not isinstance(parts, Indexed):
            stem = self.of.name.removeprefix("d")
            stored = tuple(i for k in self.of.free for i in split.get(k, (k,)))
            inner = self._declared(f"dsplit_{stem}", stored)
            self.lines.append(Equation(inner.at(*stored), parts))
            parts = inner.at(*stored)
        return Sum(
            Mul(parts, *(KroneckerDelta(k, positions[k]) for k in split)), *(i for ds in split.values() for i in ds)
        )

    def _slid(self, positions, ends, parts, split, inside):
        """Add a slice for each tap into zeros, and cut out what lies in range."""
        moved = tuple(i for i in inside if i not in [d for ds in split.values() for d in ds])
        taps = [t for k, p in positions.items() for t in self._fold_taps(p)]
        places = [d for k in self.of.free for d in (split[k] if k in split else [expand(positions[k] + ends[k][0])]
                                                    if k in positions else [k])]
        if has_contraction(parts) or (
            not any(t in free_indices(parts) for t in taps) and not isinstance(parts, Indexed)
        ):
            word = "dwindows" if any(t in free_indices(parts) for t in taps) else "dtap"
            stored = self._slid_order(parts, places, taps)
            inner = self._declared(f"{word}_{self.of.name.removeprefix('d')}", stored)
            self.lines.append(Equation(inner.at(*stored), parts))
            parts = inner.at(*stored)
        padded = any(ends[k] != (0, 0) for k in positions)
        if not padded and not split and len(Add.make_args(self.of.rhs)) == 1:
            self.taps[self.of.name] = tuple(taps)
            return Sum(Mul(parts, *(KroneckerDelta(k, p) for k, p in positions.items())), *moved)
        grown = {k: index_over(k.name, k.upper + 1 + sum(ends[k])) for k in positions}
        indices = tuple(i for k in self.of.free for i in split.get(k, (grown.get(k, k),)))
        new = self._declared(f"{self.of.name}_padded" if padded else f"{self.of.name}_sum", indices)
        self.taps[new.name] = tuple(taps)
        deltas = [KroneckerDelta(grown[k], expand(p + ends[k][0])) for k, p in positions.items()]
        self.lines.append(Equation(new.at(*indices), Sum(Mul(parts, *deltas), *moved)))
        return new.at(*(i + ends[i][0] if i in positions else i for k in self.of.free for i in split.get(k, (k,))))

    def _fold_taps(self, position):
        """Return the indices of a position to loop over: those that its windows are looped over; else all but one."""
        indices, (pattern, _) = _canonical(position)
        known = self._taps_of(indices, pattern)
        slopes = {i: position.coeff(i, 1) for i in indices}
        return known or sorted(indices, key=lambda i: (slopes[i].could_extract_minus_sign(), slopes[i] == 1))[1:]

    def _slid_order(self, parts, places, taps):
        """Return the axes of the adjoint of windows: those of the windows; else taps before what they slide over."""
        axes = [_canonical(p) for p in places]
        order = [i for indices, _ in axes for i in indices]
        known = self.layouts.get(tuple(pattern for _, pattern in axes))
        if known:
            stored = [order[k] for k in known]
        else:
            first = next(k for k, (indices, _) in enumerate(axes) if len(indices) > 1)
            rest = [[i for i in indices if i not in taps] for indices, _ in axes]
            stored = [*chain(*rest[:first]), *taps, *chain(*rest[first:])]
        used = free_indices(parts)
        return tuple(i for i in stored if i in used)

    def _appearing(self, expr, indices):
        """Return the indices in the order in which the reads of `expr` have them, adjoints first."""
        found = sorted(reads(expr, self.variables), key=lambda r: not read_name(r).startswith("d"))
        order = [i for r in found for i in free_indices(r) if i in indices]
        return tuple(dict.fromkeys([*order, *indices]))


def has_contraction(expr: Expr) -> bool:
    """Tell whether computing `expr` takes more than elementwise operations."""
    return any(map(is_binder, expr.atoms(Sum))) or expr.has(Sum)


def boxed(total: Sum) -> Sum:
    """Return a sum in which every index runs over its own range: other ends become ranges or conditions."""
    body, limits, conditions, changes = total.function, [], [], {}
    for index, low, high in total.limits:
        if (index.lower, index.upper) != (low, high):
            if free_indices(low + high):
                conditions += [index - low, high - index]
            else:
                changes[index] = Idx(index.label, (low, high))
        limits.append(changes.get(index, index))
    conditions = [c for c in conditions if c != 0 and not (c.is_number and c >= 0)]
    return Sum(rename(guarded(body, conditions), changes), *limits) if conditions or changes else total


def _opened(expr):
    """Return a summand without its guard, and the guard's conditions."""
    if is_guard(expr):
        inner, more = _opened(expr.args[0][0])
        return inner, conjuncts(expr.args[0][1]) + more
    if isinstance(expr, Mul) and any(map(is_guard, expr.args)):
        opened = [_opened(f) for f in expr.args]
        return Mul(*(b for b, _ in opened)), [c for _, cs in opened for c in cs]
    return expr, []


def _is_label(position):
    return any(isinstance(a, Indexed) for a in index_atoms(position))


def _canonical(position):
    """Return the indices of a position in an order that does not depend on their names, and the pattern they make."""
    if _is_label(position):
        return [], (str(position),)
    inside = free_indices(position)
    known = sorted(((str(position.coeff(i, 1)), str(i.lower), str(i.upper)), i.name, i) for i in inside)
    offset = expand(position - Add(*(position.coeff(i, 1) * i for i in inside)))
    return [i for *_, i in known], (tuple(k for k, *_ in known), str(offset))


def _radix_number(digits):
    """Return h*E + e for the digits h, e."""
    number = S.Zero
    for i in digits:
        number = number * (i.upper + 1) + i
    return expand(number)


def is_mixed_radix(position: Expr, size: Expr) -> bool:
    """Tell whether h*E + e, 0 <= e < E, runs through a whole axis, each place once."""
    radix = mixed_radix(position)
    return bool(radix) and expand(Mul(*(i.upper + 1 for i in radix)) - size) == 0


def mixed_radix(position: Expr) -> tuple[Idx, ...]:
    """Return the indices of a mixed radix number, the slowest first; () where the position is none."""
    rest, place = expand(position), S.One
    digits: list[Idx] = []
    waiting: Iterable[Idx] = free_indices(position)
    waiting = list(waiting)
    while waiting:
        digit = next((i for i in waiting if expand(rest.coeff(i, 1) - place) == 0 and i.lower == 0), None)
        if digit is None:
            return ()
        waiting.remove(digit)
        digits.insert(0, digit)
        rest = expand(rest - place * digit)
        place = expand(place * (digit.upper + 1))
    return tuple(digits) if rest == 0 else ()
