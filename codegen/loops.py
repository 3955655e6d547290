"""Recurrences: equations that wait for each other over an index become one loop; over two indices, a loop in a loop.

What does not depend on the recurrence is computed before the loop, for all of its rows at once; what follows from it
(the gradients of weights) comes after. Inside, a term is either pulled, `h[t] = tanh(pre_h[t])`, or pushed to the row
that waits for it, `dh[t - 1] += dpre_h[t] @ W.T`, so that no row outside the range is ever touched. Conditions on other
indices choose slices, conditions on the turn become `if`. What only its own turn reads has no rows at all.

A state has the rows -1 ... T-1; its array holds row t at t + 1, the initial value first.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sympy import Add, Expr, Idx, Indexed, Integer, KroneckerDelta, Max, Mul, Symbol, expand

from derive.arrays import Array
from derive.binders import has_binder
from derive.errors import DerivationError
from derive.forms import form
from derive.guards import drawn_out, guarded, strongest
from derive.nodes import Spread
from derive.program import Equation, Program, Variable, ordered
from derive.terms import free_indices, read_name, reads

from . import label_updates, newton_loops
from .loop_arrays import NewArrays
from .numpy_text import NumpyPrinter
from .statements import Statement, Update, added, signed, update_of
from .transposes import laid_out


@dataclass(frozen=True)
class Term:
    """A term of a right-hand side, and the expressions that must be >= 0 for it to count."""

    expr: Expr
    conditions: tuple[Expr, ...] = ()

    def at(self, here: dict) -> "Term":
        """Return the term with indices replaced."""
        return Term(self.expr.xreplace(here), tuple(expand(c.xreplace(here)) for c in self.conditions))


@dataclass
class Row:
    """What one equation of the group contributes: before the loop, pulled inside it, pushed inside it."""

    equation: Equation
    before: list[Term] = field(default_factory=list)
    pulled: list[Term] = field(default_factory=list)
    pushed: list[tuple[int, Term]] = field(default_factory=list)        # shift and term


class Line(NamedTuple):
    """A line of code, and what it begins to compute: names of which the first that is known is quoted over it."""

    code: str
    names: tuple[str, ...] = ()


def marked(lines: Iterable[str], *names: str) -> Iterator[Line]:
    """Yield lines, the first of them as the one that begins to compute what has these names."""
    for k, line in enumerate(lines):
        yield Line(line, () if k else names)


def inside(lines: Iterable[Line]) -> Iterator[Line]:
    """Yield the lines of a loop's body."""
    for line in lines:
        yield Line(f"    {line.code}", line.names)


