"""Reads at sums of indices, lowered to reads of padded arrays, of windows, of reshaped arrays."""

from collections.abc import Iterable
from itertools import chain

from sympy import (
    Add,
    And,
    Eq,
    Expr,
    Ge,
    Gt,
    Idx,
    Indexed,
    Le,
    Lt,
    Max,
    Mul,
    Ne,
    Or,
    Piecewise,
    Pow,
    S,
    expand,
    log,
    to_dnf,
)

from derive.arrays import Array
from derive.binders import ArgMaximum, Maximum, is_binder
from derive.errors import DerivationError
from derive.guards import disjoint, guarded, is_guard
from derive.program import Equation, Program, Variable, is_cyclic
from derive.ranges import Prover, conjuncts, index_atoms, is_conjunction
from derive.terms import free_indices, fresh, holds, index_over, multiplied_out, reads, subterms

from .positions import boxed, canonical, is_label, mixed_radix, radix_number


class ReadLowering:
    """Takes equations one by one, and appends those that their reads need."""

    of: Equation                    # the one that is taken
    kept: set[Idx]                  # its indices, and those of what is folded into it: they are not summed over
    outermost: frozenset[Expr]      # the guards and choices that are terms of it, or factors of one
    alone: frozenset[Expr]          # those that are terms
    counted: Prover | None = None   # what knows the conditions around an expression, which the loop sees to

    def __init__(self, program: Program, whole_rows: bool = False, kept_windows: bool = False):
        self.program = program
        self.whole_rows, self.kept_windows = whole_rows, kept_windows
        self.variables = dict(program.variables)
        self.taken = set(self.variables) | {s.name for s in program.sizes}
        self.lines: list[Equation] = []
        self.known: dict[tuple, tuple] = {}         # what was made of a variable -> (variable, order of indices)
        self.choices: dict[tuple, Variable] = {}    # a choice in a loop -> the variable that is what it chooses
        self.taps: dict[str, tuple[Idx, ...]] = {}  # an array of windows, or a fold -> the indices it is looped over
        self.layouts: dict[tuple, list[int]] = {}   # patterns of the positions of windows -> the order of their indices
        self.tapped: dict[tuple, list[int]] = {}    # pattern of a position -> which of its indices are taps
        self.backward: set[str] = {n for n, v in program.variables.items() if v.primal or v.multiplier}
        self.backward |= {e.name for e in program.equations if reads(e.rhs, self.backward)}
        self.cycle = {e.name: k for k, group in enumerate(program.groups()) if self._is_loop(group) for e in group}
        self.recurrent = set(self.cycle)
        self.recurrent |= {v.name for v in program.variables.values() if v.state}

    def _is_loop(self, group):
        """Tell whether equations wait for each other over an index, not until they agree."""
        agree = any(e.implicit for e in group) and not any(self.variables[e.name].state for e in group)
        return is_cyclic(group) and not agree

    def _changed(self, expr: Expr) -> Expr:
        """Return an expression whose reads are plain, slices, or picked by labels."""
        if isinstance(expr, Piecewise):
            return self._unpadded(expr) if is_guard(expr) else self._branched(expr)
        if is_binder(expr):
            expr = boxed(expr)
        if isinstance(expr, Indexed):
            return self._windowed(expr)
        if isinstance(expr, Maximum | ArgMaximum):
            expr = self._pooled(expr)
        if not expr.args or isinstance(expr, Idx | Array):
            return expr
        args = [self._changed(a) if isinstance(a, Expr) else a for a in expr.args]
        return expr if all(a is b for a, b in zip(args, expr.args, strict=True)) else expr.func(*args)

    def _pooled(self, largest):
        """Read the windows of a maximum with their places first, so that long rows are compared and not short ones."""
        places = [limit[0] for limit in largest.limits]
        found = [r for r in reads(largest.function, self.variables) if isinstance(r, Indexed) and not r.is_integer]
        pooled = [r for r in found if r.base.name not in self.recurrent and set(places) <= {
            i for p in r.indices if self._is_sum(p) for i in free_indices(p)}]
        windows = {r: self._windowed(r, places) for r in pooled}
        return largest.func(largest.function.xreplace(windows), *largest.limits)

    def _branched(self, choice):
        """Return a choice by conditions whose branches read what is there."""
        choice = self._with_labels(choice)
        found = [r for branch, _ in choice.args for r in self._bare_reads(branch) if not r.is_integer]
        if any(map(self._is_waited_for, found)):
            return self._by_cases(choice)
        changes = {r: self._padded(r, self._paddings(r)) for r in found}        # the conditions let no zero count
        return choice.func(*((self._changed(branch.xreplace(changes)), c) for branch, c in choice.args), evaluate=False)

    def _with_labels(self, choice):
        """Return a choice that reads labels with zeros around them: what counts are those that are there."""
        found = [r for branch, _ in choice.args for r in self._bare_reads(branch) if r.is_integer]
        padded = {r: self._padded(r, self._paddings(r)) for r in found}
        branches = ((branch.xreplace(padded), c.xreplace(self._padded_labels(c))) for branch, c in choice.args)
        return choice.func(*branches, evaluate=False)

    def _bare_reads(self, expr):
        """Return the reads that may leave their range, but for those in guards, which see to theirs."""
        if is_guard(expr) or isinstance(expr, Idx | Array):
            return []
        inside = [r for a in expr.args if isinstance(a, Expr) for r in self._bare_reads(a)]
        leaves = isinstance(expr, Indexed) and any(ends != (0, 0) for ends in self._paddings(expr))
        return [expr, *inside] if leaves and not self._is_counted(expr) else inside

    def _is_counted(self, read):
        """Tell whether the conditions around it keep a read in its range, where a loop counts by them."""
        return self.counted is not None and all(
            self.counted.within(p, i.lower, i.upper) for p, i in zip(read.indices, self._axes(read), strict=True))

    def _by_cases(self, choice):
        """Return a choice as the sum of its branches, each where it holds: a recurrence has no zeros around it."""
        plain = _by_inequalities(choice)
        if not all(is_conjunction(condition) for _, condition in plain.args):
            raise DerivationError(f"{self.of.name}: a branch of {choice} reads a recurrence outside its range")
        cases = [(branch, self._open(conditions)) for branch, conditions in disjoint(plain) if branch != 0]
        if choice not in self.alone and all(self._is_nameable(branch, conditions) for branch, conditions in cases):
            return self._named(choice, cases)
        result = S.Zero
        for branch, conditions in cases:
            case = guarded(branch, conditions)
            if choice in self.outermost:
                self.outermost |= {case}
            result += self._changed(case)
        return result

    def _paddings(self, read):
        return [self._padding(p, i) for p, i in zip(read.indices, self._axes(read), strict=True)]

    def _reads_outside(self, expr):
        return any(ends != (0, 0) for r in reads(expr, self.variables)
                   if isinstance(r, Indexed) and not r.is_integer for ends in self._paddings(r))

    def _unpadded(self, guard):
        """Read padded arrays, and drop the conditions that their zeros make true."""
        body = guard.args[0][0]
        conditions = self._open(conjuncts(guard.args[0][1]))
        if self._is_in_slices(body, conditions) and guard in self.outermost:
            self.counted = self.program.prover.knowing(conditions)
            changed = self._changed(body)
            self.counted = None
            return guarded(changed, conditions)                     # the loop's range and its slices see to it
        if self._is_nameable(body, conditions) and any(self._is_waited_for(r) for r in reads(body, self.recurrent)):
            return self._named(guard, [(body, conditions)])
        return Add(*(self._zero_outside(term, conditions) for term in self._terms(body)))

    def _is_looped(self):
        """Tell whether the equation is computed in the turns of a loop; the first row of a state is not."""
        return self.of.name in self.recurrent and len(self.of.free) == len(self.of.indices)

    def _open(self, conditions):
        """Return the conditions that are not proven."""
        return [c for c in map(expand, conditions) if not self.program.prover.nonnegative(c)]

    def _is_in_slices(self, body, conditions):
        """Tell whether a loop computes what a guard leaves in some of its turns, or in a slice of a turn."""
        return self._is_looped() and all(map(self._chooses, conditions)) and self._is_sliced(body)

    def _is_nameable(self, body, conditions):
        return self._is_in_slices(body, conditions) and all(
            i.lower == 0 for e in (body, *conditions) for i in free_indices(e))

    def _named(self, choice, cases):
        """Return the read of an equation of its own for a choice inside something, one for all its places."""
        indices = tuple(sorted(free_indices(choice), key=[*self.of.free, *free_indices(choice)].index))
        key = (self.cycle.get(self.of.name), choice)
        if key not in self.choices:
            word = "guarded" if len(cases) == 1 else "choice"
            new = self.choices[key] = self._declared(f"{word}_{self.of.name}", indices)
            self.recurrent.add(new.name)
            rhs = Add(*(guarded(self._changed(branch), conditions) for branch, conditions in cases))
            self.lines.append(Equation(new.at(*indices), rhs))
        return self.choices[key].at(*indices)

    def _is_sliced(self, body):
        """Tell whether reads that may leave a range have each index in one place only."""
        return all(len(free_indices(r)) == sum(len(free_indices(p)) for p in r.indices)
                   for r in reads(body, self.variables) if isinstance(r, Indexed) and self._reads_outside(r))

    def _chooses(self, condition):
        """Tell whether a condition chooses turns of a loop, or a slice of what a turn computes."""
        inside = free_indices(condition)
        return len(inside) == 1 and inside[0] in self.of.free and abs(condition.coeff(inside[0], 1)) == 1

    def _terms(self, body):
        """Return the terms of a guarded body, told apart only where zeros make each of them zero, and not all of it."""
        outside = [r for r in reads(body, self.variables) if self._reads_outside(r)]
        if not outside or all(r in Mul.make_args(body) for r in outside):
            return [body]
        terms = Add.make_args(multiplied_out(body))
        zero = all(any(f in outside for f in Mul.make_args(t)) for t in terms)
        return terms if zero else [body]

    def _zero_outside(self, term, conditions):
        """Read padded arrays in a term, and drop the conditions where their zeros make it zero."""
        term = self._with_values(term, conditions)
        term = term.xreplace(self._padded_labels(term))
        conditions = [c.xreplace(self._padded_labels(c)) for c in conditions]
        changes, met = {}, set()
        for read in reads(term, self.variables):
            if not isinstance(read, Indexed) or read.is_integer:
                continue
            padding, waited = self._paddings(read), self._is_waited_for(read)
            if waited:
                wide = self._padded_in_turn(read, padding)
            else:
                wide = self._padded(read, padding) if any(p != (0, 0) for p in padding) else read
            if wide != read:
                changes[read] = wide
                if read in Mul.make_args(term):
                    for position, i in zip(read.indices, self._axes(read), strict=True):
                        if self._is_sum(position) or not waited:
                            met |= {expand(position - i.lower), expand(i.upper - position)}
        if any(_has_no_value_at_zero(t, changes) for t in subterms(term)):      # 0 times that is no 0
            met = set()
        return guarded(self._changed(term.xreplace(changes)), [c for c in conditions if c not in met])

    def _with_values(self, term, conditions):
        """Return a term whose functions of indices alone have values outside of the conditions, where none counts."""
        if not holds(term, log, Pow):
            return term
        counted, changes = self.program.prover.knowing(conditions), {}
        for t in subterms(term):
            for k, least in _least(t).items():
                x = t.args[k]
                if free_indices(x) and not reads(x, self.variables) and counted.nonnegative(x - least) \
                        and not self.program.prover.nonnegative(x - least):
                    changes[t] = t.func(*t.args[:k], Max(x, least), *t.args[k + 1:])
        return term.xreplace(changes)

    def _padded_labels(self, term):
        """Return reads of labels that leave their range, and those of the labels with zeros around them."""
        found = sorted((r for r in term.atoms(Indexed) if r.is_integer and r.base.name in self.variables), key=str)
        paddings = {r: self._paddings(r) for r in found}
        return {r: self._padded(r, p) for r, p in paddings.items() if any(ends != (0, 0) for ends in p)}

    def _is_waited_for(self, read):
        """Tell whether a read is of the recurrence that is going on: no zeros can be put around what is not there."""
        return self.cycle.get(read.base.name, -1) == self.cycle.get(self.of.name, -2)

    def _axes(self, read):
        return self.variables[read.base.name].indices

    def _padding(self, position, axis):
        """Return how many zeros a position needs before and after an axis."""
        if position == axis or (isinstance(position, Idx) and position.lower == axis.lower
                                and position.upper == axis.upper):
            return S.Zero, S.Zero
        low, high = self._ends(position)
        if low is None or high is None:
            return S.Zero, S.Zero                       # labels with zeros around them, which stay in range
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
        """Return the lowest and the highest value of an affine position with coefficients of known sign, if known."""
        low = high = expand(position)
        prover = self.program.prover
        for i in sorted(index_atoms(position, prover.classes), key=str):
            slope = low.coeff(i, 1)
            first, last = prover.extent(i)
            if first is None or last is None:
                return None, None
            ends = (first, last) if prover.nonnegative(slope) else (last, first)
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
            new = self._declared(f"{name}_padded", indices, bool(read.is_integer))
            inner = tuple(i - b + own.lower for i, own, (b, _) in zip(indices, v.indices, padding, strict=True))
            conditions = [c for i, own, (b, a) in zip(inner, v.indices, padding, strict=True) if (b, a) != (0, 0)
                          for c in (i - own.lower, own.upper - i)]
            self.lines.append(Equation(new.at(*indices), guarded(v.at(*inner), conditions)))
            self.known[key] = new, None
        new, _ = self.known[key]
        own = self._axes(read)
        return new.at(*(expand(p + b - i.lower) for p, i, (b, _) in zip(read.indices, own, padding, strict=True)))

    def _padded_in_turn(self, read, padding):
        """Return the read of a recurrence with zeros around what a turn computes, put there in the turn that reads it.

        Conditions see to positions of one index, the turns among them.
        """
        summed = [self._is_sum(p) for p in read.indices]
        if summed[0] or all(p == (0, 0) for p, s in zip(padding, summed, strict=True) if s):
            return read
        key = ("padded in turn", read.base.name, self.of.name, tuple(canonical(p)[1] for p in read.indices))
        axes, wide, taken = self._axes(read), [], {i.name for i in free_indices(read)}
        for s, position, own, (before, after) in zip(summed, read.indices, axes, padding, strict=True):
            inside = free_indices(position)
            if s:
                wide.append(fresh(index_over(own.name, own.upper - own.lower + 1 + before + after), taken))
                taken.add(wide[-1].name)
            else:
                wide.append(inside[0] if inside and not is_label(position) else own)
        if key not in self.known:
            based, here = from_zero(wide)
            new = self._declared(f"wide_{read.base.name}", based)
            places, conditions = [], []
            for s, position, own, i, (before, _) in zip(summed, read.indices, axes, wide, padding, strict=True):
                if s:
                    places.append(expand(i - before + own.lower))
                    conditions += [i - before, expand(own.upper - own.lower + before - i)]
                else:
                    places.append(position.xreplace(here) if i in free_indices(position) else here.get(i, i))
            self.lines.append(Equation(new.at(*based), guarded(read.base[tuple(places)], conditions)))
            self.known[key] = new, None
        new, _ = self.known[key]
        return new.at(*(
            expand(position + before - own.lower) if s else (i if i in free_indices(position) else position) - i.lower
            for s, position, own, i, (before, _) in zip(summed, read.indices, axes, wide, padding, strict=True)))

    def _windowed(self, read, first=()):
        """Return a read whose positions hold one index each, of a reshaped array or one of windows if need be.

        The windows are stored with the indices `first` before the others, if there are any.
        """
        if read.is_integer or not any(map(self._is_sum, read.indices)):
            return read
        padding = self._paddings(read)
        if any(p != (0, 0) for p in padding):
            read = self._padded_in_turn(read, padding) if self._is_waited_for(read) else self._padded(read, padding)
        read = read if first else self._split(read)
        if not any(map(self._is_sum, read.indices)):
            return read
        own = [i for p in read.indices for i in ([p] if is_label(p) else canonical(p)[0])]
        read = self._apart(read)
        axes = [canonical(p) for p in read.indices]
        order = [i for indices, _ in axes for i in indices]
        kind = "pools" if first else "windows"
        key = (kind, read.base.name, tuple(pattern for _, pattern in axes), tuple(i in first for i in order))
        if key not in self.known and first:
            taps = tuple(i for i in order if i in first)
            stored = (*taps, *(i for i in order if i not in first))
            based, here = from_zero(stored)
            new = self._declared(f"windows_{read.base.name.removesuffix('_padded')}", based)
            self.taps[new.name] = taps
            for indices, (pattern, _) in axes:
                if len(indices) > 1:
                    self.tapped.setdefault(pattern, [k for k, i in enumerate(indices) if i in first])
            self.lines.append(Equation(new.at(*based), read.xreplace(here)))
            self.known[key] = new, [order.index(i) for i in stored]
        if key not in self.known:
            stored = self._stored_order(axes)
            based, here = from_zero(stored)
            stem = read.base.name.removesuffix("_padded").removeprefix("split_").removeprefix("wide_")
            new = self._declared(f"windows_{stem}", based)
            self.taps[new.name] = tuple(t for indices, (pattern, _) in axes for t in self._taps_of(indices, pattern))
            self.lines.append(Equation(new.at(*based), read.xreplace(here)))
            self.known[key] = new, [order.index(i) for i in stored]
            self.layouts[key[2]] = self.known[key][1]
        new, places = self.known[key]
        return new.at(*(own[k] - order[k].lower for k in places))

    def _apart(self, read):
        """Return a read in which no index stands in two positions: a diagonal is taken of the windows, not by them.

        So are rows that labels choose.
        """
        met: set[str] = set()
        positions = []
        for position, axis in zip(read.indices, self._axes(read), strict=True):
            if is_label(position):
                position = axis
            again = [i for i in free_indices(position) if i.name in met]
            taken = met | {i.name for i in free_indices(read)}
            here = {}
            for i in again:
                here[i] = fresh(i, taken)
                taken.add(here[i].name)
            positions.append(position.xreplace(here))
            met |= {i.name for i in free_indices(positions[-1])}
        return read.base[tuple(positions)]

    def _is_sum(self, position):
        return len(free_indices(position)) > 1 and not is_label(position)

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
                places.append(radix_number(mine))
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
                summed = [k for k, i in enumerate(indices) if i not in self.kept]
                self.tapped[pattern] = summed if 0 < len(summed) < len(indices) else list(range(1, len(indices)))
        blocks = [(indices, self._taps_of(indices, pattern)) for indices, (pattern, _) in axes]
        plain = [k for k, (indices, taps) in enumerate(blocks) if not taps and set(indices) - self.kept]
        place = plain[0] if plain else next(k for k, (_, taps) in enumerate(blocks) if taps)
        kept = [[i for i in indices if i not in taps and k not in plain] for k, (indices, taps) in enumerate(blocks)]
        summed = [i for k, (indices, taps) in enumerate(blocks) for i in (indices if k in plain else taps)]
        return (*chain(*kept[:place]), *summed, *chain(*kept[place:]))

    def _taps_of(self, indices, pattern):
        return [indices[k] for k in self.tapped.get(pattern, ())] if len(indices) > 1 else []

    def _declared(self, stem, indices, integer=False) -> Variable:
        name, k = stem, 2
        while name in self.taken:
            name, k = f"{stem}_{k}", k + 1
        self.taken.add(name)
        if self.of.name in self.backward:
            self.backward.add(name)
        shape = tuple(i.upper + 1 for i in indices)
        names = tuple(i.name for i in indices)
        self.variables[name] = Variable(name, Array(name, shape, integer), shape, index_names=names)
        return self.variables[name]


