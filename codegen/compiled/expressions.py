"""Scalar expressions in C."""

from collections.abc import Callable, Collection
from functools import reduce

from sympy import (
    Abs,
    Add,
    Expr,
    Heaviside,
    Idx,
    Indexed,
    Integer,
    KroneckerDelta,
    Max,
    Min,
    Mul,
    Piecewise,
    Pow,
    Rational,
    S,
    Symbol,
    exp,
    floor,
    log,
    sign,
    tanh,
)
from sympy.codegen.cfunctions import expm1, log1p
from sympy.core.relational import Eq, Ge, Gt, Le, Lt, Ne, Relational
from sympy.logic.boolalg import And, Not, Or

from derive import functions
from derive.terms import free_indices, read_name

from ..log_sums import logaddexp
from ..lowering import finite, grouped, positive, slope
from ..numbers_text import is_long
from ..precedence import ATOM, SIGN, SUM, TERM, Text
from .half_exponentials import half_exp, sigmoid_by, slope_by, softplus_by

CALLS = {
    exp: "v_exp", expm1: "v_expm1", log: "v_log", log1p: "v_log1p", tanh: "v_tanh", functions.sigmoid: "v_sigmoid",
    functions.softplus: "v_softplus", slope: "v_slope", half_exp: "v_half_exp", sigmoid_by: "v_sigmoid_by",
    slope_by: "v_slope_by", softplus_by: "v_softplus_by", Abs: "absolute", sign: "sign", Max: "larger", Min: "smaller",
}
RELATIONS = {Eq: "==", Ne: "!=", Ge: ">=", Gt: ">", Le: "<=", Lt: "<"}


class NotInC(Exception):
    """An expression that this style leaves to NumPy."""


