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
from sympy.core.relational import Relational
from sympy.logic.boolalg import And, Not, Or

from ..binders import ArgMaximum, LogSumExp, Maximum, has_binder, is_binder
from ..errors import DerivationError
from ..functions import at_zero, half_step, step
from ..guards import is_guard
from ..ranges import conjuncts
from ..terms import free_indices, read_name, subterms
from .pieces import ADD, BRACKET, GUARD, NUMBER, Piece, Term, ordered_factors, ordered_terms
from .styles import Style

NAMES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "loggamma": r"log\Gamma"}
WORDS = {Sum: "sum", ArgMaximum: "argmax", Maximum: "max"}
RELATION = {"Equality": "=", "Unequality": "!=", "StrictGreaterThan": ">", "StrictLessThan": "<", "GreaterThan": ">=",
            "LessThan": "<="}
FLIPPED = {">": "<", "<": ">", ">=": "<=", "<=": ">="}
OPPOSITE = {">": "<=", "<": ">=", ">=": "<", "<=": ">", "=": "!=", "!=": "="}


class Scalars:
    """Prints expressions in index notation; `outer` are the indices of the left-hand side, in its order."""

    def __init__(self, style: Style, outer: tuple = ()):
        self.style, self.outer = style, outer

    def piece(self, expr: Expr) -> Piece:
        """Return an expression as a piece.

        Raises
        ------
        DerivationError
            The expression has no notation here; the message names it.
        """
        if isinstance(expr, Number | Idx | Symbol) or expr.is_NumberSymbol:
            return self._leaf(expr)
        if isinstance(expr, Indexed):
            return self.style.entry(expr.base.name, [self.position(i) for i in expr.indices])
        if isinstance(expr, Add):
            return self._sum(expr)
        if isinstance(expr, Mul):
            return self._product(expr)
        if isinstance(expr, Pow):
            return self._power(expr)
        if is_binder(expr):
            return self._binder(expr)
        if isinstance(expr, KroneckerDelta):
            return self._delta(expr)
        if isinstance(expr, Piecewise):
            return self._piecewise(expr)
        if isinstance(expr, Function | Max | Min):
            return self._function(expr)
        raise DerivationError(f"{expr} has no notation; expected sums, products, powers, functions and reads")

    # ---- leaves

    def _leaf(self, expr):
        if isinstance(expr, Idx):
            return self.style.index(expr.name)
        if isinstance(expr, Symbol):
            if expr.name in self.style.names.program.variables or not expr.is_integer:
                return self.style.variable(expr.name)
            return self.style.size(expr.name)
        if expr.is_infinite:
            return self.style.add([Term(True, self.style.constant("inf"))]) if expr.is_extended_negative \
                else self.style.constant("inf")
        if expr.is_NumberSymbol:
            return self.style.constant("pi" if expr == S.Pi else "e")
        if expr.is_negative:
            return self.style.add([Term(True, self._leaf(-expr))])
        if isinstance(expr, Rational) and not isinstance(expr, Integer) and not _decimal(expr):
            return self.style.fraction(self._leaf(Integer(expr.p)), self._leaf(Integer(expr.q)), small=True)
        return self.style.number(_decimal(expr) or _digits(expr))

    def position(self, index: Expr) -> Piece:
        """Return an index as it stands in a subscript; what is composed is no atom."""
        if isinstance(index, Idx | Symbol) or (isinstance(index, Integer) and 0 <= index < 10):
            return self.piece(index)
        if isinstance(index, Indexed):
            return self.piece(index)
        return self.style.position(self.piece(index)).but(level=ADD)

    # ---- sums and products

    def _sum(self, expr):
        if common_number(expr) != 1:
            return self._product_of([expr])
        order = place_in_position if expr.is_integer else self.order
        return self.style.add(ordered_terms(self._term(t, order) for t in expr.args))

    def _term(self, expr, order):
        negative, factors = signed(expr)
        piece = self._product_of(factors) if len(factors) > 1 else self.piece(factors[0])
        return Term(negative, piece, order(expr))

    def order(self, expr: Expr) -> tuple:
        """Return what decides the place of a summand: numbers, contractions, then by what it reads first."""
        places = self.style.names.places(map(read_name, subterms(expr)))
        return place_of_term(expr.is_number and expr, has_binder(expr), len(free_indices(expr)), places)

    def _product(self, expr, outer=None):
        negative, factors = signed(expr)
        piece = self._product_of(factors, outer)
        return self.style.add([Term(True, piece)]) if negative else piece

    def _product_of(self, factors, outer=None):
        """Print a product: coefficient, numerator over denominator; `outer` says that the order follows its indices."""
        conditions = [f.args[0][1] for f in factors if is_guard(f)]
        factors = [a for f in factors for a in (Mul.make_args(f.args[0][0]) if is_guard(f) else (f,))]
        coefficient, tops, bottoms = split_product(factors)
        negative = is_negative(coefficient)
        if negative:
            return self.style.add([Term(True, self._joined(-coefficient, tops, bottoms, conditions, outer))])
        return self._joined(coefficient, tops, bottoms, conditions, outer)

    def _joined(self, coefficient, tops, bottoms, conditions, outer):
        pieces = self._factors(tops, outer)
        if bottoms:
            top = self.style.scalar_times(pieces) if pieces else self.style.number("1")
            pieces = [self.style.fraction(top, self.style.scalar_times(self._factors(bottoms, outer)))]
        brackets = [self.style.bracket(self.condition(c)).but(rank=GUARD) for c in conditions]
        return self.style.scalar_times([*self.coefficient(coefficient, bool(pieces + brackets)), *brackets, *pieces])

    def _factors(self, factors, outer):
        pairs = [(self.piece(f), f) for f in factors]
        if outer is not None:
            pairs.sort(key=lambda p: (p[0].rank != GUARD, p[0].rank == BRACKET, _places_in(p[1], outer), p[0].rank))
            return [p for p, _ in pairs]
        return ordered_factors(p for p, _ in pairs)

    def coefficient(self, expr: Expr, needed_one: bool = True) -> list[Piece]:
        """Return a number or a quotient of sizes as a factor; nothing for 1 before other factors."""
        if expr == 1:
            return [] if needed_one else [self.style.number("1")]
        if isinstance(expr, Number):
            return [self._leaf(expr)]
        root = _as_root(expr)
        if root is not None:
            return [root_piece(self, *root)]
        top, bottom = _above_and_below(sorted(Mul.make_args(expr), key=self._place_of_size))
        upper = self.style.scalar_times([self.piece(f) for f in top]) if top else self.style.number("1")
        if not bottom:
            return [upper]
        return [self.style.fraction(upper, self.style.scalar_times([self.piece(f) for f in bottom]), small=True)]

    def _place_of_size(self, factor):
        return max(self.style.names.places(s.name for s in factor.free_symbols), default=-1), str(factor)

    def _power(self, expr):
        if is_negative(expr.exp):
            return self._product_of([expr])
        if expr.base == S.Exp1:
            return self._exponential(expr.exp)
        if expr.exp == Rational(1, 2):
            return self.style.root(self.piece(expr.base))
        return self.style.power(self.piece(expr.base), self.piece(expr.exp))

    # ---- binders, brackets

    def _binder(self, expr):
        body = expr.function
        if isinstance(expr, LogSumExp):
            return self.style.prefix("log", self.piece(Sum(exp(body), *expr.limits)))
        if isinstance(expr, Sum) and is_guard(body):
            return self._guarded_sum(expr)
        word = next((word for kind, word in WORDS.items() if isinstance(expr, kind)), None)
        if word is None:
            raise DerivationError(f"{type(expr).__name__} has no notation: {expr}")
        limits = expr.limits[::-1] if isinstance(expr, ArgMaximum) else expr.limits     # the slowest index first
        return self.style.total(word, self.ranges(limits), self._summand(body, expr.limits))

    def _summand(self, body, limits):
        inner = Scalars(self.style, self.outer)
        if isinstance(body, Mul):
            return inner._product(body, self.outer)
        return inner.piece(body)

    def _guarded_sum(self, expr):
        """Put before the sum what its bound indices do not decide."""
        value, condition = expr.function.args[0]
        bound = {limit[0] for limit in expr.limits}
        parts = list(condition.args) if isinstance(condition, And) else [condition]
        before = [c for c in parts if not bound & set(free_indices(c))]
        within = [c for c in parts if c not in before]
        inner = self._summand(value, expr.limits)
        if within:
            inner = self.style.scalar_times([self.style.bracket(self.condition(And(*within, evaluate=False))), inner])
        total = self.style.total("sum", self.ranges(expr.limits), inner)
        if not before:
            return total
        return self.style.scalar_times([self.style.bracket(self.condition(And(*before, evaluate=False))), total])

    def ranges(self, limits) -> list:
        """Return the names of indices over whole axes, and (name, first, last) of the others."""
        found = []
        for index, low, high in limits:
            name = self.style.index(index.name).text
            whole = self.style.names.is_whole(index)
            found.append(name if whole else (name, self.position(low).text, self.position(high).text))
        return found

    def _delta(self, expr):
        left, right = expr.args
        if not isinstance(left, Idx) or (isinstance(right, Idx) and right in self.outer and left not in self.outer):
            left, right = right, left
        bracket = self.style.bracket(self.style.relation("=", self.piece(left), self.piece(right)))
        return bracket.but(rank=GUARD)

    def _piecewise(self, expr):
        branches = expr.args
        if is_guard(expr):
            return self._product_of([expr])
        if len(branches) == 2 and branches[1][1] == True and S.Zero in (branches[0][0], branches[1][0]):  # noqa: E712
            (first, condition), (second, _) = branches
            kept = self.condition(condition) if second == 0 else self.opposite(condition)
            value = self.piece(first if second == 0 else second)
            one = value.text == "1"
            return self.style.bracket(kept) if one else self.style.scalar_times([self.style.bracket(kept), value])
        cases = [(self.piece(v), None if c == True else self.condition(c)) for v, c in branches]  # noqa: E712
        return self.style.cases(cases) if self.style.fits_in_cases(cases) else self._brackets(branches)

    def _brackets(self, branches):
        """Print a choice as a sum of brackets: [x > 1] a + [x <= 1, x > 0] b + [x <= 1, x <= 0] c."""
        terms, before = [], []
        for value, condition in branches:
            own = [] if condition == True else [self.condition(condition)]  # noqa: E712
            bracket = self.style.bracket(self.style.logic("and", [*before, *own]))
            terms.append(Term(False, self.style.scalar_times([bracket, self.piece(value)])))
            before += [] if condition == True else [self.opposite(condition)]  # noqa: E712
        return self.style.add([t for t in terms if t.piece.text])

    def condition(self, expr) -> Piece:
        """Return a condition: comparisons of values, or of indices in the form 0 <= i + p < N."""
        if isinstance(expr, And):
            bounds = self._bounds(expr)
            if bounds:
                return bounds[0] if len(bounds) == 1 else self.style.logic("and", bounds)
            return self.style.logic("and", [self.condition(a) for a in sorted(expr.args, key=str)])
        if isinstance(expr, Or):
            return self.style.logic("or", [self.condition(a) for a in sorted(expr.args, key=str)])
        if isinstance(expr, Not):
            return self.style.logic("not", [self.condition(expr.args[0])])
        if not isinstance(expr, Relational):
            raise DerivationError(f"the condition {expr} has no notation; expected comparisons")
        bounds = self._bounds(expr)
        if bounds:
            return bounds[0]
        symbol, left, right = _upright(expr)
        return self.style.relation(symbol, self.piece(left), self.piece(right))

    def opposite(self, expr) -> Piece:
        """Return the negation of a condition."""
        if isinstance(expr, Relational) and not self._bounds(expr):
            symbol, left, right = _upright(expr)
            return self.style.relation(OPPOSITE[symbol], self.piece(left), self.piece(right))
        return self.style.logic("not", [self.condition(expr)])

    def _bounds(self, expr):
        """Return conditions on indices, lower and upper bounds of one position joined; [] for other conditions."""
        try:
            below = conjuncts(expr)
        except ValueError:
            return []
        if not all(e.is_integer for e in below) or expr == True:  # noqa: E712
            return []
        pieces, rest = [], list(below)
        while rest:
            e = rest.pop(0)
            partner = next((o for o in rest if not free_indices(e + o) and free_indices(e)), None)
            if partner is not None:
                rest.remove(partner)
                lower, upper = (e, partner) if not _leading_negative(e) else (partner, e)
                pieces.append(self._between(lower, upper))
            else:
                pieces.append(self._bound(e))
        return pieces

    def _between(self, lower, upper):
        """Print lower >= 0 and upper >= 0, whose sum is free of indices, as 0 <= lower < lower + upper + 1."""
        return self.style.relation(
            "<=", self.style.number("0"), self.piece(lower), ("<", self.piece((lower + upper + 1).expand())))

    def _bound(self, e):
        """Print e >= 0 with the indices apart from the rest: i >= 1, t < T - 1, t >= s."""
        terms = [t for t in Add.make_args(e) if free_indices(t)]
        left = Add(*(t for t in terms if not is_negative(t)))
        right = Add(*(-t for t in terms if is_negative(t)))
        rest = (e - left + right).expand()
        if left == 0:
            return self.style.relation("<", self.piece(right), self.piece((rest + 1).expand()))
        if right != 0 and rest == -1:
            return self.style.relation(">", self.piece(left), self.piece(right))
        return self.style.relation(">=", self.piece(left), self.piece((right - rest).expand()))

    # ---- functions

    def _function(self, expr):
        head, args = type(expr), expr.args
        if head is exp:
            return self._exponential(args[0])
        if head is log:
            return self.style.prefix("log", self.piece(args[0]))
        return self.applied(head, [self.piece(a) for a in args], args)

    def _exponential(self, x):
        return self.style.exponential(self.piece(x))

    def applied(self, head: type, pieces: list[Piece], args: tuple) -> Piece:
        """Return a function of pieces, which print `args`."""
        style, x = self.style, pieces[0]
        if head in (step, at_zero, half_step, Heaviside):
            return self.indicator(head, args[0])
        if head is Abs:
            return style.absolute(x)
        if head in (floor, ceiling):
            return style.floor(self._solidus(args[0]), "floor" if head is floor else "ceil")
        if head is polygamma:
            return style.call("psi", pieces[1:]) if args[0] == 0 else style.call("polygamma", pieces)
        name = head.__name__.lower() if head in (Max, Min) else head.__name__
        return style.call(NAMES.get(name, name), pieces)

    def _solidus(self, x):
        """Print a quotient in one line: (U - K)/S."""
        top, bottom = x.together().as_numer_denom()
        return self.style.solidus(self.piece(top), self.piece(bottom)) if bottom != 1 else self.piece(x)

    def indicator(self, head: type, x: Expr, printed=None) -> Piece:
        """Return [x > 0] and its kin, with what is subtracted on the right."""
        printed = printed or self.piece
        left, right = sides(x)
        symbol = "=" if head is at_zero else ">"
        if left.is_number and not right.is_number:
            left, right, symbol = right, left, FLIPPED.get(symbol, symbol)
        condition = self.style.bracket(self.style.relation(symbol, printed(left), printed(right)))
        if head in (step, at_zero):
            return condition
        half = self.style.fraction(self.style.number("1"), self.style.number("2"), small=True)
        tie = self.style.bracket(self.style.relation("=", printed(left), printed(right)))
        return self.style.add([Term(False, condition), Term(False, self.style.scalar_times([half, tie]))])


