"""Printing scalar expressions as Python on floats: conditionals for kinks, the functions of `math`, stable helpers."""

from sympy import Expr, Mul, S, Symbol
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.pycode import PythonCodePrinter

from derive.errors import DerivationError

from .functions_table import SPECIAL
from .numbers_text import is_long

HELPERS = {
    "_sigmoid": '''
def _sigmoid(x):
    """Return 1 / (1 + exp(-x)), exact to the last digits at both ends."""
    if x >= 0:
        return 1 / (1 + exp(-x))
    e = exp(x)
    return e / (1 + e)
''',
    "_slope": '''
def _slope(x):
    """Return the derivative of 1 / (1 + exp(-x)), exact to the last digits at both ends."""
    e = exp(-abs(x))
    return e / (1 + e) ** 2
''',
    "_sech": '''
def _sech(x):
    """Return 1 / cosh(x) without an overflow."""
    e = exp(-abs(x))
    return 2 * e / (1 + e**2)
''',
    "_sinc": '''
def _sinc(x):
    """Return sin(x) / x, and 1 at 0."""
    return sin(x) / x if x else 1.0
''',
    "_softplus": '''
def _softplus(x):
    """Return log(1 + exp(x)) without an overflow."""
    return max(x, 0.0) + log1p(exp(-abs(x)))
''',
}
NEEDS = {"_sigmoid": {"exp"}, "_sech": {"exp"}, "_sinc": {"sin"}, "_slope": {"exp"}, "_softplus": {"exp", "log1p"}}
MATH = {
    "exp": "exp", "log": "log", "log1p": "log1p", "expm1": "expm1", "tanh": "tanh", "sinh": "sinh", "cosh": "cosh",
    "sin": "sin", "cos": "cos", "tan": "tan", "atan": "atan", "atan2": "atan2", "asin": "asin", "acos": "acos",
    "asinh": "asinh", "acosh": "acosh", "atanh": "atanh", "erf": "erf", "erfc": "erfc", "tail": "erfc",
    "loggamma": "lgamma", "gamma": "gamma",
}


