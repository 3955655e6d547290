"""Sums of outer products with a Jacobian that is a square beside a diagonal, as products of one matrix with itself.

    J[n, c, e] = p[n, c]*[c = e] - p[n, c]*p[n, e],  H[d, c, f, e] = Sum(J[n, c, e]*X[n, d]*X[n, f], n)

    R[n, d, c] = X[n, d]*p[n, c],  H[d, c, f, e] = [c = e]*Sum(R[n, d, c]*X[n, f], n) - Sum(R[n, d, c]*R[n, f, e], n)

BLAS computes half of such a product, and the largest array beside the result is R: no X[n, d]*X[n, f] is made.
"""

from collections.abc import Mapping

from sympy import Add, Expr, Idx, Indexed, KroneckerDelta, Mul, Sum

from derive.program import Equation, Program, Variable
from derive.terms import bottom_up, instantiated, read_name

from .products_named import are_alike, introduced, is_whole, still_read


def with_squares(program: Program) -> Program:
    """Name the rows that both sides of such a sum are made of, and open the sum."""
    definitions = {e.name: e for e in program.equations if e.free == e.indices and not e.implicit}
    rows, lines = _Rows(dict(program.variables)), []
    for e in program.equations:
        if not (e.implicit or program.variables[e.name].state):
            def change(term):
                found = _found(term, definitions)
                return Add(*(rows.summed(part, *found[1:]) for part in found[0])) if found else term

            e = e.with_rhs(bottom_up(e.rhs, change))
            lines += rows.introduced()
        lines.append(e)
    return program.with_equations(still_read(lines, program), variables=rows.variables)


def _found(term, definitions: Mapping[str, Equation]):
    """Return (the Jacobian's terms, the two reads of one array, the limit) of such a sum, None for others."""
    if not isinstance(term, Sum) or len(term.limits) != 1:
        return None
    row, factors = term.limits[0][0], Mul.make_args(term.function)
    if len(factors) != 3 or not all(isinstance(f, Indexed) and is_whole(f) and row in f.indices for f in factors):
        return None
    for jacobian in factors:
        one, other = (f for f in factors if f is not jacobian)
        line = definitions.get(read_name(jacobian))
        if line is None or not are_alike(one, other, row) or set(one.indices) & set(jacobian.indices) != {row}:
            continue
        parts = Add.make_args(instantiated(line.rhs, dict(zip(line.indices, jacobian.indices, strict=True))))
        dense = [t for t in parts if not t.has(KroneckerDelta)]
        if len(parts) > 1 and len(dense) == 1 and _square(dense[0], row) and all(
                t in dense or _on_diagonal(t, jacobian) for t in parts):
            return parts, (one, other), term.limits[0]
    return None


def _square(term, row):
    """Return the two reads whose product a term is, but for a number; None for others."""
    factors = Mul.make_args(term.as_coeff_Mul()[1])
    if len(factors) != 2 or not all(isinstance(f, Indexed) and is_whole(f) for f in factors):
        return None
    one, other = factors
    return factors if are_alike(one, other, row) else None


def _on_diagonal(term, jacobian):
    """Tell whether a term is a read where two indices are equal, and nothing elsewhere."""
    deltas = [f for f in Mul.make_args(term) if isinstance(f, KroneckerDelta)]
    return len(deltas) == 1 and set(deltas[0].args) <= set(jacobian.indices)


class _Rows:
    """The rows of arrays times weights, each named once."""

    def __init__(self, variables: dict[str, Variable]):
        self.variables = variables
        self.known: dict[tuple[str, str], Variable] = {}
        self.lines: list[Equation] = []

    def introduced(self) -> list[Equation]:
        """Return the definitions that were not returned before."""
        lines, self.lines = self.lines, []
        return lines

    def summed(self, part: Expr, pair: tuple[Indexed, Indexed], limit) -> Expr:
        """Return the sum over rows of a term of the Jacobian times two reads."""
        (one, other), row = pair, limit[0]
        square = _square(part, row)
        if square:
            left, right = sorted(square, key=lambda r: str(r.indices))
            return part.as_coeff_Mul()[0] * Sum(
                self._weighted(one, left, row) * self._weighted(other, right, row), limit)
        delta = next(f for f in Mul.make_args(part) if isinstance(f, KroneckerDelta))
        number, weight = (part / delta).as_coeff_Mul()
        named = isinstance(weight, Indexed) and is_whole(weight)
        first = self._weighted(one, weight, row) if named else weight * one
        return number * delta * Sum(first * other, limit)

    def _weighted(self, read: Indexed, weight: Indexed, row: Idx) -> Expr:
        """Return the read of the rows of an array times a weight for each."""
        [column], [of] = ([i for i in r.indices if i != row] for r in (read, weight))
        key = read_name(read), read_name(weight)
        if key not in self.known:
            self.known[key] = introduced(f"weighted_{key[0]}", (row, column, of), self.variables)
            self.lines.append(Equation(self.known[key].at(row, column, of), read * weight))
        return self.known[key].at(row, column, of)
