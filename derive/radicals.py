"""Constants under one root: SymPy takes sqrt(2*K) apart into sqrt(2)*sqrt(K), and nobody writes it so."""

from sympy import Expr, Mul, Pow, Rational


def as_root(expr: Expr) -> tuple[Expr, Expr] | None:
    """Return (a, b) where a positive constant is best written as sqrt(a/b), else None.

    sqrt(2)/2 is 1/sqrt(2), sqrt(2)/(2*sqrt(K)) is 1/sqrt(2*K), and sqrt(2)/sqrt(pi) is sqrt(2/pi).
    """
    factors = Mul.make_args(expr)
    roots = [f for f in factors if isinstance(f, Pow) and abs(f.exp) == Rational(1, 2)]
    others = [f for f in factors if f not in roots]
    if not roots or not all(isinstance(f, Rational) for f in others):
        return None
    top, bottom = (expr**2).as_numer_denom()
    return (top, bottom) if top == 1 or (not others and bottom != 1) else None
