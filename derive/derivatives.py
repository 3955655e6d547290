"""The partial derivatives of one equation: by each read in it, at the indices that are bound around the read."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from sympy import (
    Add,
    Derivative,
    DiracDelta,
    Dummy,
    Expr,
    Heaviside,
    KroneckerDelta,
    Mul,
    Piecewise,
    S,
    Subs,
    Symbol,
    Tuple,
    ceiling,
    exp,
    floor,
)

from .binders import ArgMaximum, Binder, FirstMaximum, LogSumExp, has_binder, is_binder
from .errors import DerivationError
from .functions import half_step
from .guards import guarded, is_guard, unguarded
from .other_functions import as_written, with_real_derivatives
from .program import Equation, base_of, companion_indices, companion_name
from .quotients import over_one_divisor
from .terms import fresh, index_names, reads, rename, subterms


@dataclass(frozen=True)
class Partial:
    """One read in a right-hand side, the derivative by it, and the indices that are bound around it."""

    read: Expr
    coefficient: Expr
    limits: tuple[Tuple, ...] = ()


@dataclass(frozen=True)
class Part:
    """A term of a right-hand side that is differentiated by reads of some variables alone; None are all."""

    term: Expr
    names: Collection[str] | None


def partials_of_parts(equation: Equation, names: Collection[str], parts: Sequence[Part]) -> list[Partial]:
    """Return the partial derivatives of parts of an equation; of all of it where it has no parts."""
    if not parts:
        return partials(equation, names)
    found = [p for part in parts for p in _partials(
        part.term, equation, names if part.names is None else set(names) & set(part.names), (), S.One)]
    return [replace(p, coefficient=c) for p in found for c in _by_place(p.coefficient)]


def partials(equation: Equation, names: Collection[str], reuse: bool = True) -> list[Partial]:
    """Return the partial derivatives of an equation by its reads of the variables `names`, forward values reused."""
    found = _partials(equation.rhs, equation, names, (), S.One)
    solved = _solved(equation)
    parts = [replace(p, coefficient=c) for p in found for c in _by_place(p.coefficient)]
    return [replace(p, coefficient=_reusing(solved, p.coefficient)) for p in parts] if reuse else parts


def _solved(equation):
    """Return the equation that a fixed point satisfies, y = f(y); of another implicit one nothing is known."""
    if not equation.implicit:
        return equation
    value = equation.lhs - equation.rhs
    return Equation(equation.lhs, value if equation.lhs in Add.make_args(equation.rhs) else equation.lhs)


def _by_place(coefficient):
    """Return the terms of a derivative, apart where guards or brackets let them count at different places."""
    terms = [t for t in Add.make_args(coefficient) if t != 0]
    placed = any(is_guard(f) or isinstance(f, KroneckerDelta) for t in terms for f in Mul.make_args(t))
    return terms if placed else [coefficient] * bool(terms)


def _reusing(equation, coefficient):
    """Return a derivative in terms of the left-hand side, where that is shorter: of u = x/s by s, -u/s."""
    reused = coefficient.xreplace({equation.rhs: equation.lhs})
    rhs = equation.rhs
    if rhs == equation.lhs or reused != coefficient or has_binder(rhs) or rhs.has(Piecewise, KroneckerDelta):     # by 0
        return reused
    below = _divisors(rhs)
    if not below:
        return coefficient
    ratio = _quotient(coefficient, rhs)
    shorter = _divisors(ratio) <= below and ratio.atoms(exp) <= coefficient.atoms(exp)     # 1/exp(x) may overflow
    return equation.lhs * ratio if shorter else coefficient


def _quotient(product, other):
    """Return a quotient without the factors that both have: SymPy does not see them all in exp(x - y)/exp(x - y)."""
    top, bottom = list(Mul.make_args(product)), list(Mul.make_args(other))
    for f in bottom.copy():
        if f in top:
            top.remove(f)
            bottom.remove(f)
    return Mul(*top) / Mul(*bottom)


def _divisors(product):
    """Return what a product divides by, powers and numbers aside."""
    powers = ((f, f.exp) if isinstance(f, exp) else f.as_base_exp() for f in Mul.make_args(product) if not f.is_number)
    return {base for base, power in powers if power.could_extract_minus_sign()}


def _partials(expr, equation, names, limits, factor) -> Iterator[Partial]:
    """Walk down to the reads: sums are linear, the other binders say their derivative by one term."""
    if not has_binder(expr):
        for read in reads(expr, names):
            yield Partial(read, factor * derivative(expr, read), limits)
    elif isinstance(expr, Add):
        plain = Add(*(a for a in expr.args if not has_binder(a)))
        for part in (*(a for a in expr.args if has_binder(a)), plain):
            yield from _partials(part, equation, names, limits, factor)
    elif isinstance(expr, Mul):
        for k, a in enumerate(expr.args):
            if reads(a, names):
                others = Mul(*expr.args[:k], *expr.args[k + 1:])
                yield from _partials(a, equation, names, limits, factor * others)
    elif is_binder(expr):
        bound = index_names(factor) if has_binder(factor) else set()
        expr = _apart(expr, {i.name for i in equation.free} | {limit[0].name for limit in limits} | bound)
        factor = factor * _by_term(expr, equation)
        yield from _partials(expr.function, equation, names, limits + expr.limits, factor)
    elif is_guard(expr):
        inner, conditions = unguarded(expr)
        for p in _partials(inner, equation, names, limits, S.One):
            yield replace(p, coefficient=factor * guarded(p.coefficient, conditions))
    else:
        raise DerivationError(f"{equation.name}: a reduction inside {expr} was not named first")


def _by_term(binder, equation):
    """Return the derivative of a binder's value by one of its terms."""
    if isinstance(binder, LogSumExp | ArgMaximum):
        return binder.partial(equation.lhs)
    if isinstance(binder, Binder) and binder.companion_word:
        indices = companion_indices(Equation(equation.lhs, binder))
        companion = base_of(
            companion_name(equation), tuple(i.upper + 1 for i in indices), isinstance(binder, FirstMaximum)
        )
        return binder.partial(equation.lhs, companion[indices] if indices else companion)
    return S.One


