"""Powers by what is known at run time are taken once, and x**d of x**(d - 1) where d is a size.

    K[n, m] = k[n, m]**d                    power_k[n, m] = k[n, m]**(d - 1),   K[n, m] = k[n, m]*power_k[n, m]
    dk[n, m] = d*dK[n, m]*k[n, m]**(d - 1)  dk[n, m] = d*dK[n, m]*power_k[n, m]
"""

from sympy import Expr, Function, Pow, Symbol

from derive.program import Program
from derive.sharing import with_named
from derive.terms import anonymous, bottom_up, free_indices, subterms


class Power(Function):
    """A power while powers are being gathered."""

    word = "power"
    nargs = (2,)


def with_shared_powers(program: Program) -> Program:
    """Name every power that is needed more than once, but for those by numbers."""
    taken: dict[Expr, set[Expr]] = {}
    for e in program.equations:
        for term in filter(is_by_size, subterms(e.rhs)):
            taken.setdefault(anonymous(term.base), set()).add(term.exp)

    def marked(term: Expr) -> Expr:
        if is_by_size(term):
            less = term.exp - 1
            if less in taken.get(anonymous(term.base), ()) and program.prover.nonnegative(less):    # none within it
                return term.base * Power(term.base, less)
        return Power(*term.args) if is_by_size(term) or _is_by_variable(term) else term

    named = program.with_equations(e.with_rhs(bottom_up(e.rhs, marked)) for e in program.equations)
    named = with_named(named, lambda term: isinstance(term, Power))
    return named.with_equations(e.with_rhs(e.rhs.replace(Power, Pow)) for e in named.equations)


def is_by_size(term: Expr) -> bool:
    """Tell whether a term is a power by a whole number that is the same at all entries, and known at run time only."""
    return isinstance(term, Pow) and bool(term.exp.is_integer) and not term.exp.is_number \
        and not free_indices(term.exp) and not any(t.is_Indexed for t in subterms(term.exp))


def _is_by_variable(term: Expr) -> bool:
    return isinstance(term, Pow) and (term.exp.is_Indexed or isinstance(term.exp, Symbol)) and not term.exp.is_integer
