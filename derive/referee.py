"""The referee: derived adjoints against SymPy's own derivatives of scalars, chained at small explicit sizes.

Each scalar equation is differentiated by each scalar that it reads, by SymPy's `diff`, and the derivatives are chained
in reverse at a random rational point. The adjoints that were derived are evaluated there, equation by equation. The two
agree exactly where the program is rational, else to 50 digits of 60. No code is shared with the rule.
"""

from collections.abc import Iterable
from functools import cached_property, lru_cache

from sympy import Add, And, Expr, Function, Ge, Max, Min, Mod, Piecewise, S, Symbol, floor, frac

from .blocks import NotLinear
from .errors import DerivationError
from .explicit import (
    Cell,
    Evaluated,
    Explicit,
    NotReal,
    Sizes,
    Values,
    evaluate,
    is_rational,
    nested,
    point,
    sizes_for,
)
from .program import Program

DIGITS = 60, 180                # of the arithmetic where a program is not rational; more where too many cancel
TOLERANCE = 1e-50               # the largest relative disagreement that is none
POINTS = 5                      # that are tried at most, until each gradient was not 0 at one of them
NOT_REAL = 12                   # at most so many more where a value is no real number: a row of which all is masked


def disagreement(forward: Program, derived: Program, sizes: Sizes | None = None, seed: int = 0) -> dict[str, float]:
    """Compare a derived program with the forward program as it was written, at a random rational point.

    Where a gradient is 0 there (all relus dead) the point says nothing of it, and others are tried too, five in all.

    The gradients of parameters, and the values of forward variables, are compared with those of `forward`. So are the
    adjoints of variables in between; one that disagrees may still be right in the forward equations of `derived`, where
    variables may be read in other places (a logarithm has looked through a name) or be new.

    Returns
    -------
    The largest disagreement of each variable of `derived` at any point, relative to the largest term in its adjoint:
    exactly 0 where both programs are rational and agree, at most `TOLERANCE` where they agree in 60 digits (or 180, if
    some cancel).

    Raises
    ------
    DerivationError
        A gradient is missing or has another shape, an entry is not defined or defined twice, a read leaves its range.
    """
    sizes = sizes_for(derived) if sizes is None else sizes
    _check_shapes(forward, derived)
    found: dict[str, float] = {}
    idle = {p.name for p in forward.parameters}
    judged = 0
    for k in range(POINTS + NOT_REAL):
        try:
            here, zero = _judged(forward, derived, sizes, seed + k)
        except NotReal:
            if k == NOT_REAL and not found:
                raise
            continue
        except DerivationError:
            if not found:
                raise
            continue
        judged += 1
        found = {name: max(d, found.get(name, 0.0)) for name, d in here.items()}
        idle &= zero
        if not idle or judged == POINTS:
            break
    return found


def _judged(forward, derived, sizes, seed):
    """Return the disagreement of each variable at one point, and the parameters whose gradients are 0 there."""
    if is_rational(forward) and is_rational(derived):
        try:
            return _compared(forward, derived, sizes, seed, None)
        except NotLinear:
            pass
    for digits in DIGITS:
        found, zero = _compared(forward, derived, sizes, seed, digits)
        if max(found.values(), default=0) <= TOLERANCE:
            break
    return found, zero


def _compared(forward, derived, sizes, seed, digits):
    """Return what `_judged` does, in arithmetic of so many digits, None for exact arithmetic."""
    values, written = _at_a_real_point(forward, sizes, seed, digits)
    printed = Reverse(derived.with_equations(derived.forward), sizes, values, digits)
    ours = evaluate(derived, sizes, values, digits)
    parameters = {p.name for p in forward.parameters}
    result = {}
    for name in dict.fromkeys(e.name for e in derived.forward):
        if name in forward.variables:
            result[name] = _difference(ours[name], written.values[name], written.scale(name))
    for primal, name in derived.adjoints.items():
        sides = [written] if primal in parameters else [s for s in (written, printed) if primal in s.values]
        result[name] = min(_difference(ours[name], side.adjoint(primal), side.adjoint_scale(primal)) for side in sides)
    return result, {name for name in parameters if not any(written.adjoint(name).values())}


def _at_a_real_point(program, sizes, seed, digits):
    """Differentiate a program at a point where its values are real: any, positive (log), or above 1 (acosh)."""
    for least in (None, 0):
        values = point(program, sizes, seed, least)
        try:
            return values, Reverse(program, sizes, values, digits)
        except DerivationError:
            continue
    values = point(program, sizes, seed, least=1)
    return values, Reverse(program, sizes, values, digits)


def _check_shapes(forward, derived):
    for p in forward.parameters:
        if p.name not in derived.adjoints:
            raise DerivationError(f"{derived.name} has no gradient of {p.name}")
    defined = {e.name for e in derived.equations}
    for primal, name in derived.adjoints.items():
        have, want = derived.variables[name], derived.variables[primal]
        if name not in defined or (have.shape, have.state) != (want.shape, want.state):
            raise DerivationError(f"{name} has shape {have.shape}; expected that of {primal}, {want.shape}")


def _difference(ours: dict, theirs: dict, scale: Expr) -> float:
    """Return the largest difference relative to a scale."""
    if ours.keys() != theirs.keys():
        raise DerivationError(f"entries {sorted(ours.keys() ^ theirs.keys())} are on one side only")
    difference = max((abs(ours[i] - v) for i, v in theirs.items() if ours[i] != v), default=S.Zero)
    if difference == 0:
        return 0.0
    return float(difference / scale) if scale != 0 else float("inf")


