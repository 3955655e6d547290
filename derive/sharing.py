"""Naming what is needed more than once: costly function values, and square roots of which several powers are taken."""

from collections import Counter
from collections.abc import Callable
from itertools import permutations

from sympy import Add, Dummy, Expr, Function, Idx, Indexed, KroneckerDelta, Piecewise, Pow, Rational, S, exp, sign, sqrt

from .binders import LogSumExp, has_binder
from .checks import readings
from .functions import at_zero, half_step, relu, step
from .guards import guarded, is_guard
from .program import Equation, Program, Variable, base_of, is_cyclic
from .ranges import conjuncts
from .terms import bottom_up, free_indices, index_over, read_name, reads, rename, subterms

CHEAP = (relu, step, half_step, at_zero, sign, KroneckerDelta, Piecewise, Idx)


def with_shared_functions(program: Program) -> Program:
    """Name every costly function value that is needed more than once, and read its name instead."""
    program, shorter = _with_roots(program), None
    while shorter is None or len(shorter.equations) < len(program.equations):       # functions of functions
        program, shorter = with_named(program, _costly), program
    return program


def _costly(term):
    return isinstance(term, Function) and not isinstance(term, CHEAP)


def _with_roots(program):
    """Where powers x**(k/2) of one x are needed more than once, name sqrt(x) and take its powers."""
    halves = Counter(
        _pattern(t.base)[0] for e in program.equations for t in set(subterms(e.rhs)) if _is_half_power(t)
    )

    if all(times == 1 for times in halves.values()):
        return program

    def change(term):
        if _is_half_power(term) and halves[_pattern(term.base)[0]] > 1 and reads(term, program.variables):
            return _Root(term.base) ** (2 * term.exp)
        return term

    program = program.with_equations(e.with_rhs(bottom_up(e.rhs, change)) for e in program.equations)
    program = with_named(program, lambda term: isinstance(term, _Root))
    return program.with_equations(
        e.with_rhs(e.rhs.replace(_Root, sqrt)) for e in program.equations
    )


def _is_half_power(term):
    return isinstance(term, Pow) and isinstance(term.exp, Rational) and term.exp.q == 2


class _Root(Function):
    """A square root while its powers are being gathered."""

    word = "sqrt"


def with_named_exponentials(program: Program) -> Program:
    """Name every exponential of variables: a product of two keeps both, and the derivative of each reads its name."""
    return with_named(program, lambda term: isinstance(term, exp), 1)


def with_named_invariants(program: Program) -> Program:
    """Name every costly function value that a recurrence reads in all of its turns: it is computed before the loop."""
    invariant = {term for group in program.groups() if is_cyclic(group) for term in _invariants(group)}
    return with_named(program, lambda term: term in invariant, 1) if invariant else program


def _invariants(group):
    """Yield the costly values in a group of equations that are the same at every index that it runs over."""
    if any(e.implicit for e in group):      # they wait for each other until they agree, over no index
        return
    names = {e.name for e in group}
    for e in group:
        for term in subterms(e.rhs) if e.free == e.indices else ():     # the first row of a state is in no turn
            if _costly(term) and e.indices[0] not in free_indices(term) and not reads(term, names):
                yield term


def with_named(program: Program, wanted: Callable[[Expr], bool], least: int = 2) -> Program:
    """Give a name to every wanted term that stands in so many places, and read the name in all of them."""
    naming = _Naming(program, wanted, least)
    for e in program.equations:
        naming.take(e)
    return naming.program.with_equations(naming.lines)


def with_marks_named(
    program: Program, mark: Callable[[Expr], Expr], kind: type, meaning: Callable[[Expr], Expr],
) -> Program:
    """Name what several lines need of what `mark` puts into a function of some kind, and write out its meaning."""
    marked = program.with_equations(e.with_rhs(bottom_up(e.rhs, mark)) for e in program.equations)
    named = with_named(marked, lambda term: isinstance(term, kind))
    return named.with_equations(e.with_rhs(e.rhs.replace(kind, meaning)) for e in named.equations)