def place_in_position(expr: Expr) -> tuple:
    """Return what decides the place of a summand in the position of a read: indices, sizes, numbers."""
    return 0 if free_indices(expr) else 1 if not expr.is_number else 2, str(expr)


def place_of_term(number, contraction: bool, rank: int, places: list[int]) -> tuple:
    """Return what decides the place of a summand: whole numbers, contractions, arrays, vectors, small numbers."""
    if number:
        return (0 if number.is_Integer else 3), 0, -1
    return (1 if contraction else 2), -rank, min(places, default=-1)


def split_product(factors) -> tuple[Expr, list[Expr], list[Expr]]:
    """Split factors into a coefficient of numbers and sizes, and the others above and below the line."""
    coefficient, tops, bottoms = S.One, [], []
    for f in factors:
        number, f = content(f)
        coefficient *= number
        if isinstance(f, Pow) and f.base != S.Exp1 and is_negative(f.exp):
            bottoms.append(1 / f)
        elif f != 1:
            tops.append(f)
    return coefficient, tops, bottoms


def content(expr: Expr) -> tuple[Expr, Expr]:
    """Split an expression into its coefficient of numbers and sizes, and the rest."""
    if is_constant(expr):
        return expr, S.One
    if isinstance(expr, Mul):
        parts = [content(a) for a in expr.args]
        return Mul(*(c for c, _ in parts)), Mul(*(f for _, f in parts), evaluate=False)
    if isinstance(expr, Add):
        number = common_number(expr)
        return (number, Add(*(t / number for t in expr.args))) if number != 1 else (number, expr)
    if isinstance(expr, Sum):
        number, body = content(expr.function)
        if number != 1 and body != 1:
            return number, Sum(body, *expr.limits)
    return S.One, expr


