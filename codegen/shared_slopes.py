"""Names for slopes of hyperbolic tangents that several terms need: with h = tanh(z), 1 - h**2 is one.

    dz[n] = (1 - h[n]**2)*(dh[n] - 2*a[n]*h[n]*(1 - h[n]**2))       slope_h[n] = 1 - h[n]**2, which both read
"""

from sympy import Add, Expr, Function, Pow, S

from derive.program import Program
from derive.sharing import with_marks_named


class Slope(Function):
    """1 - h**2 while such slopes are being gathered."""

    word = "slope"
    nargs = (1,)


def with_shared_slopes(program: Program) -> Program:
    """Name 1 - h**2 of every array h of which it is needed more than once."""
    return with_marks_named(program, _marked, Slope, lambda h: 1 - h**2)


def _marked(term: Expr) -> Expr:
    if not isinstance(term, Add) or len(term.args) != 2 or S.One not in term.args:
        return term
    base, power = (term - 1).as_coeff_Mul()[1].as_base_exp()
    return Slope(base) if term == 1 - Pow(base, 2) and power == 2 and base.is_Indexed else term
