"""Weighted sums of outer products as products of one matrix with itself, half of which BLAS need not compute.

    H[d, e] = Sum(w[n]*X[n, d]*X[n, e], n)        R[n, d] = sqrt(w[n])*X[n, d],  H = R' R        where w >= 0
"""

from collections.abc import Mapping

from sympy import Expr, Idx, Indexed, Mul, Pow, Sum, sqrt

from derive.functions import sigmoid, softplus
from derive.program import Equation, Program
from derive.terms import bottom_up, free_indices, read_name, reads

from .products_named import are_alike, introduced


def with_weighted(program: Program, slope: type) -> Program:
    """Name the rows that a sum of weighted outer products is made of; `slope` is the derivative of sigmoid."""
    definitions = {e.name: e for e in program.equations if e.free == e.indices and not e.implicit}
    variables, lines = dict(program.variables), []
    for e in program.equations:
        if not e.implicit and not program.variables[e.name].state:
            def change(term):
                found = _outer(term, program)
                if found is None or not all(_is_nonnegative(f, definitions, slope) for f in found[1]):
                    return term
                (one, other), weights = found
                variable = introduced(f"weighted_{read_name(one)}", one.indices, variables)
                lines.append(Equation(variable.at(*one.indices), sqrt(Mul(*weights)) * one))
                return Sum(variable.at(*one.indices) * variable.at(*other.indices), *term.limits)

            e = e.with_rhs(bottom_up(e.rhs, change))
        lines.append(e)
    return program.with_equations(lines, variables=variables)


def _outer(term, program):
    """Return (the two reads, the weights) of a sum of weighted outer products, None for others."""
    if not isinstance(term, Sum) or len(term.limits) != 1:
        return None
    row, factors = term.limits[0][0], Mul.make_args(term.function)
    pair = [f for f in factors if isinstance(f, Indexed) and set(free_indices(f)) - {row}]
    weights = [f for f in factors if f not in pair]
    if len(pair) != 2 or not weights or any(set(free_indices(w)) - {row} for w in weights):
        return None
    one, other = pair
    indices = (*one.indices, *other.indices)
    if not are_alike(one, other, row) or not all(isinstance(i, Idx) and i.lower == 0 for i in indices):
        return None
    return ((one, other), weights) if reads(Mul(*weights), program.variables) else None


def _is_nonnegative(expr: Expr, definitions: Mapping[str, Equation], slope: type) -> bool:
    """Tell whether an expression is >= 0 whatever the arguments are, from what defines its variables."""
    if isinstance(expr, sigmoid | softplus | slope) or expr.is_nonnegative:
        return True
    if isinstance(expr, Mul):
        return all(_is_nonnegative(f, definitions, slope) for f in expr.args)
    if isinstance(expr, Pow):
        return _is_nonnegative(expr.base, definitions, slope)
    line = definitions.get(read_name(expr))
    return line is not None and isinstance(line.rhs, Expr) and _is_nonnegative(line.rhs, definitions, slope)
