"""Windows of two axes that slide along the last one only: a convolution is one product, whose slices are added up.

    windows_x[n, c, p, q, u, v] = x[n, c, u + p, v + q]         windows_x[n, c, q, a, v] = x[n, c, a, v + q]
    Z[n, f, u, v] = Sum(w[f, c, p, q]*windows_x[...], c, p, q)  rows_Z[n, p, f, a, v] = Sum(w*windows_x[...], c, q)
                                                                Z[n, f, u, v] = Sum(rows_Z[n, p, f, u + p, v], p)
    dw[f, c, p, q] = Sum(dZ[n, f, u, v]*windows_x[...], ...)    the same, a product for each p

A third is copied of what windows of 3 by 3 take, and BLAS gets more rows at once. What is added up has channels that
are made, and not those that are read: arguments, as images of few channels, keep their windows.
"""

from collections.abc import Iterator
from dataclasses import replace

from sympy import Expr, Idx, Indexed, Mul, Sum, expand

from derive.guards import is_guard
from derive.program import Equation, Variable, base_of
from derive.terms import free_indices, index_over, read_name, reads, subterms

from .lowering import Lowered


def with_windows_along_rows(low: Lowered) -> Lowered:
    """Return a lowered program in which windows that convolutions read slide along rows only."""
    for name in low.taps:
        low = _Sliding(low, name).taken() if len(low.taps[name]) > 1 else low
    return low


