"""Array notation: whole arrays in SymPy expressions, and the one function that turns them into indices.

An `Array` is an `IndexedBase` that also knows `@` and `.T`. Everything elementwise is stock SymPy (`X + 1`, `exp(X)`,
`X*Y`), so any expression of one variable serves as an activation. `at(expr, indices)` reads such an expression at
given indices; broadcasting, transposes and products are nothing but the patterns it writes.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import ClassVar

from sympy import (
    Basic,
    Expr,
    Function,
    Idx,
    IndexedBase,
    Integer,
    MatrixBase,
    Mul,
    Pow,
    S,
    Sum,
    Symbol,
    Tuple,
    floor,
)
from sympy import exp as _exp
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanFunction
from sympy.utilities.iterables import NotIterable

from . import misfits, other_words, slicing
from .binders import LogSumExp, Maximum, Product, is_binder
from .conversion import symbolic
from .errors import DefinitionError, MissingMethod
from .functions import softplus
from .terms import MANY, count, free_indices, read_at, subterms, summed

Namer = Callable[[Expr, frozenset], Idx]        # a fresh index for a size, given the names in scope


class ArrayOperators(Expr):
    """What every array-valued expression of ours can do beside SymPy's elementwise operators."""

    is_commutative = True

    def __matmul__(self, other):
        return matmul(self, other)

    def __rmatmul__(self, other):
        return matmul(other, self)

    def __mul__(self, other):
        return super().__mul__(misfits.number(other, _text(self)))

    def __rmul__(self, other):
        return super().__rmul__(misfits.number(other, _text(self)))

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        """Leave arithmetic with NumPy's numbers to SymPy; refuse NumPy's functions."""
        operation = other_words.OPERATORS.get(ufunc.__name__)
        if operation is None or method != "__call__" or options:
            raise DefinitionError(_computing(ufunc.__name__))
        return operation(*map(symbolic, inputs))

    def __array_function__(self, function, *_):
        raise DefinitionError(_computing(function.__name__))

    def __getattr__(self, name):
        found = None if name.startswith("_") else other_words.written(name)
        if found is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        told = f"; write {other_words.of(found, _text(self))}" if found else ""
        raise MissingMethod(f"{_text(self)[:60]} has no .{name}{told}")

    @property
    def T(self):
        """The transpose of a matrix; NumPy's reverses all axes of a stack, which is seldom meant, and refused."""
        if len(shape := shape_of(self)) > 2:
            text = _operand(self)
            raise DefinitionError(f"{text}.T: shape {shape_text(shape)}; write {text}.mT for the last two axes swapped"
                                  ", or read it at indices in another order")
        return Transposed(self)

    @property
    def mT(self):
        """The last two axes swapped."""
        return Transposed(self)

    def _eval_transpose(self):
        raise DefinitionError("sympy.transpose takes arrays for numbers; write .T, or derive's transpose(...)")

    def reshape(self, *_):
        """Refuse: axes keep their names here."""
        raise DefinitionError("arrays keep their axes: sum over several at once, Sum(X[n, i, j] * W[i, j, k], i, j), "
                              "or read the long axis of another array at J*i + j, Sum(X[n, i, j] * w[J*i + j], i, j)")

    flatten = ravel = view = reshape


