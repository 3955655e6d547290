"""Names for sums of arrays that several lines need: what a quotient is by stands in its slopes again, and again.

    s[n] = a[n]/(x[n]**2 + y[n]**2 + c)                 sum_s[n] = x[n]**2 + y[n]**2 + c,  s[n] = a[n]/sum_s[n]
    dx[n] = -2*ds[n]*x[n]*s[n]/(x[n]**2 + y[n]**2 + c)
"""

from sympy import Add, Expr, Function, Idx, Indexed, Mul, Pow

from derive.binders import has_binder
from derive.program import Program
from derive.sharing import with_marks_named
from derive.terms import subterms

PASSES = 3                      # over arrays: what takes fewer is made anew as fast as it is read again


class SumOf(Function):
    """A sum of arrays while sums are being gathered."""

    word = "sum"
    nargs = (1,)


def with_shared_terms(program: Program) -> Program:
    """Name the sums of arrays that are factors, or bases of powers, in more than one line."""
    return with_marks_named(program, _marked, SumOf, lambda total: total)


def _marked(term: Expr) -> Expr:
    if isinstance(term, Mul):
        return Mul(*(SumOf(f) if _is_costly(f) else f for f in term.args))
    return Pow(SumOf(term.base), term.exp) if isinstance(term, Pow) and _is_costly(term.base) else term


def _is_costly(total):
    return isinstance(total, Add) and not has_binder(total) and not _is_of_one_function(total) \
        and _passes(total) >= PASSES


def _is_of_one_function(total):
    """Tell whether a sum is a number and a function's value, as 1 + erf(x): lowering knows what to make of these."""
    functions = [t for t in total.args if isinstance(t.as_coeff_Mul()[1], Function)]
    return len(functions) == 1 and all(t.is_number for t in total.args if t not in functions)


def _passes(expr):
    """Count the operations on arrays, numbers before them among them."""
    if isinstance(expr, Idx | Indexed) or not _has_arrays(expr):
        return 0
    arrays = [a for a in expr.args if _has_arrays(a)]
    own = max(len(arrays) - 1 + (len(arrays) < len(expr.args)), 1)
    return own + sum(map(_passes, arrays))


def _has_arrays(expr):
    return isinstance(expr, Expr) and any(isinstance(t, Indexed) and not t.is_integer for t in subterms(expr))
