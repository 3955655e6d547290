"""Printing elementwise operations: sums, products, powers, functions, choices."""

from dataclasses import replace

from sympy import Add, Mul, Piecewise, Pow, Rational, Symbol
from sympy.logic.boolalg import And, Not, Or

from derive import functions
from derive.errors import DerivationError
from derive.nodes import Apply, Bracket, Gather, Read, Scalar, Spread
from derive.terms import read_name

from .functions_table import BESSEL, CALLS, DOUBLE, HELPERS, SCIPY, SPECIAL
from .lowering import grouped
from .nodes import (
    as_numbers,
    condition_of,
    equal_where_zero,
    inverted,
    is_between,
    is_bracket,
    is_condition,
    is_constant,
    is_mask,
    is_reciprocal,
    is_variable,
    may_overflow,
    positive_where,
    split_sign,
    term_order,
)
from .numbers_text import denominators, is_negative, numerators
from .places_text import indexed
from .precedence import ATOM, POWER, SIGN, SUM, TERM, Text
from .shared_powers import is_by_size
from .small_factors import with_small_factors_together
from .sums_text import SumPrinter


class ElementwisePrinter(SumPrinter):
    """Prints what acts on arrays entry by entry."""

    def _apply(self, node):
        head = node.head
        if head is Add:
            terms = sorted(map(split_sign, node.args), key=lambda t: term_order(*t))
            if all(is_condition(part) or is_constant(part) for _, part in terms):
                terms = [(negative, as_numbers(part) if is_condition(part) else part) for negative, part in terms]
            (less, first), *rest = terms
            if not less and isinstance(first, Apply) and first.head is grouped:     # it is added up first anyway
                terms = [(less, first.args[0]), *rest]
            return self._sum([(self.text(part), negative) for negative, part in terms])
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
            text = f"{function}({', '.join(map(self.code, args[args[0].expr == 0:]))})"
            return Text(text if args[0].expr == 0 else f"{text}.astype({self.like}.dtype)")     # SciPy's is double
        if name in BESSEL:
            self.scipy[BESSEL[name]] = None
            return Text(f"{BESSEL[name]}({', '.join(map(self.code, args))})")
        if name in SPECIAL:
            self.scipy[SPECIAL[name].partition("(")[0]] = None
            text = SPECIAL[name].format(*map(self.code, args))
            return Text(f"{text}.astype({self.like}.dtype)" if name in DOUBLE else text)
        if name in ("Max", "Min"):
            first, *others = sorted(args, key=is_constant)
            result = self.code(first)
            for a in others:
                result = f"np.{'maximum' if name == 'Max' else 'minimum'}({result}, {self.code(a)})"
            return Text(result)
        if name in HELPERS:
            self.helpers[name] = None
            self.scipy |= {"lambertw": None} if name == "LambertW" else {}
            return Text(f"{HELPERS[name]}({', '.join(map(self.code, args))})")
        if name in SCIPY:
            self.scipy[SCIPY[name]] = None
            return Text(f"{SCIPY[name]}({', '.join(map(self.code, args))})")
        if name in CALLS:
            return Text(f"{CALLS[name]}({', '.join(map(self.code, args))})")
        raise DerivationError(f"no function of NumPy's or SciPy's is known for {name}; write it by those that "
                              "docs/language.md lists, or hand its values over as a net.input(...)")

    def _where(self, args):
        pairs = list(zip(args[::2], args[1::2], strict=True))
        if is_between(pairs):
            (low, _), (high, _), (value, _) = pairs
            return Text(f"np.clip({self.code(value)}, {self.code(low)}, {self.code(high)})")
        text = self.code(pairs[-1][0])
        alike = len({bool(value.axes) and not isinstance(value, Spread) for value, _ in pairs}) == 1
        for value, condition in reversed(pairs[:-1]):
            if isinstance(condition, Scalar) and alike:         # np.where brings branches of other shapes to one
                text = f"({self.code(value)} if {self.code(condition)} else {text})"
                continue
            text = f"np.where({self.code(condition)}, {self.code(value)}, {text})"
        self.risky |= "np.where" in text and any(may_overflow(value) for value, _ in pairs)
        constant = text.startswith("np.where") and all(is_constant(value) or is_condition(value) for value, _ in pairs)
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
        if isinstance(exponent, Scalar) and base.axes and is_by_size(Pow(Symbol("x"), power)):
            self.helpers["power"] = None
            return Text(f"_power({text.code}, {self.code(exponent)})")
        return Text(f"{text.inside(ATOM)}**{self.text(exponent).inside(ATOM)}", POWER)

    def _integer_power(self, atom, power):
        """Print a power by squaring: x**3 is 160 times slower than x**2 * x in NumPy, and x**6 is (x**2 * x)**2."""
        if power == 1:
            return Text(atom)
        square = f"{self._integer_power(atom, power // 2).inside(ATOM)}**2"
        return Text(f"{square} * {atom}", TERM) if power % 2 else Text(square, POWER)

    def _times(self, node):
        """Print a product: numbers and sizes first, then what has fewer axes, the adjoint before other factors."""
        mean = self._mean(node) or self._lower_triangle(node)
        if mean is not None:
            return mean
        node = with_small_factors_together(node)
        negative, tops, bottoms = False, [], []
        for a in node.args:
            if isinstance(a, Scalar) and not is_variable(a):
                negative ^= is_negative(a.expr)
                tops += [Scalar((), f) for f in numerators(a.expr)]
                bottoms += [Scalar((), f) for f in denominators(a.expr)]
            elif is_reciprocal(a):
                bottoms.append(inverted(a))
            else:
                tops.append(a)
        masks = [a for a in tops if is_mask(a)]
        bare = len(tops) - len(masks) > sum(isinstance(a, Scalar) and not is_variable(a) for a in tops)
        tops.sort(key=self._factor_order)
        constant = [t for t in tops if isinstance(t, Scalar) and not is_variable(t)]
        first = [b for b in bottoms if isinstance(b, Scalar) and not is_variable(b)] if constant else []
        arrays = [t for t in tops if t not in constant]
        if not bare or (negative and not constant):
            arrays.sort(key=is_mask if bare else is_bracket)        # a comparison is no number: no minus before it
        elif constant and is_mask(arrays[0]):                       # nor has it a dtype: 2 * (q < 1) is float64
            arrays.insert(0, arrays.pop(next(k for k, a in enumerate(arrays) if not is_mask(a))))
        texts = [self._factor(a, bare) for a in arrays]
        if arrays and not bare and is_bracket(arrays[0]):
            texts[0] = Text(f"{texts[0].inside(ATOM)}.astype({self.like}.dtype)")
        if constant and first and arrays:
            scale = self._quotient([self.text(t) for t in constant], [self.text(b) for b in first])
            texts, bottoms = [scale, *texts], [b for b in bottoms if b not in first]
        else:
            texts = [self.text(t) for t in constant] + texts
        bottoms.sort(key=lambda b: (not isinstance(b, Scalar), self._factor_order(b)))
        return self._quotient(texts, [self._factor(b, False) for b in bottoms], negative)

    def _lower_triangle(self, node):
        """Print a matrix times [i > j] + [i = j]/2, None for another product."""
        if len(node.axes) < 2:
            return None
        half = next((a for a in node.args if isinstance(inner := a.body if isinstance(a, Spread) else a, Apply)
                     and inner.head is functions.half_step
                     and getattr(inner.args[0], "expr", None) == node.axes[-2] - node.axes[-1]), None)
        rest = tuple(a for a in node.args if a is not half)
        varied = {i for a in rest for i in (a.body if isinstance(a, Spread) else a).axes}
        if half is None or not set(node.axes[-2:]) <= varied:           # a row or a column has no triangle
            return None
        self.helpers["lower"] = None
        return Text(f"_lower({self.code(rest[0] if len(rest) == 1 else Apply(node.axes, Mul, rest))})")

    def _factor_order(self, node):
        inner = node.body if isinstance(node, Spread) else node
        constant = isinstance(inner, Scalar) and not is_variable(inner)
        name = inner.name if isinstance(inner, Read) else read_name(inner.read) if isinstance(inner, Gather) \
            else str(inner.expr) if isinstance(inner, Scalar) else ""
        return not constant, name not in self.settings, len(inner.axes), is_mask(inner), name not in self.adjoints, \
            not isinstance(inner, Read | Gather | Scalar)

    def _factor(self, node, bare):
        """Print a factor; a mask stays a comparison where a real array stands beside it."""
        if bare and isinstance(node, Spread) and is_mask(node.body):
            return replace(indexed(Text(f"({self._mask(node.body)})"), node.body.axes, node.axes), unsigned=True)
        if bare and is_mask(node):
            return Text(self._mask(node), 0, unsigned=True)
        return self.text(node)

    def _mask(self, node):
        if isinstance(node, Bracket):
            return self.code(node)
        if node.head is Piecewise:
            return self.code(condition_of(node))
        if node.head is not functions.step:
            left, right = equal_where_zero(node.args[0])
            return f"{self.text(left).inside(SUM)} == {self.text(right).inside(SUM)}"
        left, sign, right = positive_where(node.args[0])
        return f"{self.text(left).inside(SUM)} {sign} {self.text(right).inside(SUM)}"
