"""Programs at small explicit sizes, in scalar SymPy: what the referee differentiates, and brute-force evaluation.

Each entry of each variable is a cell, and so is each value of a sum, a maximum or a function of ours in an expression.
Each cell is one scalar expression in other cells: sizes are integers, sums are written out, labels are data, a guard is
decided before what it guards is read. Values are exact where everything is rational, else Floats of many digits.
Nothing here knows the rule or how programs are simplified.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import prod
from random import Random
from types import MappingProxyType

from sympy import (
    Abs,
    Add,
    And,
    Dummy,
    Expr,
    Float,
    Function,
    Ge,
    Heaviside,
    Idx,
    Indexed,
    Integer,
    KroneckerDelta,
    Max,
    Min,
    NumberSymbol,
    Piecewise,
    Pow,
    Rational,
    Symbol,
    ceiling,
    erf,
    erf2,
    erfcinv,
    erfinv,
    expand_func,
    floor,
    jn,
    oo,
    sign,
    sqrt,
    sympify,
)
from sympy.codegen.cfunctions import Cbrt, Sqrt
from sympy.core.relational import Relational
from sympy.utilities.iterables import strongly_connected_components

from .binders import ArgMaximum, Binder, FirstMaximum, LogSumExp, Maximum, is_binder
from .blocks import Block
from .determinants import LogDeterminant
from .errors import DerivationError
from .feasible import satisfying
from .functions import Elementwise, at_zero, half_step, relu, step
from .program import Program, Variable
from .terms import count, free_indices, read_name, subterms

Cell = tuple[str | Expr, tuple[int, ...]]           # a variable's name, or an expression, and the values of its indices
Sizes = Mapping[Symbol, int]
Values = dict[str, dict[tuple[int, ...], Expr]]     # by name, then by indices; those of a scalar are ()


_COMPARED = {
    ">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_RATIONAL = (relu, step, half_step, at_zero, Abs, Heaviside, KroneckerDelta, Max, Min, Piecewise, ceiling, floor, sign)


def sizes_for(program: Program, largest: int = 5) -> dict[Symbol, int]:
    """Return small sizes for a program, with derived sizes as they follow: distinct and above their least, if possible.

    Raises
    ------
    DerivationError
        No sizes up to `largest` give derived sizes that are integers in their range, and axes of one entry or more.
    """
    free = [s for s in program.sizes if s not in program.derived]
    if not program.derived:
        sizes = {s: (3, 4, 2, 5)[k % 4] for k, s in enumerate(free)}
        if _has_entries(program, sizes):
            return sizes
    found = _drawn(program, free, largest)
    if not found:
        wanted = [*map(str, program.derived), *(f"an axis of {e}" for e in _computed_axes(program))]
        raise DerivationError(f"{program.name}: no sizes up to {largest} fit {', '.join(wanted)}")
    work = _work(program)

    def cost(sizes):
        return _dullness(program, sizes) + _number_of(work, sizes) // 5000

    best = min(found, key=cost)
    wider = [] if not _has_ones(best, free) else [
        sizes for sizes in _drawn(program, free, 2 * largest) if not _has_ones(sizes, free)]
    return _descended(program, min(wider, key=cost), free, cost) if wider else best


def _drawn(program, free, largest):
    """Return those of 600 random choices of the free sizes that fit, with the sizes that follow."""
    random = Random(0)
    tries = [{s: random.randint(program.least.get(s, 1), largest) for s in free} for _ in range(600)]
    return [sizes for chosen in tries if (sizes := with_derived(program, chosen)) is not None]


def _has_ones(sizes, free):
    """Tell whether a free size is 1: windows of one place show nothing of windows."""
    return any(sizes[s] == 1 for s in free)


def _descended(program, sizes, free, cost):
    """Return sizes of a lower cost, reached by changing one free size at a time for a smaller one."""
    for s in free:
        smaller = (with_derived(program, {**{f: sizes[f] for f in free}, s: n}) for n in range(2, sizes[s]))
        sizes = min([sizes, *filter(None, smaller)], key=cost)
    return sizes


def _dullness(program, sizes):
    """Tell how many sizes are at their least (the worse) or alike: such sizes show less."""
    least = sum(n == program.least.get(s, 1) for s, n in sizes.items())
    return 8 * least + len(sizes) - len(set(sizes.values()))


def _work(program):
    """Return how many terms there are in all sums of all equations, about."""
    sums = [(e, [limit for t in subterms(e.rhs) if is_binder(t) for limit in t.limits]) for e in program.equations]
    return Add(*(count([(i, i.lower, i.upper) for i in (*e.free, *(i for i, *_ in limits))]) for e, limits in sums))


def with_derived(program, chosen):
    """Return the sizes together with those that follow from them, None where one is not an integer in its range."""
    sizes = {s: Integer(n) for s, n in chosen.items()}
    for s, value in program.derived.items():
        sizes[s] = value.xreplace(sizes)
        if not (sizes[s].is_Integer and sizes[s] >= program.least.get(s, 1)):
            return None
    return {s: int(sizes[s]) for s in program.sizes} if _has_entries(program, sizes) else None


def _has_entries(program, sizes):
    """Tell whether every axis has an entry, those of computed lengths (H - K + 1) as well."""
    return all(e.xreplace(sizes) >= 1 for e in _computed_axes(program))


def _computed_axes(program):
    """Return the lengths of axes that are no single size."""
    return list(dict.fromkeys(e for v in program.variables.values() for e in v.shape if e.free_symbols and e.args))


class NotReal(DerivationError):
    """A value is no real number at a point."""


def point(program: Program, sizes: Sizes, seed: int = 0, least: int | None = None) -> Values:
    """Return random rational values, between -2 and 2, or in the unit above the least one, and random labels."""
    random = Random(seed)

    def value(variable):
        if variable.kind == "labels":
            return Integer(random.randrange(_number_of(variable.classes, sizes)))
        size = Rational(random.randint(1, 119), random.randint(60, 70) if least is None else random.randint(120, 140))
        return size + (least or 0) if least is not None or random.random() < 0.5 else -size

    drawn = {v.name: {index: value(v) for index in entries(v, sizes)} for v in (*program.parameters, *program.inputs)}
    return satisfying(program, drawn, sizes)


def entries(variable: Variable, sizes: Sizes) -> Iterator[tuple[int, ...]]:
    """Yield the indices of all entries of a variable, those of a state's row -1 included."""
    first = [-1 if variable.state and axis == 0 else 0 for axis in range(len(variable.shape))]
    return product(*(range(low, _number_of(size, sizes)) for low, size in zip(first, variable.shape, strict=True)))