class Expressions:
    """Prints scalar expressions; `read` prints the read of one of the variables, `index_name` an index or a size."""

    def __init__(self, variables: Collection[str], read: Callable[[Expr], str], index_name: Callable[[Symbol], str]):
        self.variables, self.read, self.index_name = variables, read, index_name
        self.used: dict[str, None] = {}

    def of(self, expr: Expr) -> str:
        """Return a real expression as C.

        Raises
        ------
        NotInC
            It has what this style leaves to NumPy.
        """
        return self._text(expr).code

    def whole(self, expr: Expr) -> str:
        """Return an integer expression, of sizes, indices and labels, as C."""
        return self._whole(expr).code

    # ---- integers

    def _whole(self, expr) -> Text:
        if isinstance(expr, Integer):
            return Text(str(expr), ATOM if expr >= 0 else SIGN)
        if isinstance(expr, Idx):
            return Text(self.index_name(expr.label))
        if expr.is_integer and read_name(expr) in self.variables:
            return Text(self.read(expr))
        if isinstance(expr, Symbol) and expr.is_integer:
            return Text(self.index_name(expr))
        if isinstance(expr, Add):
            return self._sum(expr, self._whole)
        if isinstance(expr, Mul) and all(a.is_integer for a in expr.args):
            return Text("*".join(self._whole(a).inside(TERM) for a in expr.args), TERM)
        if isinstance(expr, floor) and expr.args[0].is_nonnegative:
            top, bottom = expr.args[0].as_numer_denom()
            return Text(f"({self._whole(top).inside(TERM)}/{self._whole(bottom).inside(ATOM)})")   # 2*K/2 would be K
        if isinstance(expr, Max | Min):
            before = ">" if isinstance(expr, Max) else "<"
            codes = [f"({self._whole(a).code})" for a in expr.args]
            return Text(reduce(lambda one, two: f"({one} {before} {two} ? {one} : {two})", codes))
        raise NotInC(f"{expr} as an integer")

    # ---- real numbers

    def _text(self, expr) -> Text:
        if isinstance(expr, Idx) or (expr.is_integer and not expr.is_number and _is_of_sizes(expr)):
            return Text(f"(real){self._whole(expr).inside(ATOM)}")
        if isinstance(expr, Indexed):
            return Text(f"(real){self.read(expr)}" if expr.is_integer else self.read(expr))
        if expr.is_number:
            return self._number(expr)
        if isinstance(expr, Symbol):
            return Text(self.read(expr))
        if isinstance(expr, Add):
            return self._sum(expr, self._text)
        if isinstance(expr, Mul):
            return self._product(expr)
        if isinstance(expr, Pow):
            return self._power(expr.base, expr.exp)
        if isinstance(expr, Piecewise):
            return self._choice(expr)
        if isinstance(expr, KroneckerDelta):
            one, two = map(self.whole, expr.args)
            return Text(f"(real)({one} == {two})")
        return self._function(expr)

    def _number(self, expr) -> Text:
        if isinstance(expr, Integer) and not is_long(expr):
            return Text(str(expr), ATOM if expr >= 0 else SIGN)
        if expr.is_infinite:
            return Text(f"{'-' if expr == S.NegativeInfinity else ''}(real)INFINITY", SIGN)
        value = float(expr)
        return Text(f"(real){abs(value)!r}" if value >= 0 else f"-(real){abs(value)!r}", ATOM if value >= 0 else SIGN)

    def _sum(self, expr, text) -> Text:
        terms = sorted(expr.args, key=lambda t: (_is_negative(t), isinstance(t, grouped), -len(free_indices(t))))
        code = text(terms[0]).inside(SUM)
        for t in terms[1:]:
            code += f" - {text(-t).inside(TERM)}" if _is_negative(t) else f" + {text(t).inside(SUM)}"
        return Text(code, SUM)

    def _product(self, expr) -> Text:
        constant = Mul(*(f for f in expr.args if _is_constant(f)))
        rest = sorted((f for f in expr.args if not _is_constant(f)), key=lambda f: (len(free_indices(f)), str(f)))
        if _is_negative(constant):
            return Text(f"-{self._text(-expr).inside(SIGN)}", SIGN)
        below = [f for f in rest if isinstance(f, Pow) and f.exp.is_number and f.exp.is_negative]
        brackets = [f for f in rest if isinstance(f, KroneckerDelta)]
        if below and brackets:              # what is divided by may be 0 where they are
            where = " && ".join(" == ".join(map(self.whole, f.args)) for f in brackets)
            return Text(f"({where} ? {self.of(Mul(*(f for f in expr.args if f not in brackets)))} : 0)")
        tops = [self._text(f).inside(TERM) for f in rest if f not in below]
        if constant != 1:
            tops.insert(0, self._constant(constant).inside(TERM))
        bottoms = [self._text(1 / f) for f in below]
        return Text(_quotient(tops, bottoms), TERM)

    def _constant(self, expr) -> Text:
        """Print a number times powers of sizes."""
        if expr.is_number:
            return self._number(expr)
        top, bottom = expr.as_numer_denom()
        above, below = ([self._text(f) for f in Mul.make_args(e) if f != 1] for e in (top, bottom))
        return Text(_quotient([t.inside(TERM) for t in above], below), TERM)

    def _power(self, base, exponent) -> Text:
        if exponent.is_number and exponent.is_negative:
            return Text(f"1/{self._text(base**-exponent).inside(ATOM)}", TERM)
        if exponent == Rational(1, 2):
            return Text(self._called("root", base))
        if exponent in (2, 3, 4, 6):
            return Text(self._called({2: "squared", 3: "cubed", 4: "squared", 6: "squared"}[exponent],
                                     base if exponent < 4 else base**(exponent / 2)))
        if isinstance(exponent, Rational) and exponent.q == 2 and exponent < 5:
            whole = base**(exponent - Rational(1, 2))
            return Text(f"{self._text(whole).inside(TERM)}*{self._called('root', base)}", TERM)
        raise NotInC(f"{base}**{exponent}")

    def _called(self, name, *args) -> str:
        self.used[name.removeprefix("v_")] = None
        return f"{name}({', '.join(map(self.of, args))})"

    def _function(self, expr) -> Text:
        head, args = expr.func, expr.args
        if head in (Max, Min):
            first, *others = args
            for other in others[:-1]:
                first = head(first, other, evaluate=False)
            return Text(self._called(CALLS[head], first, others[-1]))
        if head in CALLS:
            return Text(self._called(CALLS[head], *args))
        if head is logaddexp:
            return Text(f"({self.of(expr.written_out())})")
        if head is grouped:
            return Text(f"({self.of(args[0])})")
        if head is functions.relu:
            return Text(self._called("larger", args[0], S.Zero))
        if head in (functions.step, functions.at_zero):
            relation = ">" if head is functions.step else "=="
            return Text(f"(real)({self._text(args[0]).inside(SUM)} {relation} 0)")
        if head in (functions.half_step, Heaviside):
            x = self._text(args[0]).inside(SUM)
            middle = self.of(args[1] if head is Heaviside else Rational(1, 2))
            return Text(f"({x} > 0 ? 1 : {x} < 0 ? 0 : {middle})")
        if head in (finite, positive):
            self.used["larger"] = None
            least = "sizeof(real) == 4 ? -FLT_MAX/16 : -DBL_MAX/16" if head is finite else "1"
            return Text(f"larger({self.of(args[0])}, {least})")
        raise NotInC(f"{head.__name__}")

    def _choice(self, expr) -> Text:
        *pairs, (last, always) = expr.args
        if always != True:
            raise NotInC(f"{expr} without a last case")
        code = self._text(last).inside(SUM)
        for value, condition in reversed(pairs):
            code = f"{self._condition(condition)} ? {self._text(value).inside(SUM)} : {code}"
        return Text(f"({code})")

    def _condition(self, expr) -> str:
        if isinstance(expr, Relational):
            integers = all(a.is_integer for a in expr.args)
            one, two = ((self._whole(a) if integers else self._text(a)).inside(SUM) for a in expr.args)
            return f"{one} {RELATIONS[type(expr)]} {two}"
        if isinstance(expr, And | Or):
            return (" && " if isinstance(expr, And) else " || ").join(f"({self._condition(a)})" for a in expr.args)
        if isinstance(expr, Not):
            return f"!({self._condition(expr.args[0])})"
        raise NotInC(f"the condition {expr}")


def _quotient(tops, bottoms):
    code = "*".join(tops) or "1"
    if len(bottoms) == 1:
        return f"{code}/{bottoms[0].inside(ATOM)}"
    return f"{code}/({'*'.join(b.inside(TERM) for b in bottoms)})" if bottoms else code


def _is_of_sizes(expr):
    """Tell whether an integer expression has symbols and indices only: sizes, places, labels."""
    return not expr.atoms(KroneckerDelta, Piecewise)


def _is_constant(expr):
    """Tell whether a factor is made of numbers and sizes."""
    return all(s.is_integer for s in expr.free_symbols) and not expr.atoms(Indexed, Idx) \
        and not expr.has(KroneckerDelta, Piecewise)


def _is_negative(expr):
    return expr.as_coeff_Mul()[0].is_negative
