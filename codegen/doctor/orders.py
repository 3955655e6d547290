"""Parts of an array, [q = 0] F0 + [q = 1] F1 + ..., put together in another order: gates, heads, halves."""

from collections.abc import Iterator
from itertools import permutations

from sympy import Add, Expr, Idx, KroneckerDelta, Mul

from derive.program import Equation
from derive.terms import free_indices, subterms

from .slips import POSSIBLE, RARE, Mutant
from .wording import Wording

MOST_PARTS = 4


def other_orders(wording: Wording, equation: Equation) -> Iterator[Mutant]:
    """Yield the mutants of an equation in which parts stand in each other's places."""
    for total in dict.fromkeys(t for t in subterms(equation.rhs) if isinstance(t, Add)):
        for index in [i for i in free_indices(total) if isinstance(i, Idx)]:
            slots = [(t, d) for t in total.args for d in Mul.make_args(t) if _number(d, index) is not None]
            for order in permutations(slots[:MOST_PARTS]):
                moved = [(t, a, b) for (t, a), (_, b) in zip(slots, order, strict=False) if a != b]
                terms = {t: b * (t / a).xreplace({index: _number(a, index)}) for t, a, b in moved}
                value = Add(*(terms.get(t, t) for t in total.args))
                told = ", ".join(f"{wording.text(a)} at {wording.text(b)}" for _, a, b in moved)
                yield Mutant(equation.name, (equation.with_rhs(equation.rhs.xreplace({total: value})),),
                             f"parts stand in another order: {told}", "order", POSSIBLE if len(moved) == 2 else RARE)


def _number(factor: Expr, index: Idx) -> Expr | None:
    """Return the number q of a factor [index = q], None for another factor."""
    if isinstance(factor, KroneckerDelta) and index in factor.args[:2]:
        return next((a for a in factor.args[:2] if a.is_Integer), None)
    return None
