"""Printing numbers, sizes, sums and quotients."""

from collections.abc import Iterable

import sympy
from sympy import Add, Expr, Float, Idx, Integer, KroneckerDelta, Mul, Number, Piecewise, Pow, Rational, Symbol
from sympy.core.relational import Relational
from sympy.logic.boolalg import And, Not, Or

from derive.errors import DerivationError
from derive.functions import defined
from derive.radicals import as_root

from .functions_table import CALLS
from .precedence import ATOM, POWER, SIGN, SUM, TERM, Text
from .surroundings import Surroundings

RELATIONS = {
    KroneckerDelta: "==", sympy.Eq: "==", sympy.Ne: "!=", sympy.Ge: ">=", sympy.Gt: ">", sympy.Le: "<=", sympy.Lt: "<",
}


class NumberPrinter(Surroundings):
    """Prints numbers, sizes, and what adds and multiplies pieces of code."""

    def size(self, expr: Expr) -> Text:
        """Print a number, a variable without axes, or an expression in sizes."""
        if isinstance(expr, Integer):
            return number(expr) if is_long(expr) else Text(str(expr), ATOM if expr >= 0 else SIGN)
        if expr in (sympy.oo, -sympy.oo):
            return Text("np.inf") if expr == sympy.oo else Text("-np.inf", SIGN)
        if isinstance(expr, Number):
            return number(expr)
        if isinstance(expr, Symbol):
            if expr.is_integer and expr not in self.counters:
                self.sizes[expr.name] = expr
            return Text(expr.name)
        if expr == sympy.pi:
            return Text("np.pi")
        if expr == sympy.E:
            return Text("np.e")
        if isinstance(expr, Add):
            parts = map(without_sign, positive_first(with_common_size(expr)))
            return self._sum([(self.size(part), negative) for part, negative in parts])
        if isinstance(expr, Mul):
            return self._quotient(
                [self.size(f) for f in numerators(expr)], [self.size(f) for f in denominators(expr)], is_negative(expr)
            )
        if isinstance(expr, Pow):
            if expr.exp.could_extract_minus_sign():
                return Text(f"1 / {self.size(1 / expr).inside(SIGN)}", TERM)
            if expr.exp == Rational(1, 2):
                return Text(f"{self.size(expr.base).inside(ATOM)}**0.5", POWER)
            return Text(f"{self.size(expr.base).inside(ATOM)}**{self.size(expr.exp).inside(ATOM)}", POWER)
        if isinstance(expr, sympy.Max):
            return Text(f"max({', '.join(self.size(a).code for a in sorted(expr.args, key=str))})")
        if isinstance(expr, Piecewise):
            text = self.size(expr.args[-1][0]).code
            for value, condition in reversed(expr.args[:-1]):
                text = f"({self.size(value).code} if {self.size(condition).code} else {text})"
            return Text(text)
        if isinstance(expr, KroneckerDelta):
            left, right = sorted(expr.args, key=lambda a: (bool(a.is_number), str(a)))
            return Text(f"{self.size(left).inside(SUM)} == {self.size(right).inside(SUM)}", 0)
        if isinstance(expr, Relational):
            return Text(f"{self.size(expr.lhs).code} {RELATIONS[type(expr)]} {self.size(expr.rhs).code}", 0)
        if isinstance(expr, And | Or):
            return Text(f" {type(expr).__name__.lower()} ".join(map(self._clause, sorted(expr.args, key=str))), 0)
        if isinstance(expr, Not):
            return Text(f"not ({self.size(expr.args[0]).code})", 0)
        if isinstance(expr, sympy.floor):
            top, bottom = expr.args[0].together().as_numer_denom()
            return Text(f"{self.size(top).inside(TERM)} // {self.size(bottom).inside(SIGN)}", TERM)
        if (special := _special(expr)) is not None:
            function, of = special
            self.scipy[function] = None
            return Text(f"float({function}({self.size(of).code}))")      # a number of NumPy's would make float32 double
        if isinstance(expr, sympy.Function) and type(expr).__name__ in CALLS and len(expr.args) == 1:
            return Text(f"{CALLS[type(expr).__name__]}({self.size(expr.args[0]).code}, dtype={self.like}.dtype)")
        if expr.is_number:
            return number(defined(expr).evalf(17))
        raise DerivationError(f"{expr} cannot be printed as a number or a size")

    def _clause(self, expr):
        """Print one of several conditions, in parentheses where it has several itself."""
        text = self.size(expr).code
        return f"({text})" if isinstance(expr, And | Or | Not) else text

    def _sum(self, terms):
        """Join (text, is negative) pairs by + and -."""
        text, negative = terms[0]
        unsigned = text.unsigned and not negative and len(terms) == 1
        result = f"-{text.inside(ATOM if text.unsigned else TERM)}" if negative else text.inside(SUM)
        for text, negative in terms[1:]:
            result += f" {'-' if negative else '+'} {text.inside(TERM)}"
        return Text(result, SUM if len(terms) > 1 else SIGN if terms[0][1] else terms[0][0].level, unsigned)

    def lengths(self, axes: Iterable[Idx]) -> list[str]:
        """Return the code of the length of each axis."""
        return [self.size(i.upper - i.lower + 1).code for i in axes]

    def _quotient(self, tops, bottoms, negative=False):
        top = " * ".join(t.inside(TERM if k == 0 else SIGN) for k, t in enumerate(tops)) or "1"
        level = TERM if len(tops) > 1 else (tops[0].level if tops else ATOM)
        if len(tops) == 1 and (bottoms or negative):
            level = max(level, TERM)
        if bottoms:
            below = bottoms[0].inside(SIGN) if len(bottoms) == 1 else f"({' * '.join(b.inside(SIGN) for b in bottoms)})"
            top, level = f"{top} / {below}", TERM
        unsigned = bool(tops) and tops[0].unsigned
        if negative:
            return Text(f"-({top})" if unsigned else f"-{top}", min(level, SIGN))
        return Text(top, level, unsigned)


