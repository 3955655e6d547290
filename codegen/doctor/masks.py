"""Masks, and choices between cases: missing, upside down, another convention at a kink, one case taken everywhere."""

from collections.abc import Iterator

from sympy import Add, Expr, Piecewise, S

from derive.functions import half_step, step

from .slips import LIKELY, POSSIBLE, Found
from .wording import Wording


def of_mask(wording: Wording, mask: Expr) -> Iterator[Found]:
    """Yield what may stand where a mask should, or where one of several cases is to be chosen."""
    if isinstance(mask, step):
        words, z = wording.text(mask), mask.args[0]
        yield Found(S.One, f"the mask {words} is missing", "mask", LIKELY)
        yield Found(1 - step(-z), f"{words} is 1 at 0", "kink", LIKELY)
        yield Found(half_step(z), f"{words} is 1/2 at 0", "kink", LIKELY)
        yield Found(step(-z), f"the mask is upside down: {words} is 0 where it should be 1", "mask", POSSIBLE)
        return
    values = list(dict.fromkeys(value for value, _ in mask.args))
    if S.Zero in values and len(values) == 2:
        yield Found(Add(*values), f"the mask {wording.text(_where_not_0(mask))} is missing", "mask", LIKELY)
    for value in values if S.Zero not in values else ():
        yield Found(value, f"the case {wording.text(value)} is taken everywhere", "case", POSSIBLE)


def _where_not_0(cases: Piecewise) -> Expr:
    """Return a choice as one of 1 and 0."""
    return Piecewise(*((S.One if value != 0 else value, c) for value, c in cases.args), evaluate=False)