def _by_inequalities(choice: Piecewise) -> Piecewise:
    """Return a choice whose conditions on indices are conjunctions of inequalities: a branch for each side of an or."""
    parts = [(branch, part) for branch, condition in choice.args
             for part in Or.make_args(to_dnf(condition.replace(Eq, _is_between).replace(Ne, _is_beside)))]
    return choice.func(*parts, evaluate=False)


def _is_between(a, b):
    return And(Ge(a, b), Le(a, b)) if a.is_integer and b.is_integer else Eq(a, b)


def _is_beside(a, b):
    return Or(Gt(a, b), Lt(a, b)) if a.is_integer and b.is_integer else Ne(a, b)


def from_zero(indices: Iterable[Idx]) -> tuple[tuple[Idx, ...], dict[Idx, Expr]]:
    """Return indices that begin at 0, and what those stand for that do not: the rows of a state begin at -1."""
    indices = tuple(indices)
    based = tuple(i if i.lower == 0 else index_over(i.name, i.upper - i.lower + 1) for i in indices)
    return based, {i: new + i.lower for i, new in zip(indices, based, strict=True) if i.lower != 0}


def _least(term):
    """Return the least whole number that an argument of a term may be, by its place: of logarithms, roots, powers."""
    if isinstance(term, log):
        return {0: 1}
    if not isinstance(term, Pow):
        return {}
    if free_indices(term.exp):
        return {1: 0}               # of what may be 0
    return {} if term.exp.is_integer and term.exp.is_nonnegative else {0: 0 if term.exp.is_nonnegative else 1}


def _has_no_value_at_zero(term, changed):
    """Tell whether a term is a logarithm, or a power that may divide, of a read among those that are changed."""
    of = term.args[0] if isinstance(term, log) or (isinstance(term, Pow) and not term.exp.is_nonnegative) else S.One
    return any(r in changed for r in of.atoms(Indexed))
