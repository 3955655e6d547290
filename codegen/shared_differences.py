"""Names for differences of two arrays needed more than once: p - m, of which a variance and a norm are made."""

from sympy import Expr, Function

from derive.deviations import difference
from derive.program import Program
from derive.sharing import with_named
from derive.terms import bottom_up, read_name


class Difference(Function):
    """The difference of two arrays while differences are being gathered."""

    word = "diff"
    nargs = (2,)


def with_shared_differences(program: Program) -> Program:
    """Name the differences of two arrays that are needed more than once, the larger of the two first."""
    marked = program.with_equations(e.with_rhs(bottom_up(e.rhs, _marked)) for e in program.equations)
    named = with_named(marked, lambda term: isinstance(term, Difference))
    return named.with_equations(e.with_rhs(e.rhs.replace(Difference, lambda a, b: a - b)) for e in named.equations)


def _marked(term: Expr) -> Expr:
    pair = difference(term)
    if pair is None or not all(r.is_Indexed for r in pair):
        return term
    a, b = pair
    if (len(a.indices), read_name(a)) < (len(b.indices), read_name(b)):
        return -Difference(b, a)
    return Difference(a, b)
