"""Linear systems for a multiplier, F_Y' λ = dY: not transposed, or not solved, as if λ were dY."""

from collections.abc import Iterator

from sympy import Add, Idx, Mul, Sum

from derive.program import Equation
from derive.terms import reads

from .slips import LIKELY, POSSIBLE, Mutant


def other_systems(equation: Equation) -> Iterator[Mutant]:
    """Yield the mutants of an implicit equation whose matrix is transposed, or the identity."""
    if not equation.implicit:
        return
    given = [t for t in Add.make_args(equation.rhs) if not reads(t, {equation.name})]
    for sign in (1, -1):
        yield Mutant(equation.name, (equation.with_rhs(equation.lhs + sign * Add(*given)),),
                     "the system is not solved: its right-hand side stands for the solution", "system", LIKELY)
    yield Mutant(equation.name, (equation.with_rhs(equation.lhs),),
                 "nothing is sent back through what is solved for: it is 0", "detached", POSSIBLE)
    for total in (t for term in Add.make_args(equation.rhs) for t in Mul.make_args(term) if isinstance(t, Sum)):
        for read in reads(total.function, {equation.name}):
            pairs = [(i, j) for i, j in zip(equation.lhs.indices, read.indices, strict=True) if i != j]
            if len(pairs) != 1 or not all(isinstance(i, Idx) for i in pairs[0]):
                continue
            [(i, j)] = pairs
            if read not in Mul.make_args(total.function) or j not in [limit[0] for limit in total.limits]:
                continue
            matrix = (total.function / read).xreplace({i: j, j: i})
            rhs = equation.rhs.xreplace({total: Sum(matrix * read, *(tuple(limit) for limit in total.limits))})
            words = "the system that is solved is not transposed"
            yield Mutant(equation.name, (equation.with_rhs(rhs),), words, "transpose", LIKELY)