def _number_of(size, sizes):
    return int(size.xreplace({s: Integer(n) for s, n in sizes.items()}))


def is_rational(program: Program) -> bool:
    """Tell whether rational values give rational values."""
    return all(_is_rational(t) for e in program.equations for t in subterms(e.rhs))


def _is_rational(term):
    if isinstance(term, Pow):
        return term.exp.is_integer
    if isinstance(term, NumberSymbol):
        return False
    return not isinstance(term, Function | LogSumExp | LogDeterminant) or isinstance(term, _RATIONAL)


_BY_OTHERS = {          # what SymPy has no number for, and jn, of which it takes another branch where x is negative
    erf2: lambda x, y: erf(y) - erf(x), erfcinv: lambda x: erfinv(1 - x), jn: lambda n, x: expand_func(jn(n, x)),
    Sqrt: sqrt, Cbrt: lambda x: x ** Rational(1, 3),
}  # fmt: skip


@dataclass(frozen=True)
class Scalar:
    """The right-hand side of one cell, in placeholders for the cells that it reads."""

    rhs: Expr
    reads: dict[Cell, Symbol]


class Explicit:
    """A program at explicit sizes, its labels given."""

    def __init__(self, program: Program, sizes: Sizes, values: Values):
        self.program = program
        self.sizes: dict[Expr, Expr] = {s: Integer(n) for s, n in sizes.items()}
        self.ranges = {v.name: set(entries(v, sizes)) for v in program.variables.values()}
        self.labels = {v.name: values[v.name] for v in program.kind("labels")}
        self.lines: dict[Cell, tuple[Expr, dict[Expr, Expr]]] = {}    # right-hand sides, sizes and indices in them
        self.unknowns: dict[Cell, Expr] = {}    # cells whose right-hand side is a residual, and where to start
        for equation in program.equations:
            self._spread(equation, values)

    def _spread(self, equation, values):
        """Note the equation under every cell that it defines."""
        for indices in product(*(self._values(i, i.lower, i.upper, {}) for i in equation.free)):
            inner = dict(zip(equation.free, indices, strict=True))
            cell = (equation.name, tuple(int(inner.get(i, i)) for i in equation.indices))
            if cell in self.lines:
                raise DerivationError(f"{_shown(cell)} is defined twice, last by {equation}")
            if cell[1] not in self.ranges[equation.name]:
                raise DerivationError(f"{_shown(cell)} is defined, outside its range, by {equation}")
            self.lines[cell] = (equation.rhs, {**self.sizes, **inner})
            if equation.implicit:
                self.unknowns[cell] = self._number(equation.start, self.lines[cell][1], values)

    def _number(self, start, inner, values):
        """Return where an iteration starts: what the parameters and inputs give it."""
        reads: dict[Cell, Symbol] = {}
        expr = self._expanded(start, inner, reads)
        return expr.xreplace({u: values.get(name, {}).get(index, Integer(0)) for (name, index), u in reads.items()})

    def scalar(self, cell: Cell) -> Scalar:
        """Return the scalar equation of a cell."""
        if cell not in self.lines:
            raise DerivationError(f"{self.program.name}: {_shown(cell)} is not defined")
        expr, inner = self.lines[cell]
        reads: dict[Cell, Symbol] = {}
        return Scalar(self._opened(expr, inner, reads), reads)

    def _opened(self, expr, inner, reads):
        """Return `expr` in scalars, written out where it is a cell of its own."""
        if isinstance(expr, FirstMaximum):
            now = self._bound(expr.limits, inner)
            return _first_of_the_largest([self._plain(expr.function, there, reads) for there in now])
        if is_binder(expr):
            scalar = self._plain if isinstance(expr, Maximum | ArgMaximum) else self._expanded
            terms = [scalar(expr.function, now, reads) for now in self._bound(expr.limits[::-1], inner)]
            if isinstance(expr, Maximum):               # what is read twice has two shares of a tie
                now = self._bound(expr.limits[::-1], inner)
                terms = [self._cell_of(expr.function, here, reads) if t in terms[:k] else t
                         for k, (t, here) in enumerate(zip(terms, now, strict=True))]
            return expr.of(terms) if isinstance(expr, Binder) else Add(*terms)
        if isinstance(expr, Max | Min):
            return expr.func(*(self._plain(a, inner, reads) for a in expr.args))
        if isinstance(expr, Elementwise):
            return expr.definition(self._expanded(expr.args[0], inner, reads))
        return self._expanded(expr, inner, reads)

    def _plain(self, expr, inner, reads):
        """Return `expr` as a number or one placeholder: SymPy compares those without thinking."""
        is_plain = expr.is_number or bool(read_name(expr))
        return self._expanded(expr, inner, reads) if is_plain else self._cell_of(expr, inner, reads)

    def _expanded(self, expr, inner, reads):
        """Return `expr` in scalars, `inner` holding the values of sizes and indices, and collect what it reads."""
        if expr in inner:
            return inner[expr]
        if isinstance(expr, Indexed):
            computed = next((k for k, i in enumerate(expr.indices) if self._is_computed(i)), None)
            if computed is not None:
                return self._looked_up(expr, computed, inner, reads)
            return self._read((read_name(expr), tuple(self._integer(i, inner) for i in expr.indices)), expr, reads)
        if expr.is_Mul and any(isinstance(f, KroneckerDelta) and self._expanded(f, inner, reads) == 0
                               for f in expr.args):
            return Integer(0)               # what stands beside it counts elsewhere, and may have no value here
        if isinstance(expr, Idx):
            raise DerivationError(f"{self.program.name}: the index {expr}, {expr.lower} to {expr.upper}, is free")
        if isinstance(expr, Symbol):
            return self._read((read_name(expr), ()), expr, reads)
        if is_binder(expr) or isinstance(expr, Elementwise | Max | Min):
            return self._cell_of(expr, inner, reads)
        if isinstance(expr, Piecewise):
            return self._chosen(expr, inner, reads)
        if isinstance(expr, And):
            return self._all_hold(sorted(expr.args, key=self._asks_labels), inner, reads)
        integers = isinstance(expr, Relational) and expr.lhs.is_integer and expr.rhs.is_integer
        if integers and not any(map(self._is_computed, expr.args)):
            return sympify(_COMPARED[expr.rel_op](self._integer(expr.lhs, inner), self._integer(expr.rhs, inner)))
        if type(expr) in _BY_OTHERS:
            return _BY_OTHERS[type(expr)](*(self._expanded(a, inner, reads) for a in expr.args))
        if expr.is_Float:
            return Rational(expr)           # the number that it is, in any arithmetic
        return expr.func(*(self._expanded(a, inner, reads) for a in expr.args)) if expr.args else expr

    def _asks_labels(self, condition):
        return any(read_name(t) in self.labels for t in subterms(condition))

    def _all_hold(self, conditions, inner, reads):
        """Return whether all conditions hold, the others not asked where one does not: there may be no label there."""
        found = []
        for condition in conditions:
            found.append(self._expanded(condition, inner, reads))
            if found[-1] == False:
                break
        return And(*found)

    def _is_computed(self, index):
        """Tell whether an index is what an equation says, the place of a maximum: nobody knows it yet."""
        if isinstance(index, Idx) or index.is_Integer:
            return False
        found = (self.program.variables.get(read_name(t)) for t in subterms(index))
        return any(v is not None and v.kind == "variable" for v in found)

    def _looked_up(self, read, axis, inner, reads):
        """Return the entry at a computed place, as the sum over all places of what is there where it is the place."""
        place = self._expanded(read.indices[axis], inner, reads)
        entries = []
        for k in range(self._integer(read.base.shape[axis], inner)):
            index = tuple(k if j == axis else self._integer(i, inner) for j, i in enumerate(read.indices))
            entries.append(KroneckerDelta(place, k) * self._read((read_name(read), index), read, reads))
        return Add(*entries)

    def _integer(self, expr, inner) -> int:
        """Return the value of an index expression."""
        if expr in inner:
            return int(inner[expr])
        if expr.is_Integer:
            return int(expr)
        if expr.is_Add and all(a.is_integer for a in expr.args):
            return sum(self._integer(a, inner) for a in expr.args)
        if expr.is_Mul and all(a.is_integer for a in expr.args):
            return prod(self._integer(a, inner) for a in expr.args)
        return int(self._expanded(expr, inner, {}))

    def _cell_of(self, expr, inner, reads):
        """Make the value of `expr` a cell of its own, one for all places that need it."""
        cell = (expr, tuple(int(inner[i]) for i in free_indices(expr) if i in inner))
        self.lines.setdefault(cell, (expr, inner))
        return reads.setdefault(cell, _placeholder(len(reads)))

    def _read(self, cell, expr, reads):
        name, indices = cell
        if indices not in self.ranges.get(name, ()):
            raise DerivationError(f"{self.program.name}: {expr} reads {_shown(cell)}, which is outside its range")
        if name in self.labels:
            return self.labels[name][indices]
        return reads.setdefault(cell, _placeholder(len(reads)))

    def _bound(self, limits, inner) -> Iterator[dict]:
        """Yield `inner` with all values of the bound indices; limits come with the outermost first."""
        if not limits:
            yield inner
            return
        (index, low, high), *rest = limits
        for value in self._values(index, low, high, inner):
            yield from self._bound(rest, {**inner, index: value})

    def _values(self, index, low, high, inner):
        low, high = (self._integer(end, {**self.sizes, **inner}) for end in (low, high))
        return [Integer(k) for k in range(low, high + 1)]

    def _chosen(self, expr, inner, reads):
        """Decide conditions on indices; only branches that may hold are looked into."""
        pairs = []
        for branch, condition in expr.args:
            holds = self._expanded(condition, inner, reads)
            if holds != False:
                pairs.append((self._expanded(branch, inner, reads), holds))
            if holds == True:
                break
        return pairs[0][0] if pairs[0][1] == True else Piecewise(*pairs, evaluate=False)