class ScalarPrinter(PythonCodePrinter):
    """Prints scalars; `functions` are those of `math` that it used, `special` SciPy's, `helpers` those to define."""

    def __init__(self):
        super().__init__({"fully_qualified_modules": False})
        self.functions: set[str] = set()
        self.special: set[str] = set()
        self.helpers: set[str] = set()

    def of(self, expr: Expr) -> str:
        """Return one expression as Python.

        Raises
        ------
        DerivationError
            A function that this style does not know.
        """
        return self.doprint(expr)

    def _print_Function(self, expr):
        name = expr.func.__name__
        if name in MATH:
            self.functions.add(MATH[name])
            return f"{MATH[name]}({', '.join(map(self._print, expr.args))})"
        raise DerivationError(f"{expr} has the function {name}, which the style scalar cannot print; use plain")

    _print_exp = _print_log = _print_log1p = _print_expm1 = _print_tanh = _print_Function
    _print_sin = _print_cos = _print_tan = _print_sinh = _print_cosh = _print_Function
    _print_asin = _print_acos = _print_atan = _print_asinh = _print_acosh = _print_atanh = _print_Function
    _print_atan2 = _print_erf = _print_erfc = _print_loggamma = _print_gamma = _print_Function

    def _print_polygamma(self, expr):
        order, x = expr.args
        name, args = ("digamma", (x,)) if order == 0 else ("polygamma", (order, x))
        self.special.add(name)
        return f"float({name}({', '.join(map(self._print, args))}))"

    def _print_relu(self, expr):
        [x] = expr.args
        text = self._print(x)
        return f"({text} if {text} > 0 else 0.0)" if isinstance(x, Symbol) else f"max({text}, 0.0)"

    def _print_step(self, expr):
        return f"(1.0 if {self._print(expr.args[0])} > 0 else 0.0)"

    def _print_at_zero(self, expr):
        return f"(1.0 if {self._print(expr.args[0])} == 0 else 0.0)"

    def _print_half_step(self, expr):
        text = self._print(expr.args[0])
        return f"(1.0 if {text} > 0 else 0.5 if {text} == 0 else 0.0)"

    def _print_sign(self, expr):
        text = self._print(expr.args[0])
        return f"(1.0 if {text} > 0 else -1.0 if {text} < 0 else 0.0)"

    def _print_special(self, expr):
        name = expr.func.__name__
        self.special.add(SPECIAL[name].partition("(")[0])
        return f"float({SPECIAL[name].format(*map(self._print, expr.args))})"

    _print_erfi = _print_erfinv = _print_erfcinv = _print_Ei = _print_Si = _print_Ci = _print_special
    _print_fresnels = _print_fresnelc = _print_expint = _print_jn = _print_special

    def _print_log_ndtr(self, expr):
        self.special.add(expr.func.__name__)
        return f"float({expr.func.__name__}({self._print(expr.args[0])}))"

    _print_erfcx = _print_log_ndtr

    def _print_helper(self, expr):
        self.helpers.add(name := f"_{expr.func.__name__}")
        return f"{name}({self._print(expr.args[0])})"

    _print_sech = _print_sinc = _print_sigmoid = _print_slope = _print_softplus = _print_helper

    def _print_Heaviside(self, expr):
        x, at = map(self._print, expr.args)
        return f"(1.0 if {x} > 0 else {at} if {x} == 0 else 0.0)"

    def _print_logaddexp(self, expr):
        return f"({self._print(expr.written_out())})"

    def _print_grouped(self, expr):
        return f"({self._print(expr.args[0])})"

    def _print_finite(self, expr):
        return f"max({self._print(expr.args[0])}, -1e307)"

    def _print_positive(self, expr):
        return f"max({self._print(expr.args[0])}, 1.0)"

    def _print_largest(self, expr):
        return f"max({', '.join(map(self._print, expr.args))})"

    _print_Max = _print_largest

    def _print_place_of(self, expr):
        items = ", ".join(map(self._print, expr.args))
        return f"max(range({len(expr.args)}), key=({items},).__getitem__)"

    def _print_select(self, expr):
        label, *items = map(self._print, expr.args)
        return f"({', '.join(items)},)[{label}]"

    def _print_is_label(self, expr):
        label, place = map(self._print, expr.args)
        return f"(1.0 if {label} == {place} else 0.0)"          # not what == gives: NumPy's booleans add up to True

    def _print_Infinity(self, expr):
        self.functions.add("inf")
        return "inf"

    def _print_NegativeInfinity(self, expr):
        self.functions.add("inf")
        return "-inf"

    def _print_Pi(self, expr):
        self.functions.add("pi")
        return "pi"

    def _print_Float(self, expr):
        return repr(float(expr))

    def _print_Integer(self, expr):
        return repr(float(expr)) if is_long(expr) else str(expr)

    def parenthesize(self, item, level, strict=False):
        """Return an operand's text, in brackets where they are needed: a square is printed as a product."""
        if _is_square_of_name(item):
            return f"({self._print(item)})"
        return super().parenthesize(item, level, strict)

    def _print_Pow(self, expr, rational=False):
        if _is_square_of_name(expr):
            text = self._print(expr.base)
            return f"{text}*{text}"
        if abs(expr.exp) == S.Half:
            self.functions.add("sqrt")
            root = f"sqrt({self._print(expr.base)})"
            return root if expr.exp > 0 else f"1/{root}"
        return super()._print_Pow(expr, rational=False)

    def _print_Mul(self, expr):
        """Print a product; where a step is among its factors, the rest counts only where it is 1."""
        steps = [f for f in expr.args if f.func.__name__ == "step"]
        if not steps:
            return super()._print_Mul(expr)
        rest = self._print(Mul(*(f for f in expr.args if f not in steps)))
        conditions = " and ".join(f"{self.parenthesize(f.args[0], PRECEDENCE['Relational'])} > 0" for f in steps)
        return f"({rest} if {conditions} else 0.0)"


def _is_square_of_name(expr):
    return expr.is_Pow and expr.exp == 2 and isinstance(expr.base, Symbol)
