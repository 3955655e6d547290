"""Matrix algebra in: a stock SymPy matrix expression, read at a row and a column, is an index expression.

`entry(A*X, i, j, name_index)` is `Sum(A[i, k]*X[k, j], k)`. An axis of size 1 is no axis of ours: a column x of shape
(n, 1) is read as x[i], and what is 1 by 1 is a scalar. Nothing is differentiated here.
"""

from collections.abc import Callable
from functools import singledispatch

from sympy import (
    Abs,
    Add,
    Basic,
    Determinant,
    DiagonalMatrix,
    DiagonalOf,
    Dummy,
    Expr,
    HadamardPower,
    HadamardProduct,
    Identity,
    Idx,
    KroneckerDelta,
    KroneckerProduct,
    MatAdd,
    MatMul,
    MatPow,
    MatrixExpr,
    MatrixSlice,
    MatrixSymbol,
    Mul,
    OneMatrix,
    S,
    Sum,
    Symbol,
    Trace,
    Transpose,
    ZeroMatrix,
    expand,
    log,
)
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.diagonal import DiagMatrix
from sympy.matrices.expressions.dotproduct import DotProduct
from sympy.matrices.expressions.matexpr import MatrixElement

from .determinants import Determinant as OfEntries
from .determinants import LogDeterminant as LogOfEntries
from .errors import DefinitionError
from .program import base_of
from .terms import apart, free_indices, index_names

Namer = Callable[[Expr, frozenset], Idx]        # a fresh index for a size, given the names in scope


def is_algebra(value) -> bool:
    """Tell whether whole matrices of SymPy's stand in an expression."""
    return isinstance(value, Basic) and value.has(MatrixExpr, DotProduct)


def shape_without_ones(shape: tuple) -> tuple[Expr, ...]:
    """Return the sizes of the axes that are indexed."""
    return tuple(size for size in shape if size != 1)


def axes_of(value: Expr) -> tuple[Expr, ...]:
    """Return the sizes of the axes of a matrix expression: two of a matrix, one of a vector, none of a scalar."""
    return shape_without_ones(value.shape) if isinstance(value, MatrixExpr) else ()


def indexed(value: Expr, indices: tuple, name_index: Namer) -> Expr:
    """Return the scalar that a matrix expression has at the indices of its axes.

    Raises
    ------
    DefinitionError
        A kind of matrix expression that has no index notation here.
    """
    scope = frozenset(i.name for i in indices)
    if not isinstance(value, MatrixExpr):
        return _scalar(value, name_index, scope)
    own = iter(indices)
    row, column = (S.Zero if size == 1 else next(own) for size in value.shape)
    return entry(value, row, column, name_index, scope)


@singledispatch
def entry(matrix: Basic, row: Expr, column: Expr, name: Namer, scope: frozenset) -> Expr:
    """Return the entry of a matrix expression at a row and a column, no bound index by a name in scope."""
    raise DefinitionError(f"{matrix} is a {type(matrix).__name__}, which has no index notation; write it in products, "
                          "sums, powers, transposes, Hadamard products, traces, inverses and determinants")


@entry.register
def _(matrix: MatrixSymbol, row, column, name, scope):
    shape = shape_without_ones(matrix.shape)
    base = base_of(matrix.name, shape)
    indices = tuple(i for i, size in zip((row, column), matrix.shape, strict=True) if size != 1)
    return base[indices] if shape else base


@entry.register
def _(matrix: MatAdd, row, column, name, scope):
    return Add(*(entry(a, row, column, name, scope) for a in matrix.args))


@entry.register
def _(matrix: MatMul, row, column, name, scope):
    scalars = [_scalar(a, name, scope) for a in matrix.args if not isinstance(a, MatrixExpr)]
    factors = [a for a in matrix.args if isinstance(a, MatrixExpr)]
    if sum(isinstance(f, Transpose) for f in factors) > len(factors) / 2:     # X'A' is read as (AX)', so both are alike
        row, column, factors = column, row, [f.T for f in reversed(factors)]
    return Mul(*scalars, _chain(factors, row, column, name, scope))


def _chain(factors, row, column, name, scope):
    """Return an entry of a product of matrices: one sum over all that is between them."""
    bound: list[Idx] = []
    places = [row]
    for left in factors[:-1]:
        inner = S.Zero if left.cols == 1 else name(left.cols, scope)
        if inner != 0:
            scope, bound = scope | {inner.name}, [*bound, inner]
        places.append(inner)
    places.append(column)
    entries = [entry(f, places[k], places[k + 1], name, scope) for k, f in enumerate(factors)]
    return summed(Mul(*entries), bound)


