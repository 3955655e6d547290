"""The referee: a program at small explicit sizes, in scalar SymPy, differentiated by SymPy's own `diff`.

Each entry of each variable is a cell, and each cell is one scalar expression in other cells: sizes are integers, sums are
written out, labels are data, a guard is decided before what it guards is read. The derivatives of these scalars are
chained in reverse at a rational point and compared with the adjoints that were derived, evaluated equation by equation:
exactly where everything is rational, else in 60 digits. Nothing here knows the rule or how programs are simplified.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from random import Random

from sympy import Abs, Add, And, Dummy, Expr, Float, Ge, Heaviside, Idx, Indexed, Integer, KroneckerDelta, Max, Min, Piecewise
from sympy import Function, Pow, Rational, S, Sum, Symbol, ceiling, floor, sign

from .binders import Binder, LogSumExp, is_binder
from .errors import DerivationError
from .functions import Elementwise, at_zero, half_step, relu, step
from .program import Equation, Program, Variable
from .terms import read_name, subterms

Cell = tuple[str, tuple[int, ...]]
Sizes = Mapping[Symbol, int]
Values = dict[str, dict[tuple[int, ...], Expr]]     # by name, then by indices; those of a scalar are ()

DIGITS = 60                                         # of the arithmetic where a program is not rational
TOLERANCE = 1e-50                                   # the largest relative disagreement that is none

_RATIONAL = (relu, step, half_step, at_zero, Abs, Heaviside, KroneckerDelta, Max, Min, Piecewise, ceiling, floor, sign)


def disagreement(forward: Program, derived: Program, sizes: Sizes | None = None, seed: int = 0) -> dict[str, float]:
    """Compare a derived program with the forward program as it was written, at a random rational point.

    The gradients of parameters, and the values of forward variables, are compared with those of `forward`. So are the
    adjoints of variables in between; one that disagrees may still be right in the forward equations of `derived`, where
    variables may be read in other places (a logarithm has looked through a name) or be new.

    Returns
    -------
    The largest disagreement of each variable of `derived`, relative to the largest term in its adjoint: exactly 0 where
    both programs are rational and agree, at most `TOLERANCE` where they agree in 60 digits.

    Raises
    ------
    DerivationError
        A gradient is missing or has another shape, an entry is not defined or defined twice, a read leaves its range.
    """
    sizes = sizes_for(forward) if sizes is None else sizes
    digits = None if is_rational(forward) and is_rational(derived) else DIGITS
    _check_shapes(forward, derived)
    values = _real_point(forward, sizes, seed, digits)
    written = Reverse(forward, sizes, values, digits)
    printed = Reverse(derived.with_equations(derived.forward), sizes, values, digits)
    ours = evaluate(derived, sizes, values, digits)
    parameters = {p.name for p in forward.parameters}
    result = {}
    for name in dict.fromkeys(e.name for e in derived.forward):
        if name in forward.variables:
            result[name] = _largest(ours[name], written.values[name], written.values[name].values())
    for primal, name in derived.adjoints.items():
        sides = [written] if primal in parameters else [s for s in (written, printed) if primal in s.values]
        result[name] = min(_largest(ours[name], *side.adjoint(primal)) for side in sides)
    return result


# ---- sizes and points


def sizes_for(program: Program, largest: int = 5) -> dict[Symbol, int]:
    """Return small sizes for a program, distinct where they can be, with derived sizes as they follow.

    Raises
    ------
    DerivationError
        No sizes up to `largest` give derived sizes that are integers in their range.
    """
    free = [s for s in program.sizes if s not in program.derived]
    random, spread = Random(0), largest - 1
    for attempt in range(2000):
        chosen = {s: 2 + k % spread if attempt == 0 else random.randint(max(1, program.least.get(s, 1)), largest)
                  for k, s in enumerate(free)}
        sizes = _with_derived(program, chosen)
        if sizes is not None:
            return sizes
    raise DerivationError(f"{program.name}: no sizes up to {largest} fit {', '.join(map(str, program.derived))}")


def _with_derived(program, chosen):
    """Return the sizes together with those that follow from them, None where one is not an integer in its range."""
    sizes = {s: Integer(n) for s, n in chosen.items()}
    for s, value in program.derived.items():
        sizes[s] = value.xreplace(sizes)
        if not (sizes[s].is_Integer and sizes[s] >= program.least.get(s, 1)):
            return None
    return {s: int(sizes[s]) for s in program.sizes}


def point(program: Program, sizes: Sizes, seed: int = 0, positive: bool = False) -> Values:
    """Return random rational values for parameters and inputs, between -2 and 2 (or 0 and 2), and random labels."""
    random = Random(seed)

    def value(variable):
        if variable.kind == "labels":
            return Integer(random.randrange(_number_of(variable.classes, sizes)))
        size = Rational(random.randint(1, 119), random.randint(60, 70))
        return size if positive or random.random() < 0.5 else -size

    return {v.name: {index: value(v) for index in entries(v, sizes)} for v in (*program.parameters, *program.inputs)}


def _real_point(program, sizes, seed, digits):
    """Return a point where the program has real values: any, or (logarithms, roots) a positive one."""
    values = point(program, sizes, seed)
    try:
        evaluate(program, sizes, values, digits)
    except DerivationError:
        return point(program, sizes, seed, positive=True)
    return values


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
    return not isinstance(term, Function | LogSumExp) or isinstance(term, _RATIONAL)


# ---- programs at explicit sizes


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
        self.lines: dict[Cell, tuple[Equation, dict[Expr, Expr]]] = {}
        for equation in program.equations:
            self._spread(equation)

    def _spread(self, equation):
        """Note the equation under every cell that it defines."""
        for indices in product(*(self._values(i, i.lower, i.upper, {}) for i in equation.free)):
            inner = dict(zip(equation.free, indices, strict=True))
            cell = (equation.name, tuple(int(inner.get(i, i)) for i in equation.indices))
            if cell in self.lines:
                raise DerivationError(f"{_shown(cell)} is defined twice, last by {equation}")
            if cell[1] not in self.ranges[equation.name]:
                raise DerivationError(f"{_shown(cell)} is defined, outside its range, by {equation}")
            self.lines[cell] = (equation, {**self.sizes, **inner})

    def scalar(self, cell: Cell) -> Scalar:
        """Return the scalar equation of a cell."""
        if cell not in self.lines:
            raise DerivationError(f"{self.program.name}: {_shown(cell)} is not defined")
        equation, inner = self.lines[cell]
        reads: dict[Cell, Symbol] = {}
        return Scalar(self._expanded(equation.rhs, inner, reads), reads)

    def _expanded(self, expr, inner, reads):
        """Return `expr` in scalars, `inner` holding the values of sizes and indices, and collect what it reads."""
        if expr in inner:
            return inner[expr]
        if isinstance(expr, Indexed):
            indices = tuple(int(self._expanded(i, inner, reads)) for i in expr.indices)
            return self._read((read_name(expr), indices), expr, reads)
        if isinstance(expr, Idx):
            raise DerivationError(f"{self.program.name}: the index {expr} of range {expr.lower} to {expr.upper} is free")
        if isinstance(expr, Symbol):
            return self._read((read_name(expr), ()), expr, reads)
        if is_binder(expr):
            terms = [self._expanded(expr.function, now, reads) for now in self._bound(expr.limits[::-1], inner)]
            return expr.of(terms) if isinstance(expr, Binder) else Add(*terms)
        if isinstance(expr, Piecewise):
            return self._chosen(expr, inner, reads)
        if isinstance(expr, Elementwise):
            return expr.definition(self._expanded(expr.args[0], inner, reads))
        return expr.func(*(self._expanded(a, inner, reads) for a in expr.args)) if expr.args else expr

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
        low, high = (int(self._expanded(end, {**self.sizes, **inner}, {})) for end in (low, high))
        return [Integer(k) for k in range(low, high + 1)]

    def _chosen(self, expr, inner, reads):
        """Decide conditions on indices; only branches that may hold are looked into."""
        pairs = []
        for branch, condition in expr.args:
            holds = self._expanded(condition, inner, reads)
            if holds != False:  # noqa: E712  SymPy's false
                pairs.append((self._expanded(branch, inner, reads), holds))
            if holds == True:  # noqa: E712  SymPy's true
                break
        return Piecewise(*pairs)


@lru_cache(maxsize=None)
def _placeholder(k):
    return Dummy(f"u{k}", real=True)


def _shown(cell):
    name, indices = cell
    return f"{name}[{', '.join(map(str, indices))}]" if indices else name


# ---- evaluating


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
    return _nested(Values_at(Explicit(program, sizes, values), values, digits).all)


class Values_at:  # noqa: N801
    """The values of all cells at a point, and the order in which they came to be known."""

    def __init__(self, explicit: Explicit, values: Values, digits: int | None):
        self.digits = digits
        self.given = {(n, i): _rounded(v, digits) for n, inner in values.items() for i, v in inner.items()}
        self.scalars: dict[Cell, Scalar] = {}
        self.all: dict[Cell, Expr] = {}
        for cell in _each_after_what_it_reads(explicit.lines, self._needs(explicit)):
            self.all[cell] = self.at(self.scalars[cell].rhs, self.scalars[cell], cell)

    def _needs(self, explicit) -> Callable[[Cell], Iterable[Cell]]:
        def needs(cell):
            if cell not in self.scalars:
                self.scalars[cell] = explicit.scalar(cell)
            return [c for c in self.scalars[cell].reads if c not in self.given]

        return needs

    def at(self, expr: Expr, scalar: Scalar, cell: Cell) -> Expr:
        """Return the value of an expression in the placeholders of a scalar equation."""
        known = {u: self.given[c] if c in self.given else self.all[c] for c, u in scalar.reads.items()}
        value = _rounded(expr.xreplace(known), self.digits)
        if not (value.is_Rational or value.is_Float):
            raise DerivationError(f"{_shown(cell)} is no real number at this point but {value}")
        return value


def _rounded(value, digits):
    if digits is None or value.is_Float:
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


def _nested(flat: Mapping[Cell, Expr]) -> Values:
    nested: Values = {}
    for (name, indices), value in flat.items():
        nested.setdefault(name, {})[indices] = value
    return nested


# ---- differentiating


class Reverse:
    """The values of a forward program at a point, and its adjoints: SymPy's derivatives of scalars, chained in reverse."""

    def __init__(self, program: Program, sizes: Sizes, values: Values, digits: int | None):
        known = Values_at(Explicit(program, sizes, values), values, digits)
        self.values = _nested({**known.given, **known.all})
        self.terms: dict[Cell, list[Expr]] = {(program.loss, ()): [S.One]}
        for cell in reversed(known.all):
            adjoint = Add(*self.terms.get(cell, ()))
            scalar = known.scalars[cell]
            for read, u in scalar.reads.items() if adjoint != 0 else ():
                partial = known.at(_derivative(scalar.rhs, u), scalar, cell)
                self.terms.setdefault(read, []).append(adjoint * partial)

    def adjoint(self, name: str) -> tuple[dict[tuple[int, ...], Expr], list[Expr]]:
        """Return the adjoint of a variable, entry by entry, and all the terms that it is the sum of."""
        terms = {index: self.terms.get((name, index), []) for index in self.values[name]}
        return {index: Add(*t) for index, t in terms.items()}, [t for inner in terms.values() for t in inner]


