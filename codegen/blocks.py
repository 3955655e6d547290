"""Blocks of rows: a program whose loss is a sum over examples, for a part of the examples at a time.

    Z[n, h] = ..., loss = Sum(..., n)/N, dW[d, h] = Sum(X[n, d]*dZ[n, h], n)        n = 0 ... N - 1

Where every row reads that row alone, and all that is common to them (the loss, the gradients of weights) is a sum over
rows, the same equations over fewer rows compute a part of the sums: with few enough rows all of it stays in cache. Of
what stands beside such a sum and has no rows, a penalty on weights, each block adds the part that it has of the rows.
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
        rows = _Rows(program, size)
        if not any(f.has(size) for f in program.derived.values()) and rows.are_apart():
            return _over_part(program, size, rows.parts)
    return None


SHARE = Dummy("share", positive=True)           # of the rows, that a block has


class _Rows:
    """Tells whether the rows 0 ... size - 1 of a program depend on each other, and what a block computes a part of."""

    def __init__(self, program, size):
        self.program, self.size = program, size
        self.rows = _with_rows(program, size)
        self.parts: dict[str, Expr] = {}        # what a block computes of what is a sum over blocks

    def are_apart(self):
        odd = [v for v in self.program.variables.values() if v.state or any(s.has(self.size) for s in (
            v.shape[1:] if v.name in self.rows else v.shape))]
        twice = len(self.program.equations) != len({e.name for e in self.program.equations})
        if odd or twice or any(f.has(self.size) for f in self.program.facts):
            return False
        return all(map(self._is_apart, self.program.equations)) and self._are_returned()

    def _is_apart(self, e):
        if e.name in self.rows:
            return isinstance(e.indices[0], Idx) and self._reads_row(e.rhs, e.indices[0])
        if self._is_free(e.rhs):
            return True
        part = None if e.implicit else self._part(e.rhs)
        if part is not None:
            self.parts[e.name] = part
        return part is not None

    def _are_returned(self):
        """Tell whether all that the program is for has rows, or is or can be made a sum over blocks, and some is."""
        p = self.program
        gradients = (p.adjoints[q.name] for q in p.parameters if q.name in p.adjoints)
        wanted = set(p.results.values() or (p.loss, *gradients))
        free = {e.name: e.rhs for e in p.equations if e.name in wanted - self.rows - set(self.parts)}
        read = {read_name(r) for e in p.equations for r in reads(e.rhs, free)}
        some = wanted & (self.rows | set(self.parts)) if p.results else {p.loss} & set(self.parts)
        self.parts |= {name: SHARE * rhs for name, rhs in free.items()}
        return bool(some) and not read

    def _reads_row(self, expr, row):
        """Tell whether an expression reads one row, knows not which one it is, and nothing that waits for all rows."""
        found = reads(expr, self.program.variables)
        own = [r for r in found if read_name(r) in self.rows]
        if any(read_name(r) in self.parts for r in found) or any(r.indices[0] != row for r in own):
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
        return not found & (self.rows | set(self.parts)) and not any(map(self._is_row, self._indices(expr)))

    def _part(self, expr):
        """Return what a block computes of an expression that is the sum of that over all blocks; None for another."""
        if read_name(expr) in self.parts:
            return expr
        if isinstance(expr, Add):
            parts = [SHARE * t if self._is_free(t) else self._part(t) for t in expr.args]
            return None if None in parts else Add(*parts)
        if isinstance(expr, Mul):
            apart = [f for f in expr.args if not self._is_free(f)]
            part = self._part(apart[0]) if len(apart) == 1 else None
            return None if part is None else Mul(part, *(f for f in expr.args if f is not apart[0]))
        if isinstance(expr, Sum):
            bound = [limit[0] for limit in expr.limits if self._is_row(limit[0])]
            if len(bound) == 1:
                return expr if self._reads_row(expr.function, bound[0]) else None
            part = None if bound else self._part(expr.function)
            return None if part is None else Sum(part, *expr.limits)
        return None


def _with_rows(program, size):
    return frozenset(v.name for v in program.variables.values() if v.shape and v.shape[0] == size)


def _over_part(program: Program, whole: Symbol, parts: dict[str, Expr]) -> Blocked:
    """Return the program with fewer rows; the number of them all stays where it is a number, as in a mean."""
    taken = {*program.variables, *(s.name for s in program.sizes)}
    name = next(n for n in (f"{whole}_part", *(f"{whole}_part{k}" for k in range(2, 99))) if n not in taken)
    part, number = whole.func(name, **whole.assumptions0), Dummy(positive=True, integer=True)

    def changed(expr: Expr) -> Expr:
        kept = bottom_up(expr, lambda term: number if term == whole else term)
        return kept.xreplace({whole: part}).xreplace({number: whole, SHARE: part / whole})

    variables = {n: _resized(v, {whole: part}) for n, v in program.variables.items()}
    equations = tuple(
        replace(e, lhs=changed(e.lhs), rhs=changed(parts.get(e.name, e.rhs)), start=changed(e.start))
        for e in program.equations)
    sizes = tuple(t for s in program.sizes for t in ((part, whole) if s == whole else (s,)))
    smaller = replace(program, variables=variables, equations=equations, sizes=sizes)
    return Blocked(smaller, whole, part, _with_rows(program, whole))


def _resized(variable: Variable, sizes: dict) -> Variable:
    return replace(variable, base=variable.base.xreplace(sizes), shape=tuple(s.xreplace(sizes) for s in variable.shape))
