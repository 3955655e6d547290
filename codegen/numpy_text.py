"""Printing array forms as NumPy: one node in, one expression out, as an expert would type it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy
from sympy import (
    Add,
    Expr,
    Float,
    Idx,
    Indexed,
    Integer,
    KroneckerDelta,
    Mul,
    Number,
    Piecewise,
    Pow,
    Rational,
    S,
    Sum,
    Symbol,
)
from sympy.codegen.cfunctions import expm1, log1p
from sympy.core.relational import Relational
from sympy.logic.boolalg import And, Not, Or

from derive import binders, functions
from derive.binders import ArgMaximum, Maximum
from derive.errors import DerivationError
from derive.forms import (
    Apply,
    Bracket,
    Gather,
    Index,
    Node,
    Outer,
    Product,
    Read,
    Reduction,
    Scalar,
    Spread,
    Transpose,
    arranged,
)
from derive.terms import free_indices, read_name

from .contractions import contraction, transposition
from .lowering import grouped
from .precedence import ATOM, POWER, SIGN, SUM, TERM, Text

CALLS = {
    "exp": "np.exp", "log": "np.log", "tanh": "np.tanh", "sinh": "np.sinh", "cosh": "np.cosh", "sin": "np.sin",
    "cos": "np.cos", "tan": "np.tan", "asin": "np.arcsin", "acos": "np.arccos", "atan": "np.arctan",
    "asinh": "np.arcsinh", "acosh": "np.arccosh", "atanh": "np.arctanh", "Abs": "np.abs", "sign": "np.sign",
    "floor": "np.floor", "ceiling": "np.ceil", "expm1": "np.expm1", "log1p": "np.log1p",
}
SCIPY = {"erf": "erf", "erfc": "erfc", "loggamma": "gammaln", "digamma": "digamma", "gamma": "gamma"}
UNBOUNDED = {
    "exp",
    "log",
    "sinh",
    "cosh",
    "tan",
    "asin",
    "acos",
    "acosh",
    "atanh",
    "expm1",
    "log1p",
    "loggamma",
    "digamma",
    "gamma",
}
HELPERS = {"sigmoid": "_sigmoid", "softplus": "_softplus", "step": "_step", "at_zero": "_at_zero",
           "finite": "_finite", "positive": "_positive"}
RELATIONS = {
    KroneckerDelta: "==", sympy.Eq: "==", sympy.Ne: "!=", sympy.Ge: ">=", sympy.Gt: ">", sympy.Le: "<=", sympy.Lt: "<",
}
assert expm1 and log1p                               # SymPy names that the table above knows by their text


@dataclass
class NumpyPrinter:
    """Prints nodes; remembers which sizes, helpers and SciPy functions the printed code needs."""

    states: frozenset[str] = frozenset()                    # arrays that hold row t at t + 1, the row -1 first
    adjoints: frozenset[str] = frozenset()                  # names that stand first among factors of one rank
    settings: frozenset[str] = frozenset()                  # names that stand before all other factors
    counters: frozenset[Symbol] = frozenset()               # loop variables: integers, but no sizes
    labels: frozenset[str] = frozenset()                    # integer data, which is no number of the module's dtype
    comparing: bool = False                                 # inside a comparison, where an integer stays one
    like: str = ""                                          # an array at hand that has the module's dtype
    handed: set[str] = field(default_factory=set)           # arrays that are gradients under another name
    risky: bool = False                                     # whether a branch may overflow where another one counts
    taps: Mapping[str, tuple[Idx, ...]] = field(default_factory=dict)       # what arrays of windows are looped over
    sizes: dict[str, Symbol] = field(default_factory=dict)
    helpers: dict[str, None] = field(default_factory=dict)
    scipy: dict[str, None] = field(default_factory=dict)

    def code(self, node: Node) -> str:
        """Return the code of a whole right-hand side."""
        return self.text(node).code

    def text(self, node: Node) -> Text:
        return getattr(self, f"_{type(node).__name__.lower()}")(node)

    # ---- leaves

    def _read(self, node):
        if node.name in self.labels and not self.comparing:
            return Text(f"{node.name}.astype({self.like}.dtype)")
        return Text(f"{node.name}[1:]" if node.name in self.states else node.name)

    def _scalar(self, node):
        return self.size(node.expr)

    def size(self, expr: Expr) -> Text:
        """Print a number, a variable without axes, or an expression in sizes."""
        if isinstance(expr, Integer):
            return Text(str(expr), ATOM if expr >= 0 else SIGN)
        if expr in (sympy.oo, -sympy.oo):
            return Text("np.inf") if expr == sympy.oo else Text("-np.inf", SIGN)
        if isinstance(expr, Number):
            return _number(expr)
        if isinstance(expr, Symbol):
            if expr.is_integer and expr not in self.counters:
                self.sizes[expr.name] = expr
            return Text(expr.name)
        if expr == sympy.pi:
            return Text("np.pi")
        if expr == sympy.E:
            return Text("np.e")
        if isinstance(expr, Add):
            return self._sum([(self.size(abs_), negative) for abs_, negative in map(_sign, _positive_first(expr.args))])
        if isinstance(expr, Mul):
            return self._quotient(
                [self.size(f) for f in _tops(expr)], [self.size(f) for f in _bottoms(expr)], _negative(expr)
            )
        if isinstance(expr, Pow):
            if expr.exp.could_extract_minus_sign():
                return Text(f"1 / {self.size(1 / expr).inside(SIGN)}", TERM)
            if expr.exp == Rational(1, 2):
                return Text(f"{self.size(expr.base).inside(ATOM)}**0.5", POWER)
            return Text(f"{self.size(expr.base).inside(ATOM)}**{self.size(expr.exp).inside(ATOM)}", POWER)
        if isinstance(expr, sympy.Max):
            return Text(f"max({', '.join(self.size(a).code for a in sorted(expr.args, key=str))})")
        if isinstance(expr, Relational):
            return Text(f"{self.size(expr.lhs).code} {RELATIONS[type(expr)]} {self.size(expr.rhs).code}", 0)
        if isinstance(expr, And):
            return Text(" and ".join(self.size(a).code for a in sorted(expr.args, key=str)), 0)
        if isinstance(expr, sympy.floor):
            top, bottom = expr.args[0].together().as_numer_denom()
            return Text(f"{self.size(top).inside(TERM)} // {self.size(bottom).inside(SIGN)}", TERM)
        if isinstance(expr, sympy.Function) and type(expr).__name__ in CALLS and len(expr.args) == 1:
            return Text(f"{CALLS[type(expr).__name__]}({self.size(expr.args[0]).code}, dtype={self.like}.dtype)")
        if expr.is_number:
            return _number(expr.evalf(17))
        raise DerivationError(f"{expr} cannot be printed as a number or a size")

    def _index(self, node):
        """An index as a value: a range of the module's dtype, turned to lie along the node's axes."""
        if not isinstance(node.expr, Idx):
            return Text(f"{self.at(node.expr, node.axes).inside(ATOM)}.astype({self.like}.dtype)")
        integers = self.at(node.expr, (node.expr,)).code
        return _indexed(Text(f"{integers[:-1]}, dtype={self.like}.dtype)"), (node.expr,), node.axes)

    def at(self, expr: Expr, axes: tuple[Idx, ...]) -> Text:
        """Print an index expression as an integer array over the given axes."""
        if isinstance(expr, Idx):
            low, high = self.size(expr.lower), self.size(expr.upper + 1)
            text = Text(f"np.arange({high.code})" if expr.lower == 0 else f"np.arange({low.code}, {high.code})")
            return _indexed(text, (expr,), axes)
        if isinstance(expr, Indexed):
            if all(isinstance(i, Idx) for i in expr.indices):
                return _indexed(Text(expr.base.name), tuple(expr.indices), axes)
            return self._gather(Gather(axes, expr))
        if not free_indices(expr):
            return self.size(expr)
        if isinstance(expr, Add):
            parts = [_sign(t) for t in _positive_first(expr.args)]
            return self._sum([(self.at(t, axes), negative) for t, negative in parts])
        if isinstance(expr, Mul):
            return self._quotient([self.at(f, axes) for f in _tops(expr)], [], _negative(expr))
        raise DerivationError(f"the index {expr} cannot be printed; expected sums and products of indices and sizes")

    def _gather(self, node):
        read = self._as_stored(node.read)
        name = read.base.name
        labels = [k for k, i in enumerate(read.indices) if _is_array_index(i)]
        order = [i for e in read.indices for i in free_indices(e)]
        if not labels and len(set(order)) == len(order):
            parts = _trimmed(self._slice_list(read))
            text = Text(f"{name}[{', '.join(parts)}]" if parts else name)
            return self._arranged(self._turned(text, read), tuple(order), node.axes)
        apart = len(labels) == 1 and len(set(order)) == len(order)
        if apart:
            parts = self._slice_list(read)
            parts[labels[0]] = self.at(read.indices[labels[0]], tuple(free_indices(read.indices[labels[0]]))).code
            return self._arranged(Text(f"{name}[{', '.join(_trimmed(parts))}]"), tuple(order), node.axes)
        parts = [self.at(i, node.axes).code for i in read.indices]
        return Text(f"{name}[{', '.join(parts)}]")

    def _as_stored(self, read):
        """Return a read with the positions at which the array holds its rows."""
        return read.base[(read.indices[0] + 1, *read.indices[1:])] if read.base.name in self.states else read

    def place(self, variable: str, axis: int, position: Expr) -> str:
        """Print where along an axis an array holds the entry at a position that is free of indices."""
        return self.size(position + 1 if axis == 0 and variable in self.states else position).code

    def _slice_list(self, read):
        """Return one slice an axis, for indices that each hold at most one index of their own."""
        rows = [size + 1 if axis == 0 and read.base.name in self.states else size
                for axis, size in enumerate(read.base.shape)]
        return [":" if _is_array_index(i) else self._slice(i, size) for i, size in zip(read.indices, rows, strict=True)]

    def _slice(self, position, size):
        inside = free_indices(position)
        if not inside:
            return self.size(position).code
        [index] = inside
        stride = position.coeff(index, 1)
        start = (position - stride * index + stride * index.lower).expand()
        steps = (index.upper - index.lower).expand()
        if stride == -1:
            last = (start - steps - 1).expand()
            if last != -1 and not last.is_nonnegative:          # -1 would mean the end: turned round afterwards
                return f"{self.size(last + 1).code}:{self._edge(start + 1, size)}"
            return f"{self._edge(start, size - 1)}:{'' if last == -1 else self.size(last).code}:-1"
        begin = "" if start == 0 else self.size(start).code
        stop = f"{begin}:{self._stop(start, stride, steps, size)}"
        return stop if stride == 1 else f"{stop}:{self.size(stride).code}"

    def _turned(self, text, read):
        """Turn those axes round that are read backwards, down to a place that may or may not be the first."""
        parts = []
        for position in read.indices:
            inside = free_indices(position)
            if inside:
                last = position.xreplace({i: i.upper + 1 for i in inside}).expand()
                down = position.coeff(inside[0], 1) == -1 and last != -1 and not last.is_nonnegative
                parts.append("::-1" if down else ":")
        return Text(f"{text.code}[{', '.join(_trimmed(parts))}]") if "::-1" in parts else text

    def _stop(self, start, stride, steps, size):
        """Print where a slice stops: nothing or -1 at the end of the axis, else the start and its steps."""
        short = (size - start - stride * steps - 1).expand()
        if short.is_Integer and short < 2:
            return "" if short == 0 else "-1"
        length, stop = self.size((stride * (steps + 1)).expand()), (start + stride * (steps + 1)).expand()
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

    # ---- shape

    def _transpose(self, node):
        return Text(f"{self.text(node.body).inside(ATOM)}{transposition(node.body.axes, node.axes)}")

    def _spread(self, node):
        return _indexed(self.text(node.body), node.body.axes, node.axes)

    # ---- elementwise

    def _apply(self, node):
        head = node.head
        if head is Add:
            terms = sorted(((*_split_sign(a), a) for a in node.args), key=lambda t: _term_order(t[0], t[1]))
            return self._sum([(self.text(_rejoined(part, a)), negative) for negative, part, a in terms])
        if head is Mul:
            return self._times(node)
        if head is Pow:
            return self._power(*node.args)
        if head is grouped:
            return Text(f"({self.code(node.args[0])})")
        if head is Piecewise:
            return self._where(node.args)
        if head in (And, Or, Not):
            symbol = {And: " & ", Or: " | "}.get(head)
            parts = [f"({self.code(a)})" for a in node.args]
            return Text(symbol.join(parts), TERM) if symbol else Text(f"~{parts[0]}", SIGN)
        return self._call(head, node.args)

    def _call(self, head, args):
        name = head.__name__
        if head is functions.relu:
            return Text(f"np.maximum({self.code(args[0])}, 0)")
        if head is functions.half_step:
            return Text(f"np.heaviside({self.code(args[0])}, 0.5)")
        if name == "Heaviside":
            return Text(f"np.heaviside({self.code(args[0])}, {self.code(args[1])})")
        if name == "polygamma" and isinstance(args[0], Scalar):
            function = "digamma" if args[0].expr == 0 else "polygamma"
            self.scipy[function] = None
            return Text(f"{function}({', '.join(map(self.code, args[args[0].expr == 0:]))})")
        if name in ("Max", "Min"):
            first, *others = sorted(args, key=_is_constant)
            result = self.code(first)
            for a in others:
                result = f"np.{'maximum' if name == 'Max' else 'minimum'}({result}, {self.code(a)})"
            return Text(result)
        if name in HELPERS:
            self.helpers[name] = None
            return Text(f"{HELPERS[name]}({self.code(args[0])})")
        if name in SCIPY:
            self.scipy[SCIPY[name]] = None
            return Text(f"{SCIPY[name]}({', '.join(map(self.code, args))})")
        if name in CALLS:
            return Text(f"{CALLS[name]}({', '.join(map(self.code, args))})")
        raise DerivationError(f"NumPy has no function for {name}; define it by functions that it has")

    def _where(self, args):
        pairs = list(zip(args[::2], args[1::2], strict=True))
        text = self.code(pairs[-1][0])
        for value, condition in reversed(pairs[:-1]):
            if isinstance(condition, Scalar):
                text = f"({self.code(value)} if {self.code(condition)} else {text})"
                continue
            text = f"np.where({self.code(condition)}, {self.code(value)}, {text})"
        self.risky |= "np.where" in text and any(_may_overflow(value) for value, _ in pairs)
        constant = text.startswith("np.where") and all(_is_constant(value) for value, _ in pairs)
        return Text(f"{text}.astype({self.like}.dtype)" if constant else text)

    def _power(self, base, exponent):
        text, power = self.text(base), exponent.expr if isinstance(exponent, Scalar) else None
        if power == Rational(1, 2):
            return Text(f"np.sqrt({text.code})")
        if power is not None and power.is_Rational and power < 0:
            below = self._power(base, Scalar((), -power)) if power != -1 else text
            return Text(f"1 / {below.inside(SIGN)}", TERM)
        if power is not None and power.is_Integer and power > 2:
            return self._integer_power(text.inside(ATOM), int(power))
        if power is not None and power.is_Rational and power.q == 2:
            whole = self._power(base, Scalar((), power - Rational(1, 2))) if power != Rational(3, 2) else text
            return Text(f"{whole.inside(TERM)} * np.sqrt({text.code})", TERM)
        return Text(f"{text.inside(ATOM)}**{self.text(exponent).inside(ATOM)}", POWER)

    def _integer_power(self, atom, power):
        """x**3 is 160 times slower than x**2 * x in NumPy."""
        parts = [f"{atom}**2"] * (power // 2) + [atom] * (power % 2)
        return Text(" * ".join(parts), TERM)

    def _times(self, node):
        """Print a product: numbers and sizes first, then what has fewer axes, the adjoint before other factors."""
        mean = self._mean(node)
        if mean is not None:
            return mean
        negative, tops, bottoms = False, [], []
        for a in node.args:
            if isinstance(a, Scalar) and not _is_variable(a):
                negative ^= _negative(a.expr)
                tops += [Scalar((), f) for f in _tops(a.expr)]
                bottoms += [Scalar((), f) for f in _bottoms(a.expr)]
            elif _is_reciprocal(a):
                bottoms.append(_inverted(a))
            else:
                tops.append(a)
        masks = [a for a in tops if _is_mask(a)]
        bare = len(tops) - len(masks) > sum(isinstance(a, Scalar) and not _is_variable(a) for a in tops)
        tops.sort(key=self._factor_order)
        constant = [t for t in tops if isinstance(t, Scalar) and not _is_variable(t)]
        first = [b for b in bottoms if isinstance(b, Scalar) and not _is_variable(b)] if constant else []
        arrays = [t for t in tops if t not in constant]
        if not bare:
            arrays.sort(key=_is_bracket)                # a comparison is no number: no minus before it
        texts = [self._factor(a, bare) for a in arrays]
        if arrays and not bare and _is_bracket(arrays[0]):
            texts[0] = Text(f"{texts[0].inside(ATOM)}.astype({self.like}.dtype)")
        if constant and first and arrays:
            scale = self._quotient([self.text(t) for t in constant], [self.text(b) for b in first])
            texts, bottoms = [scale, *texts], [b for b in bottoms if b not in first]
        else:
            texts = [self.text(t) for t in constant] + texts
        bottoms.sort(key=lambda b: (not isinstance(b, Scalar), self._factor_order(b)))
        return self._quotient(texts, [self._factor(b, False) for b in bottoms], negative)

    def _factor_order(self, node):
        inner = node.body if isinstance(node, Spread) else node
        constant = isinstance(inner, Scalar) and not _is_variable(inner)
        name = inner.name if isinstance(inner, Read) else read_name(inner.read) if isinstance(inner, Gather) \
            else str(inner.expr) if isinstance(inner, Scalar) else ""
        return not constant, name not in self.settings, len(inner.axes), _is_mask(inner), name not in self.adjoints, \
            not isinstance(inner, Read | Gather | Scalar)

    def _factor(self, node, bare):
        """Print a factor; a mask stays a comparison where a real array stands beside it."""
        if bare and isinstance(node, Spread) and _is_mask(node.body):
            return _indexed(Text(f"({self._mask(node.body)})"), node.body.axes, node.axes)
        if bare and _is_mask(node):
            return Text(self._mask(node), 0)
        return self.text(node)

    def _mask(self, node):
        if isinstance(node, Bracket):
            return self.code(node)
        sign = ">" if node.head is functions.step else "=="
        return f"{self.text(node.args[0]).inside(SUM)} {sign} 0"

    def _mean(self, node):
        """Print a sum divided by how many it adds as np.mean; None where this is no mean."""
        sums = [a for a in node.args if isinstance(a, Reduction) and a.binder is Sum]
        others = [a for a in node.args if a not in sums]
        if len(sums) != 1 or not all(isinstance(a, Scalar) for a in others):
            return None
        number = Mul(*(a.expr for a in others))
        for i in sums[0].over:
            number *= i.upper - i.lower + 1
        number = sympy.cancel(number)
        if number.free_symbols or (number.is_Rational and number.p not in (1, -1)):
            return None
        mean = Text(self._reduced("np.mean", sums[0]))
        return self._quotient([mean], [] if abs(number) == 1 else [self.size(abs(1 / number))], number < 0)

    def _sum(self, terms):
        """Join (text, is negative) pairs by + and -."""
        text, negative = terms[0]
        result = f"-{text.inside(TERM)}" if negative else text.inside(SUM)
        for text, negative in terms[1:]:
            result += f" {'-' if negative else '+'} {text.inside(TERM)}"
        return Text(result, SUM if len(terms) > 1 else SIGN if terms[0][1] else terms[0][0].level)

    def _quotient(self, tops, bottoms, negative=False):
        top = " * ".join(t.inside(TERM if k == 0 else SIGN) for k, t in enumerate(tops)) or "1"
        level = TERM if len(tops) > 1 else (tops[0].level if tops else ATOM)
        if len(tops) == 1 and (bottoms or negative):
            level = max(level, TERM)
        if bottoms:
            below = bottoms[0].inside(SIGN) if len(bottoms) == 1 else f"({' * '.join(b.inside(SIGN) for b in bottoms)})"
            top, level = f"{top} / {below}", TERM
        if negative:
            return Text(f"-{top}", min(level, SIGN))
        return Text(top, level)

    # ---- contractions

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
            sizes = [self.size(i.upper - i.lower + 1).code for i in body.axes]
            text = f"{text}.reshape({', '.join([*sizes[:place], '-1', *sizes[place + len(over):]])})"
        return Text(f"{text}.argmax(axis={place})")

    def _reduced(self, function, node):
        places = sorted(node.body.axes.index(i) for i in node.over)
        body = self.text(node.body)
        if len(places) == len(node.body.axes):
            return f"{function}({body.code})"
        axis = str(places[0]) if len(places) == 1 else f"({', '.join(map(str, places))})"
        if body.level == ATOM and isinstance(node.body, Read):
            return f"{body.code}.{function.removeprefix('np.')}(axis={axis})"
        return f"{function}({body.code}, axis={axis})"

    def _outer(self, node):
        return Text(f"np.outer({self.code(node.left)}, {self.code(node.right)})")

    def _product(self, node):
        left, right, over = node.left, node.right, node.over
        if len(left.axes) == len(right.axes) == 1:
            return self._matmul(*sorted((left, right), key=_is_plain_parameter))
        if {len(left.axes), len(right.axes)} == {1, 2} and len(over) == 1:
            matrix, vector = sorted((left, right), key=lambda n: -len(n.axes))
            return self._vector(matrix, vector, over)
        shared = [i for i in left.axes if i in right.axes]
        if len(right.axes) <= 2 and left.axes[-1:] == over == tuple(shared):
            result = self._matmul(left, arranged(right, (*over, *(i for i in right.axes if i not in over))))
            return self._arranged(result, (*left.axes[:-1], *(i for i in right.axes if i not in over)), node.axes)
        return contraction(node, self)

    def _vector(self, matrix, vector, over):
        """M @ v or v @ M, whichever needs no transpose."""
        return self._matmul(matrix, vector) if matrix.axes[-1:] == over else self._matmul(vector, matrix)

    def _matmul(self, left, right):
        return Text(f"{self.text(left).inside(TERM)} @ {self.text(right).inside(SIGN)}", TERM)


def _indexed(text, have, want):
    """Return code whose axes `have` lie along the axes `want`: new axes before them need nothing, after them None."""
    if not have or have == want[len(want) - len(have):]:
        return text
    first = want.index(have[0])
    inside = ", ".join(":" if i in have else "None" for i in want[first:])
    return Text(f"{text.inside(ATOM)}[{inside}]")


def _trimmed(parts):
    """Drop the full slices at the end."""
    while parts and parts[-1] == ":":
        parts = parts[:-1]
    return parts


def _is_array_index(position):
    return any(isinstance(a, Indexed) for a in sympy.preorder_traversal(position)) or len(free_indices(position)) > 1


def _number(expr):
    if isinstance(expr, Rational):
        if expr.q <= 12 or not _is_decimal(expr):
            return Text(f"{expr.p} / {expr.q}", TERM)
        return _number(Float(expr, 17))
    text = repr(float(expr))
    return Text(text, SIGN if text.startswith("-") else ATOM)


def _is_decimal(number):
    q = number.q
    for prime in (2, 5):
        while q % prime == 0:
            q //= prime
    return q == 1


def _tops(expr):
    """Return the factors of a product that stand above the line, signs apart."""
    result = []
    for f in Mul.make_args(expr):
        if isinstance(f, Rational):
            if _is_decimal(f) and f.q > 12:
                result.append(Float(abs(f), 17))
            elif abs(f.p) != 1:
                result.append(Integer(abs(f.p)))
        elif isinstance(f, Float):
            result.append(abs(f))
        elif not (isinstance(f, Pow) and f.exp.could_extract_minus_sign()):
            result.append(f)
    return result


def _bottoms(expr):
    """Return the factors below the line."""
    result = []
    for f in Mul.make_args(expr):
        if isinstance(f, Rational) and f.q != 1 and not (_is_decimal(f) and f.q > 12):
            result.append(Integer(f.q))
        elif isinstance(f, Pow) and f.exp.could_extract_minus_sign():
            result.append(Pow(f.base, -f.exp))
    return result


def _negative(expr):
    return expr.as_coeff_Mul()[0].is_negative is True


def _sign(term):
    return (-term, True) if _negative(term) else (term, False)


def _positive_first(terms):
    return sorted(terms, key=lambda t: (_negative(t), t.is_number, str(t)))


def _split_sign(node):
    """Return (is negative, the node without its sign)."""
    if isinstance(node, Scalar) and not _is_variable(node) and _negative(node.expr):
        return True, Scalar((), -node.expr)
    if isinstance(node, Spread):
        negative, body = _split_sign(node.body)
        return negative, Spread(node.axes, body) if negative else node
    if isinstance(node, Apply) and node.head is Mul:
        for k, a in enumerate(node.args):
            if isinstance(a, Scalar) and not _is_variable(a) and _negative(a.expr):
                left = [Scalar((), -a.expr)] if a.expr != -1 else []
                rest = (*node.args[:k], *left, *node.args[k + 1:])
                return True, rest[0] if len(rest) == 1 else Apply(node.axes, Mul, rest)
    return False, node


def _rejoined(part, _node):
    return part


def _term_order(negative, node):
    inner = node.body if isinstance(node, Spread) else node
    constant = isinstance(node, Scalar) and not _is_variable(node)
    return (
        negative,
        not _has_product(node),
        isinstance(inner, Apply) and inner.head is grouped,
        constant,
        -len(inner.axes),
    )


def _has_product(node):
    if isinstance(node, Product | Outer):
        return True
    return isinstance(node, Apply) and node.head is Mul and any(map(_has_product, node.args))


def _is_variable(node):
    return isinstance(node.expr, Symbol) and not node.expr.is_integer


def _may_overflow(node):
    """Tell whether a value may be infinite or not a number where it does not count: exp(1e4), log(-1), 1/0."""
    if isinstance(node, Spread | Transpose | Reduction):
        return _may_overflow(node.body)
    if isinstance(node, Product | Outer):
        return _may_overflow(node.left) or _may_overflow(node.right)
    if not isinstance(node, Apply):
        return False
    exponent = node.args[1].expr if node.head is Pow and isinstance(node.args[1], Scalar) else S.One
    return (
        node.head.__name__ in UNBOUNDED
        or not (exponent.is_Integer and exponent > 0)
        or any(map(_may_overflow, node.args))
    )


def _is_constant(node):
    node = node.body if isinstance(node, Spread) else node
    return isinstance(node, Scalar) and not _is_variable(node)


def _is_bracket(node):
    return isinstance(node.body if isinstance(node, Spread) else node, Bracket)


def _is_mask(node):
    node = node.body if isinstance(node, Spread) else node
    return isinstance(node, Bracket) or (isinstance(node, Apply) and node.head in (functions.step, functions.at_zero))


def _is_reciprocal(node):
    node = node.body if isinstance(node, Spread) else node
    return isinstance(node, Apply) and node.head is Pow and isinstance(node.args[1], Scalar) \
        and node.args[1].expr.is_number and node.args[1].expr < 0


def _inverted(node):
    if isinstance(node, Spread):
        return Spread(node.axes, _inverted(node.body))
    base, exponent = node.args
    return base if exponent.expr == -1 else Apply(node.axes, Pow, (base, Scalar((), -exponent.expr)))


def _is_plain_parameter(node):
    """Order the two sides of an inner product: the data first, the weights second."""
    return isinstance(node, Read) and node.name[:1] in "wW"
