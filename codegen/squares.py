"""Sums of outer products with a Jacobian that is a square beside a diagonal, as products of one matrix with itself.

    J[n, c, e] = p[n, c]*[c = e] - p[n, c]*p[n, e],  H[d, c, f, e] = Sum(J[n, c, e]*X[n, d]*X[n, f], n)

    R[n, d, c] = X[n, d]*p[n, c],  H[d, c, f, e] = [c = e]*Sum(R[n, d, c]*X[n, f], n) - Sum(R[n, d, c]*R[n, f, e], n)

BLAS computes half of such a product, and the largest array beside the result is R: no X[n, d]*X[n, f] is made.
"""

from collections.abc import Mapping

from sympy import Add, Expr, Idx, Indexed, KroneckerDelta, Mul, Sum

from derive.arrays import Array
from derive.program import Equation, Program, Variable
from derive.terms import bottom_up, instantiated, read_name, reads


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
    return program.with_equations(_without_opened(lines, program), variables=rows.variables)


def _without_opened(lines, program):
    """Drop the Jacobians that nothing reads any more."""
    before, after = ({read_name(r) for e in equations for r in reads(e.rhs, program.variables)}
                     for equations in (program.equations, lines))
    return [e for e in lines if e.name in after or e.name not in before or e.name in program.wanted]


def _found(term, definitions: Mapping[str, Equation]):
    """Return (the Jacobian's terms, the two reads of one array, the limit) of such a sum, None for others."""
    if not isinstance(term, Sum) or len(term.limits) != 1:
        return None
    row, factors = term.limits[0][0], Mul.make_args(term.function)
    if len(factors) != 3 or not all(isinstance(f, Indexed) and _is_whole(f) and row in f.indices for f in factors):
        return None
    for jacobian in factors:
        one, other = (f for f in factors if f is not jacobian)
        line = definitions.get(read_name(jacobian))
        if line is None or not _are_alike(one, other, row) or set(one.indices) & set(jacobian.indices) != {row}:
            continue
        parts = Add.make_args(instantiated(line.rhs, dict(zip(line.indices, jacobian.indices, strict=True))))
        dense = [t for t in parts if not t.has(KroneckerDelta)]
        if len(parts) > 1 and len(dense) == 1 and _square(dense[0], row) and all(
                t in dense or _on_diagonal(t, jacobian) for t in parts):
            return parts, (one, other), term.limits[0]
    return None


def _is_whole(read):
    return not read.is_integer and len(set(read.indices)) == len(read.indices) \
        and all(isinstance(i, Idx) and i.lower == 0 for i in read.indices)


def _are_alike(one, other, row):
    """Tell whether two reads are of one array, at one row, and differ in one index."""
    differ = [(i, k) for i, k in zip(one.indices, other.indices, strict=False) if i != k]
    return one.base == other.base and len(one.indices) == 2 and len(differ) == 1 and row in one.indices


def _square(term, row):
    """Return the two reads whose product a term is, but for a number; None for others."""
    factors = Mul.make_args(term.as_coeff_Mul()[1])
    if len(factors) != 2 or not all(isinstance(f, Indexed) and _is_whole(f) for f in factors):
        return None
    one, other = factors
    return factors if _are_alike(one, other, row) else None


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
        named = isinstance(weight, Indexed) and _is_whole(weight)
        first = self._weighted(one, weight, row) if named else weight * one
        return number * delta * Sum(first * other, limit)

    def _weighted(self, read: Indexed, weight: Indexed, row: Idx) -> Expr:
        """Return the read of the rows of an array times a weight for each."""
        [column], [of] = ([i for i in r.indices if i != row] for r in (read, weight))
        key = read_name(read), read_name(weight)
        if key not in self.known:
            axes = (row, column, of)
            stem, shape = f"weighted_{key[0]}", tuple(i.upper + 1 for i in axes)
            name = next(n for n in (stem, *(f"{stem}_{k}" for k in range(2, len(self.variables) + 3)))
                        if n not in self.variables)
            self.known[key] = self.variables[name] = Variable(
                name, Array(name, shape), shape, index_names=tuple(i.name for i in axes))
            self.lines.append(Equation(self.known[key].at(*axes), read * weight))
        return self.known[key].at(row, column, of)