class _Naming:
    """Goes through the equations once, in order: the first place that needs a value names it, the others read it."""

    def __init__(self, program, wanted, least):
        self.program, self.wanted, self.least = program, wanted, least
        self.seen: Counter = Counter()
        for e in program.equations:
            self.seen.update({_pattern(t)[0] for t in subterms(e.rhs) if self._nameable(t)})
        self.names: dict[Expr, tuple[Variable, tuple[int | None, ...]]] = {}      # None: 0, in an axis of size 1
        self.lines: list[Equation] = []

    def take(self, e):
        """Append an equation, and before it the values that it is the first to need."""
        self.near = e
        if not e.implicit and self._nameable(e.rhs):
            inside = e.with_rhs(e.rhs.func(*(self._replaced(a, ()) for a in e.rhs.args)))
            if self._is_definition(e) and (inside.rhs == e.rhs or self._is_definition(inside)):
                self.lines.append(inside)
                return
        self.lines.append(e.with_rhs(self._replaced(e.rhs, ())))

    def _is_definition(self, e):
        """Tell whether an equation is itself the first to name its whole right-hand side, and take its name for it."""
        pattern, order = _pattern(e.rhs)
        units = {i for i in e.free if i.lower == i.upper == 0} - set(order)
        if pattern in self.names or set(order) | units != set(e.indices) or not all(map(_is_plain, order)):
            return False
        places = tuple(None if i in units else order.index(i) for i in e.indices)
        self.names[pattern] = (self.program.variables[e.name], places)
        return True

    def _nameable(self, term):
        return self.wanted(term) and bool(reads(term, self.program.variables)) and not has_binder(term)

    def _replaced(self, expr, conditions):
        """Return an expression in which named values are read, knowing the conditions that guard it."""
        if not expr.args or isinstance(expr, Idx | Indexed):
            return expr
        if is_guard(expr):
            conditions = (*conditions, *conjuncts(expr.args[0][1]))
            return guarded(self._replaced(expr.args[0][0], conditions), conjuncts(expr.args[0][1]))
        args = [self._replaced(a, conditions) if isinstance(a, Expr) else a for a in expr.args]
        expr = expr if all(a is b for a, b in zip(args, expr.args, strict=True)) else expr.func(*args)
        return self._named(expr, conditions) if self._nameable(expr) else expr

    def _named(self, term, conditions):
        pattern, order = _pattern(term)
        if pattern not in self.names and self.seen[pattern] >= self.least:
            self._define(term, pattern, order)
        if pattern not in self.names:
            return term
        variable, places = self.names[pattern]
        positions = [S.Zero if k is None else order[k] for k in places]
        return variable.at(*positions) if self._in_range(variable, positions, conditions) else term

    def _define(self, term, pattern, order):
        """Name a term, for all rows of the variable that it reads where it is met at other rows first."""
        if not all(map(_is_plain, order)):
            [read, *others] = reads(term, self.program.variables)
            own = self.program.variables[read_name(read)].indices
            if others or not isinstance(read, Indexed) or list(read.indices) != order or not all(map(_is_plain, own)):
                return
            elsewhere = Dummy()     # its own indices may have the names of those that stand in other places of the read
            term = rename(term.xreplace({read: elsewhere}),
                          {i: k for i, k in zip(order, own, strict=True) if isinstance(i, Idx)})
            term, order = term.xreplace({elsewhere: self.program.variables[read_name(read)].at(*own)}), list(own)
        if not self._is_always_in_range(term):
            return
        axes = sorted(order, key=self._place_of(term, order))
        self.program, variable, equation = _introduced(self.program, term, axes, self.near.name)
        self.names[pattern] = (variable, tuple(map(order.index, axes)))
        self.lines.append(equation)

    def _place_of(self, term, order):
        """Return what axes are sorted by: as in the read that has them all, or on the left of the equation first."""
        found = [tuple(r.indices) for r in reads(term, self.program.variables) if isinstance(r, Indexed)]
        widest = max(found, key=lambda indices: len(set(indices) & set(order)), default=())
        known = list(dict.fromkeys(widest if set(order) <= set(widest) else (*self.near.indices, *widest)))
        return lambda i: known.index(i) if i in known else len(known)

    def _is_always_in_range(self, term):
        """Tell whether a term can be evaluated without the conditions around it."""
        return all(
            self._in_range(self.program.variables[read_name(r.read)], r.read.indices, r.guards)
            for r in readings(term) if isinstance(r.read, Indexed)
        )

    def _in_range(self, variable, positions, conditions):
        knowing = self.program.prover.knowing(conditions)
        return all(
            knowing.within(p, i.lower, i.upper) for p, i in zip(positions, variable.indices, strict=True)
        )


def _is_plain(position):
    return isinstance(position, Idx) and position.lower == 0


def _pattern(term):
    """Return a term without its indices, and the index expressions in the order in which they were taken out.

    A term that reads one variable once varies with the positions of that read, others with their free indices. A
    position without an index stays: sigmoid(z[0]) and sigmoid(z[1]) have nothing in common.
    """
    found = list(dict.fromkeys(t for t in subterms(term) if isinstance(t, Indexed) and not t.is_integer))
    if len(found) == 1 and len(set(found[0].indices)) == len(found[0].indices) and set(free_indices(term)) <= {
            i for p in found[0].indices for i in free_indices(p)}:
        order = [p for p in found[0].indices if free_indices(p)]
        holes = [index_over(f"_{k}", size) if free_indices(p) else p
                 for k, (p, size) in enumerate(zip(found[0].indices, found[0].base.shape, strict=True))]
        pattern = term.xreplace({found[0]: found[0].base[tuple(holes)]})
        if not free_indices(pattern, frozenset(holes)):
            return pattern, order
    order = free_indices(term)
    return rename(term, {i: index_over(f"_{k}", i.upper + 1) for k, i in enumerate(order)}), order


def _softmax_of(term, program):
    """Return the name of Z where a term is exp(Z - the log-sum-exp of Z), else None."""
    if not isinstance(term, exp) or not isinstance(term.args[0], Add) or len(term.args[0].args) != 2:
        return None
    reduced = {e.name: e.rhs.function for e in program.equations if isinstance(e.rhs, LogSumExp)}
    for one, other in permutations(term.args[0].args):
        inner = reduced.get(read_name(-other))
        if inner is not None and read_name(one) and read_name(one) == read_name(inner):
            return read_name(one)
    return None


def _introduced(program, term, order, near):
    """Return the program that knows a new variable, the variable, and the equation that defines it as `term`."""
    word = getattr(term, "word", type(term).__name__)
    found = reads(term, program.variables)
    arguments = list(dict.fromkeys(map(read_name, [r for r in found if isinstance(r, Indexed)] or found)))
    of = _softmax_of(term, program)
    stem = f"softmax_{of}" if of else f"{word}_{arguments[0] if len(arguments) == 1 else near}"
    taken = set(program.variables) | {s.name for s in program.sizes}
    minus = [f"{word}_minus_{arguments[0]}"] if term.args and read_name(-term.args[0]) else []
    name = next(n for n in (stem, *minus, *(f"{stem}_{k}" for k in range(2, len(taken) + 3))) if n not in taken)
    shape = tuple(i.upper + 1 for i in order)
    variable = Variable(name, base_of(name, shape), shape, index_names=tuple(i.name for i in order))
    program = program.with_equations(program.equations, variables={**program.variables, name: variable})
    return program, variable, Equation(variable.at(*order), term)
