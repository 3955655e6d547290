"""A softplus and a sigmoid of the same variable share the exponential that both are made of.

    p = softplus(g)             exp_g = capped_exp(g), p = max(log(1 + exp_g), g)
    dg = dp*sigmoid(g)          dg = dp*(exp_g/(1 + exp_g))

It stops short of an overflow, where the softplus is g to the last digit, and the sigmoid 1.
"""

from sympy import Expr, Function, Idx, Indexed

from derive.functions import sigmoid, softplus
from derive.program import Program, is_cyclic
from derive.sharing import with_named
from derive.terms import read_name, subterms


class capped_exp(Function):
    """exp(x), or the exponential of nearly the largest number that has one where x is larger."""

    word = "exp"


class softplus_at(Function):
    """log(1 + exp(x)), given e = capped_exp(x) and x."""


class sigmoid_at(Function):
    """1/(1 + exp(-x)), given e = capped_exp(x)."""


def with_shared_exponentials(program: Program) -> Program:
    """Return a lowered program in which softpluses and sigmoids of one variable take one exponential."""
    both = _arguments(program, softplus) & _arguments(program, sigmoid)
    if not both:
        return program

    def of_sigmoid(x):
        return sigmoid_at(capped_exp(x)) if read_name(x) in both else sigmoid(x)

    def of_softplus(x):
        return softplus_at(capped_exp(x), x) if read_name(x) in both else softplus(x)

    shared = program.with_equations(
        e.with_rhs(e.rhs.replace(sigmoid, of_sigmoid).replace(softplus, of_softplus)) for e in program.equations)
    return with_named(shared, lambda term: isinstance(term, capped_exp), least=1)


def _arguments(program, function) -> set[str]:
    """Return the variables that a function is taken of entry by entry, wherever it is, and in no recurrence."""
    found: set[str] = set()
    odd = {e.name for group in program.groups() if is_cyclic(group) for e in group}
    for e in program.equations:
        for term in subterms(e.rhs):
            if isinstance(term, function):
                (found if _is_plain(term.args[0]) and e.name not in odd else odd).add(read_name(term.args[0]))
    return found - odd


def _is_plain(x: Expr) -> bool:
    return isinstance(x, Indexed) and len(set(x.indices)) == len(x.indices) and all(
        isinstance(i, Idx) and i.lower == 0 for i in x.indices)
