"""Blocks of rows: a program whose loss is a sum over examples, for a part of the examples at a time.

    Z[n, h] = ..., loss = Sum(..., n)/N, dW[d, h] = Sum(X[n, d]*dZ[n, h], n)        n = 0 ... N - 1

Where every row reads that row alone, and all that is common to them (the loss, the gradients of weights) is a sum over
rows, the same equations over fewer rows compute a part of the sums: with few enough rows all of it stays in cache.
"""

from dataclasses import dataclass, replace

from sympy import Add, Dummy, Expr, Idx, Mul, Sum, Symbol

from derive.program import Program, Variable
from derive.terms import bottom_up, bound_indices, free_indices, read_name, reads


@dataclass(frozen=True)
class Blocked:
    """A program for a block of its rows; `whole` is how many there are in all, `part` how many are in the block."""

    program: Program
    whole: Symbol
    part: Symbol
    rows: frozenset[str]                # the variables with one entry a row


def blocked(program: Program) -> Blocked | None:
    """Return the program for a block of rows, None where its rows depend on each other."""
    first = {v.shape[0] for v in program.inputs if v.shape and isinstance(v.shape[0], Symbol) and not v.tangent_of}
    for size in (s for s in program.sizes if s in first):
        if not any(f.has(size) for f in program.derived.values()) and _Rows(program, size).are_apart():
            return _over_part(program, size)
    return None


class _Rows:
    """Tells whether the rows 0 ... size - 1 of a program depend on each other."""

    def __init__(self, program, size):
        self.program, self.size = program, size
        self.rows = _with_rows(program, size)
        self.partial: set[str] = set()          # what a block computes a part of

    def are_apart(self):
        odd = [v for v in self.program.variables.values() if v.state or any(s.has(self.size) for s in (
            v.shape[1:] if v.name in self.rows else v.shape))]
        twice = len(self.program.equations) != len({e.name for e in self.program.equations})
        if odd or twice or any(f.has(self.size) for f in self.program.facts):
            return False
        wanted = self.program.results.values() or [self.program.loss]
        return all(map(self._is_apart, self.program.equations)) and all(
            n in self.rows or n in self.partial or self._is_zero(n) for n in wanted)

    def _is_apart(self, e):
        if e.name in self.rows:
            return isinstance(e.indices[0], Idx) and self._reads_row(e.rhs, e.indices[0])
        if self._is_free(e.rhs):
            return True
        if self._is_part(e.rhs):
            self.partial.add(e.name)
            return True
        return False

    def _is_zero(self, name):
        return all(e.rhs == 0 for e in self.program.defining(name))

    def _reads_row(self, expr, row):
        """Tell whether an expression reads one row, knows not which one it is, and nothing that waits for all rows."""
        found = reads(expr, self.program.variables)
        own = [r for r in found if read_name(r) in self.rows]
        if any(read_name(r) in self.partial for r in found) or any(r.indices[0] != row for r in own):
            return False
        rest = expr.xreplace({r: Dummy() for r in own})
        return row not in free_indices(rest) and not any(map(self._is_row, self._indices(rest)))

    def _is_row(self, index):
        return index.upper is not None and (index.upper + 1).has(self.size)

    def _indices(self, expr):
        return [*free_indices(expr), *bound_indices(expr)]

    def _is_free(self, expr):
        """Tell whether an expression has nothing to do with rows."""
        found = {read_name(r) for r in reads(expr, self.program.variables)}
        return not found & (self.rows | self.partial) and not any(map(self._is_row, self._indices(expr)))

    def _is_part(self, expr):
        """Tell whether an expression over all rows is the sum of what it is over blocks of them."""
        if read_name(expr) in self.partial:
            return True
        if isinstance(expr, Add):
            return all(map(self._is_part, expr.args))
        if isinstance(expr, Mul):
            apart = [f for f in expr.args if not self._is_free(f)]
            return len(apart) == 1 and self._is_part(apart[0])
        if isinstance(expr, Sum):
            bound = [limit[0] for limit in expr.limits if self._is_row(limit[0])]
            if len(bound) == 1:
                return self._reads_row(expr.function, bound[0])
            return not bound and self._is_part(expr.function)
        return False


def _with_rows(program, size):
    return frozenset(v.name for v in program.variables.values() if v.shape and v.shape[0] == size)


def _over_part(program: Program, whole: Symbol) -> Blocked:
    """Return the program with fewer rows; the number of them all stays where it is a number, as in a mean."""
    taken = {*program.variables, *(s.name for s in program.sizes)}
    name = next(n for n in (f"{whole}_part", *(f"{whole}_part{k}" for k in range(2, 99))) if n not in taken)
    part, number = whole.func(name, **whole.assumptions0), Dummy(positive=True, integer=True)

    def changed(expr: Expr) -> Expr:
        kept = bottom_up(expr, lambda term: number if term == whole else term)
        return kept.xreplace({whole: part}).xreplace({number: whole})

    variables = {n: _resized(v, {whole: part}) for n, v in program.variables.items()}
    equations = tuple(
        replace(e, lhs=changed(e.lhs), rhs=changed(e.rhs), start=changed(e.start)) for e in program.equations)
    sizes = tuple(t for s in program.sizes for t in ((part, whole) if s == whole else (s,)))
    smaller = replace(program, variables=variables, equations=equations, sizes=sizes)
    return Blocked(smaller, whole, part, _with_rows(program, whole))


def _resized(variable: Variable, sizes: dict) -> Variable:
    return replace(variable, base=variable.base.xreplace(sizes), shape=tuple(s.xreplace(sizes) for s in variable.shape))