class Reverse:
    """The values of a forward program at a point, and its adjoints: SymPy's derivatives of scalars, chained.

    What the equation of an unknown sends to cells of that unknown is no part of its adjoint: `terms` are kept by the
    unknown whose equation sends them, "" for others.
    """

    def __init__(self, program: Program, sizes: Sizes, values: Values, digits: int | None):
        known = Evaluated(Explicit(program, sizes, values), values, digits)
        self.values = nested({**known.given, **known.all})
        self.terms: dict[Cell, dict[str, list[Expr]]] = {(program.loss, ()): {"": [S.One]}}
        for cell in reversed(known.all):
            if cell in known.blocks:
                self._block(known, cell)
                continue
            scalar, adjoints = known.scalars[cell], self._adjoints(cell)
            for read, u in scalar.reads.items() if any(adjoints.values()) else ():
                partial = known.at(_derivative(scalar.rhs, u), scalar, cell)
                for sender, adjoint in adjoints.items():
                    self._send(read, sender, adjoint * partial)

    def _adjoints(self, cell):
        """Return what a cell has to send on, by senders: what has a name sends it in its own."""
        by_sender = {sender: Add(*terms) for sender, terms in self.terms.get(cell, {}).items()}
        return {"": Add(*by_sender.values())} if isinstance(cell[0], str) else by_sender

    def _block(self, known, cell):
        """Take the adjoints of cells that were solved for together to what they read, once for all of them."""
        block = known.blocks[cell]
        if cell != block.cells[-1]:
            return
        adjoints = [Add(*(t for terms in self.terms.get(c, {}).values() for t in terms)) for c in block.cells]
        multipliers = block.multipliers(known.within, known.all, adjoints)
        unknown = next(name for name, _ in block.unknowns)
        for residual, multiplier in multipliers.items():
            if residual not in block.unknowns:
                self.terms[residual] = {"": [multiplier]}   # the adjoint of a value that is given by the others
            for read in known.scalars[residual].reads:
                named = isinstance(residual[0], str) and residual not in block.unknowns
                if read not in block.cells or (read in block.unknowns and named):
                    partial = block.partial(known.within, residual, read, known.all)
                    self._send(read, "" if named else unknown, multiplier * partial)

    def _send(self, cell, sender, term):
        self.terms.setdefault(cell, {}).setdefault(sender, []).append(term)

    def adjoint(self, name: str) -> dict[tuple[int, ...], Expr]:
        """Return the adjoint of a variable, entry by entry."""
        return {index: Add(*self._received(name, index)) for index in self.values[name]}

    def _received(self, name, index):
        return (t for sender, terms in self.terms.get((name, index), {}).items() if sender != name for t in terms)

    def scale(self, name: str) -> Expr:
        """Return the size of a variable's largest value."""
        return _scale(_largest(self.values[name].values()), self._largest_value)

    def adjoint_scale(self, name: str) -> Expr:
        """Return the size of the largest of the terms that the adjoint of a variable is the sum of."""
        terms = (t for index in self.values[name] for t in self._received(name, index))
        return _scale(_largest(terms), self._largest_term)

    @cached_property
    def _largest_value(self):
        return _largest(v for inner in self.values.values() for v in inner.values())

    @cached_property
    def _largest_term(self):
        return _largest(t for by_sender in self.terms.values() for terms in by_sender.values() for t in terms)


def _largest(numbers: Iterable[Expr]) -> Expr:
    """Return the largest finite size (a mask may be -oo)."""
    return max((abs(number) for number in numbers if number.is_finite), default=S.Zero)


def _scale(own: Expr, of_all: Expr) -> Expr:
    """Return a variable's scale, or that of all variables where its own is rounding noise around 0."""
    return own if own > TOLERANCE * of_all else of_all


@lru_cache(maxsize=1 << 15)
def _derivative(expr, u):
    factor, terms = _terms_by_symbol(expr)
    return factor * Add(*terms.get(u, ())).diff(u)


@lru_cache(maxsize=1 << 12)
def _terms_by_symbol(expr):
    """Return a sum as a number times terms, those with each symbol: its derivative needs no others."""
    if expr.has(Mod, frac):
        expr = expr.replace(Mod, lambda x, m: x - m * _Whole(x / m)).replace(frac, lambda x: x - _Whole(x))
    if expr.has(Max, Min):
        expr = expr.replace(Max, _mean_of_largest).replace(Min, _mean_of_smallest)
    factor, total = expr.as_coeff_Mul()
    terms: dict[Symbol, list[Expr]] = {}
    for term in Add.make_args(total):
        for u in term.free_symbols:
            terms.setdefault(u, []).append(term)
    return factor, terms


class _Whole(Function):
    """floor(x), whose derivative between two jumps is 0."""

    @classmethod
    def eval(cls, x):
        return floor(x) if x.is_number else None

    def fdiff(self, argindex=1):
        return S.Zero


def _mean_of_largest(*terms):
    """Return Max as SymPy differentiates it rightly where terms tie: relu'(0) = 0, otherwise equal shares."""
    rest = [t for t in terms if t != 0]
    if len(rest) < len(terms):
        largest = Max(*rest)
        return Piecewise((_mean_of_largest(*rest) if len(rest) > 1 else largest, largest > 0), (0, True))
    attained = [And(*(Ge(t, other) for other in terms if other != t)) for t in terms]
    count = Add(*(Piecewise((1, a), (0, True)) for a in attained))
    return Add(*(Piecewise((t, a), (0, True)) for t, a in zip(terms, attained, strict=True))) / count


def _mean_of_smallest(*terms):
    return -_mean_of_largest(*(-t for t in terms))