def _above_and_below(factors):
    """Split constant factors into those above and those below the line."""
    top, bottom = [], []
    for f in factors:
        if isinstance(f, Rational) and not isinstance(f, Integer) and not _decimal(f):
            top += [Integer(f.p)] if f.p != 1 else []
            bottom.append(Integer(f.q))
        elif isinstance(f, Pow) and is_negative(f.exp):
            bottom.append(1 / f)
        else:
            top.append(f)
    return top, bottom


def _as_root(expr):
    """Return (a, b) where a constant is sqrt(a/b) and is best written so: sqrt(2)/2 as 1/sqrt(2), sqrt(2)/sqrt(pi)."""
    factors = Mul.make_args(expr)
    roots = [f for f in factors if isinstance(f, Pow) and abs(f.exp) == Rational(1, 2)]
    others = [f for f in factors if f not in roots]
    if not roots or not all(isinstance(f, Rational) for f in others):
        return None
    top, bottom = (expr**2).as_numer_denom()
    if top == 1 or (not others and bottom != 1):
        return top, bottom
    return None


def root_piece(printer: Scalars, top: Expr, bottom: Expr) -> Piece:
    """Return 1/sqrt(b), or sqrt(a/b)."""
    style = printer.style
    if top == 1:
        return style.fraction(style.number("1"), style.root(printer.piece(bottom)), small=True)
    return style.root(style.fraction(printer.piece(top), printer.piece(bottom), small=True)).but(rank=NUMBER)


