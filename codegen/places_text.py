"""Printing places: indices as values, slices, picked entries, conditions on indices."""

from sympy import Add, Expr, Idx, Indexed, Mul, floor

from derive.errors import DerivationError
from derive.forms import arranged
from derive.nodes import Gather, Index, Spread, Transpose
from derive.ranges import Prover
from derive.terms import divides_an_index, free_indices, runs_over

from .contractions import transposition
from .numbers_text import RELATIONS, NumberPrinter, denominators, is_negative, numerators, positive_first, without_sign
from .precedence import ATOM, SIGN, SUM, TERM, Text


class PlacePrinter(NumberPrinter):
    """Prints reads at places other than plain indices, and comparisons of indices."""

    def _index(self, node):
        """An index as a value: a range of the module's dtype, turned to lie along the node's axes."""
        if not isinstance(node.expr, Idx):
            return Text(f"{self.at(node.expr, node.axes).inside(ATOM)}.astype({self.like}.dtype)")
        integers = self.at(node.expr, (node.expr,)).code
        return indexed(Text(f"{integers[:-1]}, dtype={self.like}.dtype)"), (node.expr,), node.axes)

    def at(self, expr: Expr, axes: tuple[Idx, ...]) -> Text:
        """Print an index expression as an integer array over the given axes."""
        if isinstance(expr, Idx):
            low, high = self.size(expr.lower), self.size(expr.upper + 1)
            text = Text(f"np.arange({high.code})" if expr.lower == 0 else f"np.arange({low.code}, {high.code})")
            return indexed(text, (expr,), axes)
        if isinstance(expr, Indexed):
            if all(map(runs_over, expr.indices, expr.base.shape)):
                order = tuple(i for i in axes if i in expr.indices)
                return indexed(self._arranged(Text(expr.base.name), tuple(expr.indices), order), order, axes)
            own = tuple(i for i in axes if i in free_indices(expr))
            return indexed(self._gather(Gather(own, expr)), own, axes)
        if not free_indices(expr) and not expr.has(Indexed):
            return self.size(expr)
        if isinstance(expr, Add):
            parts = [without_sign(t) for t in positive_first(expr.args)]
            return self._sum([(self.at(t, axes), negative) for t, negative in parts])
        if isinstance(expr, Mul):
            tops, bottoms = numerators(expr), [self.size(d) for d in denominators(expr)]
            return self._quotient([self.at(f, axes) for f in tops], bottoms, is_negative(expr))
        if isinstance(expr, floor):
            above, below = (self.at(part, axes) for part in expr.args[0].together().as_numer_denom())
            return Text(f"{above.inside(TERM)} // {below.inside(SIGN)}", TERM)
        raise DerivationError(f"the index {expr} cannot be printed; expected sums and products of indices and sizes")

    def _gather(self, node):
        read = self._as_stored(node.read)
        name = read.base.name
        labels = [k for k, i in enumerate(read.indices) if is_array_index(i)]
        order = [i for e in read.indices for i in free_indices(e)]
        if not labels and len(set(order)) == len(order):
            parts = trimmed(self._slice_list(read))
            text = Text(f"{name}[{', '.join(parts)}]" if parts else name)
            return self._arranged(self._turned(text, read), tuple(order), node.axes)
        if twice := _diagonal(read):
            return self._arranged(Text(_diagonal_text(name, read, twice)), _diagonal_axes(read, twice), node.axes)
        apart = len(labels) == 1 and len(set(order)) == len(order)
        if apart:
            parts = self._slice_list(read)
            parts[labels[0]] = self.at(read.indices[labels[0]], tuple(free_indices(read.indices[labels[0]]))).code
            text = Text(f"{name}[{', '.join(trimmed(parts))}]")
            return self._arranged(self._turned(text, read), tuple(order), node.axes)
        parts = [self.at(i, node.axes).code for i in read.indices]
        return Text(f"{name}[{', '.join(parts)}]")

    def _as_stored(self, read):
        """Return a read with the positions at which the array holds its rows; SymPy's |x| leaves -(a - n + 1)."""
        read = read.base[tuple(i.expand() for i in read.indices)]
        return read.base[(read.indices[0] + 1, *read.indices[1:])] if read.base.name in self.states else read

    def place(self, variable: str, axis: int, position: Expr) -> str:
        """Print where along an axis an array holds the entry at a position that is free of indices."""
        position = self.stored(variable, axis, position)
        return self.at(position, ()).code if position.has(Indexed) else self.size(position).code

    def stored(self, variable: str, axis: int, position: Expr) -> Expr:
        """Return where along an axis an array holds the entry at a position: states have their row -1 first."""
        return position + 1 if axis == 0 and variable in self.states else position

    def _slice_list(self, read):
        """Return one slice an axis, for indices that each hold at most one index of their own."""
        rows = [size + 1 if axis == 0 and read.base.name in self.states else size
                for axis, size in enumerate(read.base.shape)]
        return [":" if is_array_index(i) else self._slice(i, size) for i, size in zip(read.indices, rows, strict=True)]

    def _slice(self, position, size):
        inside = free_indices(position)
        if not inside:
            return self.size(position).code
        [index] = inside
        stride = position.coeff(index, 1)
        start = (position - stride * index + stride * index.lower).expand()
        steps = (index.upper - index.lower).expand()
        if stride.is_negative:
            stop = (start + stride * (steps + 1)).expand()
            if _may_wrap(stop, stride):                         # -1 would mean the end: turned round afterwards
                forward = f"{self.size((stop - stride).expand()).code}:{self._edge(start + 1, size)}"
                return forward if stride == -1 else f"{forward}:{self.size(-stride).code}"
            end = "" if stop == stride else self.size(stop).code
            return f"{self._edge(start, size - 1)}:{end}:{self.size(stride).code}"
        if start.is_negative:
            raise DerivationError(f"a slice begins at {start}, outside an axis of {size}")
        begin = "" if start == 0 else self.size(start).code
        stop = f"{begin}:{self._stop(start, stride, steps, size)}"
        return stop if stride == 1 else f"{stop}:{self.size(stride).code}"

    def _turned(self, text, read):
        """Turn those axes round that are read backwards, down to a place that may or may not be the first."""
        parts = []
        for position in read.indices:
            inside = free_indices(position)
            if is_array_index(position):
                parts += [":"] * len(inside)
            elif inside:
                stop = position.xreplace({i: i.upper + 1 for i in inside}).expand()
                parts.append("::-1" if _may_wrap(stop, position.coeff(inside[0], 1)) else ":")
        return Text(f"{text.code}[{', '.join(trimmed(parts))}]") if "::-1" in parts else text

    def _stop(self, start, stride, steps, size):
        """Print where a slice stops: nothing or -1 at the end of the axis, else the start and its steps.

        Counted from the end where it may be before the first row, as T - 2 of a state of one turn.
        """
        short = (size - start - stride * steps - 1).expand()
        if short.is_Integer and short < 0:
            raise DerivationError(f"a slice from {start} of so many as {steps + 1} ends outside an axis of {size}")
        if short == 0 or (short.is_Integer and stride.is_Integer and short < stride):
            return ""
        if short == 1:
            return "-1"
        if stride.is_Integer and Prover().nonnegative(stride - 1 - short):
            return ""                                               # the next step would leave the axis
        length, stop = self.size((stride * (steps + 1)).expand()), (start + stride * (steps + 1)).expand()
        if stride == 1 and short.is_Integer and not Prover().nonnegative(stop):
            return str(-short)                                      # a stop below 0 would be counted from the end
        if len(Add.make_args(stop)) == 1:
            return self.size(stop).code
        return length.code if start == 0 else f"{self.size(start).code} + {length.inside(TERM)}"

    def _edge(self, value, edge):
        return "" if (value - edge).expand() == 0 else self.size(value).code

    def _arranged(self, text, have, want):
        return text if have == want else Text(f"{text.inside(ATOM)}{transposition(have, want)}")

    # ---- conditions

    def _bracket(self, node):
        left, right = (self._compared(arranged(n, node.axes)).inside(SUM) for n in (node.left, node.right))
        return Text(f"{left} {RELATIONS[node.head]} {right}", 0)

    def _compared(self, node):
        """Print one side of a comparison, where an index stays an integer."""
        inner = node.body if isinstance(node, Spread | Transpose) else node
        if isinstance(inner, Index):
            return self.at(inner.expr, node.axes)
        self.comparing = True
        text = self.text(node)
        self.comparing = False
        return text


