"""Reads at sums of indices, lowered to arrays that NumPy can slice: padding, windows, folds, reshapes.

    padded(x)[n, c, S*i + L*p - P]      x_padded, x with zeros around it; then windows_x[n, i, c, p], one slice a tap
    Sum(... [u = S*i + L*p - P])        dwindows_x[n, i, c, p], then a slice-add a tap into dx_padded; dx is cut out of it
    x[n, t, h*E + e]                    a reshape, there and back

Each step is program to program: the new variables are equations like any other, and `statements` knows their patterns.
"""

from collections.abc import Iterable

from sympy import Add, Expr, Idx, Indexed, KroneckerDelta, Max, Mul, Piecewise, S, Sum, expand

from derive.arrays import Array
from derive.errors import DerivationError
from derive.guards import guarded, is_guard
from derive.program import Equation, Program, Variable, is_cyclic
from derive.ranges import conjuncts, index_atoms
from derive.terms import free_indices, index_over, read_name, reads, rename

from . import joins


def windowed(program: Program) -> tuple[Program, frozenset[str]]:
    """Return the program with padding, windows and folds as equations of their own, and what the backward pass makes."""
    lowering = _Windows(program)
    for e in program.equations:
        lowering.take(e)
    return program.with_equations(lowering.lines, variables=lowering.variables), frozenset(lowering.backward)


class _Windows:
    def __init__(self, program: Program):
        self.program = program
        self.variables = dict(program.variables)
        self.taken = set(self.variables) | {s.name for s in program.sizes}
        self.lines: list[Equation] = []
        self.known: dict[tuple, tuple] = {}         # what was made of a variable -> (variable, order of indices)
        self.outputs: dict[tuple, list[int]] = {}   # pattern of a position -> its indices, outputs before taps
        self.backward: set[str] = set(program.adjoints.values())
        self.recurrent = {e.name for group in program.groups() if is_cyclic(group) for e in group}
        self.recurrent |= {v.name for v in program.variables.values() if v.state}

    def take(self, e: Equation) -> None:
        """Append an equation, and before it the arrays that it needs."""
        self.of = e
        if joins.pieces(e):
            self.lines.append(e)
            return
        terms = [self._folded(t) if t.has(KroneckerDelta) else t for t in Add.make_args(e.rhs)]
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
        if condition != True or self._reads_outside(value):  # noqa: E712  SymPy's true
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
        if self.of.name in self.recurrent and all(free_indices(c) == [self.of.indices[0]] for c in conditions):
            return guarded(self._changed(body), conditions)             # the loop's range sees to it
        return Add(*(self._zero_outside(term, conditions) for term in self._terms(body)))

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
        """Return a read whose positions hold one index each, of an array of windows if need be."""
        if read.is_integer or all(len(free_indices(p)) < 2 or _is_label(p) for p in read.indices):
            return read
        axes = [_canonical(p) for p in read.indices]
        key = ("windows", read.base.name, tuple(pattern for _, pattern in axes))
        order = [i for indices, _ in axes for i in indices]
        if key not in self.known:
            stored = self._stored_order(order)
            word = "split" if self._is_split(read) else "windows"
            new = self._declared(f"{word}_{read.base.name.removesuffix('_padded')}", stored)
            for indices, (pattern, _) in axes:
                self.outputs.setdefault(pattern, sorted(range(len(indices)), key=lambda k: stored.index(indices[k])))
            self.lines.append(Equation(new.at(*stored), read))
            self.known[key] = new, [order.index(i) for i in stored]
        new, places = self.known[key]
        return new.at(*(order[k] for k in places))

    def _stored_order(self, order):
        """Outputs first, what is summed last: a contraction is then one matrix product without a copy."""
        return tuple(sorted(order, key=lambda i: i not in self.of.free))

    def _is_split(self, read):
        return all(len(free_indices(p)) < 2 or is_mixed_radix(p, v.upper + 1)
                   for p, v in zip(read.indices, self._axes(read), strict=True))

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

    def _folded(self, term: Expr) -> Expr:
        """Return the read of what a term with brackets of sums of indices adds up to; other terms as they are."""
        constants = [f for f in Mul.make_args(term) if not isinstance(f, Sum)]
        sums = [f for f in Mul.make_args(term) if isinstance(f, Sum)]
        if len(sums) != 1 or any(c.has(KroneckerDelta) for c in constants):
            return term
        body, conditions = _opened(sums[0].function)
        positions, rest = {}, list(constants)
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
                if isinstance(index, Idx) and index in self.of.free and free_indices(position) and not _is_label(position):
                    return {index: position}
        return None

    def _fold(self, positions, rest, conditions, bound):
        here = {k: p for k, p in positions.items()}
        kept = tuple(i for i in self.of.free if i not in positions)
        inside = tuple(i for p in positions.values() for i in self._outputs_first(p))
        summed = tuple(i for i in bound if i not in inside)
        ends = {k: self._padding(p, k) for k, p in positions.items()}
        met = {c for k, p in positions.items() for c in (expand(p - k.lower), expand(k.upper - p))}
        conditions = [c for c in (expand(c.xreplace(here)) for c in conditions) if c not in met]
        parts = guarded(rest.xreplace(here), conditions)
        parts = self._changed(Sum(parts, *summed) if summed else parts)
        name = self.of.name.removeprefix("d")
        stored = self._appearing(parts, (*kept, *inside))
        inner = self._declared(f"dwindows_{name}", stored)
        self.lines.append(Equation(inner.at(*stored), parts))
        return self._scattered(positions, ends, inner.at(*stored), inside)

    def _outputs_first(self, position):
        """Return the indices of a position as its windows have them; else the one with a stride first."""
        indices, (pattern, _) = _canonical(position)
        order = self.outputs.get(pattern)
        return [indices[k] for k in order] if order else sorted(indices, key=lambda i: position.coeff(i, 1) == 1)

    def _appearing(self, expr, indices):
        """Return the indices in the order in which the reads of `expr` have them, adjoints first."""
        found = sorted(reads(expr, self.variables), key=lambda r: not read_name(r).startswith("d"))
        order = [i for r in found for i in free_indices(r) if i in indices]
        return tuple(dict.fromkeys([*order, *indices]))

    def _scattered(self, positions, ends, read, inside):
        """Add windows into zeros, and cut out what lies in range."""
        padded = any(e != (0, 0) for e in ends.values())
        if not padded and len(Add.make_args(self.of.rhs)) == 1:
            return Sum(Mul(read, *(KroneckerDelta(k, p) for k, p in positions.items())), *inside)
        grown = {k: index_over(k.name, k.upper + 1 + sum(ends[k])) for k in positions}
        indices = tuple(grown.get(i, i) for i in self.of.free)
        new = self._declared(f"{self.of.name}_padded" if padded else f"{self.of.name}_sum", indices)
        deltas = [KroneckerDelta(grown[k], expand(p + ends[k][0])) for k, p in positions.items()]
        self.lines.append(Equation(new.at(*indices), Sum(Mul(read, *deltas), *inside)))
        return new.at(*(i + ends[i][0] if i in positions else i for i in self.of.free))


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


def is_mixed_radix(position: Expr, size: Expr) -> bool:
    """Tell whether h*E + e, 0 <= e < E, runs through a whole axis, each place once."""
    radix = mixed_radix(position)
    return bool(radix) and expand(Mul(*(i.upper + 1 for i in radix)) - size) == 0


def mixed_radix(position: Expr) -> tuple[Idx, ...]:
    """Return the indices of a mixed radix number, the slowest first; () where the position is none."""
    rest, place, digits = expand(position), S.One, []
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