def is_constant(expr: Expr) -> bool:
    """Tell whether an expression holds numbers and sizes only."""
    return not any(
        isinstance(t, Idx | Indexed) or is_binder(t) or (isinstance(t, Symbol) and not t.is_integer) for t in subterms(expr))


def common_number(total: Add) -> Expr:
    """Return the number that is put before a sum whose terms all have it: 2 of 2*a - 2*b, 1/2 of a/2 + 1/2."""
    numbers = {abs(t.as_coeff_Mul()[0]) for t in total.args}
    return numbers.pop() if len(numbers) == 1 else S.One


def is_negative(expr: Expr) -> bool:
    """Tell whether an expression is written with a minus sign in front."""
    return expr.as_coeff_Mul()[0].is_negative is True


def signed(expr: Expr) -> tuple[bool, list[Expr]]:
    """Return whether an expression is negative, and its factors without the sign."""
    factors = list(Mul.make_args(expr))
    if not is_negative(expr):
        return False, factors
    factors = [-f if f.is_Number else f for f in factors if f != -1]
    return True, factors or [S.One]


def sides(x: Expr) -> tuple[Expr, Expr]:
    """Split x so that x > 0 reads left > right: r and 1 for r - 1, 0 on the right where nothing is subtracted."""
    if not isinstance(x, Add):
        return (S.Zero, -x) if is_negative(x) else (x, S.Zero)
    right = [-t for t in x.args if is_negative(t)]
    left = [t for t in x.args if not is_negative(t)]
    return (Add(*left), Add(*right)) if left else (x, S.Zero)