class Array(ArrayOperators, IndexedBase):
    """A named array: index it (`X[n, d]`) or use it whole. The first row of a state is -1."""

    first_row = 0

    def __new__(cls, label, shape, integer=False):
        if isinstance(label, str):
            label = Symbol(label, integer=True) if integer else Symbol(label, real=True)
        return IndexedBase.__new__(cls, label, shape=tuple(shape))

    def __getitem__(self, indices):
        indices = indices if isinstance(indices, tuple | Tuple) else (indices,)
        if text := [i for i in indices if isinstance(i, str)]:
            raise DefinitionError(f"{self.name} is read at the text {text[0][:40]!r}; read it at indices or numbers")
        if masks := [i for i in indices if isinstance(i, Relational | BooleanFunction)]:
            raise DefinitionError(f"{self.name} is read where {masks[0]}; write Piecewise(({self.name}, {masks[0]}), "
                                  "(0, True)) for what counts there")
        slicing.check_places(self.name, indices)
        self._check_number(indices)
        if slicing.is_slicing(indices, len(self.shape)):
            return Sliced.of(self, indices)
        if len(indices) != len(self.shape):
            raise DefinitionError(
                f"{self.name} has {len(self.shape)} axes, {shape_text(self.shape)}, and is read with {len(indices)} "
                f"indices: {self.name}[{', '.join(map(str, indices))}]{self._with_whole_axes(indices)}"
            )
        for index in indices:
            if isinstance(index, tuple | Tuple):
                raise DefinitionError(f"{self.name} is read at {index}, several indices in one place; unpack them, "
                                      f"`{', '.join(map(str, index))}{',' * (len(index) == 1)} = net.indices(...)`")
        if all(isinstance(i, Expr) for i in indices):
            return read_at(self, *indices)
        return IndexedBase.__getitem__(self, tuple(indices))

    def _with_whole_axes(self, indices):
        """Say how axes are read whole where there are too few indices."""
        rest = len(self.shape) - len(indices)
        if any(isinstance(i, ArrayNode) for i in indices):
            return "; labels that are a part of others are read at indices, E[y[n, 0], d]"
        if rest > 0 and any(isinstance(i, Expr) and i.atoms(Idx) for i in indices):
            return "; give one for each axis, and write products as sums over indices, Sum(X[t, n, j] * W[j, k], j)"
        return f"; {self.name}[{', '.join([*map(str, indices), *':' * rest])}] is a part of it" if rest > 0 else ""

    def _check_number(self, indices):
        """Refuse x[1] where x may have one entry only; Python's own sum(x), list(x), ... end here, not never."""
        if len(indices) != 1 or type(indices[0]) is not int or indices[0] <= 0:
            return
        size, index = self.shape[0], indices[0]
        if size.is_Integer and index >= size:
            raise IndexError(f"{self.name}[{index}]: {self.name} has indices 0 to {size - 1}")
        if not (size - 1 - index).is_nonnegative:
            raise DefinitionError(
                f"{self.name}[{index}]: {self.name} has indices 0 to {size - 1}; for its sum take total({self.name})"
            )

    @property
    def name(self):
        return getattr(self.label, "name", None) or str(self.label)


class ArrayNode(ArrayOperators, NotIterable):
    """An array-valued expression that is not elementwise."""

    def __getitem__(self, indices):
        if isinstance(indices, int) and indices > 0:        # Python's own sum(Z), list(Z), ... end here, not never
            size = shape_of(self)[0]
            if size.is_Integer and indices >= size:
                raise IndexError(f"{_text(self)}[{indices}]: it has indices 0 to {size - 1}")
            if not (size - 1 - indices).is_nonnegative:
                raise DefinitionError(f"{_operand(self)}[{indices}]: it has indices 0 to {size - 1}; "
                                      f"for its sum take total({_text(self)})")
        return Sliced.of(self, indices)

    def _eval_is_real(self):
        return True

    def _eval_is_extended_real(self):
        return True

    def _sympystr(self, printer):
        return _text(self)


class Sliced(ArrayNode):
    """A slice, one place of an axis, a new axis, the rows that labels name: an array, then what stands in brackets."""

    @classmethod
    def of(cls, a, indices):
        """Return an array read the way NumPy does."""
        indices = indices if isinstance(indices, tuple | Tuple) else (indices,)
        return cls(a, slicing.entries(_operand(a), shape_of(a), indices))

    @property
    def shape(self):
        return slicing.shape_after(self.args[1])

    def at(self, indices, name_index):
        a, entries = self.args
        return at(a, slicing.places(entries, indices), name_index)


class MatMul(ArrayNode):
    """a @ b as NumPy has it, vectors and stacks of matrices included."""

    @property
    def shape(self):
        a, b = map(shape_of, self.args)
        if not a or not b:
            told = misfits.of_matrices(self.args)
            raise DefinitionError(f"`@` needs arrays on both sides; it has {_text(self)}{told}")
        inner_b = b[-2] if len(b) > 1 else b[0]
        if a[-1] != inner_b:
            raise DefinitionError(
                f"{_text(self.args[0])} @ {_text(self.args[1])}: shapes {shape_text(a)} and {shape_text(b)}; "
                f"the inner sizes {a[-1]} and {inner_b} should be the same"
            )
        stack = broadcast([a[:-2], b[:-2]], self)
        return stack + a[:-1][-1:] + (b[-1:] if len(b) > 1 else ())

    def at(self, indices, name_index):
        a, b = self.args
        rank_a, rank_b = len(shape_of(a)), len(shape_of(b))
        k = name_index(shape_of(a)[-1], _scope(indices))
        row, column = (indices[:1] if rank_b == 1 else indices[-2:-1]) if rank_a > 1 else (), indices[-1:]
        stack = indices[: len(indices) - (rank_a > 1) - (rank_b > 1)]
        if rank_b == 1:
            stack, row, column = indices[:-1], indices[-1:], ()
        left = at(a, (*stack, *row, k), name_index) if rank_a > 1 else at(a, (k,), name_index)
        right = at(b, (*stack, k, *column), name_index) if rank_b > 1 else at(b, (k,), name_index)
        return summed(left * right, [(k, k.lower, k.upper)])


