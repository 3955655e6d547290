"""Right-hand sides as functions of arrays: every index is an axis, a read is a look-up, a sum is a sum over axes.

`compiled(expr, context)` gives a function of a `Scope`; its result broadcasts to one axis for each index in context.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from sympy import (
    ITE,
    Add,
    And,
    Expr,
    Idx,
    Indexed,
    Integer,
    KroneckerDelta,
    Mod,
    Mul,
    Not,
    Or,
    Piecewise,
    Pow,
    Sum,
    Symbol,
    ceiling,
    erfinv,
    exp,
    floor,
    jn,
)
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanAtom

from derive.binders import ArgMaximum, LogSumExp, Maximum, Product, is_binder
from derive.determinants import Determinant, LogDeterminant

from ..positions import boxed

MOST_CELLS = 3_000_000          # of one broadcast
MOST_FIXED = 20_000             # of what is kept of one point
FUNCTIONS: dict[str, Callable] = {
    "exp": np.exp, "log": np.log, "tanh": np.tanh, "sin": np.sin, "cos": np.cos, "tan": np.tan, "sinh": np.sinh,
    "cosh": np.cosh, "atan": np.arctan, "atan2": np.arctan2, "asinh": np.arcsinh, "Abs": np.abs, "sign": np.sign,
    "floor": np.floor, "ceiling": np.ceil, "relu": lambda x: np.maximum(x, 0.0),
    "step": lambda x: np.where(x > 0, 1.0, 0.0),
    "half_step": lambda x: np.heaviside(x, 0.5), "at_zero": lambda x: np.where(x == 0, 1.0, 0.0),
    "sigmoid": lambda x: 0.5 + 0.5 * np.tanh(0.5 * x), "softplus": lambda x: np.logaddexp(0.0, x),
    "Heaviside": lambda x, at=0.5: np.heaviside(x, at), "erf": np.vectorize(math.erf, otypes=[float]),
    "loggamma": np.vectorize(lambda x: _number(math.lgamma, np.inf, x), otypes=[float]),
    "sinc": lambda x: np.sinc(x / np.pi), "jn": np.vectorize(lambda n, x: _spherical(int(n), x), otypes=[float]),
    "erf2": np.vectorize(lambda x, y: math.erf(y) - math.erf(x), otypes=[float]),
    "erfcinv": np.vectorize(lambda x: _number(lambda x: erfinv(1 - x), np.nan, x), otypes=[float]),
}  # fmt: skip
RELATIONS = {
    ">=": np.greater_equal, ">": np.greater, "<=": np.less_equal, "<": np.less, "==": np.equal, "!=": np.not_equal,
}  # fmt: skip
Code = Callable[["Scope"], Any]


@dataclass
class Scope:
    """The arrays by name, which of them are states (their first row is -1), and the sizes."""

    values: dict[str, Any]
    states: frozenset[str]
    sizes: Mapping[Symbol, int]
    numbers: dict[Expr, int] = field(default_factory=dict)
    fixed: dict[object, Any] = field(default_factory=dict)      # what depends on the sizes alone, by its code

    def number(self, expr: Expr) -> int:
        """Return the value of an expression in the sizes."""
        if expr not in self.numbers:
            self.numbers[expr] = int(expr.xreplace({s: Integer(n) for s, n in self.sizes.items()}))
        return self.numbers[expr]

    def keep(self, key: object, found: Any) -> None:
        """Keep what depends on the sizes alone."""
        if len(self.fixed) > MOST_FIXED:
            self.fixed.clear()
        self.fixed[key] = found

    def is_fixed(self, expr: Expr) -> bool:
        """Tell whether none of the numbers in an expression is a value."""
        return not any(s.name in self.values for s in expr.free_symbols if s.is_Symbol and s not in self.sizes)


@lru_cache(maxsize=50_000)
def compiled(expr: Expr, context: tuple[Idx, ...]) -> Code:
    """Return the function of a scope that an expression is.

    Raises
    ------
    NotImplementedError
        A binder or function that is not evaluated entry by entry.
    """
    if expr.is_Number or expr.is_NumberSymbol:
        constant = int(expr) if expr.is_Integer else float(expr)
        return lambda scope: constant
    code = _code(expr, context)
    return _once(code, expr) if _may_be_fixed(expr) else code


def _may_be_fixed(expr):
    """Tell whether an expression is of integers without a place: indices and sizes, or labels that are one number."""
    return not expr.has(Indexed) and all(s.is_integer for s in expr.free_symbols)


def _once(code, expr):
    """Return code that is run once for each scope, where it is of indices and sizes alone."""
    key = object()

    def fixed(scope):
        found = scope.fixed.get(key)
        if found is None:
            found = code(scope)
            if scope.is_fixed(expr):
                scope.keep(key, found)
        return found

    return fixed


def _code(expr, context):
    if isinstance(expr, Idx):
        return _index(expr, context)
    if isinstance(expr, Indexed):
        return _read(expr, context)
    if isinstance(expr, Symbol):
        name = expr.name
        return lambda scope: scope.sizes[expr] if expr in scope.sizes else scope.values[name]
    if is_binder(expr):
        return _bound(expr, context)
    if isinstance(expr, Piecewise):
        return _chosen(expr, context)
    if isinstance(expr, BooleanAtom):
        return lambda scope: bool(expr)
    return _applied(expr, [compiled(a, context) for a in expr.args], context)


def _applied(expr, args, context):
    """Return a function or an operation applied to compiled arguments."""
    if isinstance(expr, Add | Mul):
        return _folded(np.add if isinstance(expr, Add) else np.multiply, args)
    if isinstance(expr, And | Or):
        return _folded(np.logical_and if isinstance(expr, And) else np.logical_or, args)
    if isinstance(expr, Not):
        return lambda scope: np.logical_not(args[0](scope))
    if isinstance(expr, ITE):
        return lambda scope: np.where(*(a(scope) for a in args))
    if isinstance(expr, Pow):
        return lambda scope: _power(args[0](scope), args[1](scope))
    if isinstance(expr, KroneckerDelta):
        return lambda scope: np.where(np.equal(args[0](scope), args[1](scope)), 1.0, 0.0)
    if isinstance(expr, Relational):
        relation = RELATIONS[expr.rel_op]
        return lambda scope: relation(args[0](scope), args[1](scope))
    if isinstance(expr, floor | ceiling) and (parts := _divided(expr.args[0])):
        return _rounded(isinstance(expr, floor), *(compiled(p, context) for p in parts))
    if isinstance(expr, Mod):                   # of integers an integer, at which arrays may be read
        return lambda scope: np.mod(*(a(scope) for a in args))
    if isinstance(expr, exp) and isinstance(expr.args[0], Add):
        return _exponential([compiled(a, context) for a in expr.args[0].args])
    name = type(expr).__name__
    if name in ("Max", "Min"):
        return _folded(np.maximum if name == "Max" else np.minimum, args)
    if isinstance(expr, AppliedUndef) or not expr.is_Function:
        raise NotImplementedError(f"{name} is not evaluated entry by entry")
    function = FUNCTIONS.get(name) or np.vectorize(lambda *x: _number(expr.func, np.nan, *x), otypes=[float])
    return lambda scope: function(*(np.asarray(a(scope), float) for a in args))


def _spherical(n, x):
    """Return the spherical Bessel function j_n(x), also of a negative x, of which SymPy takes another branch."""
    return _number(jn, np.nan, n, abs(x)) * (-1 if x < 0 and n % 2 else 1)


def _number(function, otherwise, *arguments):
    """Return a function's value as a number, another one where it has none: at a pole, or where it is complex."""
    try:
        return float(function(*arguments))
    except (ValueError, TypeError, OverflowError):
        return otherwise