def _leading_negative(e):
    """Tell whether the index that comes first by name has a minus sign."""
    signs = [is_negative(t) for t in sorted(Add.make_args(e), key=str) if free_indices(t)]
    return sum(signs) * 2 > len(signs)


def _upright(relation):
    """Return (symbol, left, right) with a number on the right."""
    left, right = relation.args
    symbol = RELATION[type(relation).__name__]
    if left.is_number and not right.is_number:
        return FLIPPED.get(symbol, symbol), right, left
    return symbol, left, right


def _places_in(factor, outer):
    """Return the places of a factor's indices among those of the left-hand side: a chain of factors follows them."""
    free = set(free_indices(factor))
    return [k for k, i in enumerate(outer) if i in free] or [len(outer)]


def _decimal(number):
    """Return a rational such as 1/100 or 8943/200000 as digits, None where a fraction reads better."""
    if not isinstance(number, Rational) or number.q < 50:
        return None
    q = number.q
    for prime in (2, 5):
        while q % prime == 0:
            q //= prime
    if q != 1:
        return None
    digits = repr(float(number))
    return _short(digits) if Rational(digits) == number else None


def _digits(number):
    return str(number) if isinstance(number, Integer) else _short(repr(float(number)))


def _short(digits):
    mantissa, e, exponent = digits.partition("e")
    mantissa = mantissa.removesuffix(".0")
    return f"{mantissa}e{int(exponent)}" if e else mantissa


