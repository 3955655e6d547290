"""Masks, and choices between cases: missing, upside down, another convention at a kink, one case taken everywhere."""

from collections.abc import Collection, Iterator

from sympy import Add, Expr, Ge, Gt, Idx, Indexed, Le, Lt, Mod, Piecewise, S

from derive.functions import half_step, step
from derive.terms import free_indices, subterms

from .slips import LIKELY, POSSIBLE, RARE, Found
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
        words = wording.text(_where_not_0(mask))
        yield Found(Add(*values), f"the mask {words} is missing", "mask", LIKELY)
        for other, told in _other_sides(mask) if len(mask.args) == 2 else ():
            yield Found(other, f"the mask {words} is {told}", "mask", RARE)
    for value in values if S.Zero not in values else ():
        yield Found(value, f"the case {wording.text(value)} is taken everywhere", "case", POSSIBLE)


def of_some_cases(wording: Wording, rhs: Expr, free: Collection[Idx]) -> Iterator[Found]:
    """Yield a right-hand side that is 0 in some of the cases between which something in it chooses."""
    conditions = dict.fromkeys(t.args[0][1] for t in subterms(rhs) if isinstance(t, Piecewise))
    for c in (c for c in conditions if c not in (True, False) and set(free_indices(c)) <= set(free)):
        words = wording.text(Piecewise((S.One, c), (S.Zero, True), evaluate=False))
        yield Found(Piecewise((rhs, c), (S.Zero, True), evaluate=False), f"it is 0 but where {words}", "mask", RARE)
        yield Found(Piecewise((S.Zero, c), (rhs, True), evaluate=False), f"it is 0 where {words}", "mask", RARE)


def wrapped(rhs: Expr) -> Iterator[Found]:
    """Yield a right-hand side in which the border has neighbours, where there are none: those at the other end.

    So Python reads u[i - 1] at i = 0, and np.roll reads at both ends.
    """
    cases = [t for t in dict.fromkeys(subterms(rhs)) if isinstance(t, Piecewise) and t.args[1:] == ((S.Zero, S.true),)]
    others = {t: around for t in cases if (around := _around(t.args[0][0])) != t.args[0][0]}
    first = {t: around for t, around in others.items() if _begins(t.args[0][1])}
    for some, where in ((first, "index -1 is the last one"), (others, "it is read around both ends")):
        if some:
            yield Found(rhs.xreplace(some), f"at the border the other end is read: {where}", "mask", POSSIBLE)


def _around(value):
    """Return an expression with all that is read at a neighbour's place read modulo the size."""
    reads = {r: r.base[tuple(i if isinstance(i, Idx) or not free_indices(i) else Mod(i, n)
                             for i, n in zip(r.indices, r.shape, strict=True))]
             for r in subterms(value) if isinstance(r, Indexed) and r.shape}
    return value.xreplace(reads)


def _begins(condition):
    """Tell whether a condition leaves out the first places: i >= 1."""
    return isinstance(condition, Ge) and any(condition.lhs.coeff(i) == 1 for i in free_indices(condition.lhs))


def _other_sides(cases: Piecewise) -> Iterator[tuple[Expr, str]]:
    """Yield a choice of something or 0 with 0 in the other's place, and with the sides of a comparison exchanged."""
    (first, condition), (second, _) = cases.args
    yield Piecewise((second, condition), (first, True), evaluate=False), "upside down"
    if isinstance(condition, Ge | Gt | Le | Lt):
        other = condition.func(condition.rhs, condition.lhs, evaluate=False)
        yield Piecewise((first, other), (second, True), evaluate=False), "the other way round"


def _where_not_0(cases: Piecewise) -> Expr:
    """Return a choice as one of 1 and 0."""
    return Piecewise(*((S.One if value != 0 else value, c) for value, c in cases.args), evaluate=False)