def indexed(text, have, want):
    """Return code whose axes `have` lie along the axes `want`: new axes before them need nothing, after them None."""
    here = tuple(i for i in want if i in have)
    if here != have:
        text, have = Text(f"{text.inside(ATOM)}{transposition(have, here)}"), here
    if not have or have == want[len(want) - len(have):]:
        return text
    first = want.index(have[0])
    inside = ", ".join(":" if i in have else "None" for i in want[first:])
    return Text(f"{text.inside(ATOM)}[{inside}]")


def _may_wrap(stop, stride):
    """Tell whether a slice backwards may stop before the first row, where NumPy counts from the end."""
    return stride.is_negative and stop != stride and not stop.is_nonnegative


def trimmed(parts):
    """Drop the full slices at the end."""
    while parts and parts[-1] == ":":
        parts = parts[:-1]
    return parts


def _diagonal(read):
    """Return the index that a read of whole axes has twice, all others once; None for another read."""
    whole = all(map(runs_over, read.indices, read.base.shape))
    repeated = [i for i in dict.fromkeys(read.indices) if read.indices.count(i) > 1]
    return repeated[0] if whole and len(repeated) == 1 and read.indices.count(repeated[0]) == 2 else None


def _diagonal_axes(read, twice):
    return (*(i for i in read.indices if i != twice), twice)


def _diagonal_text(name, read, twice):
    first, second = [axis for axis, i in enumerate(read.indices) if i == twice]
    where = "" if len(read.indices) == 2 else f", axis1={first}, axis2={second}"
    return f"np.diagonal({name}{where})"


def is_array_index(position):
    """Tell whether a position is an array of integers: labels, a sum of indices, an index divided."""
    inside = free_indices(position)
    return len(inside) > 1 or position.has(Indexed) or divides_an_index(position)