def _divided(expr):
    """Return the dividend and the divisor of a quotient of integers, () of anything else."""
    parts = expr.as_numer_denom()
    return parts if all(p.is_integer for p in parts) else ()


def _rounded(down, above, below):
    """Return a quotient of integers rounded down or up, an integer: in floats 1/49 of 49 is less than 1."""
    if down:
        return lambda scope: above(scope) // below(scope)
    return lambda scope: -(-above(scope) // below(scope))


def _folded(operation, args):
    def code(scope):
        result = args[0](scope)
        for a in args[1:]:
            result = operation(result, a(scope))
        return result

    return code


def _exponential(terms):
    """Return exp of a sum, 0 where a term is -inf: what is masked has no share, also where all others are masked."""
    def code(scope):
        values = [np.asarray(t(scope), float) for t in terms]
        total = sum(values)
        if np.isnan(total).any():
            total = np.where(np.logical_or.reduce(np.broadcast_arrays(*(v == -np.inf for v in values))), -np.inf, total)
        return np.exp(total)

    return code


def _power(base, exponent):
    if isinstance(exponent, int) and exponent >= 0:
        return base**exponent
    base = np.asarray(base, float)
    if isinstance(exponent, float) and exponent == 0.5:
        return np.sqrt(base)
    return base ** np.asarray(exponent, float)


def _index(index, context):
    if index not in context:
        raise NotImplementedError(f"{index.name} runs over nothing here")
    shape = [-1 if k == context.index(index) else 1 for k in range(len(context))]
    return lambda scope: np.arange(scope.number(index.lower), scope.number(index.upper) + 1).reshape(shape)


def _read(expr, context):
    """A look-up; a place outside the range is one that some guard does not count."""
    name, places = expr.base.name, [compiled(i, context) for i in expr.indices]
    key, may_be_fixed = object(), all(_may_be_fixed(i) for i in expr.indices)

    def code(scope):
        array = scope.values[name]
        found = scope.fixed.get(key)
        if found is not None:
            return array[found]
        shift = 1 if name in scope.states else 0
        where = []
        for axis, place in enumerate(places):
            at = place(scope) + shift if axis == 0 else place(scope)
            if np.asarray(at).dtype.kind not in "iub":
                raise NotImplementedError(f"{name} is read at what is no integer")
            where.append(np.minimum(np.maximum(at, 0), array.shape[axis] - 1))
        if may_be_fixed and all(scope.is_fixed(i) for i in expr.indices):
            scope.keep(key, tuple(where))
        return array[tuple(where)]

    return code


def _chosen(expr, context):
    branches = [(compiled(c, context), compiled(v, context)) for v, c in reversed(expr.args)]

    def code(scope):
        result: Any = np.nan
        for condition, value in branches:
            result = np.where(condition(scope), value(scope), result)
        return result

    return code


def _bound(expr, context):
    expr = boxed(expr)
    inside = (*context, *(limit[0] for limit in expr.limits))
    reduce, outer = _reduction(expr), len(context)
    body, limits = compiled(expr.function, inside), [(low, high) for _, low, high in expr.limits]

    def code(scope):
        value = np.asarray(body(scope), dtype=float)
        value = value.reshape((1,) * (len(inside) - value.ndim) + value.shape)
        counts = [scope.number(high) - scope.number(low) + 1 for low, high in limits]
        shape = (*value.shape[:outer], *counts)
        if np.prod(shape) > MOST_CELLS:
            raise NotImplementedError(f"{np.prod(shape)} cells in one sum; sizes are too large to try")
        return reduce(np.broadcast_to(value, shape), tuple(range(outer, len(inside))))

    return code


def _reduction(binder):
    if isinstance(binder, Sum):
        return lambda value, axes: value.sum(axis=axes)
    if isinstance(binder, LogSumExp):
        return _log_sum_exp
    if isinstance(binder, ArgMaximum):
        return _place_of_largest
    if isinstance(binder, Maximum):
        return lambda value, axes: value.max(axis=axes)
    if isinstance(binder, Product):
        return lambda value, axes: value.prod(axis=axes)
    if isinstance(binder, LogDeterminant):
        return lambda value, axes: np.linalg.slogdet(value)[1]
    if isinstance(binder, Determinant):
        return lambda value, axes: np.linalg.det(value)
    if hasattr(binder, "reduced"):
        return binder.reduced
    raise NotImplementedError(f"{type(binder).__name__} is not evaluated entry by entry")


def _log_sum_exp(value, axes):
    top = value.max(axis=axes, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    return np.log(np.exp(value - top).sum(axis=axes)) + top.reshape(value.shape[:value.ndim - len(axes)])


def _place_of_largest(value, axes):
    outer = value.shape[:value.ndim - len(axes)]
    return value.transpose(*range(len(outer)), *reversed(axes)).reshape(*outer, -1).argmax(axis=-1)