class Looped:
    """The statements of one group of equations that wait for each other over an index; `outer` are the turns around."""

    def __init__(
        self, group: Sequence[Equation], program: Program, printer: NumpyPrinter, around: "Looped | None" = None,
        arrays: NewArrays | None = None,
    ):
        self.program, self.printer, self.arrays = program, printer, arrays or NewArrays(printer)
        self.names = tuple(dict.fromkeys(e.name for e in group))
        self.outer: tuple[Symbol, ...] = (*around.outer, around.counter) if around else ()
        self.initial = [e for e in group if len(e.free) < len(e.indices) - len(self.outer)]
        place = {e: k for k, e in enumerate(program.equations)}
        self.main = sorted((e for e in group if e not in self.initial), key=lambda e: place.get(e, 0))
        self.counted = min((self._index(e) for e in self.main), key=lambda i: (i.lower != 0, i.name))
        self.counter: Symbol = Symbol(self.counted.name, integer=True)
        self.printer.counters |= {self.counter}
        self.turns: dict[Symbol, tuple[Expr, Expr]] = dict(around.turns) if around else {}
        self.turns[self.counter] = Integer(0), self.counted.upper
        self.rows = [self._sorted_terms(e) for e in self.main]
        self.local: dict[str, int] = dict(around.local) if around else {}   # variables without rows -> their loops
        self.begun: set[str] = set(around.begun) if around else set()       # arrays that hold a part of the value
        self.summed: set[str] = around.summed if around else set()          # arrays that are added to from the start
        self.unknowns = {e.name for e in self.main if e.implicit}           # what Newton's method solves for
        self.local |= {row.equation.name: len(self.outer) + 1 for row in self.rows if self._is_local(row)}
        if self.unknowns:
            self.local |= dict.fromkeys(newton_loops.only_inside(self), len(self.outer) + 1)

    def statements(self) -> list[Statement]:
        """Return what stands before the loop, and the loop."""
        self.printer.like, self.printer.risky = self._float_array(), False
        self.begun |= {row.equation.name for row in self.rows if row.before or row.pushed}
        needed = dict.fromkeys(read_name(r) for row in self.rows for t in (*row.pulled, *(p for _, p in row.pushed))
                               for r in reads(t.expr, self.program.variables))
        lines, risky = list(self._loop()), self.printer.risky
        made = [self._with_risk(row) for row in self.rows if row.equation.name not in self.local]
        ahead, lines = self.gathered(lines, made)
        varying = {*self.names, *(c.name for c in self.printer.counters)}
        shapes = {n: v.shape for n, v in self.program.variables.items() if not v.state}
        taken = {*self.program.variables, *(s.name for s in self.program.sizes)}
        weights, code = laid_out([line.code for line in lines], varying, shapes, taken, self.arrays.laid_out,
                                 self.arrays.elsewhere(self.program))
        fetched, code = self.arrays.ahead(code)
        before = (*weights, *ahead, *fetched)
        marks = tuple((k + len(before), *line.names) for k, line in enumerate(lines) if line.names)
        loop = Statement(self.names[-1], (*before, *code), tuple(n for n in needed if n not in self.names),
                         shown=False, risky=risky, marks=marks)
        return [self._with_dtype(s) for s in (*made, loop)]

    def gathered(self, lines: list[Line], made: Sequence[Statement]) -> tuple[list[str], list[Line]]:
        """Return what else stands before the loop, beside what makes its arrays, and the lines of the loop."""
        return [], lines

    def lines(self) -> Iterator[Line]:
        """Yield the lines of a loop inside a loop: what is known of all of its rows first."""
        for row in self.rows:
            for term in row.before:
                yield from self._told(row.equation, term)
            if row.before or row.pushed:
                self.begun.add(row.equation.name)
        yield from self._loop()

    def _with_dtype(self, statement):
        like = self.printer.like
        needs = any(f"{like}.dtype" in line for line in statement.lines)
        return replace(statement, reads=(*statement.reads, like)) if needs else statement

    # ---- sorting terms

    def _index(self, equation):
        """Return the index of the loop in an equation: the first on the left that no loop around counts."""
        inner = equation.indices[len(self.outer):]
        if not inner or not isinstance(inner[0], Idx):
            raise DerivationError(f"{equation.name}: a recurrence runs over the first index of its variable")
        return inner[0]

    def _sorted_terms(self, equation):
        row, index = Row(equation), self._index(equation)
        terms = [_term(t) for t in Add.make_args(equation.rhs)]
        own = [t for t in terms if not self._inside(t.expr)]
        for term in (t for t in terms if t not in own):
            shifts = {self._shift(r, equation) for r in self._inside(term.expr)}
            if min(shifts) > 0 and (term.conditions or index.lower != 0):
                if len(shifts) != 1:
                    raise DerivationError(
                        f"{equation.name}: {term.expr} reads the recurrence at several rows, some out of range")
                row.pushed.append((shifts.pop(), term))
            else:
                row.pulled.append(term)
        variable = self.program.variables[equation.name]
        early = row.pushed or (variable.state and variable.primal) or any(has_binder(t.expr) for t in own)
        (row.before if early else row.pulled)[:0] = own
        return row

    def _inside(self, expr):
        """Return the reads of the group's own variables, in the turn of the loops around."""
        return [r for r in reads(expr, self.names) if r.indices[:len(self.outer)] == self.outer]

    def _shift(self, read, equation):
        """Return s where the recurrence is read at t + s."""
        shift = (read.indices[len(self.outer)] - self._index(equation)).expand()
        if not shift.is_Integer:
            raise DerivationError(self._of_any_distance(read))
        return int(shift)

    def _of_any_distance(self, read):
        """Say that the recurrence is read at a distance that is no number, as it is written in the forward pass."""
        variables = [v for n in (*self.names, read.base.name) if (v := self.program.variables[n]).state]
        told = variables[0] if variables else self.program.variables[read.base.name]
        name = told.primal or told.name
        written = [r for e in self.program.forward if e.free for r in reads(e.rhs, {name})
                   if not (r.indices[0] - e.free[0]).expand().is_Integer]
        return (f"{name} is read at no fixed distance ({written[0] if written else read}); write {name}[t - 1], "
                f"{name}[t - 2] and so on, each by itself, or keep the last rows in a state, s[t, k] = Piecewise(("
                f"{name}[t], k < 1), (s[t - 1, k - 1], True)), and read s[t - 1, k]")

    def _is_local(self, row):
        """Tell whether a variable is read in the turn that computes it only."""
        variable, depth = self.program.variables[row.equation.name], len(self.outer) + 1
        if row.before or row.pushed or variable.state or variable.name in self.program.outputs:
            return False
        if any(self._by_turns(row, t) or self._updates(row, t) for t in row.pulled) or self._waits(row):
            return False
        if self._begins_as_a_view(row):
            return False
        users = [e for e in self.program.equations if reads(e.rhs, {variable.name})]
        around = all(e.name in self.names and r.indices[:depth - 1] == e.indices[:depth - 1]
                     for e in users for r in reads(e.rhs, {variable.name}))
        return bool(users) and around and all(self._reads_here(r, variable.name) for r in self.rows)

    def _begins_as_a_view(self, row):
        """Tell whether slices are added to what is another array's row, or has not all of the axes."""
        whole, parts = self._apart(row)
        first = Add(*(t.expr for t in whole))
        axes = {i for i in row.equation.free[len(self.outer):] if i != self._index(row.equation)}
        return bool(whole and parts) and (first.is_Indexed or not axes <= set(free_indices(first)))

    def _apart(self, row):
        """Return the terms of a turn that count in full, and those that count at some places or in some turns."""
        here = {self._index(row.equation): self.counter}
        lhs = Equation(row.equation.lhs.xreplace(here), row.equation.rhs)
        terms = [t.at(here) for t in row.pulled]
        whole = [t for t in terms if not self.left(t.conditions) and not places(t.expr, lhs)]
        return whole, [t for t in terms if t not in whole]

    def _by_turns(self, row, term):
        """Tell whether a term counts in some turns only, rather than in a slice of each."""
        index = self._index(row.equation)
        return any(index in free_indices(c) or not free_indices(c) for c in self.left(term.conditions))

    def _updates(self, row, term):
        """Return what a term adds at the places of labels in a turn: the array that it is added to has rows."""
        here = {self._index(row.equation): self.counter}
        turn = Equation(row.equation.lhs.xreplace(here), row.equation.rhs)
        return label_updates.taken_apart(turn, term.at(here).expr, self.program)[1]

    def _reads_here(self, row, name):
        """Tell whether a row reads a variable in the turn that computes it only: what is pushed, it always does."""
        before = any(reads(t.expr, {name}) for t in row.before)
        return not before and all(self._shift(r, row.equation) == 0 for t in row.pulled for r in reads(t.expr, {name}))

    def _waits(self, row):
        """Tell whether a row waits for itself within one turn: a loop in the loop computes it."""
        return any(
            len(g) > 1 or reads(g[0].rhs, {g[0].name}) for g in self.turn() for e in g if e.name == row.equation.name
        )

    # ---- conditions

    def left(self, conditions):
        """Return the conditions that do not hold in every turn."""
        return [c for c in strongest(conditions) if not self._always(c)]

    def _always(self, condition):
        for counter, (low, high) in self.turns.items():
            slope = condition.coeff(counter, 1)
            condition = expand(condition + slope * ((low if slope.is_nonnegative else high) - counter))
        return self.program.prover.nonnegative(condition)

    def _narrowed(self, equation, term):
        """Return the indices over which a term counts, as replacements, and the conditions on turns that are left."""
        here: dict[Idx, Expr] = dict(places(term.expr, equation))
        left = []
        for c in self.left(c.xreplace(here) for c in term.conditions):
            inside = free_indices(c)
            if not inside:
                left.append(c)
                continue
            if len(inside) != 1 or abs(slope := c.coeff(inside[0], 1)) != 1 or inside[0] not in equation.free:
                raise DerivationError(f"{equation.name}: the condition {c} >= 0 does not choose rows or turns; "
                                      "such a loop is not yet printed as NumPy")
            [index] = inside
            now = here.get(index, index)
            edge = (-(c - slope * index) * slope).expand()
            ends = (self._larger(edge, now.lower), now.upper) if slope == 1 else (
                now.lower, -self._larger(-edge, -now.upper))
            here[index] = Idx(Symbol(index.name, integer=True), ends)
        return here, left

    def _larger(self, one, other):
        """Return the larger of two ends of a range: of two conditions on one side, both hold."""
        if self.program.prover.nonnegative(one - other):
            return one
        return other if self.program.prover.nonnegative(other - one) else Max(one, other)

    # ---- before the loop

    def _with_risk(self, row):
        self.printer.risky = False
        return replace(self._made(row), risky=self.printer.risky)

    def _made(self, row):
        """Allocate a variable, with all that is known of it before the loop."""
        e, v = row.equation, self.program.variables[row.equation.name]
        needed = [read_name(r) for t in row.before for r in reads(t.expr, self.program.variables)]
        updates = [(t, self._known_update(e, t)) for t in row.before]
        whole = [t for t, u in updates if u is None and not t.conditions and e.free[0].lower == 0 and not v.state]
        ranged = [t for t, u in updates if u is None and t not in whole]
        dense = Add(*(t.expr for t in whole))
        node, lines = form(dense, e.free), []
        if whole and (isinstance(node, Spread) or not node.axes):
            lines.append(self._allocated(v, "full", self.printer.code(node)))
        elif whole:
            lines += self.arrays.computed(e, dense)
        else:
            ranged.sort(key=lambda t: bool(t.conditions))           # what counts everywhere leaves no entry unset
            partly = row.pushed or any(t.conditions for t in ranged[:1]) or (ranged and (v.primal or not v.state))
            zero = partly or e.name in self.summed or any(u for _, u in updates)
            lines.append(self._allocated(v, "zeros" if zero else "empty"))
        first = not whole and not any(u for _, u in updates)
        for k, term in enumerate(ranged):
            lines += self._assigned(e, term, fresh=first and k == 0)
        lines += [added(*update, self.printer) for _, update in updates if update is not None]
        for start in (i for i in self.initial if i.name == e.name):
            node = form(start.rhs, start.free)
            lines.append(f"{e.name}[0] = {self.printer.code(node)}")
            needed += [read_name(r) for r in reads(start.rhs, self.program.variables)]
        return Statement(e.name, tuple(lines), tuple(dict.fromkeys(needed)), marks=())

    def _known_update(self, equation: Equation, term: Term) -> tuple[Equation, Update] | None:
        """Return an equation, of a state perhaps without its row -1, and the update of it that a term is, or None."""
        rows, expr = label_updates.without_first_row(equation, term.expr, term.conditions)
        if rows is equation and term.conditions:
            return None
        update = update_of(expr, rows, self.program)
        return (rows, update) if update is not None and (rows is equation or update.over) else None

    def _allocated(self, v: Variable, how, *value):
        sizes = [self.printer.size(s + 1 if v.state and axis == 0 else s).code for axis, s in enumerate(v.shape)]
        return self.arrays.allocated(v.name, sizes, how, *value)

    def _float_array(self):
        """Return the name of an array at hand that has the module's dtype."""
        for e in (*self.main, *self.initial):
            for r in reads(e.rhs, self.program.variables):
                if read_name(r) not in (*self.names, *self.program.counted) and not r.is_integer:
                    return read_name(r)
        return self.program.parameters[0].name

    # ---- the loop

    def _loop(self) -> Iterator[Line]:
        forward = self._direction()
        size = self.printer.size(self.counted.upper + 1).code
        yield Line(f"for {self.counter} in {f'range({size})' if forward else f'reversed(range({size}))'}:")
        for group in self.turn():
            rows = [r for r in self.rows if r.equation.name in {e.name for e in group}]
            if len(rows) == 1 and not reads(group[0].rhs, {group[0].name}):
                yield from inside(self.pulled(rows[0]))
            elif any(r.equation.implicit for r in rows):
                yield from inside(marked(newton_loops.lines(self, rows), rows[0].equation.name))
            else:
                yield from inside(self._loop_inside(rows))
        for row in self.rows:
            yield from inside(self._pushed_lines(row))

    def _direction(self):
        shifts = {self._shift(r, row.equation) for row in self.rows for t in (*row.pulled, *(p for _, p in row.pushed))
                  for r in self._inside(t.expr)}
        if not shifts:                          # the first row is another, and no row waits
            return True
        if min(shifts) < 0 < max(shifts):
            raise DerivationError(
                f"{', '.join(self.names)}: a recurrence that reads rows before and after has no order"
            )
        return max(shifts) <= 0

    def turn(self) -> list[list[Equation]]:
        """Return the equations of one turn in an order in which it can compute them; each waits for what it reads."""
        now = []
        for row in self.rows:
            same = Add(*(r for t in row.pulled for r in self._inside(t.expr) if self._shift(r, row.equation) == 0))
            now.append(Equation(row.equation.lhs, same))
        place = {e.name: k for k, e in enumerate(now)}
        done: set[str] = set()
        waiting, result = ordered(now), []
        while waiting:
            ready = [g for g in waiting if all(read_name(r) in {*done, *(e.name for e in g)}
                                               for e in g for r in reads(e.rhs, self.names))]
            group = min(ready, key=lambda g: min(place[e.name] for e in g))
            waiting.remove(group)
            done |= {e.name for e in group}
            result.append(group)
        return result

    def _loop_inside(self, rows):
        """Yield the lines of a loop over the next index, for rows that wait for each other within one turn."""
        equations = []
        for row in rows:
            here = {self._index(row.equation): self.counter}
            terms = [t.at(here) for t in row.pulled]
            rhs = Add(*(guarded(t.expr, self.left(t.conditions)) for t in terms), evaluate=False)
            equations.append(Equation(row.equation.lhs.xreplace(here), rhs))
        if any(len(e.free) == 0 for e in equations):
            raise DerivationError(f"{', '.join(r.equation.name for r in rows)}: wait for each other within one row")
        yield from self.within(equations).lines()

    def within(self, equations: Sequence[Equation]) -> "Looped":
        """Return the loop over the next index inside this one."""
        return Looped(equations, self.program, self.printer, self)

    def _told(self, equation, term, fresh=False) -> Iterator[Line]:
        """Yield what `_assigned` yields, under the forward equation whose adjoint is read, where it is one."""
        variables = self.program.variables
        sent = {variables[read_name(r)].primal for r in reads(term.expr, variables)} - {None, ""}
        sender = [f"sent by {name}" for name in sent] if variables[equation.name].primal and len(sent) == 1 else []
        yield from marked(self._assigned(equation, term, fresh), *sender, equation.name)

    def pulled(self, row) -> Iterator[Line]:
        """Compute a row: what counts in full first, then what counts at some places or in some turns."""
        here = {self._index(row.equation): self.counter}
        lhs = Equation(row.equation.lhs.xreplace(here), row.equation.rhs)
        whole, parts = self._apart(row)
        if whole:
            yield from self._told(lhs, Term(Add(*(t.expr for t in whole))), fresh=not self._is_begun(row))
        choice = self._choice(parts) if not whole and not self._is_begun(row) else None
        if choice:
            yield from marked(self._chosen(lhs, *choice), row.equation.name)
            return
        apart = not whole and not self._is_begun(row) and self._is_tiled(lhs, parts)
        if not whole and row.equation.name in self.local:
            yield Line(self._made_in_turn(row.equation, "empty" if apart else "zeros"))
        for term in parts:
            yield from self._told(lhs, term, fresh=apart)

    def _made_in_turn(self, equation, how):
        """Return the line that makes an array of one turn, whose slices are filled or added to."""
        sizes = [self.printer.size(i.upper + 1).code for i in equation.free if i != self._index(equation)]
        arrays = NewArrays(self.printer) if self.outer or self.unknowns else self.arrays
        return arrays.allocated(equation.name, sizes, how)

    def _is_begun(self, row):
        return row.equation.name in self.begun

    def _choice(self, terms):
        """Return (condition, what holds there, what holds elsewhere) where two terms share all turns between them."""
        left = [self.left(t.conditions) for t in terms]
        if [len(conditions) for conditions in left] != [1, 1]:
            return None
        [one], [other] = left
        if free_indices(one) or expand(one + other + 1) != 0:
            return None
        return one, *terms

    def _chosen(self, lhs, condition, one, other):
        yield f"if {self._condition(condition)}:"
        yield from (f"    {line}" for line in self._assigned(lhs, Term(one.expr), fresh=True))
        yield "else:"
        yield from (f"    {line}" for line in self._assigned(lhs, Term(other.expr), fresh=True))

    def _is_tiled(self, equation, terms):
        """Tell whether terms count at places that lie side by side along one axis and leave none out."""
        ranges = []
        for term in terms:
            here, left = self._narrowed(equation, term)
            if left or len(here) != 1:
                return False
            ranges += [(i, now.lower, now.upper) if isinstance(now, Idx) else (i, now, now) for i, now in here.items()]
        starts = {expand(low): high for _, low, high in ranges}
        if len({index for index, *_ in ranges}) != 1 or len(starts) != len(ranges):
            return False
        index, end = ranges[0][0], expand(ranges[0][0].lower)
        while end in starts:
            end = expand(starts.pop(end) + 1)
        return not starts and end == expand(index.upper + 1)

    def _assigned(self, equation, term, fresh=False) -> Iterator[str]:
        """Yield the lines that add a term to the places where it counts, or assign it where they hold nothing yet."""
        here, left = self._narrowed(equation, term)
        sign, expr = "=", term.expr
        if not here and equation.name not in self.local:
            expr, updates = label_updates.taken_apart(equation, expr, self.program)
            if updates:
                yield from self._added_at_labels(equation, Term(expr, term.conditions), updates, fresh)
                return
        if not fresh:
            negative, expr = signed(expr)
            sign = "-=" if negative else "+="
            if equation.name not in self.begun:
                self.summed.add(equation.name)
        expr = Mul(*(f for f in Mul.make_args(expr) if not places(f, equation)))
        axes = tuple(now for i in equation.free if isinstance(now := here.get(i, i), Idx))
        target, value = (self.plain(e.xreplace(here)) for e in (equation.lhs, expr))
        yield from self._under(left, self.put(equation, target, sign, value, axes))
        if fresh and not here and not left:
            self.begun.add(equation.name)

    def _added_at_labels(self, equation, rest, updates, fresh):
        """Yield the lines that add the rest of a term everywhere, and updates where labels say."""
        if rest.expr != 0:
            yield from self._assigned(equation, rest, fresh)
        elif equation.name not in self.begun:
            self.summed.add(equation.name)
        view = label_updates.seen(equation, self.printer.code(form(equation.lhs, equation.free)))
        plain = (replace(u, term=self.plain(u.term)) for u in updates)
        yield from self._under(self.left(rest.conditions), [added(view, u, self.printer) for u in plain])

    def put(self, equation: Equation, target: Expr, sign: str, value: Expr, axes: tuple[Idx, ...]) -> list[str]:
        """Return the lines that assign a value of an equation to its target ("="), or add it."""
        arrays = NewArrays(self.printer) if self.outer or self.unknowns else self.arrays
        return arrays.assigned(self.printer.code(form(target, axes)), sign, form(value, axes), axes)

    def plain(self, expr):
        """Return an expression in which variables without rows are read whole."""
        changes = {}
        for read in reads(expr, self.local):
            name, depth = read_name(read), self.local[read_name(read)]
            shape, indices = read.base.shape[depth:], read.indices[depth:]
            changes[read] = Array(name, shape)[indices] if shape else Symbol(name, real=True)
        return expr.xreplace(changes)

    def _under(self, conditions, lines):
        """Return lines under the conditions that they count in."""
        if not conditions:
            return lines
        return [f"if {' and '.join(map(self._condition, conditions))}:", *(f"    {line}" for line in lines)]

    def _condition(self, e):
        """Print e >= 0 as a condition on the counters."""
        plus = [t for t in Add.make_args(e) if not t.as_coeff_Mul()[0].is_negative]
        more, less = Add(*plus), Add(*plus) - e
        if more.is_Integer:
            return f"{self.printer.size(less).code} <= {more}"
        return f"{self.printer.size(more).code} >= {self.printer.size(less).code}"

    def _pushed_lines(self, row) -> Iterator[Line]:
        """Add terms to the row that waits for them, in the turn that computes what they read."""
        e, index = row.equation, self._index(row.equation)
        by_place: dict[tuple, list[Expr]] = {}
        for shift, term in row.pushed:
            target = self.counter - shift
            now = term.at({index: target})
            ends = [target - index.lower, index.upper - target]
            where = tuple(places(now.expr, e).items())
            by_place.setdefault((shift, where, *self.left([*ends, *now.conditions])), []).append(now.expr)
        for (shift, _, *conditions), terms in by_place.items():
            lhs = Equation(e.lhs.xreplace({index: self.counter - shift}), e.rhs)
            together = list(self._told(lhs, Term(Add(*terms), tuple(conditions))))
            if len(together[-1].code) < 100:
                yield from together
                continue
            for term in terms:
                yield from self._told(lhs, Term(term, tuple(conditions)))


def _term(expr):
    """Return a term with its conditions on indices drawn out; what depends on labels remains, a choice by data."""
    term, conditions = drawn_out(expr)
    by_data = [c for c in conditions if c.has(Indexed)]
    return Term(guarded(term, by_data), tuple(c for c in conditions if c not in by_data))


def places(expr: Expr, equation: Equation) -> dict[Idx, Expr]:
    """Return the indices of the left-hand side that brackets in a product set to one place: {q: 2} for [q = 2]."""
    found = {}
    for f in Mul.make_args(expr):
        for index, place in (f.args, f.args[::-1]) if isinstance(f, KroneckerDelta) else ():
            if index in equation.free and not free_indices(place):
                found[index] = place
    return found


def looped(
    group: Sequence[Equation], program: Program, printer: NumpyPrinter, arrays: NewArrays | None = None
) -> list[Statement]:
    """Return the statements of equations that wait for each other over their first index.

    Raises
    ------
    DerivationError
        A recurrence that no loops compute.
    """
    return Looped(group, program, printer, arrays=arrays).statements()

