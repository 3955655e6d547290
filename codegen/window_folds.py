"""Sums over brackets of sums of indices, the adjoints of windows, lowered to slices added one a tap."""

from itertools import chain

from sympy import Add, Expr, Idx, Indexed, KroneckerDelta, Mul, S, Sum, expand

from derive.guards import guarded, unguarded
from derive.program import Equation
from derive.terms import divides_an_index, free_indices, fresh, index_names, index_over, reads

from .positions import canonical, has_contraction, is_label
from .window_reads import ReadLowering, from_zero


class FoldLowering(ReadLowering):
    """Takes the adjoints of reads at sums of indices apart: windows, folds of them, reshapes back."""

    def _scattering(self, term: Expr) -> Expr:
        """Return the adjoint of a read of windows in the form of a fold: x[k - p] becomes x[i] [k = i + p].

        One matrix product makes the adjoint of the windows then, with no windows of the adjoint. For whole rows the
        last such axis stays as it is: what slides along it is copied, and what is added up has no gaps.
        """
        constants = [f for f in Mul.make_args(term) if not isinstance(f, Sum)]
        sums = [f for f in Mul.make_args(term) if isinstance(f, Sum)]
        if len(sums) != 1 or self.of.name not in self.backward or self.of.name in self.recurrent:
            return term
        body, conditions = unguarded(sums[0].function)
        limits = list(sums[0].limits)
        bound = {limit[0] for limit in limits}
        places = {k: self._shifted(k, body, bound) for k in self.of.free}
        shifted = [k for k, place in places.items() if place]
        for k in shifted[:-1] if self.whole_rows and len(shifted) > 1 else shifted:
            position, axis = places[k]
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
        indices, (pattern, _) = canonical(position)
        if k in self._taps_of(indices, pattern):                # the gradient of a kernel: the windows are there
            return None
        fits = position.coeff(k, 1) == 1 and taps and taps <= bound and axis.lower == 0
        return (position, axis) if fits and not body.xreplace({position: S.Zero}).has(k) else None

    def _folded(self, term: Expr) -> Expr:
        """Return the read of what a term with brackets of sums of indices adds up to; other terms as they are."""
        constants = [f for f in Mul.make_args(term) if not isinstance(f, Sum)]
        sums = [f for f in Mul.make_args(term) if isinstance(f, Sum)]
        if len(sums) != 1 or any(c.has(KroneckerDelta) for c in constants):
            return term
        body, conditions = unguarded(sums[0].function)
        positions: dict[Idx, Expr] = {}
        inside = []
        for f in Mul.make_args(body):
            place = self._picked(f)
            if place is None:
                inside.append(f)
            else:
                positions |= place
        outside = [c for c in constants if set(free_indices(c)) & set(positions)]       # once, where all has been added
        rest = [*(c for c in constants if c not in outside), *inside]
        arrays = any(reads(f, self.variables) for f in rest)
        if not positions or not arrays or not _are_apart(positions.values(), self.of.free):
            return term                         # brackets without an array to fold: they stay arrays of 0 and 1
        bound = tuple(limit[0] for limit in sums[0].limits)
        return Mul(*map(self._changed, outside), self._fold(positions, Mul(*rest), conditions, bound))

    def _picked(self, factor):
        """Return {index on the left: position} for a bracket of an affine position, else None."""
        if isinstance(factor, KroneckerDelta):
            for index, position in (factor.args, factor.args[::-1]):
                if (
                    isinstance(index, Idx)
                    and index in self.of.free
                    and free_indices(position)
                    and not is_label(position)
                    and not divides_an_index(position)          # rows that several share are added up one by one
                ):
                    return {index: position}
        return None

    def _fold(self, positions, rest, conditions, bound):
        here = dict(positions)
        inside = tuple(i for p in positions.values() for i in canonical(p)[0])
        summed = tuple(i for i in bound if i not in inside)
        ends = {k: self._padding(p, k) for k, p in positions.items()}
        met = {c for k, p in positions.items() for c in (expand(p - k.lower), expand(k.upper - p))}
        conditions = [c for c in (expand(c.xreplace(here)) for c in conditions) if c not in met]
        parts = guarded(rest.xreplace(here), conditions)
        self.kept = {*self.of.free, *inside}
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
        before = {k: ends[k][0] - k.lower for k in positions}          # rows that come before the place 0
        places = [d for k in self.of.free for d in (split[k] if k in split else [expand(positions[k] + before[k])]
                                                    if k in positions else [k])]
        if has_contraction(parts) or (
            not any(t in free_indices(parts) for t in taps) and not isinstance(parts, Indexed)
        ):
            word = "dwindows" if any(t in free_indices(parts) for t in taps) else "dtap"
            stored = self._slid_order(parts, places, taps)
            based, here = from_zero(stored)
            inner = self._declared(f"{word}_{self.of.name.removeprefix('d')}", based)
            self.lines.append(Equation(inner.at(*based), parts.xreplace(here)))
            parts = inner.at(*(i - i.lower for i in stored))
        padded = any(ends[k] != (0, 0) for k in positions) or any(k.lower != 0 for k in self.of.free)
        if not padded and not split and len(Add.make_args(self.of.rhs)) == 1:
            self.taps[self.of.name] = tuple(taps)
            return Sum(Mul(parts, *(KroneckerDelta(k, p) for k, p in positions.items())), *moved)
        grown = {k: index_over(k.name, k.upper - k.lower + 1 + sum(ends[k])) for k in positions}
        whole, here = from_zero(k for k in self.of.free if k not in positions)
        grown |= dict(zip((k for k in self.of.free if k not in positions), whole, strict=True))
        indices = tuple(i for k in self.of.free for i in split.get(k, (grown[k],)))
        new = self._declared(f"{self.of.name}_padded" if padded else f"{self.of.name}_sum", indices)
        self.taps[new.name] = tuple(taps)
        deltas = [KroneckerDelta(grown[k], expand(p + before[k])) for k, p in positions.items()]
        self.lines.append(Equation(new.at(*indices), Sum(Mul(parts, *deltas), *moved).xreplace(here)))
        return new.at(*(i + before[i] if i in positions else i - i.lower
                        for k in self.of.free for i in split.get(k, (k,))))

    def _fold_taps(self, position):
        """Return the indices of a position to loop over: those that its windows are looped over; else all but one."""
        indices, (pattern, _) = canonical(position)
        known = self._taps_of(indices, pattern)
        slopes = {i: position.coeff(i, 1) for i in indices}
        return known or sorted(indices, key=lambda i: (slopes[i].could_extract_minus_sign(), slopes[i] == 1))[1:]

    def _slid_order(self, parts, places, taps):
        """Return the axes of the adjoint of windows: those of the windows; else taps before what they slide over."""
        axes = [canonical(p) for p in places]
        order = [i for indices, _ in axes for i in indices]
        known = self.layouts.get(tuple(pattern for _, pattern in axes))
        if known:
            stored = [order[k] for k in known]
        else:
            first = next((k for k, (indices, _) in enumerate(axes) if len(indices) > 1), len(axes))
            rest = [[i for i in indices if i not in taps] for indices, _ in axes]
            stored = [*chain(*rest[:first]), *taps, *chain(*rest[first:])]
        used = free_indices(parts)
        return tuple(i for i in stored if i in used)


def _are_apart(positions, outer):
    """Tell whether no index stands in two positions, or on the left-hand side."""
    found = [*outer, *(i for p in positions for i in free_indices(p))]
    return len(found) == len(set(found))
