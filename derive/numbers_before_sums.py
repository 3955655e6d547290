"""Numbers before sums: SymPy writes z + c - c*m for z + c*(1 - m), and where c is 1e9, z + c is z no more."""

from collections.abc import Callable

from sympy import Add, Expr, Mul

from .terms import divided


def with_numbers_before_sums(total: Add, inner: Callable[[Expr], Expr] = lambda part: part) -> Expr:
    """Return a sum with a number above 1 before the part whose terms all have it, that part passed through `inner`.

    The part holds a number that is at most as many times the one before it as it has other terms: -2 of m + n - 2.
    """
    number = total.as_coeff_Add()[0]
    coefficients = {t: t.as_coeff_Mul()[0] for t in total.args if t != number}
    for size in dict.fromkeys(abs(c) for c in coefficients.values() if number != 0 and abs(c) > 1):
        inside = [t for t, c in coefficients.items() if abs(c) == size]
        if number < 0 and all(coefficients[t] < 0 for t in inside):
            size = -size
        times = int(number / size)
        if times * size == number and 0 < abs(times) <= len(inside) < len(coefficients):
            part = inner(Add(times, *divided(inside, size)))
            return Add(*(t for t in coefficients if t not in inside), Mul(size, part, evaluate=False))
    return total
