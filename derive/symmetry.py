"""Symmetry through named lines: W W' is symmetric, so are its inverse, and A S A' where S is.

A matrix is written out as a sum of products of what is given, A C^-1 B', each factor as it stands or turned round. It
is symmetric where turning the whole round gives the same sum. Only matrices that a line reads both ways are looked at.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache

from sympy import Add, Expr, Idx, Indexed, KroneckerDelta, Mul, S, Sum

from .consequences import SYMMETRIC, applied
from .errors import DerivationError
from .implicit import linear_system
from .program import Assumption, Equation, Program
from .terms import free_indices, read_name, reads, runs_over

Word = tuple[tuple[str, bool], ...]             # factors by name, each turned round or not
Words = dict[Word, Expr]                        # with the coefficient of each
MOST = 64                                       # products that one matrix may be a sum of
INVERSE = "1/"


def with_symmetric_lines(program: Program, tidied: Callable[[Program], Program]) -> Program:
    """Return the program with matrices that are symmetric read in the order that is shorter."""
    known, lines, since = Symmetry(program), [], dict(program.since)
    follows = {a.fact: a for a in program.follows}
    for e in program.equations:
        for name in _read_both_ways(e, program):
            if known.of(name):
                row, column = program.defining(name)[0].free
                turned = program.variables[name].at(column, row), program.variables[name].at(row, column)
                fact = Assumption(f"{name} is symmetric", (name,), (turned,), "symmetric")
                e, shorter = applied(e, fact, program, tidied)
                if shorter:
                    follows[fact.fact] = fact
                    since[e.name] = tuple(dict.fromkeys([*since.get(e.name, ()), fact.fact]))
        lines.append(e)
    return program.with_equations(lines, since=since, follows=tuple(follows.values()))


def _read_both_ways(equation: Equation, program: Program) -> list[str]:
    """Return the square matrices that an equation reads with their indices in one order and in the other.

    None of an implicit equation, whose form says how it is solved: a Cholesky factor's has (S + S')/2 in it.
    """
    if equation.implicit:
        return []
    seen = defaultdict(set)
    for r in reads(equation.rhs, program.variables):
        variable = program.variables[read_name(r)]
        if variable.kind == "variable" and len(variable.shape) == 2 and variable.shape[0] == variable.shape[1]:
            seen[read_name(r)].add(r.indices)
    return [name for name, indices in seen.items() if any((b, a) in indices for a, b in indices if a != b)]


class Symmetry:
    """Which matrices of a program are symmetric, whatever the parameters are."""

    def __init__(self, program: Program):
        self.program = program
        self.given = {n for a in program.assumptions if a.kind in SYMMETRIC for n in a.about
                      if program.variables[n].kind == "input"}
        self.within: set[str] = set()               # what is being written out: a line may wait for itself
        self.of = cache(self._of)
        self.words = cache(self._words)

    def _of(self, name: str) -> bool:
        """Tell whether a matrix is symmetric."""
        if name in self.given:
            return True
        if name.startswith(INVERSE):
            return self.of(name.removeprefix(INVERSE))
        if self.program.variables[name].kind != "variable":
            return False
        found = self.words(name)
        return bool(found) and (name, False) not in sum(found, ()) and found == self._turned(found)

    def _words(self, name: str) -> Words:
        """Return what a matrix is a sum of; itself where that is nothing that is known here."""
        alone: Words = {((name, False),): S.One}
        lines = self.program.defining(name)
        if len(lines) != 1 or self.program.variables[name].state or name in self.within:
            return alone
        self.within.add(name)
        try:
            found = self._solution(lines[0]) if lines[0].implicit else self._sum(lines[0].rhs, lines[0].free)
        except DerivationError:
            return alone
        finally:
            self.within.remove(name)
        return found if found is not None and len(found) <= MOST else alone

    def _turned(self, words: Words) -> Words:
        return self._collected((tuple((n, not turned) for n, turned in reversed(word)), c) for word, c in words.items())

    def _collected(self, parts) -> Words:
        """Return products with their coefficients, what is symmetric as it stands."""
        found: Counter = Counter()
        for word, coefficient in parts:
            found[tuple((n, turned and not self._is_known(n)) for n, turned in word)] += coefficient
        return {w: c for w, c in found.items() if c != 0}

    def _is_known(self, name):
        return name in self.given or (name.startswith(INVERSE) and self.of(name.removeprefix(INVERSE)))

    def _solution(self, equation: Equation) -> Words | None:
        """Return the inverse of the matrix of a linear system times its right-hand side."""
        system = linear_system(equation, self.program)
        if system is None or system.stack or len(system.rows) != 1 or len(equation.free) != 2:
            return None
        matrix = system.matrix
        if not isinstance(matrix, Indexed) or {*matrix.indices} != {*system.rows, *system.columns}:
            return None
        right = self._sum(system.right, equation.free)
        if right is None or equation.free[0] != system.rows[0]:
            return None
        first = (INVERSE + read_name(matrix), matrix.indices[0] != system.rows[0])
        return self._collected(((first, *word), c) for word, c in right.items())

    def _sum(self, expr: Expr, axes: tuple[Idx, ...]) -> Words | None:
        """Return a right-hand side as products, None where it is more than that."""
        if len(axes) != 2:
            return None
        parts: list[tuple[Word, Expr]] = []
        for term in Add.make_args(expr.expand()):
            chain = _chain(term, *axes)
            if chain is None:
                return None
            coefficient, word = chain
            products: list[tuple[Word, Expr]] = [((), coefficient)]
            for name, turned in word:
                inner = self.words(name)
                inner = self._turned(inner) if turned else inner
                products = [((*w, *v), c * d) for w, c in products for v, d in inner.items()]
                if len(products) > MOST:
                    return None
            parts += products
        return self._collected(parts)


def _chain(term: Expr, row: Idx, column: Idx) -> tuple[Expr, Word] | None:
    """Return the coefficient and the factors of a product of matrices, from its row to its column."""
    coefficient: Expr = S.One
    left: list[Expr] = []
    sums = [f for f in Mul.make_args(term) if isinstance(f, Sum)]
    if len(sums) > 1 or any((low, high) != (i.lower, i.upper) for f in sums for i, low, high in f.limits):
        return None
    for f in Mul.make_args(term):
        left += Mul.make_args(f.function) if isinstance(f, Sum) else [f]
    matrices = []
    for f in left:
        if isinstance(f, Indexed) and len(f.indices) == 2 and all(map(runs_over, f.indices, f.base.shape)):
            matrices.append(f)
        elif isinstance(f, KroneckerDelta) and set(f.args) == {row, column}:
            return (coefficient * Mul(*(g for g in left if g is not f)), ()) if len(_indexed(left)) == 1 else None
        elif free_indices(f):
            return None
        else:
            coefficient *= f
    word, at = [], row
    while matrices:
        following = next((m for m in matrices if at in m.indices), None)
        if following is None or following.indices[0] == following.indices[1]:
            return None
        matrices.remove(following)
        turned = following.indices[0] != at
        at = following.indices[0 if turned else 1]
        word.append((read_name(following), turned))
    return (coefficient, tuple(word)) if at == column and word else None


def _indexed(factors):
    return [f for f in factors if free_indices(f)]
