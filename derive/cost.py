"""Counting arithmetic: how many scalar operations a program takes, as an expression in its sizes."""

from sympy import (
    Add,
    Expr,
    Function,
    Idx,
    Indexed,
    IndexedBase,
    Integer,
    KroneckerDelta,
    Mul,
    Piecewise,
    Poly,
    Pow,
    Symbol,
    expand,
)

from .binders import is_binder
from .program import Equation, Program
from .terms import count


def operations(program: Program) -> Expr:
    """Return the number of additions, multiplications, powers and function values that all equations take together.

    Counted as written: a sum over d of products is 2 D operations, whatever BLAS makes of it.
    """
    return expand(Add(*map(_of_equation, program.equations)))


def _of_equation(equation: Equation) -> Expr:
    entries = count([(i, i.lower, i.upper) for i in equation.free])
    return entries * _of(equation.rhs)


def _of(expr):
    if isinstance(expr, Idx | Indexed | IndexedBase | KroneckerDelta) or not expr.args:
        return Integer(0)
    if is_binder(expr):
        return count(expr.limits) * (_of(expr.function) + 1)
    if isinstance(expr, Add | Mul):
        inside = [a for a in expr.args if not _is_constant(a)]
        return Add(*map(_of, inside)) + len(expr.args) - 1
    if isinstance(expr, Pow):
        return _of(expr.base) + (0 if expr.exp == -1 else 1)
    if isinstance(expr, Piecewise):
        return Add(*(_of(branch) for branch, _ in expr.args))
    return Add(*map(_of, expr.args)) + (1 if isinstance(expr, Function) else 0)


def _is_constant(expr):
    return not any(
        isinstance(t, Indexed) or (isinstance(t, Symbol) and not t.is_integer) for t in expr.atoms(Symbol, Indexed)
    ) and not expr.has(Function)


def leading(cost: Expr) -> str:
    """Return the terms of highest degree, shortly: "4DHN + 6CHN"."""
    sizes = sorted(cost.free_symbols, key=str)
    if not sizes:
        return str(cost)
    terms = Poly(cost, *sizes).terms()
    top = max(sum(powers) for powers, _ in terms)
    shown = [(powers, c) for powers, c in terms if sum(powers) == top]
    return " + ".join(_monomial(c, powers, sizes) for powers, c in shown)


def _monomial(coefficient, powers, sizes):
    wide = any(len(s.name) > 1 for s in sizes)
    factors = [f"{s}{'' if p == 1 else f'^{p}'}" for s, p in zip(sizes, powers, strict=True) if p]
    return ("" if coefficient == 1 else str(coefficient)) + (" " if wide else "") + ("·" if wide else "").join(factors)
