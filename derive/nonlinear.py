"""What functions and powers are taken of: what has a name of its own before it is differentiated."""

from sympy import Add, Expr, Function, Indexed, Mul, Pow, Sum, sign

from .functions import at_zero, half_step, step
from .radicals import as_root

FLAT = (step, half_step, at_zero, sign)


def argument_of(term: Expr) -> Expr | None:
    """Return what a function is of, without a number before it, or the sums or products that a power is of, or None."""
    if isinstance(term, Function) and len(term.args) == 1 and not isinstance(term, FLAT):
        factors = Mul.make_args(term.args[0])
        sizes = [f for f in factors if not f.is_number and f.is_Pow and f.base.is_integer and not f.has(Indexed)]
        numbers = [f for f in factors if f.is_number]
        together = sizes and as_root(Mul(*numbers, *sizes))             # 1/sqrt(2*K)
        return term.args[0] if together else Mul(*(f for f in factors if f not in numbers))
    if isinstance(term, Pow) and term.exp.is_Integer and term.exp > 1 and term.base.is_Add:
        return term.base if adds_sums(term.base) or _adds_products(term.base) else None
    return None


def _adds_products(expr):
    """Tell whether products of entries are among the terms of an expression."""
    return any(sum(isinstance(f, Indexed) for f in Mul.make_args(t)) > 1 for t in Add.make_args(expr))


def adds_sums(expr: Expr) -> bool:
    """Tell whether sums are among the terms of an expression."""
    return any(isinstance(f, Sum) for a in Add.make_args(expr) for f in Mul.make_args(a))
