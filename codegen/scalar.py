"""The scalar style: a program of fixed, small sizes as straight-line Python on floats, no NumPy, every entry by name.

Z1[0, 2] is Z1_0_2. What several entries of one equation share gets a name of its own, same_Z1. Sums are written out,
brackets and guards are decided here, and what is 0 is not computed.
"""

import operator
from collections.abc import Mapping
from functools import cached_property
from itertools import product

from sympy import (
    Add,
    And,
    Dummy,
    Expr,
    Function,
    Idx,
    Indexed,
    Integer,
    KroneckerDelta,
    Mul,
    Piecewise,
    S,
    Symbol,
    cse,
    numbered_symbols,
)
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanFunction

from derive.binders import ArgMaximum, FirstMaximum, Maximum, Product, is_binder
from derive.errors import DerivationError
from derive.program import Equation, Program, Variable, is_cyclic, ordered
from derive.terms import count, subterms

from .lowering import Lowered, lowered
from .solutions import OF_MATRICES

LARGEST = 5000          # entries in all equations, above which straight-line code is no longer what one wants

Cell = tuple[str, tuple[int, ...]]


class select(Function):
    """One of the items that follow a label: `(a, b, c)[y]`."""


class is_label(Function):
    """1 where a label is a given number, else 0."""


class largest(Function):
    """The largest of its arguments."""


class place_of(Function):
    """The place of the first of the largest of its arguments."""


