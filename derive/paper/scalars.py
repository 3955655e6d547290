"""Index notation: one SymPy expression in, one piece out, every read with its indices."""

from sympy import (
    Abs,
    Add,
    Expr,
    Function,
    Heaviside,
    Idx,
    Indexed,
    Integer,
    KroneckerDelta,
    Max,
    Min,
    Mul,
    Number,
    Piecewise,
    Pow,
    Rational,
    S,
    Sum,
    Symbol,
    ceiling,
    exp,
    floor,
    log,
    polygamma,
)
from sympy.logic.boolalg import And

from ..binders import ArgMaximum, LogSumExp, Maximum, Product, has_binder, is_binder
from ..determinants import Determinant
from ..errors import DerivationError
from ..functions import at_zero, half_step, step
from ..guards import is_guard
from ..numbers_before_sums import with_numbers_before_sums
from ..partial_sums import one_sided
from ..terms import free_indices, read_name, subterms
from .conditions import Conditions, indicator, sides
from .constants import Constants, common_number, is_constant, is_negative, signed, split_product
from .pieces import ADD, BRACKET, GUARD, Piece, Term, ordered_factors, ordered_terms
from .styles import Range, Style

FUNCTIONS = {
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "Max": "max", "Min": "min", "LambertW": "W", "Mod": "mod",
}
CONSTANTS = {S.Pi: "pi", S.Exp1: "e", S.EulerGamma: "gamma"}
ORDERED = {                                     # functions of an order, which stands below
    "besseli": "I", "besselj": "J", "besselk": "K", "bessely": "Y", "expint": "E", "jn": "j",
}
OPERATORS = {Sum: "sum", ArgMaximum: "argmax", Maximum: "max", Product: "prod"}
INDICATORS = {step: step, at_zero: at_zero, half_step: half_step, Heaviside: half_step}