def _special(expr):
    """Return a function that SciPy has, and the expression in sizes that it is of; None for another function."""
    if isinstance(expr, sympy.log) and isinstance(expr.args[0], sympy.gamma):
        return "gammaln", expr.args[0].args[0]
    if isinstance(expr, sympy.polygamma) and expr.args[0] == 0:
        return "digamma", expr.args[1]
    if isinstance(expr, sympy.factorial):
        return "gamma", expr.args[0] + 1
    return ("gamma", expr.args[0]) if isinstance(expr, sympy.gamma) else None


def number(expr):
    """Print a number: 0.5, or a fraction where decimals have no end."""
    if isinstance(expr, Rational):
        if not is_decimal(expr):
            return Text(f"{expr.p} / {expr.q}", TERM)
        return number(Float(expr, 17))
    text = repr(float(expr))
    if text.endswith("0000000.0"):
        digits = text[:-2].rstrip("0")
        text = f"{digits}e{len(text) - 2 - len(digits)}"
    return Text(text.replace("e-0", "e-"), SIGN if text.startswith("-") else ATOM)


def with_common_size(total):
    """Return the terms of a sum of whole numbers, those with one size in common as a product: L (K - k - 1) and T."""
    sizes = [f for t in total.args for f in Mul.make_args(t) if isinstance(f, Symbol)] if total.is_integer else []
    common = max(sizes, key=lambda s: (sizes.count(s), s.name), default=None)
    inside = [t for t in total.args if common in Mul.make_args(t)]
    if len(inside) < 2:
        return total.args
    rest = Add(*(t / common for t in inside))
    if not isinstance(rest, Add):
        return total.args
    if all(map(is_negative, rest.args)):
        return total.args
    return (Mul(rest, common, evaluate=False), *(t for t in total.args if t not in inside))


def is_long(integer):
    """Tell whether an integer has more digits than a float, or NumPy's integers: 1e30."""
    return abs(integer) >= 10**16


def is_decimal(number):
    """Tell whether a rational number has finitely many decimals."""
    q = number.q
    for prime in (2, 5):
        while q % prime == 0:
            q //= prime
    return q == 1


def _is_printed_whole(factor):
    """Tell whether a factor is printed as decimals, 0.8 * x, rather than above and below the line: x / 2, 2 * x / 3."""
    return is_decimal(factor) and factor.q != 1 and (factor.q > 12 or abs(factor.p) != 1)


def numerators(expr):
    """Return the factors of a product that stand above the line, signs apart."""
    result = []
    for f in _factors(expr):
        if isinstance(f, Rational):
            if _is_printed_whole(f):
                result.append(Float(abs(f), 17))
            elif abs(f.p) != 1:
                result.append(Integer(abs(f.p)))
        elif isinstance(f, Float):
            result.append(abs(f))
        elif not (isinstance(f, Pow) and f.exp.could_extract_minus_sign()):
            result.append(f)
    return result


def denominators(expr):
    """Return the factors below the line."""
    result = []
    for f in _factors(expr):
        if isinstance(f, Rational) and f.q != 1 and not _is_printed_whole(f):
            result.append(Integer(f.q))
        elif isinstance(f, Pow) and f.exp.could_extract_minus_sign():
            result.append(f.base if f.exp == -1 else Pow(f.base, -f.exp, evaluate=False))
    return result


def _factors(expr):
    """Return the factors of a product, its sign apart, with its square roots as one where that reads better."""
    root = as_root(-expr if is_negative(expr) else expr)
    if root is None:
        return Mul.make_args(expr)
    top, bottom = root
    half = Rational(1, 2)
    return (Pow(bottom, -half, evaluate=False) if top == 1 else Pow(top / bottom, half, evaluate=False),)


def is_negative(expr):
    """Tell whether an expression begins with a minus."""
    return expr.as_coeff_Mul()[0].is_negative is True


def without_sign(term):
    """Return the term without its sign, and whether that was a minus."""
    return (-term, True) if is_negative(term) else (term, False)


def positive_first(terms):
    """Return terms in the order in which they are printed."""
    return sorted(terms, key=lambda t: (is_negative(t), t.is_number, str(t)))