class Scalars:
    """The entries of a program's equations at fixed sizes, as scalar expressions in each other's names."""

    def __init__(self, program: Program, sizes: Mapping[str, int]):
        self.low: Lowered = lowered(program, arrays=False)
        self.program = program
        self.sizes = all_sizes(program, sizes)
        self.variables = self.low.program.variables
        self.labels = frozenset(v.name for v in program.kind("labels"))
        self.lines: dict[Cell, tuple[Equation, dict[Expr, Expr]]] = {}
        self.cells: dict[Cell, Expr] = {}
        entries = int(sum(self._number(count([(i, i.lower, i.upper) for i in e.free]))
                          for e in self.low.program.equations))
        if entries > LARGEST:
            raise DerivationError(f"{program.name} has {entries} entries at these sizes; the style scalar takes "
                                  f"up to {LARGEST}: use the style plain")
        _refuse_solvers(self.low.program.equations)
        for e in self.low.program.equations:
            for env in self._values([(i, i.lower, i.upper) for i in e.free], {}):
                cell = (e.name, tuple(int(self._number(i, env)) for i in e.indices))
                self.lines[cell] = (e, env)

    def shape(self, variable: Variable) -> tuple[int, ...]:
        """Return the shape of a variable in numbers."""
        return tuple(int(self._number(s)) for s in variable.shape)

    def entries(self, variable: Variable) -> list[Symbol]:
        """Return the names of all entries of a variable, the last index the fastest."""
        return [symbol(variable.name, index) for index in product(*map(range, self.shape(variable)))]

    def order(self, wanted: list[str], given: frozenset[Cell] = frozenset()) -> list[Cell]:
        """Return the cells that the variables wanted need, equation by equation; `given` are there already.

        Entries of equations that wait for each other (recurrences) come each after those that it reads.
        """
        needed = self._needed(wanted, given)
        result: list[Cell] = []
        for group in ordered(self.low.program.equations):
            names = {e.name for e in group}
            inside = [c for c in (needed if is_cyclic(group) else self.lines) if c[0] in names and c in needed]
            result += [c for c in inside if c not in given]
        return result

    def _needed(self, wanted, given) -> dict[Cell, None]:
        """Return the cells needed, each after those that it reads."""
        done: dict[Cell, None] = dict.fromkeys(given)
        path: list[tuple[Cell, bool]] = [(c, False) for c in reversed(self.lines) if c[0] in wanted]
        while path:
            cell, ready = path.pop()
            if cell in done:
                continue
            if ready:
                done[cell] = None
                continue
            path.append((cell, True))
            path += [(c, False) for c in reversed(self.reads(cell))]
        return done

    def reads(self, cell: Cell) -> list[Cell]:
        """Return the cells that a cell reads."""
        return [self.by_symbol[s] for s in sorted(self.rhs(cell).free_symbols, key=str) if s in self.by_symbol]

    @cached_property
    def by_symbol(self) -> dict[Symbol, Cell]:
        """The cells by their names.

        Raises
        ------
        DerivationError
            Two entries would have one name.
        """
        given = [(v.name, index) for v in (*self.program.parameters, *self.program.inputs)
                 for index in product(*map(range, self.shape(v)))]
        names: dict[Symbol, Cell] = {}
        for cell in (*given, *self.lines):
            clash = names.setdefault(symbol(*cell), cell)
            if clash != cell:
                raise DerivationError(f"entries of {clash[0]} and {cell[0]} are both called {symbol(*cell)}; "
                                      "rename one of the variables for the style scalar")
        return {symbol(*cell): cell for cell in self.lines}

    def rhs(self, cell: Cell) -> Expr:
        """Return the scalar right-hand side of a cell."""
        if cell not in self.cells:
            equation, env = self.lines[cell]
            self.cells[cell] = self._expanded(equation.rhs, env)
        return self.cells[cell]

    def _values(self, limits, env):
        if not limits:
            yield env
            return
        (index, low, high), *rest = limits
        for value in range(int(self._number(low, env)), int(self._number(high, env)) + 1):
            yield from self._values(rest, {**env, index: Integer(value)})

    def _number(self, expr, env=None):
        return expr.xreplace({**self.sizes, **(env or {})})

    def _expanded(self, expr, env):
        if isinstance(expr, Indexed):
            return self._read(expr, env)
        if isinstance(expr, Idx | Symbol):
            return self._number(expr, env)
        if not expr.args:
            return expr
        if is_binder(expr):
            terms = [self._expanded(expr.function, now) for now in self._values(list(expr.limits)[::-1], env)]
            return _bound(expr, terms)
        if isinstance(expr, KroneckerDelta):
            one, two = (self._expanded(a, env) for a in expr.args)
            if one.is_number and two.is_number:
                return S.One if one == two else S.Zero
            return is_label(*sorted((one, two), key=lambda a: a.is_number))
        if isinstance(expr, Piecewise):
            return self._branch(expr, env)
        if isinstance(expr, Mul):
            factors = []
            for a in sorted(expr.args, key=lambda a: not isinstance(a, KroneckerDelta)):
                factors.append(self._expanded(a, env))
                if factors[-1] == 0:
                    return S.Zero                       # whatever stands beside it may be out of range
            return Mul(*factors)
        return expr.func(*(self._expanded(a, env) for a in expr.args))

    def _branch(self, expr, env):
        """Return the branch that indices choose; where data choose, those that they may, by their conditions."""
        branches = []
        for branch, condition in expr.args:
            holds = self._condition(condition, env)
            if holds != False:
                branches.append((self._expanded(branch, env), holds))
            if holds == True:
                break
        if not branches or branches[0][1] == True:
            return branches[0][0] if branches else S.Zero
        return Piecewise(*branches, evaluate=False)

    def _condition(self, condition, env):
        """Return a condition in the names of entries; true or false where indices decide it."""
        if isinstance(condition, Relational):
            return condition.func(*(self._expanded(a, env) for a in condition.args))
        if isinstance(condition, And):                  # what indices rule out has maybe no labels to ask
            parts = sorted(condition.args, key=lambda c: c.has(Indexed))
            decided = [self._condition(c, env) for c in parts if not c.has(Indexed)]
            rest = [self._condition(c, env) for c in parts if c.has(Indexed)] if False not in decided else []
            return And(*decided, *rest)
        if isinstance(condition, BooleanFunction):
            return condition.func(*(self._condition(c, env) for c in condition.args))
        return condition

    def _read(self, read, env):
        indices = [self._expanded(i, env) for i in read.indices]
        name = read.base.name
        for axis, index in enumerate(indices):
            if not index.is_number:
                size = self.shape(self.variables[name])[axis]
                here = [(*indices[:axis], Integer(k), *indices[axis + 1:]) for k in range(size)]
                return select(index, *(self._entry(name, place) for place in here))
        return self._entry(name, indices)

    def _entry(self, name, indices):
        if all(i.is_number for i in indices):
            return symbol(name, tuple(int(i) for i in indices))
        return self._read(self.variables[name].base[tuple(indices)], {})