class Transposed(ArrayNode):
    """The last two axes swapped."""

    @property
    def shape(self):
        shape = shape_of(self.args[0])
        if len(shape) < 2:
            text = _text(self.args[0])
            told = f"; {text}[:, None] is a column, and `@` takes vectors as they are" if shape else ""
            raise DefinitionError(f"{text}.T: shape {shape_text(shape)}; a transpose needs two axes{told}")
        return (*shape[:-2], shape[-1], shape[-2])

    def at(self, indices, name_index):
        return at(self.args[0], (*indices[:-2], indices[-1], indices[-2]), name_index)


class Reduced(ArrayNode):
    """A sum, mean, maximum or log-sum-exp over an axis, several or all; `keep` leaves them with size 1."""

    kinds: ClassVar = {"sum": Sum, "mean": Sum, "maximum": Maximum, "logsumexp": LogSumExp, "product": Product}

    def __new__(cls, kind, a, axis=None, keep=False):
        a = symbolic(a)
        if not isinstance(a, Expr):
            told = "; a == b compares what is written, Eq(a, b) is a condition" if a in (S.true, S.false) else ""
            raise DefinitionError(f"{kind} of {a}; expected an array or another expression with real values{told}")
        rank = len(shape_of(a))
        if not rank and (a.is_number or free_indices(a)):
            told = f"Sum(..., {free_indices(a)[0]})" if free_indices(a) else "Eq(a, b) for a == b in a condition"
            raise DefinitionError(f"{kind} of {a}, which is one number; expected an array, or write {told}")
        axes = range(rank) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        if not all(isinstance(k, int) and -rank <= k < rank for k in axes) or len({k % rank for k in axes}) < len(axes):
            raise DefinitionError(
                f"{kind} over axis {axis} of {_text(a)}; expected one or more of its {rank} axes, or None"
            )
        return Expr.__new__(cls, Symbol(str(kind)), a, Tuple(*sorted(k % rank for k in axes)), Integer(bool(keep)))

    @property
    def func(self):
        return lambda kind, a, axes, keep: Expr.__new__(Reduced, kind, a, axes, keep)

    @property
    def shape(self):
        _, a, axes, keep = self.args
        shape = shape_of(a)
        return tuple(Integer(1) if k in axes else s for k, s in enumerate(shape) if keep or k not in axes)

    def at(self, indices, name_index):
        kind, a, axes, keep = self.args
        scope, full, rest = _scope(indices), [], list(indices)
        for k, size in enumerate(shape_of(a)):
            if k in axes:
                full.append(name_index(size, scope))
                scope |= {full[-1].name}
                if keep:
                    rest.pop(0)
            else:
                full.append(rest.pop(0))
        bound = [full[int(k)] for k in axes]
        body = at(a, tuple(full), name_index)
        if not bound:
            return body
        value = self.kinds[kind.name](body, *bound)
        return value / count([(i, i.lower, i.upper) for i in bound]) if kind.name == "mean" else value


class Picked(ArrayNode):
    """Z[..., y[...]]: along the last axis, the entry that an array of labels names."""

    @property
    def shape(self):
        z, y = map(shape_of, self.args)
        if not z or len(z) - 1 != len(y) or z[:-1] != y:
            rows = f"; rows of probabilities are taken by -total({_text(self.args[1])} * log_softmax(" \
                f"{_text(self.args[0])}), axis=-1)" if z == y else ""
            turned = "; labels come second, cross_entropy(logits, labels)" if self.args[0].is_integer else ""
            raise DefinitionError(
                f"labels {_text(self.args[1])} of shape {shape_text(y)} pick from {_text(self.args[0])} of shape "
                f"{shape_text(z)}; expected labels of shape {shape_text(z[:-1])}{rows}{turned}"
            )
        return z[:-1]

    def at(self, indices, name_index):
        z, y = self.args
        return at(z, (*indices, at(y, indices, name_index)), name_index)


