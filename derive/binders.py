"""Binders beside `Sum`: expressions that bind an index. Each knows the derivative of its value by one of its terms."""

from functools import lru_cache

from sympy import Add, And, Eq, Expr, Ge, Idx, Integer, KroneckerDelta, Max, Mul, Piecewise, S, Sum, Symbol, exp, log
from sympy.concrete.expr_with_limits import ExprWithLimits

from . import folding as _folding  # noqa: F401  for its repair of SymPy
from .conversion import symbolic
from .functions import at_zero


class Binder(ExprWithLimits):
    """A value taken over all values of its bound indices; `Binder(term, d)` takes the range from the index."""

    companion_by_term = False   # whether that has an entry for each term, not one for the value
    implicit_companion = False  # whether that is defined by what vanishes
    empty: Expr = S.NegativeInfinity    # its value of no terms
    companion_word = ""         # of what the derivative needs beside the value: ties_y, first_y, others_y

    def __new__(cls, function, *limits, **assumptions):
        return super().__new__(cls, symbolic(function), *map(symbolic, limits), **assumptions)

    def _eval_is_extended_real(self):
        return self.function.is_extended_real

    def _eval_is_real(self):
        return self.function.is_real


class LogSumExp(Binder):
    """log(Sum(exp(term))), differentiable as it stands and never an overflow."""

    word = "lse"

    def partial(self, value: Expr) -> Expr:
        """Return the derivative of the value by one term: the softmax."""
        return exp(self.function - value)

    @staticmethod
    def of(terms):
        """Return its value on explicit terms, in stock SymPy."""
        return log(Add(*map(exp, terms)))

    @staticmethod
    def of_equal(term, count):
        """Return its value on so many equal terms."""
        return term + log(count)


class Maximum(Binder):
    """The largest term; its gradient is shared equally among ties."""

    word = "max"
    companion_word = "ties"

    def companion(self, value: Expr) -> Expr:
        """Return what the derivative needs beside the value: the number of terms that attain it."""
        return Sum(_attains(self.function, value), *self.limits)

    def partial(self, value: Expr, ties: Expr) -> Expr:
        """Return the derivative of the value by one term: 1 over the number of `ties` where the term is largest."""
        return _attains(self.function, value) / ties

    @staticmethod
    def of(terms):
        """Return its value on explicit terms, in stock SymPy."""
        return Max(*terms)

    @staticmethod
    def of_equal(term, count):
        """Return its value on so many equal terms."""
        return term


def _attains(term, value):
    """Return 1 where a term is a value, else 0; a term that is left out, as -oo, is none."""
    if not isinstance(term, Piecewise):
        return at_zero(term - value)
    branches = ((S.Zero if t == S.NegativeInfinity else at_zero(t - value), c) for t, c in term.args)
    return Piecewise(*branches, evaluate=False)


class FirstMaximum(Maximum):
    """The largest term; its gradient goes to the first that attains it, the first index the slowest (max-pooling)."""

    companion_word = "first"

    def companion(self, value: Expr) -> Expr:
        """Return what the derivative needs beside the value: the place of the first term that attains it."""
        return ArgMaximum(self.function, *reversed(self.limits))

    def partial(self, value: Expr, first: Expr) -> Expr:
        """Return the derivative of the value by one term: 1 at the first place that attains it."""
        return KroneckerDelta(self.place, first)

    @property
    def place(self) -> Expr:
        """The place of a term among all, counted from 0, the last index the fastest."""
        place = Integer(0)
        for index, low, high in self.limits:
            place = place * (high - low + 1) + index - low
        return place.expand()


class Product(Binder):
    """The product of the terms; its derivative by one of them is the product of the others, right where some are 0."""

    word = "prod"
    empty = S.One
    companion_word = "others"
    companion_by_term = True

    def companion(self, value: Expr) -> Expr:
        """Return what the derivative needs beside the value: for each place the product of the terms at the others."""
        names = {i.name for i in self.function.atoms(Idx)}
        again = {i: Idx(Symbol(_unused(i.name, names), integer=True), (i.lower, i.upper)) for i, *_ in self.limits}
        here = And(*(Eq(new, i) for i, new in again.items()))
        term = Piecewise((S.One, here), (self.function.xreplace(again), True), evaluate=False)
        return Product(term, *((again[i], low, high) for i, low, high in self.limits))

    def partial(self, value: Expr, others: Expr) -> Expr:
        """Return the derivative of the value by one term: the product of the others."""
        return others

    @staticmethod
    def of(terms):
        """Return its value on explicit terms, in stock SymPy."""
        return Mul(*terms)

    @staticmethod
    def of_equal(term, count):
        """Return its value on so many equal terms."""
        return term**count


def _unused(name, names):
    return next(n for n in (f"{name}{k}" for k in range(2, len(names) + 3)) if n not in names)


class ArgMaximum(Binder):
    """The place of the first of the largest terms, counted from 0, the first index the fastest; an integer."""

    word = "first"
    kink = "a maximum gives its gradient to the first that attains it"

    def _eval_is_integer(self):
        return True

    def partial(self, value: Expr) -> Expr:
        """Return the derivative of the value by one term: a place does not move."""
        return S.Zero

    @staticmethod
    def of(terms):
        """Return its value on explicit terms, in stock SymPy."""
        largest = Max(*terms)
        return Piecewise(*((k, Ge(t, largest)) for k, t in enumerate(terms[:-1])), (len(terms) - 1, True))


def is_binder(expr) -> bool:
    """Tell whether `expr` binds an index."""
    return isinstance(expr, Sum | Binder)


@lru_cache(maxsize=1 << 14)
def has_binder(expr) -> bool:
    """Tell whether `expr` binds an index anywhere inside."""
    return is_binder(expr) or any(has_binder(a) for a in expr.args if a.args)


def over(binder, body, limits):
    """Return the same binder over other limits; without limits a sum is its body."""
    return binder.func(body, *limits) if limits else body