def all_sizes(program, sizes):
    """Return the sizes as numbers, those that follow from others included."""
    numbers = {s: _whole(s, sizes[s.name]) for s in program.sizes if s.name in sizes}
    unknown = sorted(set(sizes) - {s.name for s in program.sizes})
    if unknown:
        raise DerivationError(f"{unknown[0]} is no size of {program.name}; expected some of "
                              f"{', '.join(s.name for s in program.sizes) or 'none'}")
    for s, formula in program.derived.items():
        numbers.setdefault(s, formula.xreplace(numbers))
    missing = [s.name for s in program.sizes if not getattr(numbers.get(s), "is_Integer", False)]
    if missing:
        raise DerivationError(f"{program.name} has the symbolic size{'s' if len(missing) > 1 else ''} "
                              f"{', '.join(missing)}; the style scalar needs numbers, "
                              f"as sizes={dict.fromkeys(missing, 2)}, or --sizes {','.join(f'{n}=2' for n in missing)}")
    for s in program.sizes:
        if numbers[s] < (least := program.least.get(s, 1)):
            raise DerivationError(f"the size {s} is {numbers[s]}; expected at least {least}")
    return numbers


def _whole(size, number):
    """Return a size as a number of SymPy's."""
    try:
        return Integer(operator.index(number))
    except TypeError:
        raise DerivationError(f"the size {size} is {number!r}; expected an integer") from None


def symbol(name: str, indices: tuple[int, ...]) -> Symbol:
    """Return the name of an entry: Z1_0_2; a state's row -1 is h_initial_0."""
    words = ["initial" if i < 0 else str(i) for i in indices]
    return Symbol("_".join([name, *words]), real=True)


def _bound(binder, terms):
    if isinstance(binder, FirstMaximum | Maximum):
        return largest(*terms) if len(terms) > 1 else terms[0]
    if isinstance(binder, ArgMaximum):
        return place_of(*terms)
    if isinstance(binder, Product):
        return Mul(*terms)
    return Add(*terms)


def shared(cells: list[tuple[Symbol, Expr]], name: str) -> list[tuple[Symbol, Expr]]:
    """Return assignments, what several entries of one equation share named before them."""
    if len(cells) < 2:
        return cells
    fresh = numbered_symbols(f"same_{name}_", real=True)
    choices: dict[Expr, Expr] = {}              # only one of their branches may have a value: they are kept whole
    for _, rhs in cells:
        choices |= {t: Dummy(real=True) for t in subterms(rhs) if isinstance(t, Piecewise) and t not in choices}
    parts, rest = cse([rhs.xreplace(choices) for _, rhs in cells], symbols=fresh, order="none")
    back = {d: choice for choice, d in choices.items()}
    return [*((lhs, rhs.xreplace(back)) for lhs, rhs in parts),
            *((lhs, rhs.xreplace(back)) for (lhs, _), rhs in zip(cells, rest, strict=True))]


def _refuse_solvers(equations):
    for e in equations:
        if e.implicit:
            raise DerivationError(f"{e.name} is defined implicitly; the style scalar has no solver: use plain")
    for e in equations:
        if e.rhs.has(*OF_MATRICES):
            raise DerivationError(f"{e.name} solves a system or factorises a matrix, which the style scalar does not: "
                                  "use plain")
