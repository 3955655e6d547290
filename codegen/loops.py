"""Recurrences: equations that wait for each other over an index become one loop.

What does not depend on the recurrence is computed before the loop, for all of its rows at once; what follows from it
(the gradients of weights) comes after. Inside, a term is either pulled, `h[t] = tanh(pre_h[t])`, or pushed to the row
that waits for it, `dh[t - 1] += dpre_h[t] @ W.T`, so that no row outside the range is ever touched.

A state has the rows -1 ... T-1; its array holds row t at t + 1, the initial value first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sympy import Add, Expr, Idx, Integer, Symbol

from derive.binders import has_binder
from derive.errors import DerivationError
from derive.forms import Spread, form
from derive.guards import unguarded
from derive.program import Equation, Program, Variable, ordered
from derive.terms import free_indices, read_name, reads, rename

from .numpy_text import NumpyPrinter
from .statements import Statement, added, fresh_array, signed, update_of


@dataclass
class Row:
    """What one equation of the group contributes: before the loop, pulled inside it, pushed inside it."""

    equation: Equation
    before: list[Expr] = field(default_factory=list)
    pulled: list[Expr] = field(default_factory=list)
    pushed: list[tuple[int, Expr]] = field(default_factory=list)        # shift and term


class Looped:
    """The statements of one group of equations that wait for each other."""

    def __init__(self, group: Sequence[Equation], program: Program, printer: NumpyPrinter):
        self.program, self.printer = program, printer
        self.names = tuple(dict.fromkeys(e.name for e in group))
        self.initial = [e for e in group if len(e.free) < len(e.indices)]
        self.main = [e for e in group if len(e.free) == len(e.indices)]
        self.counted = min((self._index(e) for e in self.main), key=lambda i: (i.lower != 0, i.name))
        self.counter = Symbol(self.counted.name, integer=True)
        self.printer.counters |= {self.counter}
        self.printer.like = self._float_array()
        self.turns = {self.counter: (Integer(0), self.counted.upper)}
        self.rows = [self._sorted_terms(e) for e in self.main]

    def statements(self) -> list[Statement]:
        """Return what stands before the loop, and the loop."""
        result = []
        for row in self.rows:
            result.append(self._made(row))
        like = self.printer.like
        return [replace(s, reads=(*s.reads, like)) if any(f"{like}.dtype" in line for line in s.lines) else s
                for s in (*result, self._loop())]

    # ---- sorting terms

    def _index(self, equation):
        """Return the index of the loop in an equation: the first on the left."""
        if not equation.indices or not isinstance(equation.indices[0], Idx):
            raise DerivationError(f"{equation.name}: a recurrence runs over the first index of its variable")
        return equation.indices[0]

    def _sorted_terms(self, equation):
        row = Row(equation)
        terms = Add.make_args(equation.rhs)
        own = [t for t in terms if not self._inside(t)]
        for term in terms:
            if term in own:
                continue
            shifts = {self._shift(r, equation) for r in self._inside(term)}
            if shifts - {0} and (self._conditions(term) or self._index(equation).lower != 0):
                if len(shifts) != 1:
                    raise DerivationError(f"{equation.name}: {term} reads the recurrence at several rows, some out of range")
                row.pushed.append((shifts.pop(), term))
            else:
                row.pulled.append(term)
        written = bool(row.pushed) or self.program.variables[equation.name].state and equation.lhs.base.name.startswith("d")
        early = written or any(has_binder(t) for t in own) or self._has_conditions(row)
        (row.before if early else row.pulled)[:0] = own
        return row

    def _inside(self, term):
        return reads(term, self.names)

    def _shift(self, read, equation):
        """Return s where the recurrence is read at t + s."""
        shift = (read.indices[0] - self._index(equation)).expand()
        if not shift.is_Integer:
            raise DerivationError(f"{equation.name}: {read} is read at no fixed distance; a recurrence needs t - 1 or the like")
        return int(shift)

    def _has_conditions(self, row):
        here = {self._index(row.equation): self.counter}
        return any(self._left([c.xreplace(here) for c in self._conditions(t)]) for t in row.pulled)

    def _left(self, conditions):
        """Return the conditions that do not hold in every turn."""
        return [c for c in dict.fromkeys(conditions) if not self._always(c)]

    def _always(self, condition):
        slope = condition.coeff(self.counter, 1)
        low, high = self.turns[self.counter]
        at = condition.xreplace({self.counter: low if slope.is_nonnegative else high})
        return self.program.prover.nonnegative(at)

    def _conditions(self, term):
        body = term.function if has_binder(term) and hasattr(term, "function") else term
        return unguarded(body)[1]

    # ---- before the loop

    def _made(self, row):
        """Allocate a variable, with all that is known of it before the loop."""
        e, v = row.equation, self.program.variables[row.equation.name]
        needed = [read_name(r) for t in row.before for r in reads(t, self.program.variables)]
        updates = [(t, update_of(t, e)) for t in row.before]
        ranged = [t for t, u in updates if u is None and (self._conditions(t) or e.free[0].lower != 0)]
        dense = Add(*(t for t, u in updates if u is None and t not in ranged))
        lines = []
        node = form(dense, e.free)
        if dense != 0 and not v.state and (isinstance(node, Spread) or not node.axes):
            lines.append(self._allocated(v, "full", self.printer.code(node)))
        elif dense != 0 and not v.state:
            lines.append(fresh_array(e.lhs, dense, self.printer))
        else:
            zero = bool(row.pushed or row.before or self._has_conditions(row)) and not (v.state and v.primal is None)
            lines.append(self._allocated(v, "zeros" if zero else "empty"))
        lines += [added(e, u, self.printer) for _, u in updates if u is not None]
        lines += [self._rows_added(e, t) for t in ranged]
        for start in (i for i in self.initial if i.name == e.name):
            node = form(start.rhs, start.free)
            lines.append(f"{e.name}[0] = {self.printer.code(node)}")
            needed += [read_name(r) for r in reads(start.rhs, self.program.variables)]
        return Statement(e.name, tuple(lines), tuple(dict.fromkeys(needed)))

    def _allocated(self, v: Variable, how, *value):
        sizes = [self.printer.size(s + 1 if v.state and axis == 0 else s).code for axis, s in enumerate(v.shape)]
        shape = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
        return f"{v.name} = np.{how}({', '.join([shape, *value, f'{self.printer.like}.dtype'])})"

    def _float_array(self):
        """Return the name of an array at hand that has the module's dtype."""
        for e in (*self.main, *self.initial):
            for r in reads(e.rhs, self.program.variables):
                if read_name(r) not in self.names and not r.is_integer:
                    return read_name(r)
        return self.program.parameters[0].name

    def _rows_added(self, equation, term):
        """Add a term to the rows at which it counts."""
        index = equation.free[0]
        body, low, high = term, index.lower, index.upper
        plain, conditions = unguarded(term)
        for c in conditions:
            slope = c.coeff(index, 1)
            if abs(slope) != 1 or set(free_indices(c)) != {index}:
                raise DerivationError(f"{equation.name}: the condition {c} >= 0 does not choose rows")
            edge = (-(c - slope * index) * slope).expand()
            low, high = (edge, high) if slope == 1 else (low, edge)
        body = plain
        rows = Idx(Symbol(index.name, integer=True), (low, high))
        here = {index: rows}
        where = self.printer.code(form(equation.lhs.xreplace(here), tuple(here.get(i, i) for i in equation.free)))
        node = form(body.xreplace(here), tuple(here.get(i, i) for i in equation.free))
        return f"{where} += {self.printer.code(node)}"

    # ---- the loop

    def _loop(self):
        forward = self._direction()
        size, self.printer.risky = self.printer.size(self.counted.upper + 1).code, False
        lines = [f"for {self.counter} in {f'range({size})' if forward else f'reversed(range({size}))'}:"]
        for row in self._in_order():
            lines += [f"    {line}" for line in self._pulled(row)]
        lines += [f"    {line}" for row in self.rows for line in self._pushed_lines(row)]
        needed = [read_name(r) for row in self.rows for t in (*row.pulled, *(p for _, p in row.pushed))
                  for r in reads(t, self.program.variables)]
        return Statement(self.names[-1], tuple(lines), tuple(n for n in dict.fromkeys(needed) if n not in self.names),
                         shown=False, risky=self.printer.risky)

    def _direction(self):
        shifts = {self._shift(r, row.equation) for row in self.rows for t in (*row.pulled, *(p for _, p in row.pushed))
                  for r in self._inside(t)}
        if min(shifts) < 0 < max(shifts):
            raise DerivationError(f"{', '.join(self.names)}: a recurrence that reads rows before and after has no order")
        return max(shifts) <= 0

    def _in_order(self):
        """Return the rows in the order in which one turn of the loop computes them."""
        now = []
        for row in self.rows:
            same = Add(*(r for t in row.pulled for r in self._inside(t) if self._shift(r, row.equation) == 0))
            now.append(Equation(row.equation.lhs, same))
        groups = ordered(now)
        if any(len(g) > 1 for g in groups) or any(reads(e.rhs, {e.name}) for g in groups for e in g):
            raise DerivationError(f"{', '.join(self.names)}: wait for each other within one row; recurrences over two "
                                  "indices are derived and typeset, but not yet printed as NumPy")
        by_name = {row.equation.name: row for row in self.rows}
        return [by_name[g[0].name] for g in groups]

    def _pulled(self, row):
        """Compute a row; terms that count in some turns only come after, each under its condition."""
        if not row.pulled:
            return []
        e, index = row.equation, self._index(row.equation)
        here = {index: self.counter}
        always, sometimes = [], []
        for term in row.pulled:
            left = self._left([c.xreplace(here) for c in self._conditions(term)])
            (sometimes if left else always).append((_without_guard(term, index).xreplace(here), left))
        started = bool(row.before or row.pushed or sometimes)
        lines = [self._assigned(e, here, Add(*(t for t, _ in always)), "+=" if started else "=")] if always else []
        return lines + [line for t, left in sometimes for line in self._under(left, self._assigned(e, here, t, "+="))]

    def _under(self, conditions, line):
        """Return a line under the conditions that it counts in."""
        if not conditions:
            return [line]
        return [f"if {' and '.join(map(self._condition, conditions))}:", f"    {line}"]

    def _condition(self, e):
        """Print e >= 0 as a condition on the counter."""
        slope = e.coeff(self.counter, 1)
        if abs(slope) != 1 or free_indices(e):
            raise DerivationError(f"the condition {e} >= 0 does not choose turns of a loop; it is not yet printed as NumPy")
        edge = self.printer.size((-(e - slope * self.counter) * slope).expand()).code
        return f"{self.counter} {'>=' if slope == 1 else '<='} {edge}"

    def _assigned(self, equation, here, term, sign):
        rest = equation.free[1:]
        where = self.printer.code(form(rename(equation.lhs, here), rest))
        if sign == "+=":
            negative, term = signed(term)
            sign = "-=" if negative else "+="
        return f"{where} {sign} {self.printer.code(form(term, rest))}"

    def _pushed_lines(self, row):
        """Add terms to the row that waits for them, in the turn that computes what they read."""
        e, index = row.equation, self._index(row.equation)
        by_place: dict[tuple, list[Expr]] = {}
        for shift, term in row.pushed:
            here = {index: self.counter - shift}
            target = self.counter - shift
            needed = [target - index.lower, index.upper - target, *(c.xreplace(here) for c in self._conditions(term))]
            key = shift, tuple(self._left(needed))
            by_place.setdefault(key, []).append(_without_guard(term, index).xreplace(here))
        for (shift, left), terms in by_place.items():
            here = {index: self.counter - shift}
            together = self._assigned(e, here, Add(*terms), "+=")
            lines = [together] if len(together) < 100 else [self._assigned(e, here, t, "+=") for t in terms]
            for line in lines:
                yield from self._under(left, line)


def _without_guard(term, index):
    """Return a term without the conditions that keep its rows in range: the loop's range does."""
    if has_binder(term) and hasattr(term, "limits"):
        return term.func(_without_guard(term.function, index), *term.limits)
    if term.is_Mul:
        return term.func(*(_without_guard(f, index) for f in term.args))
    body, conditions = unguarded(term)
    if any(set(free_indices(c)) - {index} for c in conditions):
        raise DerivationError(f"{term} has conditions on several indices; such a loop is not yet printed as NumPy")
    return body


def looped(group: Sequence[Equation], program: Program, printer: NumpyPrinter) -> list[Statement]:
    """Return the statements of equations that wait for each other over their first index.

    Raises
    ------
    DerivationError
        A recurrence that no single loop computes.
    """
    return Looped(group, program, printer).statements()
