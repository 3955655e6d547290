"""Numbers and sizes in formulas: the coefficient of a product, and how numbers look."""

from sympy import Add, Expr, Float, Idx, Indexed, Integer, Mul, Number, Pow, Rational, S, Sum, Symbol

from ..binders import is_binder
from ..radicals import as_root
from ..terms import divided, subterms
from .pieces import NUMBER, Piece
from .styles import Style

FEWEST_DIGITS = 50          # the least denominator of a fraction that is written with a decimal point
MOST_DIGITS = 10**16        # from which denominator on a fraction is written as a float rounds it


# ---- looking at expressions


def is_constant(expr: Expr) -> bool:
    """Tell whether an expression holds numbers and sizes only."""
    return not any(isinstance(t, Idx | Indexed) or is_binder(t) or _is_variable(t) for t in subterms(expr))


def _is_variable(term):
    return isinstance(term, Symbol) and not term.is_integer


def is_negative(expr: Expr) -> bool:
    """Tell whether an expression is written with a minus sign in front."""
    return expr.as_coeff_Mul()[0].is_extended_negative is True


def is_reciprocal(expr: Expr) -> bool:
    """Tell whether an expression stands below the line."""
    return isinstance(expr, Pow) and expr.base != S.Exp1 and is_negative(expr.exp)


def signed(expr: Expr) -> tuple[bool, list[Expr]]:
    """Return whether an expression is negative, and its factors without the sign."""
    if isinstance(expr, Sum) and is_negative(expr.function):
        return True, [Sum(-expr.function, *expr.limits)]
    factors = list(Mul.make_args(expr))
    if not is_negative(expr):
        return False, factors
    return True, [-f if f.is_Number else f for f in factors if f != -1] or [S.One]


def common_number(total: Add) -> Expr:
    """Return the number that is put before a sum whose terms all have it: 2 of 2*a - 2*b, 1/2 of a/2 + 1/2."""
    numbers = {abs(t.as_coeff_Mul()[0]) for t in total.args}
    return numbers.pop() if len(numbers) == 1 else S.One


def content(expr: Expr) -> tuple[Expr, Expr]:
    """Split an expression into its coefficient of numbers and sizes, and the rest."""
    if is_constant(expr):
        return expr, S.One
    if isinstance(expr, Mul):
        parts = [content(a) for a in expr.args]
        return Mul(*(c for c, _ in parts)), Mul(*(f for _, f in parts), evaluate=False)
    if isinstance(expr, Add) and common_number(expr) != 1:
        number = common_number(expr)
        return number, Add(*divided(expr.args, number))
    if isinstance(expr, Sum):
        number, body = content(expr.function)
        if number != 1 and body != 1:
            return number, Sum(body, *expr.limits)
    return S.One, expr


def split_product(factors) -> tuple[Expr, list[Expr], list[Expr]]:
    """Split factors into a coefficient of numbers and sizes, and the others above and below the line."""
    coefficient, tops, bottoms = S.One, [], []
    for number, f in map(content, factors):
        coefficient *= number
        if is_reciprocal(f):
            bottoms.append(1 / f)
        elif f != 1:
            tops.append(f)
    return coefficient, tops, bottoms


# ---- printing


class Constants:
    """Prints numbers and expressions in sizes; `piece` is the printer of what is in them."""

    def __init__(self, style: Style, piece):
        self.style, self.piece = style, piece

    def number(self, expr: Number) -> Piece:
        """Print a number."""
        if expr.is_extended_negative:
            return self.style.negated(self.number(-expr))
        if expr.is_infinite:
            return self.style.constant("inf")
        digits = _digits(expr)
        if digits is None:
            return self.style.fraction(self.number(Integer(expr.p)), self.number(Integer(expr.q)), small=True)
        return self.style.number(digits)

    def coefficient(self, expr: Expr) -> Piece:
        """Print a number or a quotient of sizes as a coefficient."""
        if isinstance(expr, Number):
            return self.number(expr)
        root = as_root(expr)
        if root is not None:
            return self._root(*root)
        top, bottom = _above_and_below(sorted(Mul.make_args(expr), key=self._place))
        upper = self.style.scalar_times([self.piece(f) for f in top]) if top else self.style.number("1")
        if not bottom:
            return upper
        return self.style.fraction(upper, self.style.scalar_times([self.piece(f) for f in bottom]), small=True)

    def _place(self, factor):
        return max(self.style.names.places(s.name for s in factor.free_symbols), default=-1), str(factor)

    def _root(self, top, bottom):
        """Print 1/sqrt(b), or sqrt(a/b)."""
        if top == 1:
            return self.style.fraction(self.style.number("1"), self.style.root(self.piece(bottom)), small=True)
        return self.style.root(self.style.fraction(self.piece(top), self.piece(bottom), small=True)).but(rank=NUMBER)


def _above_and_below(factors):
    """Split constant factors into those above and those below the line."""
    top, bottom = [], []
    for f in factors:
        if isinstance(f, Rational) and _digits(f) is None:
            top += [Integer(f.p)] if f.p != 1 else []
            bottom.append(Integer(f.q))
        elif is_reciprocal(f):
            bottom.append(1 / f)
        else:
            top.append(f)
    return top, bottom


def _digits(number):
    """Return a number as digits: 3, 0.01, 1e-5; None where a fraction reads better, which no very long one does."""
    digits = _short(repr(float(number)))
    if isinstance(number, Integer):
        return digits if "e" in digits and len(digits) < 8 else str(number)     # 1e30
    if isinstance(number, Float):
        return digits
    decimal = number.q >= FEWEST_DIGITS or (number.q % 10 == 0 and abs(number.p) != 1)      # 1/10, but 0.3
    return digits if decimal and (Rational(digits) == number or number.q > MOST_DIGITS) else None


def _short(digits):
    mantissa, e, exponent = digits.partition("e")
    mantissa = mantissa.removesuffix(".0")
    return f"{mantissa}e{int(exponent)}" if e else mantissa
