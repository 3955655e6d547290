"""What paper says, in numbers: the printer's verbs on arrays instead of on text, and equations evaluated term by term.

`Numbers` is a third style beside LaTeX and text. It computes what a formula in matrix notation means (vectors are
columns, what stands side by side is multiplied as matrices), so that it can be compared with the equation printed.
"""

import math
import operator
from dataclasses import dataclass
from itertools import product

import numpy as np
import sympy
from sympy import Add, Idx, Indexed, KroneckerDelta, Mul, Piecewise, Pow, Sum, Symbol
from sympy.logic.boolalg import And, Not, Or

from derive.binders import ArgMaximum, LogSumExp, Maximum, Product, is_binder
from derive.determinants import Determinant, LogDeterminant
from derive.paper.pieces import Piece
from derive.paper.styles import Style

ELEMENTWISE = {
    "exp": math.exp, "log": math.log, "tanh": math.tanh, "sin": math.sin, "cos": math.cos, "Abs": abs, "erf": math.erf,
    "sinh": math.sinh, "cosh": math.cosh, "tan": math.tan, "atan": math.atan, "arctan": math.atan,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)), "softplus": lambda x: math.log1p(math.exp(x)),
    "relu": lambda x: max(x, 0.0), "step": lambda x: float(x > 0), "at_zero": lambda x: float(x == 0),
    "half_step": lambda x: float(x > 0) + 0.5 * (x == 0), "sign": lambda x: float(np.sign(x)), "floor": math.floor,
    "ceiling": math.ceil, "asinh": math.asinh, "acos": math.acos, "asin": math.asin, "acosh": math.acosh,
    "atanh": math.atanh, "loggamma": math.lgamma, "digamma": lambda x: float(sympy.digamma(x)),
    "expm1": math.expm1, "log1p": math.log1p, "polygamma": lambda n, x: float(sympy.polygamma(n, x)),
}
COMPARED = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class Value(Piece):
    """A piece that knows its value: a number, or an array of two axes."""

    value: object = None


class Numbers(Style):
    """Matrix notation, computed; given the values of all arrays and sizes."""

    def __init__(self, names, arrays, sizes):
        super().__init__(names)
        self.arrays, self.sizes = arrays, sizes

    @staticmethod
    def value(value):
        """Return a piece with a value."""
        return Value("", value=value)

    def variable(self, name):
        """A column, a matrix, a number."""
        value = as_matrix(self.arrays[name])
        turned = self.in_columns and np.ndim(self.arrays[name]) == 2
        return Value(name, rank=self.rank(name), value=np.transpose(value) if turned else value)

    def size(self, name):
        """The number."""
        return self.value(self.sizes[name])

    def number(self, digits):
        """The number."""
        return self.value(float(digits))

    def constant(self, name):
        """The number."""
        return self.value({"pi": math.pi, "e": math.e, "inf": math.inf}[name])

    def add(self, terms):
        """Equal shapes, or numbers beside arrays."""
        values = [-t.piece.value if t.negative else t.piece.value for t in terms]
        shapes = {np.shape(v) for v in values if np.ndim(v)}
        assert len(shapes) <= 1, f"summands of the shapes {shapes}"
        return self.value(sum(values))

    def scaled(self, coefficient, x):
        """A number times anything."""
        return self.value(coefficient.value * x.value)

    def times(self, factors):
        """Matrix products; numbers and 1 x 1 matrices scale."""
        result = 1.0
        for f in factors:
            scalar = np.size(result) == 1 or np.size(f.value) == 1
            result = _scalar(result) * f.value if np.size(result) == 1 else \
                result * _scalar(f.value) if scalar else result @ f.value
        return self.value(result)

    def scalar_times(self, factors):
        """Numbers."""
        assert sum(np.size(f.value) > 1 for f in factors) <= 1
        return self.value(math.prod(_scalar(f.value) for f in factors))

    def hadamard(self, factors):
        """Equal shapes."""
        assert len({np.shape(f.value) for f in factors}) == 1, "elementwise product of different shapes"
        return self.value(math.prod(f.value for f in factors))

    def divided(self, top, bottom):
        """Equal shapes, or 1 above."""
        assert np.ndim(top.value) == 0 or np.shape(top.value) == np.shape(bottom.value)
        return self.value(top.value / bottom.value)

    def fraction(self, top, bottom, small=False):
        """Numbers."""
        return self.value(_scalar(top.value) / _scalar(bottom.value))

    def power(self, base, exponent):
        """Entry by entry; of a diagonal matrix, on its diagonal."""
        if base.text == "diag":
            return self.value(np.diag(np.diag(base.value) ** exponent.value))
        return self.value(base.value ** exponent.value)

    def root(self, x):
        """Entry by entry."""
        return self.value(np.sqrt(x.value))

    def call(self, name, args):
        """Entry by entry; a trace and determinants of the whole."""
        if name == "tr":
            return self.value(float(np.trace(args[0].value)))
        if name in ("det", "logdet"):
            return self.value(_determinant(name, args[0].value))
        if name in ("max", "min"):
            return self.value((np.maximum if name == "max" else np.minimum)(*(a.value for a in args)))
        return self.value(np.vectorize(ELEMENTWISE[name], otypes=[float])(args[0].value))

    def prefix(self, name, x):
        """Entry by entry."""
        return self.call(name, [x])

    def exponential(self, x):
        """Entry by entry."""
        return self.call("exp", [x])

    def absolute(self, x):
        """Entry by entry."""
        return self.value(np.abs(x.value))

    def floor(self, x, word="floor"):
        """The number."""
        return self.value(math.floor(x.value) if word == "floor" else math.ceil(x.value))

    def solidus(self, top, bottom):
        """Numbers."""
        return self.fraction(top, bottom)

    def relation(self, symbol, left, right, *more):
        """Entry by entry."""
        compare = {"=": np.equal, ">": np.greater, "<": np.less, ">=": np.greater_equal, "<=": np.less_equal}[symbol]
        return self.value(compare(left.value, right.value))

    def bracket(self, condition):
        """1 or 0."""
        return self.value(condition.value * 1.0)

    def transposed(self, x):
        """The transpose."""
        return self.value(np.transpose(x.value))

    def ones(self, size):
        """A column."""
        return self.value(np.ones((int(_scalar(size.value)), 1)))

    def identity(self, size):
        """A square matrix."""
        return self.value(np.eye(int(_scalar(size.value))))

    def diagonal(self, x):
        """A square matrix."""
        assert np.shape(x.value)[1] == 1, "diag of what is no column"
        return Value("diag", value=np.diag(x.value[:, 0]))

    def inner(self, x, y):
        """Equal shapes."""
        assert np.shape(x.value) == np.shape(y.value), "inner product of different shapes"
        return self.value(float(np.sum(x.value * y.value)))

    def enclosed(self, piece):
        """No text."""
        raise AssertionError

    entry = position = index = logic = fits_in_cases = cases = total = hadamard    # not of matrix notation