class _Sliding:
    """The windows by one name: the indices of their equation, among them `tap` and `slid`, whose sum is a position."""

    def __init__(self, low: Lowered, name: str):
        self.low, self.name = low, name
        self.line = next(e for e in low.program.equations if e.name == name)
        self.tap = low.taps[name][0]
        self.variables, self.taps = dict(low.program.variables), dict(low.taps)
        self.backward = set(low.backward)

    def taken(self) -> Lowered:
        """Return the program with the windows along rows, or as it is."""
        program = self.low.program
        readers = [e for e in program.equations if reads(e.rhs, {self.name})]
        if not self._fits() or not all(map(self._is_read_well, readers)) or not any(
                self._is_made(r, e) for e in readers for _, r, _ in self._sums(e)):
            return self.low
        position = self.line.rhs.indices[self.place]
        self.row = index_over(self.slid.name, self.line.rhs.base.shape[self.place])
        kept = [i for i in self.line.free if i != self.tap]
        windows = self._declared(self.name, [self.row if i == self.slid else i for i in kept])
        lines = []
        for e in program.equations:
            if e.name == self.name:
                at = [self.row if i == self.slid else i for i in kept]
                lines.append(Equation(windows.at(*at), e.rhs.xreplace({position: self.row})))
            elif e in readers:
                lines += self._read(e, windows)
            else:
                lines.append(e)
        self.taps[self.name] = self.taps[self.name][1:]
        program = program.with_equations(lines, variables=self.variables)
        return replace(self.low, program=program, taps=self.taps, backward=frozenset(self.backward))

    def _fits(self) -> bool:
        """Tell whether these are windows of what is computed, at steps of 1 along the first of their axes."""
        read, variables = self.line.rhs, self.low.program.variables
        if not isinstance(read, Indexed):
            return False
        source = next((e.rhs for e in self.low.program.equations if e.name == read_name(read)), None)
        if source is not None and is_guard(source):
            source = source.args[0][0]
            if isinstance(source, Indexed) and variables[read_name(source)].kind in ("input", "parameter"):
                return False
        places = [k for k, p in enumerate(read.indices) if self.tap in free_indices(p)]
        if source is None or len(places) != 1:
            return False
        [self.place] = places
        others = [i for i in free_indices(read.indices[self.place]) if i != self.tap]
        if len(others) != 1 or expand(read.indices[self.place]).coeff(others[0], 1) != 1:
            return False
        [self.slid] = others
        step = expand(read.indices[self.place] - self.slid).coeff(self.tap, 1)
        return expand(read.indices[self.place] - self.slid - step * self.tap) == 0 and not free_indices(step)

    def _sums(self, e: Equation) -> Iterator[tuple[Sum, Indexed, Expr]]:
        """Yield the sums of products of the windows and another array in an equation, with both."""
        for total in subterms(e.rhs):
            factors = Mul.make_args(total.function) if isinstance(total, Sum) else ()
            if len(factors) == 2 and all(isinstance(f, Indexed) and all(isinstance(i, Idx) for i in f.indices)
                                         for f in factors):
                one, other = sorted(factors, key=lambda f: read_name(f) != self.name)
                if read_name(one) == self.name and read_name(other) != self.name:
                    yield total, one, other

    def _at(self, read: Indexed, index: Idx) -> Idx:
        """Return the index by which the windows are read in the place of one of their own."""
        return read.indices[self.line.free.index(index)]

    def _is_made(self, read: Indexed, e: Equation) -> bool:
        """Tell whether an equation has the windows slide, and sums over the tap."""
        return self._at(read, self.slid) in e.free and self._at(read, self.tap) not in e.free

    def _is_read_well(self, e: Equation) -> bool:
        """Tell whether an equation is a convolution, or the gradient of its kernel."""
        sums = list(self._sums(e))
        if len(sums) != 1 or len(reads(e.rhs, {self.name})) != 1 or e.free != e.indices:
            return False
        [(total, read, other)] = sums
        if self._is_made(read, e):
            channels = set(read.indices) - set(e.free) - {self._at(read, t) for t in self.low.taps[self.name]}
            return bool(channels) and set(other.indices) & set(read.indices) == set(read.indices) - set(e.free)
        return total == e.rhs and self._at(read, self.tap) in e.free and self._at(read, self.slid) not in e.free

    def _read(self, e: Equation, windows: Variable) -> list[Equation]:
        """Return the lines of an equation that reads the windows."""
        [(total, read, other)] = self._sums(e)
        tap, slid = self._at(read, self.tap), self._at(read, self.slid)
        position = self.line.rhs.indices[self.place].xreplace({self.tap: tap, self.slid: slid})
        if not self._is_made(read, e):
            at = [position if i == slid else i for i in read.indices if i != tap]
            self.taps[e.name] = (tap,)
            return [e.with_rhs(total.xreplace({read: windows.at(*at)}))]
        at = [self.row if i == slid else i for i in read.indices if i != tap]
        order = [i for i in e.free if i in (*read.indices, *other.indices)]
        first = next((k for k, i in enumerate(order) if i in other.indices), 0)
        order = [*order[:first], tap, *order[first:]]
        rows = self._declared(self._new(f"rows_{e.name}"), [self.row if i == slid else i for i in order])
        limits = [limit for limit in total.limits if limit[0] != tap]
        lines = [Equation(rows.at(*(self.row if i == slid else i for i in order)),
                          Sum(windows.at(*at) * other, *limits))]
        added = Sum(rows.at(*(position if i == slid else i for i in order)), *(
            limit for limit in total.limits if limit[0] == tap))
        if total == e.rhs:
            self.taps[e.name] = (tap,)
            return [*lines, e.with_rhs(added)]
        whole = [i for i in order if i != tap]
        result = self._declared(self._new(f"sum_{e.name}"), whole)
        self.taps[result.name] = (tap,)
        if e.name in self.low.backward:
            self.backward |= {rows.name, result.name}
        return [*lines, Equation(result.at(*whole), added), e.with_rhs(e.rhs.xreplace({total: result.at(*whole)}))]

    def _new(self, stem: str) -> str:
        return next(n for n in (stem, *(f"{stem}_{k}" for k in range(2, len(self.variables) + 3)))
                    if n not in self.variables)

    def _declared(self, name: str, indices: list[Idx]) -> Variable:
        shape = tuple(i.upper + 1 for i in indices)
        self.variables[name] = Variable(name, base_of(name, shape), shape, index_names=tuple(i.name for i in indices))
        return self.variables[name]