@entry.register
def _(matrix: MatPow, row, column, name, scope):
    base, power = matrix.args
    if matrix.shape == (1, 1):
        return entry(base, row, column, name, scope) ** _scalar(power, name, scope)
    if not power.is_Integer or power < 1:
        raise DefinitionError(f"{matrix} has the power {power}; expected an integer of 1 or more")
    return _chain([base] * int(power), row, column, name, scope)


@entry.register
def _(matrix: Transpose, row, column, name, scope):
    return entry(matrix.arg, column, row, name, scope)


@entry.register
def _(matrix: HadamardProduct, row, column, name, scope):
    return Mul(*(entry(a, row, column, name, scope) for a in matrix.args))


@entry.register
def _(matrix: HadamardPower, row, column, name, scope):
    base, power = (_either(a, row, column, name, scope) for a in matrix.args)
    return base**power


@entry.register
def _(matrix: ElementwiseApplyFunction, row, column, name, scope):
    return matrix.function(entry(matrix.expr, row, column, name, scope))


@entry.register
def _(matrix: OneMatrix, row, column, name, scope):
    return S.One


@entry.register
def _(matrix: ZeroMatrix, row, column, name, scope):
    return S.Zero


@entry.register
def _(matrix: Identity, row, column, name, scope):
    return KroneckerDelta(row, column)


@entry.register
def _(matrix: DiagMatrix, row, column, name, scope):
    return KroneckerDelta(row, column) * _component(matrix.args[0], row, name, scope)


@entry.register
def _(matrix: DiagonalMatrix, row, column, name, scope):
    return KroneckerDelta(row, column) * entry(matrix.arg, row, row, name, scope)


@entry.register
def _(matrix: DiagonalOf, row, column, name, scope):
    return entry(matrix.arg, row, row, name, scope)


@entry.register
def _(matrix: MatrixSlice, row, column, name, scope):
    rows, columns = ((first + step * i) for i, (first, _, step) in
                     zip((row, column), (matrix.rowslice, matrix.colslice), strict=True))
    return entry(matrix.parent, rows, columns, name, scope)


@entry.register
def _(matrix: KroneckerProduct, row, column, name, scope):
    """At row i = a*p + b and column j = c*q + d, left[a, c]*right[b, d]: the brackets stay until a sum solves them."""
    left, right = matrix.args[0], matrix.func(*matrix.args[1:]) if len(matrix.args) > 2 else matrix.args[1]
    bound: list[Idx] = []
    brackets, places = [], []
    for whole, outer, inner in zip((row, column), left.shape, right.shape, strict=True):
        pair = []
        for size in (outer, inner):
            pair.append(S.Zero if size == 1 else name(size, scope | {i.name for i in bound}))
            bound += [pair[-1]] if size != 1 else []
        places.append(pair)
        brackets += [KroneckerDelta(whole, pair[0] * inner + pair[1])]
    scope |= {i.name for i in bound}
    (a, b), (c, d) = places
    return summed(Mul(entry(left, a, c, name, scope), entry(right, b, d, name, scope), *brackets), bound)


# ---- scalars


def _either(value, row, column, name, scope):
    return entry(value, row, column, name, scope) if isinstance(value, MatrixExpr) else _scalar(value, name, scope)


def _scalar(value: Expr, name: Namer, scope: frozenset) -> Expr:
    """Return a scalar expression with the matrices in it read at indices."""
    if isinstance(value, MatrixExpr):
        if value.shape != (1, 1):
            raise DefinitionError(f"{value} has shape {value.shape} and stands where a scalar does; "
                                  "take its Trace, an entry, or applyfunc for a function of each entry")
        return entry(value, S.Zero, S.Zero, name, scope)
    if isinstance(value, Trace):
        index = S.Zero if value.arg.rows == 1 else name(value.arg.rows, scope)
        inside = scope | ({index.name} if index != 0 else set())
        return summed(entry(value.arg, index, index, name, inside), [index] if index != 0 else [])
    if isinstance(value, log) and isinstance(inside := _without_abs(value.args[0]), Determinant):
        return _determinant(LogOfEntries, inside, name, scope)
    if isinstance(value, Determinant):
        return _determinant(OfEntries, value, name, scope)
    if isinstance(value, DotProduct):
        return _dot(value.args[0], value.args[1], name, scope)
    if isinstance(value, MatrixElement):
        matrix, row, column = value.args
        return entry(matrix, row, column, name, scope)
    if isinstance(value, Sum):
        return _total(value, name, scope)
    if isinstance(value, Symbol | Idx) or not value.args:
        return value
    return value.func(*(_scalar(a, name, scope) if isinstance(a, Expr) else a for a in value.args))