def matmul(a, b):
    """Return the matrix product a @ b, also where neither side is an array by name (`exp(A) @ exp(B)`)."""
    return _checked(MatMul(symbolic(a), symbolic(b)))


def transpose(a):
    """Return an array with its last two axes swapped, as `.T` does, also of what is no array by name (`X - m`)."""
    return _checked(Transposed(symbolic(a)))


def total(a, axis: int | tuple[int, ...] | None = None, keepdims: bool = False):
    """Return the sum over an axis, several or all, which stay with size 1 if asked for."""
    return Reduced("sum", a, axis, keepdims)


def mean(a, axis: int | tuple[int, ...] | None = None, keepdims: bool = False):
    """Return the mean over an axis, several or all, which stay with size 1 if asked for."""
    return Reduced("mean", a, axis, keepdims)


def maximum(a, *others, axis: int | tuple[int, ...] | None = None, keepdims: bool = False):
    """Return the largest entry along an axis, several or all; ties share the gradient equally."""
    if others:
        raise DefinitionError(f"maximum({_text(symbolic(a))}, {_shown(others[0])}): the larger of two is "
                              "Max(Z, A), or relu(Z); for the largest along an axis write axis=...")
    return Reduced("maximum", a, axis, keepdims)


def product(a, axis: int | tuple[int, ...] | None = None, keepdims: bool = False):
    """Return the product along an axis, several or all."""
    return Reduced("product", a, axis, keepdims)


def logsumexp(a, axis: int | tuple[int, ...] | None = None, keepdims: bool = False):
    """Return log sum exp along an axis, several or all, which stay with size 1 if asked for."""
    return Reduced("logsumexp", a, axis, keepdims)


def softmax(a, axis: int = -1):
    """Return exp(a)/sum(exp(a)) along an axis."""
    return _exp(log_softmax(a, axis), evaluate=False)       # SymPy would look for logarithms in all that it is made of


def log_softmax(a, axis: int = -1):
    """Return log(softmax(a)) along an axis."""
    return symbolic(a) - Reduced("logsumexp", a, axis, keep=True)


def cross_entropy(logits, labels):
    """Return -log softmax(logits) at the labels, one value an example: logits (..., C), labels (...)."""
    return Reduced("logsumexp", logits, -1) - _checked(Picked(symbolic(logits), symbolic(labels)))


def binary_cross_entropy(logits, targets):
    """Return -(t log p + (1 - t) log(1 - p)) for p = sigmoid(logits), elementwise and without an overflow."""
    return softplus(symbolic(logits)) - symbolic(targets) * symbolic(logits)


def _shown(value):
    return str(value) if isinstance(value, Basic | int | float) else f"a {type(value).__name__}"


def _computing(name):
    """Return what is said of a function of NumPy's."""
    found = other_words.written(name)
    return f"np.{name} computes with numbers; {f'write {found}' if found else 'use functions of SymPy and derive'}"


def _checked(node):
    _ = node.shape                      # raises where the shapes do not fit
    return node


@lru_cache(maxsize=MANY)
def is_array(expr: Basic) -> bool:
    """Tell whether whole arrays stand in `expr`."""
    if isinstance(expr, Array | ArrayNode):
        return True
    if isinstance(expr, IndexedBase | Idx) or expr.is_Indexed:
        return False
    return any(is_array(a) for a in expr.args)


def summed_whole(expr: Basic) -> list[Idx]:
    """Return the indices that some Sum runs over while whole arrays stand in it."""
    return [i for t in subterms(expr) if is_binder(t) and is_array(t.function) for i, *_ in t.limits]


@lru_cache(maxsize=MANY)
def shape_of(expr: Expr) -> tuple[Expr, ...]:
    """Return the shape of an expression in array notation, () for a scalar.

    Raises
    ------
    DefinitionError
        Shapes that do not broadcast.
    """
    if isinstance(expr, Array | ArrayNode):
        return tuple(expr.shape)
    if expr.is_Indexed or isinstance(expr, Idx) or not is_array(expr):
        return ()
    return broadcast([shape_of(a) for a in expr.args], expr)


def broadcast(shapes: Sequence[tuple], expr: Expr) -> tuple[Expr, ...]:
    """Return the common shape by NumPy's rule: aligned at the right, equal sizes or 1."""
    rank = max(map(len, shapes))
    result = [Integer(1)] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, rank - len(shape)):
            if result[axis] != 1 and size not in (1, result[axis]):
                found = " and ".join(shape_text(s) for s in dict.fromkeys(shapes) if s)
                raise DefinitionError(
                    f"{_text(expr)}: shapes {found} do not broadcast; {result[axis]} and {size} should be the same"
                    f"{_meant(expr)}"
                )
            result[axis] = size if size != 1 else result[axis]
    return tuple(result)


