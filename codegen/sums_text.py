"""Printing reductions and contractions."""

from dataclasses import replace

import sympy
from sympy import Integer, Mul, Pow, Sum

from derive import binders
from derive.binders import ArgMaximum, Maximum
from derive.errors import DerivationError
from derive.forms import arranged
from derive.nodes import Apply, Gather, Read, Reduction, Scalar, Transpose

from .contractions import contraction, einsum
from .nodes import as_numbers, counted, is_condition, is_mask, is_plain_parameter, is_reciprocal, parts_of, varied
from .places_text import PlacePrinter
from .precedence import ATOM, SIGN, TERM, Text
from .vectors_of_stacks import by_vectors


class SumPrinter(PlacePrinter):
    """Prints sums, means, maxima over axes, and matrix products."""

    def _mean(self, node):
        """Print a sum divided by how many it adds as a mean; None where this is no mean."""
        sums = [a for a in node.args if isinstance(a, Reduction) and a.binder is Sum]
        others = [a for a in node.args if a not in sums]
        if len(sums) != 1 or not all(isinstance(a, Scalar) for a in others) or _multiplied(sums[0]):
            return None
        number = Mul(*(a.expr for a in others))
        for i in sums[0].over:
            number *= i.upper - i.lower + 1
        number = sympy.cancel(number)
        if number.free_symbols or (number.is_Rational and number.p not in (1, -1)):
            return None
        if (size := self._size_of(sums[0])) and (inner := self._inner(sums[0].body)):
            further = [] if abs(number) == 1 else [self.size(abs(1 / number))]
            return self._quotient([Text(inner)], [*further, Text(size)], number < 0)
        mean = Text(self._reduced("np.mean", sums[0]))
        return self._quotient([mean], [] if abs(number) == 1 else [self.size(abs(1 / number))], number < 0)

    def _reduction(self, node):
        if node.binder is Sum:
            return Text(self._reduced("np.sum", node))
        if issubclass(node.binder, Maximum):
            return Text(self._reduced("np.max", node))
        if node.binder is binders.Product:
            return Text(self._reduced("np.prod", node))
        if node.binder is ArgMaximum:
            return self._argmax(node)
        raise DerivationError(f"a {node.binder.__name__} was not lowered before printing")

    def _argmax(self, node):
        """The place of the first maximum, over several axes as over one of them all."""
        over, have = tuple(reversed(node.over)), node.body.axes
        place = have.index(over[0])
        body = node.body if have[place:place + len(over)] == over else arranged(node.body, (*node.axes, *over))
        place = body.axes.index(over[0])
        text = self.text(body).inside(ATOM)
        if len(over) > 1:
            sizes = self.lengths(body.axes)
            text = f"{text}.reshape({', '.join([*sizes[:place], '-1', *sizes[place + len(over):]])})"
        if len(over) > 1 and place == 0 and node.axes:
            self.helpers["first_maximum"] = None
            return Text(f"_first_maximum({text})")
        return Text(f"{text}.argmax(axis={place})")

    def _reduced(self, function, node):
        if function == "np.sum" and (rows := by_vectors(node, self)):
            return rows
        places = sorted(node.body.axes.index(i) for i in node.over)
        if function == "np.sum" and len(places) == len(node.body.axes) and (inner := self._inner(node.body)):
            return inner
        if function == "np.max" and places == [len(node.body.axes) - 1] and len(places) < len(node.body.axes):
            self.helpers["row_maxima"] = None
            return f"_row_maxima({self.code(node.body)})"
        if function == "np.sum" and (condition := counted(node.body)) is not None and len(places) < len(node.body.axes):
            axis = str(places[0]) if len(places) == 1 else f"({', '.join(map(str, places))})"
            return f"np.sum({self.code(condition)}, axis={axis}, dtype={self.like}.dtype)"
        body = self.text(as_numbers(node.body) if is_condition(node.body) else node.body)
        if len(places) == len(node.body.axes):
            single = function == "np.sum" and len(places) == 1 and isinstance(node.body, Gather)
            trace = single and body.code.startswith("np.diagonal(")
            if function == "np.mean":
                self.helpers["mean"] = None
                return f"_mean({body.code})"
            if isinstance(node.body, Read | Apply) and body.level == ATOM and not trace:
                return f"{body.code}.{function.removeprefix('np.')}()"
            return body.code.replace("np.diagonal", "np.trace") if trace else f"{function}({body.code})"
        if function == "np.sum" and (pair := _multiplied(node)):
            left, right = (self.code(a) for a in sorted(pair, key=lambda a: a.name not in self.adjoints))
            return einsum(left, right, node.body.axes, node.body.axes, node.axes)
        axis = str(places[0]) if len(places) == 1 else f"({', '.join(map(str, places))})"
        if body.level == ATOM and isinstance(node.body, Read | Apply):
            return f"{body.code}.{function.removeprefix('np.')}(axis={axis})"
        return f"{function}({body.code}, axis={axis})"

    def _inner(self, body):
        """Print the sum of all entries of a product of two arrays, or of squares; "" where it is no such sum."""
        pair = _factors(body)
        if not pair or any(is_mask(a) or varied(a) != set(body.axes) for a in pair):
            return ""
        self.helpers["inner"] = None
        if pair[0] == pair[1]:
            self.helpers["sum_of_squares"] = None
            return f"_sum_of_squares({self.code(pair[0])})"
        return f"_inner({self.code(pair[0])}, {self.code(pair[1])})"

    def _size_of(self, node):
        """Return the code of how many numbers a sum adds, of all entries of an array by name; "" for other sums."""
        if len(node.over) < len(node.body.axes):
            return ""
        array = next((a for a in parts_of(node.body) if isinstance(a, Read) and a.axes == node.body.axes), None)
        return f"{self.text(array).inside(ATOM)}.size" if array else ""

    def _outer(self, node):
        """An outer product as NumPy broadcasts it: np.outer takes twice as long on a few numbers."""
        node = _counting(node)
        return Text(f"{self.text(node.left).inside(ATOM)}[:, None] * {self.text(node.right).inside(SIGN)}", TERM)

    def _product(self, node):
        node = _counting(node)
        left, right, over = node.left, node.right, node.over
        if len(left.axes) == len(right.axes) == 1:
            return self._matmul(*sorted((left, right), key=is_plain_parameter))
        if {len(left.axes), len(right.axes)} == {1, 2} and len(over) == 1:
            matrix, vector = sorted((left, right), key=lambda n: -len(n.axes))
            return self._vector(matrix, vector, over)
        shared = [i for i in left.axes if i in right.axes]
        if self.joined and isinstance(left, Read) and len(left.axes) > 2 and len(right.axes) == 2 \
                and right.axes[-1:] == over:
            return contraction(node, self)          # BLAS turns a matrix round once, not for each of a stack
        if len(right.axes) <= 2 and left.axes[-1:] == over == tuple(shared):
            result = self._matmul(left, arranged(right, (*over, *(i for i in right.axes if i not in over))))
            return self._arranged(result, (*left.axes[:-1], *(i for i in right.axes if i not in over)), node.axes)
        return contraction(node, self)

    def _vector(self, matrix, vector, over):
        """M @ v or v @ M, whichever needs no transpose."""
        return self._matmul(matrix, vector) if matrix.axes[-1:] == over else self._matmul(vector, matrix)

    def _matmul(self, left, right):
        code = f"{self.text(left).inside(TERM)} @ {self.text(right).inside(SIGN)}"
        return Text(code, TERM, is_condition(left) or isinstance(left, Transpose))


def _multiplied(node):
    """Return two arrays whose product is summed over their first axes or the last: np.einsum makes no array for it.

    Over several of the last axes np.sum stays, which adds up pairs of pairs: one after another, many terms lose digits.
    """
    body, over = node.body, set(node.over)
    pair = _factors(body)
    fits = pair and all(isinstance(a, Read) and a.axes == body.axes for a in pair)
    return pair if fits and over != set(body.axes) and over in (
        set(body.axes[:len(over)]), set(body.axes[-1:])) else ()


def _factors(body):
    """Return the two factors of a product, one twice for a square; () for other nodes, quotients among them."""
    if not isinstance(body, Apply):
        return ()
    if body.head is Pow and body.args[1] == Scalar((), Integer(2)):
        return body.args[0], body.args[0]
    return body.args if body.head is Mul and len(body.args) == 2 and not any(map(is_reciprocal, body.args)) else ()


def _counting(node):
    """Return a product of two conditions with ones and zeros for the first."""
    if is_condition(node.left) and is_condition(node.right):
        return replace(node, left=as_numbers(node.left))
    return node
