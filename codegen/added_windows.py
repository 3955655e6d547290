"""Windows with a kernel for each channel, channels last: added up place by place, as no product of matrices is made.

    y[n, t, c] = Sum(padded(x)[n, t + p, c]*w[p, c], p)         y += x_padded[:, p:p + T]*w[p] for all p
    dw[p, c] = Sum(dy[n, t, c]*padded(x)[n, t + p, c], n, t)    dw[p] = sums of dy*x_padded[:, p:p + T]
"""

from sympy import Expr, Idx, Sum

from derive.guards import unguarded
from derive.program import Equation
from derive.terms import free_indices, reads

from .positions import canonical
from .window_folds import FoldLowering


class AddedWindows(FoldLowering):
    """Takes sums over the places of windows as they are, and tells which indices to loop over."""

    sliding: frozenset[Idx] = frozenset()       # the places of the sum that is being taken

    def _changed(self, expr: Expr) -> Expr:
        if self.kept_windows or not isinstance(expr, Sum) or self.sliding or self.of.name in self.recurrent or any(
                (low, high) != (i.lower, i.upper) or i.lower != 0 for i, low, high in expr.limits):
            return super()._changed(expr)
        if taps := self._places_filled(expr):
            self.taps[self.of.name] = taps
            return Sum(self._as_they_are(expr.function, taps), *expr.limits)
        return self._added_up(expr) if self._is_added_up(expr) else super()._changed(expr)

    def _as_they_are(self, body, taps):
        """Return what is summed, the windows of some places as they are."""
        self.sliding = frozenset(taps)
        body = super()._changed(body)
        self.sliding = frozenset()
        return body

    def _windowed(self, read, first=()):
        """Return a read of a window that is added up as it is, with zeros around it if need be."""
        if not self.sliding & set(free_indices(read)):
            return super()._windowed(read, first)
        padding = self._paddings(read)
        wide = self._padded(read, padding) if any(p != (0, 0) for p in padding) else read
        for indices, (pattern, _) in map(canonical, filter(self._is_sum, read.indices)):
            self.tapped.setdefault(pattern, [k for k, i in enumerate(indices) if i in self.sliding])
        return wide

    def _is_added_up(self, total):
        """Tell whether a sum is over the places of windows alone, multiplied by what has their last axis alone."""
        bound = {limit[0] for limit in total.limits}
        found = self._reads_of(total, bound)
        if not self.of.free or any(i.lower != 0 or i not in self.of.free for i in free_indices(total)):
            return False
        windows = [r for r in found if self._is_window(r, bound)]
        others = [r for r in found if r not in windows]
        kept = {frozenset(set(free_indices(r)) - bound) for r in windows}
        if len(kept) != 1 or bound != {i for r in windows for i in set(free_indices(r)) & bound}:
            return False
        last = self.of.free[-1]
        return bool(others) and all(r.indices[-1] == last for r in windows) and all(
            set(free_indices(r)) - bound == {last} for r in others)

    def _places_filled(self, total):
        """Return the places of windows on the left-hand side, where each is a sum with the last axis kept; else ()."""
        bound, own = {limit[0] for limit in total.limits}, set(self.of.free)
        found = self._reads_of(total, bound)
        windows = [r for r in found if any(self._is_sum(p) and set(free_indices(p)) & own for p in r.indices)]
        last = {r.indices[-1] for r in windows}
        if len(windows) != 1 or len(found) < 2 or any(i.lower != 0 for i in own) or not last <= own or not all(
                last <= set(r.indices) for r in found):
            return ()
        slid = [(p, i) for p, i in zip(windows[0].indices, self._axes(windows[0]), strict=True) if self._is_sum(p)]
        if any(len(set(free_indices(p)) & own) != 1 or len(set(free_indices(p)) & bound) != 1 or self._digits(p, i)
               for p, i in slid):
            return ()
        taps = {i for p, _ in slid for i in free_indices(p)} & own
        known = (self._taps_of(indices, pattern) for indices, (pattern, _) in (canonical(p) for p, _ in slid))
        if taps != {i for group in known for i in group}:
            return ()
        others = [r for r in reads(total.function, self.variables) if r not in windows]
        return () if any(taps & set(free_indices(r)) for r in others) else tuple(i for i in self.of.free if i in taps)

    def _reads_of(self, total, bound):
        """Return the reads in a sum that vary with what it is over; [] where these are labels or of a recurrence."""
        found = [r for r in reads(unguarded(total.function)[0], self.variables) if set(free_indices(r)) & bound]
        return [] if any(r.is_integer or r.base.name in self.recurrent for r in found) else found

    def _is_window(self, read, bound):
        """Tell whether the places of a window stand beside other indices in a read, and are no digits of a number."""
        slid = [(p, i) for p, i in zip(read.indices, self._axes(read), strict=True) if set(free_indices(p)) & bound]
        return all(self._is_sum(p) and len(set(free_indices(p)) - bound) == 1 and not self._digits(p, i)
                   for p, i in slid)

    def _added_up(self, total):
        """Return a sum whose windows are reads at sums of indices, or the read of it by a name of its own."""
        taps = tuple(limit[0] for limit in total.limits)
        alone = self.of.rhs == total
        body = self._as_they_are(total.function, taps)
        indices = tuple(i for i in self.of.free if i in free_indices(body))
        if alone and indices == self.of.free:
            self.taps[self.of.name] = taps
            return Sum(body, *total.limits)
        new = self._declared(f"sum_{self.of.name}", indices)
        self.taps[new.name] = taps
        self.lines.append(Equation(new.at(*indices), Sum(body, *total.limits)))
        return new.at(*indices)
