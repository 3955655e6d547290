"""Sums of two exponentials whose logarithm is taken: neither goes first, as either may be next to nothing.

    log(exp(a) + exp(b)) = a + softplus(b - a)          logaddexp(a, b) = max(a, b) + log(1 + exp(-|b - a|))

Where a stands for -infinity, as -1e30 does in recurrences over states that cannot be reached, a + (b - a) is 0, not b.
"""

from sympy import Abs, Add, Expr, Function, Max, Mul, exp, expand, expand_mul
from sympy.codegen.cfunctions import log1p

from derive.functions import softplus
from derive.program import Equation, Program
from derive.sharing import with_named
from derive.terms import bottom_up, instantiated, read_name, reads


class logaddexp(Function):
    """log(exp(a) + exp(b))."""

    word = "lse"

    def written_out(self) -> Expr:
        """Return what it is for printers that have no such function."""
        a, b = self.args
        return Max(a, b, evaluate=False) + log1p(exp(-Abs(a - b)))


def with_sums_of_two(program: Program) -> Program:
    """Return a program in which a + softplus(b - a), b - a written out or read by its name, is logaddexp(a, b)."""
    known: dict[str, Equation] = {}
    lines = []
    for e in program.equations:
        e = e.with_rhs(bottom_up(e.rhs, lambda t: _of_two(t, known, program) if isinstance(t, Add) else t))
        lines.append(e)
        if e.free == e.indices and not e.implicit:
            known[e.name] = e
    if not any(e.rhs.has(logaddexp) for e in lines):
        return program
    return with_named(program.with_equations(lines), lambda t: isinstance(t, logaddexp))


def _of_two(total: Add, known: dict[str, Equation], program: Program) -> Expr:
    for term in total.args:
        for function in (f for f in Mul.make_args(term) if isinstance(f, softplus)):
            difference = expand_mul(_written_out(function.args[0], known), deep=False)
            for a in (-t for t in Add.make_args(difference)):
                b, base = difference + a, expand(term / function * a)
                if base in total.args and reads(a, program.variables) and reads(b, program.variables):
                    return Add(*(t for t in total.args if t not in (term, base)), term / function * logaddexp(a, b))
    return total


def _written_out(difference: Expr, known: dict[str, Equation]) -> Expr:
    """Return a difference that is read by its name as what it is."""
    equation = known.get(read_name(difference))
    if equation is None:
        return difference
    return instantiated(equation.rhs, dict(zip(equation.indices, getattr(difference, "indices", ()), strict=True)))