def _first_of_the_largest(terms):
    """Return the largest term as SymPy differentiates it by the convention: the first that attains it has it all."""
    attained = [And(*(Ge(t, other) for other in terms if other != t)) for t in terms[:-1]]
    return Piecewise(*zip(terms, [*attained, True], strict=True), evaluate=False)


@cache
def _placeholder(k):
    return Dummy(f"u{k}", real=True)


def _shown(cell):
    name, indices = cell
    return f"{name}[{', '.join(map(str, indices))}]" if indices else str(name)


def evaluate(program: Program, sizes: Sizes, values: Values, digits: int | None = None) -> Values:
    """Return the values of all variables that a program defines, one entry after the other as each is needed.

    Parameters
    ----------
    program : any program, adjoint equations included.
    sizes : the value of every size.
    values : those of parameters and inputs, as `point` gives them.
    digits : those of the arithmetic; None for exact arithmetic, where the program is rational.

    Raises
    ------
    DerivationError
        An entry is not defined, defined twice, waits for itself, or is not a real number.
    """
    return nested(Evaluated(Explicit(program, sizes, values), values, digits).all)


class Evaluated:
    """The values of all cells at a point, and the order in which they came to be known."""

    def __init__(self, explicit: Explicit, values: Values, digits: int | None):
        self.digits = digits
        self.given = {(n, i): _rounded(v, digits) for n, inner in values.items() for i, v in inner.items()}
        self.scalars: dict[Cell, Scalar] = {}
        self.all: dict[Cell, Expr] = {}
        self.blocks: dict[Cell, Block] = {}     # those that are solved for together, by each of their cells
        if explicit.unknowns:
            self._solve(explicit)
            return
        for cell in _each_after_what_it_reads(list(explicit.lines), self._needs(explicit)):
            self.all[cell] = self.at(self.scalars[cell].rhs, self.scalars[cell], cell)

    def _solve(self, explicit):
        """Go through the cells, those together that wait for each other."""
        for cells in _components(list(explicit.lines), self._needs(explicit)):
            known = [c for c in cells if c in explicit.unknowns]
            if not known:
                if len(cells) > 1 or cells[0] in self.scalars[cells[0]].reads:
                    raise DerivationError(f"{_shown(cells[0])} waits for itself by way of {_shown(cells[-1])}")
                self.all[cells[0]] = self.at(self.scalars[cells[0]].rhs, self.scalars[cells[0]], cells[0])
                continue
            start = {c: _rounded(s, self.digits) for c, s in explicit.unknowns.items()}
            block = Block(cells, self.scalars, start, _shown(known[0]))
            self.all |= block.solved(self.within, self.digits)
            self.blocks |= dict.fromkeys(cells, block)

    def within(self, expr: Expr, cell: Cell, now: Mapping[Cell, Expr] | None = None) -> Expr:
        """Return the value of an expression in the placeholders of a cell's scalar, `now` known beside all others."""
        return self.at(expr, self.scalars[cell], cell, now or {})

    def _needs(self, explicit) -> Callable[[Cell], Iterable[Cell]]:
        def needs(cell):
            if cell not in self.scalars:
                self.scalars[cell] = explicit.scalar(cell)
            return [c for c in self.scalars[cell].reads if c not in self.given]

        return needs

    def at(self, expr: Expr, scalar: Scalar, cell: Cell, now: Mapping[Cell, Expr] = MappingProxyType({})) -> Expr:
        """Return the value of an expression in the placeholders of a scalar equation."""
        known = {u: self.given[c] if c in self.given else now[c] if c in now else self.all[c]
                 for c, u in scalar.reads.items()}
        try:
            value = _rounded(expr.xreplace(known), self.digits)
        except ValueError as error:                             # of erfinv(2)
            raise NotReal(f"{_shown(cell)} has no value at this point: {error}") from None
        if not (value.is_Rational or value.is_Float or value in (oo, -oo)):
            raise NotReal(f"{_shown(cell)} is no real number at this point but {value}")
        return value