class Scalars:
    """Prints expressions in index notation; `outer` are the indices of the left-hand side, in its order."""

    def __init__(self, style: Style, outer: tuple = ()):
        self.style, self.outer = style, outer
        self.constants, self.conditions = Constants(style, self.piece), Conditions(style, self.piece)
        self._printers = (
            (Number, self.constants.number), (Idx | Symbol, self._symbol), (Indexed, self._entry), (Add, self._sum),
            (Mul, self._product), (Pow, self._power), (KroneckerDelta, self._delta), (Piecewise, self._choice),
            (Function | Max | Min, self._function),
        )

    def piece(self, expr: Expr) -> Piece:
        """Return an expression as a piece.

        Raises
        ------
        DerivationError
            The expression has no notation here; the message names it.
        """
        for kinds, printed in self._printers:
            if isinstance(expr, kinds):
                return printed(expr)
        if is_binder(expr):
            return self._binder(expr)
        if expr.is_NumberSymbol:
            if expr not in CONSTANTS:
                raise DerivationError(f"{expr} has no notation; expected pi, E or EulerGamma")
            return self.style.constant(CONSTANTS[expr])
        raise DerivationError(f"{expr} has no notation; expected sums, products, powers, functions and reads")

    # ---- reads

    def _symbol(self, expr):
        if isinstance(expr, Idx):
            return self.style.index(expr.name)
        if expr.is_integer and expr.name not in self.style.names.program.variables:
            return self.style.size(expr.name)
        return self.style.variable(expr.name)

    def _entry(self, expr):
        return self.style.entry(expr.base.name, [self.position(i) for i in expr.indices])

    def position(self, index: Expr) -> Piece:
        """Return an index as it stands in a subscript; what is composed is no atom."""
        if isinstance(index, Idx | Symbol | Indexed) or (isinstance(index, Integer) and 0 <= index < 10):
            return self.piece(index)
        return self.style.position(self.piece(index)).but(level=ADD)

    # ---- sums and products

    def _sum(self, expr):
        if common_number(expr) != 1 and not is_constant(expr):
            return self._product(expr)
        order = place_in_position if expr.is_integer else self._place
        expr = expr if is_constant(expr) else with_numbers_before_sums(expr)
        return self.style.add(ordered_terms(self._term(t, order) for t in expr.args))

    def _term(self, expr, order):
        negative, factors = signed(expr)
        inner = [is_guard(f) and is_negative(f.args[0][0]) for f in factors]
        factors = [guarded_opposite(f) if turned else f for f, turned in zip(factors, inner, strict=True)]
        piece = self._product_of(factors) if len(factors) > 1 else self.piece(factors[0])
        return Term(negative ^ (sum(inner) % 2 == 1), piece, order(expr))

    def _place(self, expr):
        places = self.style.names.places(map(read_name, subterms(expr)))
        return place_of_term(expr.is_number and expr, has_binder(expr), len(free_indices(expr)), places)

    def _product(self, expr, chained=False):
        negative, factors = signed(expr)
        piece = self._product_of(factors, chained)
        return self.style.negated(piece) if negative else piece

    def _product_of(self, factors, chained=False):
        """Print a product: coefficient, conditions, numerator over denominator."""
        conditions = [f.args[0][1] for f in factors if is_guard(f)]
        factors = [a for f in factors for a in (Mul.make_args(f.args[0][0]) if is_guard(f) else (f,))]
        coefficient, tops, bottoms = split_product(factors)
        if is_negative(coefficient):
            return self.style.negated(self._joined(-coefficient, conditions, tops, bottoms, chained))
        return self._joined(coefficient, conditions, tops, bottoms, chained)

    def _joined(self, coefficient, conditions, tops, bottoms, chained):
        pieces = self._factors(tops, chained)
        if bottoms and not pieces and coefficient != 1:         # 1/(N s), not 1/N times 1/s
            top, bottom = coefficient.as_numer_denom()
            below = [*([] if bottom == 1 else [self.piece(bottom)]), *self._factors(bottoms, chained)]
            pieces = [self.style.fraction(self.piece(top), self.style.scalar_times(below))]
            coefficient = S.One
        elif bottoms:
            top = self.style.scalar_times(pieces) if pieces else self.style.number("1")
            pieces = [self.style.fraction(top, self.style.scalar_times(self._factors(bottoms, chained)))]
        pieces = [*(self.conditions.bracket(c).but(rank=GUARD) for c in conditions), *pieces]
        if coefficient != 1 or not pieces:
            pieces = [self.constants.coefficient(coefficient), *pieces]
        return self.style.scalar_times(pieces)

    def _factors(self, factors, chained):
        """Print factors in order; in a sum they follow the indices of the left-hand side like a chain of matrices."""
        if not chained:
            return ordered_factors(map(self.piece, factors))
        pairs = [(self.piece(f), f) for f in factors]
        pairs.sort(key=lambda p: (p[0].rank != GUARD, p[0].rank == BRACKET, self._links(p[1]), p[0].rank))
        return [p for p, _ in pairs]

    def _links(self, factor):
        free = set(free_indices(factor))
        return [k for k, i in enumerate(self.outer) if i in free] or [len(self.outer)]

    def _power(self, expr):
        if expr.base == S.Exp1:
            return self.style.exponential(self.piece(expr.exp))
        if is_negative(expr.exp):
            return self._product_of([expr])
        if expr.exp == Rational(1, 2):
            return self.style.root(self.piece(expr.base))
        return self.style.power(self.piece(expr.base), self.piece(expr.exp))

    # ---- binders

    def _binder(self, expr):
        if isinstance(expr, LogSumExp):
            return self.style.prefix("log", self.piece(Sum(exp(expr.function), *expr.limits)))
        if isinstance(expr, Determinant):
            whole = len(expr.function.indices) == 2
            of = self.style.variable(expr.function.base.name) if whole else self.piece(expr.function)
            return self.style.call(expr.word, [of])
        if isinstance(expr, Sum) and is_guard(expr.function):
            return self._guarded_sum(expr)
        negative, [positive] = signed(expr)
        if negative:
            return self.style.negated(self._binder(positive))
        word = next((word for kind, word in OPERATORS.items() if isinstance(expr, kind)), None)
        if word is None:
            raise DerivationError(f"{expr} has no notation; expected a sum, a maximum or a log-sum-exp")
        limits = expr.limits[::-1] if isinstance(expr, ArgMaximum) else expr.limits     # the slowest index first
        return self.style.total(word, self._ranges(limits), self._summand(expr.function))

    def _summand(self, body):
        return self._product(body, chained=True) if isinstance(body, Mul) else self.piece(body)

    def _guarded_sum(self, expr):
        """Put before the sum what its bound indices do not decide."""
        if (found := one_sided(expr)) is not None:
            return self._one_sided(found)
        value, condition = expr.function.args[0]
        bound = {limit[0] for limit in expr.limits}
        parts = list(condition.args) if isinstance(condition, And) else [condition]
        within = [c for c in parts if bound & set(free_indices(c))]
        before = [c for c in parts if c not in within]
        inner = [self.conditions.bracket(*within)] if within else []
        body = self.style.scalar_times([*inner, self._summand(value)])
        total = self.style.total("sum", self._ranges(expr.limits), body)
        return self.style.scalar_times([self.conditions.bracket(*before), total]) if before else total

    def _one_sided(self, found):
        """Put the condition under the sum: j <= i, j < i, j >= i or j > i."""
        symbol = (">" if found.onwards else "<") + ("=" if found.included else "")
        where = self.style.relation(symbol, self.style.index(found.summed.name), self.style.index(found.index.name))
        return self.style.total("sum", [where.text], self._summand(found.term))

    def _ranges(self, limits) -> list[Range]:
        """Return the names of indices over whole axes, and (name, first, last) of the others."""
        found: list[Range] = []
        for index, low, high in limits:
            name = self.style.index(index.name).text
            whole = self.style.names.is_whole(index) and (low, high) == (index.lower, index.upper)
            found.append(name if whole else (name, self.position(low).text, self.position(high).text))
        return found

    # ---- brackets and choices

    def _delta(self, expr):
        """[c = y_n], an index of the left-hand side first."""
        left, right = expr.args
        if not isinstance(left, Idx) or (isinstance(right, Idx) and right in self.outer and left not in self.outer):
            left, right = right, left
        return self.style.bracket(self.style.relation("=", self.piece(left), self.piece(right))).but(rank=GUARD)

    def _choice(self, expr):
        """A bracket where all but one value is 0, else cases."""
        if is_guard(expr):
            return self._product_of([expr])
        branches = list(expr.args)
        if len(branches) == 2 and branches[1][1] == S.true and S.Zero in (branches[0][0], branches[1][0]):
            (first, condition), (second, _) = branches
            kept = self.conditions.condition(condition) if second == 0 else self.conditions.opposite(condition)
            return self._bracketed(kept, first if second == 0 else second)
        cases = [(self.piece(v), None if c == S.true else self.conditions.condition(c)) for v, c in branches]
        no_number = any(v.is_infinite for v, _ in branches)         # 0 times that is none, either
        return self.style.cases(cases) if no_number or self.style.fits_in_cases(cases) else self._brackets(branches)

    def _brackets(self, branches):
        """Print a choice as a sum of brackets: [x > 1] a + [x <= 1, x > 0] b + [x <= 1, x <= 0] c."""
        terms: list[Term] = []
        before: list[Piece] = []
        for value, condition in branches:
            own = [] if condition == S.true else [self.conditions.condition(condition)]
            terms.append(Term(False, self._bracketed(self.style.logic("and", [*before, *own]), value)))
            before += [] if condition == S.true else [self.conditions.opposite(condition)]
        return self.style.add(terms)

    def _bracketed(self, condition, value):
        bracket = self.style.bracket(condition)
        return bracket if value == 1 else self.style.scalar_times([bracket, self.piece(value)])

    # ---- functions

    def _function(self, expr):
        if isinstance(expr, exp):
            exponent = expr.args[0]
            if isinstance(exponent, Piecewise) and exponent.args[1:] == ((S.NegativeInfinity, S.true),):
                return self._bracketed(self.conditions.condition(exponent.args[0][1]), exp(exponent.args[0][0]))
            return self.style.exponential(self.piece(exponent))
        if type(expr) in INDICATORS:
            return indicator(self.style, INDICATORS[type(expr)], *sides(expr.args[0]), self.piece)
        if isinstance(expr, floor | ceiling):
            return self.style.floor(self._solidus(expr.args[0]), "floor" if isinstance(expr, floor) else "ceil")
        args = sorted(expr.args, key=is_constant) if isinstance(expr, Max | Min) else expr.args     # min(x, 0)
        return self.applied(type(expr), [self.piece(a) for a in args])

    def applied(self, head: type, pieces: list[Piece]) -> Piece:
        """Return an elementwise function of pieces."""
        if head is log:
            return self.style.prefix("log", pieces[0])
        if head is Abs:
            return self.style.absolute(pieces[0])
        if head is polygamma and pieces[0].text == "0":
            return self.style.call("psi", pieces[1:])
        if head.__name__ in ORDERED:
            order = pieces[0].text if len(pieces[0].text) == 1 else f"{{{pieces[0].text}}}"
            return self.style.call(f"{ORDERED[head.__name__]}_{order}", pieces[1:])
        return self.style.call(FUNCTIONS.get(head.__name__, head.__name__), pieces)

    def _solidus(self, x):
        """Print a quotient in one line: (U - K)/S."""
        top, bottom = x.together().as_numer_denom()
        return self.style.solidus(self.piece(top), self.piece(bottom)) if bottom != 1 else self.piece(x)


def guarded_opposite(guard: Piecewise) -> Piecewise:
    """Return a guard of the opposite value."""
    (value, condition), *others = guard.args
    return guard.func((-value, condition), *others, evaluate=False)


# ---- the order of summands


def place_in_position(expr: Expr) -> tuple:
    """Return what decides the place of a summand in the position of a read: indices, sizes, numbers."""
    return 0 if free_indices(expr) else 1 if not expr.is_number else 2, str(expr)


def place_of_term(number, contraction: bool, rank: int, places: list[int]) -> tuple:
    """Return what decides the place of a summand: whole numbers, contractions, arrays, vectors, small numbers."""
    if number:
        return (0 if number.is_Integer else 3), 0, -1
    return (1 if contraction else 2), -rank, min(places, default=-1)
