"""A softplus and a sigmoid of the same variable share the exponential that both are made of.

    p = softplus(g)             exp_g = capped_exp(g), p = max(log(1 + exp_g), g)
    dg = dp*sigmoid(g)          dg = dp*(exp_g/(1 + exp_g))

It stops short of an overflow, where the softplus is g to the last digit, and the sigmoid 1.
"""

from collections.abc import Callable, Mapping
from functools import partial

from sympy import Expr, Function, Idx, Indexed

from derive.functions import sigmoid, softplus
from derive.program import Program
from derive.sharing import with_named
from derive.terms import read_name, subterms

Made = Mapping[type[Function], Callable[[Expr, Expr], Expr]]


class capped_exp(Function):
    """exp(x), or the exponential of nearly the largest number that has one where x is larger."""

    word = "exp"


class softplus_at(Function):
    """log(1 + exp(x)), given e = capped_exp(x) and x."""


class sigmoid_at(Function):
    """1/(1 + exp(-x)), given e = capped_exp(x)."""


MADE: Made = {softplus: softplus_at, sigmoid: lambda e, x: sigmoid_at(e)}


def with_shared_exponentials(program: Program, exponential: type[Function] = capped_exp, made: Made = MADE,
                             even: bool = False) -> Program:
    """Return a lowered program in which functions of one variable that are made of one exponential take it once.

    `made` has how each of them is made of the exponential and the variable; an exponential that is `even` is the same
    of the variable with the other sign.
    """
    def read(x):
        return -x if even and isinstance(-x, Indexed) else x

    shared = _shared(program, tuple(made), read)
    if not shared:
        return program

    def of(function, x):
        return made[function](exponential(read(x)), x) if read_name(read(x)) in shared else function(x)

    lines = list(program.equations)
    for function in made:
        lines = [e.with_rhs(e.rhs.replace(function, partial(of, function))) for e in lines]
    return with_named(program.with_equations(lines), lambda term: isinstance(term, exponential), least=1)


def _shared(program, functions, read) -> set[str]:
    """Return the variables that two functions are taken of entry by entry, wherever that is, and in no recurrence."""
    found: dict[str, set[tuple]] = {}
    odd = program.looped()
    for e in program.equations:
        for term in subterms(e.rhs):
            if isinstance(term, functions):
                x = read(term.args[0])
                if _is_plain(x) and e.name not in odd:
                    found.setdefault(read_name(x), set()).add((term.func, x == term.args[0]))
                else:
                    odd.add(read_name(x))
    return {name for name, taken in found.items() if len(taken) > 1} - odd


def _is_plain(x: Expr) -> bool:
    return isinstance(x, Indexed) and len(set(x.indices)) == len(x.indices) and all(
        isinstance(i, Idx) and i.lower == 0 for i in x.indices)
