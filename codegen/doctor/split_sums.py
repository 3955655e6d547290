"""Products of sums, or of means, where sums of products should be: each factor is summed by itself."""

from collections.abc import Iterator
from itertools import combinations

from sympy import Mul, Sum

from derive.program import Equation, Program
from derive.terms import count, free_indices, subterms

from .inlining import written_out
from .slips import RARE, Mutant

MOST_FACTORS = 4
WORDS = "the product of {}s over {} stands where the {} of the products should"


def products_of_sums(program: Program, equation: Equation) -> Iterator[Mutant]:
    """Yield the mutants of an equation in which a sum of products is split, an adjoint in it written out or not."""
    adjoints = set(program.adjoints.values())
    for whole in (equation, *written_out(program, adjoints, equation)):
        for total in dict.fromkeys(t for t in subterms(whole.rhs) if isinstance(t, Sum)):
            limits = [tuple(limit) for limit in total.limits]
            bound = {i for i, *_ in limits}
            names = ", ".join(str(i.name) for i, *_ in limits)
            for first, second in _split(total, bound):
                product = Sum(first, *limits) * Sum(second, *limits)
                for value, kind in ((product, "sum"), (product / count(limits), "mean")):
                    rhs = whole.rhs.xreplace({total: value})
                    yield Mutant(equation.name, (equation.with_rhs(rhs),), WORDS.format(kind, names, kind), "sum", RARE)


def _split(total, bound):
    """Yield two parts of what is summed, each of them with all the indices of the sum."""
    factors = Mul.make_args(total.function)
    for size in range(1, len(factors) if len(factors) <= MOST_FACTORS else 1):
        for some in combinations(factors, size):
            rest = [f for f in factors if f not in some]
            if factors[0] in some and all(bound <= set(free_indices(Mul(*part))) for part in (some, rest)):
                yield Mul(*some), Mul(*rest)
