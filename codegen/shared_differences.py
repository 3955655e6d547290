"""Names for differences of two arrays needed more than once: z - Y, of which a loss and its gradient are made.

    Q[n, k] = Sum((X[n, d] - C[k, d])**2, d)        diff_Q[n, k, d] = X[n, d] - C[k, d],  Q[n, k] = Sum(diff_Q**2, d)
"""

from sympy import Expr, Function

from derive.binders import LogSumExp
from derive.deviations import difference
from derive.program import Program
from derive.sharing import with_named
from derive.terms import bottom_up, read_name, subterms


class Difference(Function):
    """The difference of two arrays while differences are being gathered."""

    word = "diff"
    nargs = (2,)


def with_shared_differences(program: Program) -> Program:
    """Name the differences of two arrays that are needed more than once, with the sign that they have first.

    What a log-sum-exp is taken from has none: the exponentials that the sum is made of are at hand, those of the
    difference would be made anew.
    """
    logs = {e.name for e in program.equations if isinstance(e.rhs, LogSumExp)}
    first: dict[frozenset, str] = {}
    for e in program.equations:
        for a, b in filter(None, (_pair(t, logs) for t in subterms(e.rhs))):
            first.setdefault(_names(a, b), read_name(a))

    def marked(term: Expr) -> Expr:
        pair = _pair(term, logs)
        if pair is None:
            return term
        a, b = pair
        return Difference(a, b) if first[_names(a, b)] == read_name(a) else -Difference(b, a)

    named = program.with_equations(e.with_rhs(bottom_up(e.rhs, marked)) for e in program.equations)
    named = with_named(named, lambda term: isinstance(term, Difference))
    return named.with_equations(e.with_rhs(e.rhs.replace(Difference, lambda a, b: a - b)) for e in named.equations)


def _pair(term: Expr, logs: set[str]) -> tuple[Expr, Expr] | None:
    """Return (a, b) for a - b, both reads of arrays and neither of logs; None for another expression."""
    pair = difference(term)
    return pair if pair and all(r.is_Indexed and read_name(r) not in logs for r in pair) else None


def _names(a: Expr, b: Expr) -> frozenset:
    return frozenset(map(read_name, (a, b)))