def _rounded(value, digits):
    if digits is None or value.is_Float or value in (oo, -oo):
        return value
    return Float(value, digits) if value.is_Rational else value.evalf(digits)


def _each_after_what_it_reads(cells, needs) -> Iterator[Cell]:
    """Yield cells, each after all that it needs, on a stack of our own: chains may be long."""
    done, waiting = set(), set()
    for start in cells:
        stack = [start]
        while stack:
            cell = stack[-1]
            missing = [c for c in needs(cell) if c not in done]
            if cell in done or not missing:
                stack.pop()
                if cell not in done:
                    done.add(cell)
                    yield cell
                continue
            if cell in waiting:
                raise DerivationError(f"{_shown(cell)} waits for itself by way of {_shown(missing[0])}")
            waiting.add(cell)
            stack += missing


def _components(cells, needs) -> Iterator[list[Cell]]:
    """Yield cells, those together that wait for each other, after all that they need."""
    edges: dict[Cell, list[Cell]] = {}
    todo = list(cells)
    while todo:
        cell = todo.pop()
        if cell not in edges:
            edges[cell] = list(needs(cell))
            todo += edges[cell]
    yield from strongly_connected_components((list(edges), [(c, n) for c, ns in edges.items() for n in ns]))


def nested(flat: Mapping[Cell, Expr]) -> Values:
    """Return the values of variables by name and by indices."""
    nested: Values = {}
    for (name, indices), value in flat.items():
        if isinstance(name, str):
            nested.setdefault(name, {})[indices] = value
    return nested