def as_matrix(array):
    """Return a vector as a column."""
    return array[:, None] if np.ndim(array) == 1 else array


def _scalar(value):
    return float(np.reshape(value, ())) if np.size(value) == 1 else value


# ---- equations, term by term


def evaluate(expr, arrays, sizes, at=None):
    """Return the number that an expression over indices is, at given values of the free ones."""
    at = at or {}
    if isinstance(expr, Idx):
        return at[expr]
    if isinstance(expr, Indexed):
        place = tuple(int(evaluate(i, arrays, sizes, at)) for i in expr.indices)
        return arrays[expr.base.name][place]
    if isinstance(expr, Symbol):
        return sizes[expr.name] if expr.name in sizes else arrays[expr.name]
    if is_binder(expr):
        return _binder(expr, arrays, sizes, at)
    if isinstance(expr, Piecewise):
        return next(evaluate(v, arrays, sizes, at) for v, c in expr.args if holds(c, arrays, sizes, at))
    if isinstance(expr, sympy.Number | sympy.NumberSymbol):
        return float(expr)
    values = [evaluate(a, arrays, sizes, at) for a in expr.args]
    if isinstance(expr, KroneckerDelta):
        return float(values[0] == values[1])
    if isinstance(expr, Add | Mul):
        return sum(values) if isinstance(expr, Add) else math.prod(values)
    if isinstance(expr, Pow):
        return values[0] ** values[1]
    if isinstance(expr, sympy.Max | sympy.Min):
        return (max if isinstance(expr, sympy.Max) else min)(values)
    return ELEMENTWISE[type(expr).__name__](values[0])


def _binder(expr, arrays, sizes, at):
    ranges = [range(int(evaluate(low, arrays, sizes, at)), int(evaluate(high, arrays, sizes, at)) + 1)
              for _, low, high in expr.limits]
    bound = [limit[0] for limit in expr.limits]
    terms = [
        evaluate(expr.function, arrays, sizes, at | dict(zip(bound, place, strict=True))) for place in product(*ranges)
    ]
    if isinstance(expr, Sum):
        return sum(terms)
    if isinstance(expr, LogSumExp):
        return math.log(sum(map(math.exp, terms)))
    if isinstance(expr, Product):
        return math.prod(terms)
    if isinstance(expr, Determinant):
        value = np.linalg.det(np.reshape(terms, [len(r) for r in ranges]))
        return math.log(abs(value)) if isinstance(expr, LogDeterminant) else value
    if isinstance(expr, Maximum):
        return max(terms)
    assert isinstance(expr, ArgMaximum)
    order = list(product(*ranges[::-1]))                    # the last limit is the slowest
    by_place = dict(zip(product(*ranges), terms, strict=True))
    return int(np.argmax([by_place[place[::-1]] for place in order]))


def _determinant(word, matrix):
    """Return the determinant of a matrix, or the logarithm of its absolute value."""
    value = np.linalg.det(matrix)
    return float(np.log(abs(value))) if word == "logdet" else float(value)


def holds(condition, arrays, sizes, at):
    """Tell whether a condition holds."""
    if condition in (True, False, sympy.true, sympy.false):
        return bool(condition)
    if isinstance(condition, And | Or):
        return (all if isinstance(condition, And) else any)(holds(a, arrays, sizes, at) for a in condition.args)
    if isinstance(condition, Not):
        return not holds(condition.args[0], arrays, sizes, at)
    left, right = (evaluate(a, arrays, sizes, at) for a in condition.args)
    return COMPARED[condition.rel_op](left, right)


def array_of(equation, arrays, sizes):
    """Return the array that an equation defines."""
    ranges = [range(int(evaluate(i.upper, arrays, sizes)) + 1) for i in equation.indices]
    result = np.zeros([len(r) for r in ranges])
    for place in product(*ranges):
        result[place] = evaluate(equation.rhs, arrays, sizes, dict(zip(equation.indices, place, strict=True)))
    return result if equation.indices else float(result)

