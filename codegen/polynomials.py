"""Numbers go where they cost no pass over an array of their own.

    k*(c*u**3 + u)              u*(k*c*u**2 + k)            a common factor first, so that a number is left to add
    k*u*(c*u**2 + 1)*v          u*(k*c*u**2 + k)*v          what is multiplied by a number already takes one more
"""

from sympy import Add, Expr, Integer, Mul, S

from derive.program import Program
from derive.terms import bottom_up, read_name


def with_numbers_inside(program: Program) -> Program:
    """Return the program with the numbers of products inside sums that have numbers at all of their terms."""
    return program.with_equations(e.with_rhs(bottom_up(e.rhs, _changed)) for e in program.equations)


def _changed(term: Expr) -> Expr:
    if isinstance(term, Add):
        return _factored(term)
    return _distributed(term) if isinstance(term, Mul) else term


def _factored(total: Add) -> Expr:
    """Return a polynomial in one variable without a constant as that variable times what is left."""
    powers = [_power(t) for t in total.args]
    bases = {base for _, base, _ in powers}
    if len(bases) != 1 or S.One in bases or min(n for *_, n in powers) != 1:
        return total
    [base] = bases
    return Mul(base, Add(*(c * base ** (n - 1) for c, _, n in powers)))


def _power(term):
    """Return c, u, n where a term is c*u**n for a number c, a variable u and a positive integer n; else u is 1."""
    number, rest = term.as_independent(*term.free_symbols) if term.free_symbols else (term, S.One)
    base, n = rest.as_base_exp()
    if number.is_number and read_name(base) and not base.is_integer and n.is_Integer and n > 0:
        return number, base, n
    return term, S.One, Integer(0)


def _distributed(product: Mul) -> Expr:
    """Return a product with its number inside the sum where that takes no further operation."""
    numbers = [f for f in product.args if f.is_number]
    number = Mul(*numbers)
    sums = [f for f in product.args if isinstance(f, Add) and _takes_numbers(f)]
    if not sums or number in (S.One, S.NegativeOne):
        return product
    inside = Add(*(number * t for t in sums[0].args))
    return Mul(inside, *(f for f in product.args if f not in numbers and f is not sums[0]))


def _takes_numbers(total: Add) -> bool:
    """Tell whether one term of a sum is a number, and numbers other than 1 and -1 stand before all others."""
    constant = [t for t in total.args if t.is_number]
    others = [t for t in total.args if not t.is_number]
    return len(constant) == 1 and all(abs(_power(t)[0]) != 1 and _power(t)[1] != 1 for t in others)