def _without_abs(value):
    return value.args[0] if isinstance(value, Abs) else value


def _determinant(binder, value, name, scope):
    """Return a determinant, or the logarithm of its absolute value, over the entries of a matrix."""
    row = name(value.arg.rows, scope)
    column = name(value.arg.rows, scope | {row.name})
    return binder(entry(value.arg, row, column, name, scope | {row.name, column.name}), row, column)


def _dot(left, right, name, scope):
    index = name(max(left.shape, key=lambda s: s != 1), scope)
    scope |= {index.name}
    return summed(Mul(*(_component(v, index, name, scope) for v in (left, right))), [index])


def _component(vector, index, name, scope):
    """Return an entry of a column or a row."""
    row, column = (index, S.Zero) if vector.shape[1] == 1 else (S.Zero, index)
    return entry(vector, row, column, name, scope)


def _total(total, name, scope):
    """Return a sum with plain symbols for indices, as SymPy writes entries of products, over our indices."""
    body, limits = total.function, []
    for index, low, high in total.limits:
        ours = index
        if not isinstance(index, Idx):
            ours = Idx(Symbol(name(high - low + 1, scope).name if isinstance(index, Dummy) or index.name[0] == "_"
                              else index.name, integer=True), (low, high))
            body = body.xreplace({index: ours})
        scope |= {ours.name}
        limits.append(ours)
    return summed(_scalar(body, name, scope), limits)


# ---- sums


def summed(body: Expr, bound: list[Idx]) -> Expr:
    """Return a sum, sums among its factors taken along, and Kronecker deltas that fix one of its indices gone."""
    if not bound:
        return body
    bound, factors, taken = list(bound), [], index_names(body) | {i.name for i in bound}
    for f in Mul.make_args(body):
        if isinstance(f, Sum):
            f = apart(f, taken)
            taken |= index_names(f)
            bound += [limit[0] for limit in f.limits]
            f = f.function
        factors += Mul.make_args(f)
    return _with_deltas_solved(Mul(*factors), bound)


def _with_deltas_solved(body, bound):
    for delta in [f for f in Mul.make_args(body) if isinstance(f, KroneckerDelta)]:
        for index in [i for i in bound if i in delta.args]:
            other = next((a for a in delta.args if a != index), index)
            if _runs_over(other, index):
                rest = Mul(*(f for f in Mul.make_args(body) if f != delta)).xreplace({index: other})
                others = [i for i in bound if i != index]
                return _with_deltas_solved(rest.replace(KroneckerDelta, _digit_by_digit), others)
    seen = free_indices(body)
    bound.sort(key=lambda i: seen.index(i) if i in seen else len(seen))
    return Sum(body, *bound) if bound else body


def _runs_over(place, index):
    """Tell whether a place stays in the range of an index: 0, an index of this range, or N*i + j with j below N."""
    if place == 0 or (isinstance(place, Idx) and place.upper == index.upper):
        return True
    digits = _digits(place)
    return digits is not None and expand(digits[0].upper * digits[2] + digits[1].upper - index.upper) == 0


def _digits(place):
    """Return (i, j, N) of a place N*i + j, j running below N; None for another."""
    for low in place.args if place.is_Add and len(place.args) == 2 else ():
        size = low.upper + 1 if isinstance(low, Idx) else S.Zero
        high = (place - low) / size if size != 0 else low
        if isinstance(high, Idx) and high != low:
            return high, low, size
    return None


def _digit_by_digit(a, b):
    """Return [N*i + j = N*k + l] as [i = k]*[j = l]."""
    left, right = _digits(a), _digits(b)
    if left and right and left[2] == right[2]:
        return KroneckerDelta(left[0], right[0]) * KroneckerDelta(left[1], right[1])
    return KroneckerDelta(a, b)