@lru_cache(maxsize=None)
def _derivative(expr, u):
    return expr.replace(Max, _mean_of_largest).replace(Min, _mean_of_smallest).diff(u)


def _mean_of_largest(*terms):
    """Return Max as SymPy differentiates it rightly where terms tie: relu'(0) = 0, otherwise equal shares."""
    rest = [t for t in terms if t != 0]
    if len(rest) < len(terms):
        largest = Max(*rest)
        return Piecewise((_mean_of_largest(*rest) if len(rest) > 1 else largest, largest > 0), (0, True))
    attained = [And(*(Ge(t, other) for other in terms if other != t)) for t in terms]
    count = Add(*(Piecewise((1, a), (0, True)) for a in attained))
    return Add(*(Piecewise((t, a), (0, True)) for t, a in zip(terms, attained, strict=True))) / count


def _mean_of_smallest(*terms):
    return -_mean_of_largest(*(-t for t in terms))


# ---- comparing


def _check_shapes(forward, derived):
    for p in forward.parameters:
        if p.name not in derived.adjoints:
            raise DerivationError(f"{derived.name} has no gradient of {p.name}")
    defined = {e.name for e in derived.equations}
    for primal, name in derived.adjoints.items():
        have, want = derived.variables[name], derived.variables[primal]
        if name not in defined or (have.shape, have.state) != (want.shape, want.state):
            raise DerivationError(f"{name} has shape {have.shape}; expected that of {primal}, {want.shape}")


def _largest(ours: dict, theirs: dict, terms: Iterable[Expr]) -> float:
    """Return the largest difference relative to the largest term."""
    if ours.keys() != theirs.keys():
        raise DerivationError(f"entries {sorted(ours.keys() ^ theirs.keys())} are on one side only")
    difference = max((abs(ours[i] - theirs[i]) for i in theirs), default=S.Zero)
    if difference == 0:
        return 0.0
    scale = max(map(abs, terms), default=S.Zero)
    return float(difference / scale) if scale != 0 else float("inf")