def _meant(expr):
    """Return what two arrays that do not broadcast may be meant for."""
    if len(expr.args) != 2 or not all(map(shape_of, expr.args)):
        return ""
    sides = [_side(x) for x in expr.args]
    bases = [_side(x.base if x.is_Pow and x.exp == 2 else x) for x in expr.args]        # SymPy's (X*W)**2 is X**2*W**2
    return misfits.new_axis(sides) or (misfits.matrix_product(bases) if expr.is_Mul else "")


def _side(expr):
    """Return an array as one of two that do not fit."""
    shape = shape_of(expr)
    reduced = next((t for t in subterms(expr) if isinstance(t, Reduced) and len(shape_of(t)) == len(shape)), None)
    return misfits.Side(_text(expr), shape, isinstance(expr, Array | ArrayNode), _text(reduced) if reduced else "")


def at(expr: Expr, indices: tuple, name_index: Namer) -> Expr:
    """Return the scalar that an expression in array notation has at the given indices."""
    if isinstance(expr, Array):
        return expr[_aligned(expr.shape, indices)]
    if isinstance(expr, ArrayNode):
        return expr.at(_aligned(expr.shape, indices), name_index)
    if not is_array(expr):
        return expr
    return expr.func(*(at(a, indices, name_index) for a in expr.args))


def _aligned(shape, indices):
    """Return the trailing indices that belong to a shape; an axis of size 1 is read at 0."""
    own = indices[len(indices) - len(shape):]
    return tuple(Integer(0) if size == 1 else i for size, i in zip(shape, own, strict=True))


def _scope(indices):
    return frozenset(i.name for e in indices for i in free_indices(symbolic(e)))


def _text(expr):
    """Return an expression in array notation the way it was written."""
    if isinstance(expr, MatMul):
        return " @ ".join(_text(a) if not a.is_Add else f"({_text(a)})" for a in expr.args)
    if isinstance(expr, Transposed):
        return f"{_operand(expr.args[0])}.{'mT' if len(shape_of(expr.args[0])) > 2 else 'T'}"
    if isinstance(expr, Sliced):
        a, entries = expr.args
        return f"{_operand(a)}[{slicing.text(entries, shape_of(a))}]"
    if isinstance(expr, Reduced):
        return f"{expr.args[0]}({_text(expr.args[1])})"
    if isinstance(expr, Picked):
        return f"{_text(expr.args[0])}[{_text(expr.args[1])}]"
    if not expr.args or isinstance(expr, Array | MatrixBase) or expr.is_Indexed:
        return str(expr)
    if expr.is_Add:
        return " + ".join(map(_text, expr.args))
    if expr.is_Mul and any(map(_is_divisor, expr.args)):
        below = Mul(*(1 / a for a in expr.args if _is_divisor(a)))
        sides = expr * below, below
        top, bottom = (f"({_text(e)})" if e.is_Add or isinstance(e, MatMul) else _text(e) for e in sides)
        return f"{top}/{f'({bottom})' if below.is_Mul else bottom}"
    if expr.is_Mul:
        return "*".join(f"({_text(a)})" if a.is_Add or isinstance(a, MatMul) else _text(a) for a in expr.args)
    if expr.is_Pow and expr.exp == S.Half:
        return f"sqrt({_text(expr.base)})"
    if expr.is_Pow and not expr.exp.could_extract_minus_sign():
        return "**".join(text if text.isalnum() else f"({text})" for text in map(_text, expr.args))
    return f"{type(expr).__name__}({', '.join(map(_text, expr.args))})"


def _is_divisor(expr):
    return isinstance(expr, Pow) and expr.exp.is_Rational and expr.exp < 0


def _operand(expr):
    """Return the text of what a bracket or a dot may follow."""
    return f"({_text(expr)})" if isinstance(expr, MatMul) else _text(expr)


def shape_text(shape: Sequence) -> str:
    """Return a shape the way Python writes a tuple."""
    return f"({', '.join(map(_size_text, shape))}{',' if len(shape) == 1 else ''})"


@lru_cache(maxsize=MANY)
def _size_text(size):
    whole = Function("floor")
    return str(size.replace(floor, lambda part: whole(part.together())) if isinstance(size, Expr) else size)
