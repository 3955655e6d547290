"""Where a generated function gets its sizes from: an array that shows one, a formula, or a keyword."""

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property

from sympy import Expr, Mul, Symbol

from derive.program import Program, Variable

from .numpy_text import NumpyPrinter


class Sizes:
    """The sizes that can be had from some arrays; `given` are there by name already."""

    def __init__(self, program: Program, arrays: Sequence[Variable], given: Collection[str] = ()):
        self.program, self.arrays, self.given = program, arrays, set(given)

    def missing(self, needed: Iterable[Symbol]) -> list[Symbol]:
        """Return the sizes that neither arrays nor formulas tell: they have to be given."""
        found: set[Symbol] = set()
        for size in needed:
            self._collect(size, found, ())
        return [s for s in self.program.sizes if s in found]

    def lines(self, needed: Iterable[Symbol]) -> list[str]:
        """Return lines that make sizes known, each after those that it follows from: `N = len(X)`."""
        lines: list[str] = []
        done = set(self.given)
        wanted = set(needed)
        for size in (s for s in self.program.sizes if s in wanted):
            self._emit(size, done, lines)
        return lines

    def _emit(self, size, done, lines):
        if size.name in done:
            return
        code, formula = self._read_off(size), self._formula(size, ())
        if code is None and formula is not None:
            for s in sorted(self._sizes_in(formula), key=str):
                self._emit(s, done, lines)
            code = text(formula) if size in self.program.derived else self._quotient(size)
        if code is not None:
            done.add(size.name)
            lines.append(f"{size} = {code}")

    def _collect(self, size, found, trail):
        if size.name in self.given or self._read_off(size) is not None:
            return
        formula = self._formula(size, trail)
        if formula is None:
            found.add(size)
        else:
            for s in self._sizes_in(formula):
                self._collect(s, found, (*trail, size))

    def _sizes_in(self, formula):
        return formula.free_symbols & {*self.program.sizes, *self.program.derived}

    def _read_off(self, size) -> str | None:
        """Return the code that reads a size off the first array that shows it, first axes and data preferred."""
        if size in self._shown:
            axis, _, k = self._shown[size]
            return self._length(k, axis)
        if size in self._solved and size not in self.program.derived:
            factor, _, axis, k, start = self._solved[size]
            return quotient(Symbol(self._length(k, axis), integer=True), factor, start)
        return None

    def _axes(self):
        """Yield the axes that tell their lengths: which array, which axis, the length; a state has its row -1 too."""
        return ((k, axis, length) for k, v in enumerate(self.arrays) for axis, length in enumerate(v.shape)
                if axis or not v.state)

    def _length(self, k, axis):
        name = self.arrays[k].name
        return f"len({name})" if axis == 0 else f"{name}.shape[{axis}]"

    @cached_property
    def _shown(self):
        """The best place at which each size can be read off."""
        best: dict[Expr, tuple[int, bool, int]] = {}
        for k, axis, size in self._axes():
            place = axis, self.arrays[k].kind == "parameter", k
            best[size] = min(best.get(size, place), place)
        return best

    @cached_property
    def _solved(self):
        """The best place at which the length of an axis tells a size: Q + 1, 4*H."""
        best: dict[Symbol, tuple[int, bool, int, int, Expr]] = {}
        for k, axis, length in self._axes():
            if told := solved(length):
                size, factor, start = told
                place = factor, self.arrays[k].kind == "parameter", axis, k, start
                best[size] = min(best.get(size, place), place)
        return best

    def _formula(self, size, trail) -> Expr | None:
        """Return what a size follows from: its own formula, or a product that is known (2 G J = C: G = C/(2 J))."""
        if size in self.program.derived:
            return self.program.derived[size]
        for whole, product in self._products(size, trail):
            if whole not in trail and size not in trail:
                return whole / Mul(*(f for f in Mul.make_args(product) if f != size))
        return next(((length - rest) / factor for length, factor, rest in self._sums(size, trail)), None)

    def _sums(self, size, trail=()):
        """Yield lengths of axes that are a multiple of `size` and sizes that are known, 2 O + R, with both."""
        for k, axis, length in self._axes():
            told = solved(length, length.free_symbols - {size})
            if told and told[0] == size and size not in trail and all(
                    self._is_known(s, (*trail, size)) for s in told[2].free_symbols):
                yield Symbol(self._length(k, axis), integer=True), *told[1:]

    def _products(self, size, trail=()):
        """Yield the derived sizes that an array shows and that are a product of `size` and of sizes that are known."""
        for whole, product in self.program.derived.items():
            factors = Mul.make_args(product)
            if (
                factors.count(size) == 1
                and all(isinstance(f, Symbol) or f.is_Integer for f in factors)
                and self._read_off(whole) is not None
                and all(f == size or f.is_Integer or self._is_known(f, (*trail, size)) for f in factors)
            ):
                yield whole, product

    def _is_known(self, size, trail):
        if size.name in self.given or self._read_off(size) is not None:
            return True
        return size not in trail and self._formula(size, trail) is not None

    def _quotient(self, size):
        for whole, product in self._products(size):
            rest = [str(f) for f in Mul.make_args(product) if f != size]
            return f"{whole} // {rest[0]}" if len(rest) == 1 else f"{whole} // ({' * '.join(rest)})"
        return quotient(*next(self._sums(size)))


def solved(length: Expr, known: AbstractSet[Symbol] = frozenset()) -> tuple[Symbol, int, Expr] | None:
    """Return (size, factor, rest) of a length factor*size + rest in whole numbers and known sizes, None for another."""
    unknown = length.free_symbols - known
    if len(unknown) != 1 or length.is_Symbol:
        return None
    [size] = unknown
    factor = length.coeff(size, 1)
    rest = (length - factor * size).expand()
    whole = factor.is_Integer and factor > 0 and rest.is_polynomial(*rest.free_symbols) and rest.is_integer
    return (size, int(factor), rest) if whole and not rest.has(size) else None


def quotient(length: Symbol, factor: int, rest: Expr) -> str:
    """Return the code of (length - rest)/factor."""
    if factor == 1:
        return text(length - rest)
    return f"{text(length - rest)} // {factor}" if rest == 0 else f"({text(length - rest)}) // {factor}"


def text(expr: Expr) -> str:
    """Print an expression in sizes."""
    return NumpyPrinter().size(expr).code