def _apart(binder, taken):
    """Return a binder whose bound indices have names of their own."""
    changes = {}
    for index, *_ in binder.limits:
        if index.name in taken:
            changes[index] = fresh(index, taken | index_names(binder))
        taken = taken | {changes.get(index, index).name}
    return rename(binder, changes)


_PLACEHOLDERS = [Dummy(f"u{k}", real=True) for k in range(64)]


def derivative(expr: Expr, read: Expr) -> Expr:
    """Return SymPy's scalar derivative of an expression by one read in it."""
    everything = list(dict.fromkeys(t for t in subterms(expr) if _is_real_read(t)))
    while len(everything) > len(_PLACEHOLDERS):
        _PLACEHOLDERS.append(Dummy(f"u{len(_PLACEHOLDERS)}", real=True))
    there = dict(zip(everything, _PLACEHOLDERS, strict=False))
    back = {placeholder: t for t, placeholder in there.items()}
    result = _scalar_derivative(expr.xreplace(there), there[read])
    if result is None:
        remedy = "a quotient is x / 2, not x // 2, and what it leaves is Mod(x, 1)" if expr.has(floor, ceiling) else (
            "use functions that SymPy can differentiate, or hand its values over as a net.input(...)")
        raise DerivationError(f"no derivative is known of {expr} by {read}; {remedy}")
    return result.xreplace(back)


@lru_cache(maxsize=4096)
def _scalar_derivative(expr, variable):
    result = as_written(with_real_derivatives(expr).diff(variable))
    result = result.replace(DiracDelta, lambda *_: S.Zero).replace(Heaviside, lambda x, *_: half_step(x))
    return None if result.has(Derivative, Subs) else over_one_divisor(result)


def _is_real_read(term):
    return (term.is_Indexed and not term.is_integer) or (isinstance(term, Symbol) and not term.is_integer)
