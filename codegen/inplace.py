"""Elementwise chains in place: each operation writes into an array that is there already.

    dv = dg*(1 - h**2)          dv = np.square(h, out=array("dv", N, H))
                                np.subtract(1, dv, out=dv)
                                dv *= dg

What NumPy cannot compute into a given array (a choice, a gather) is printed as it is in the plain style.
"""

import ast
import re
from dataclasses import replace

from sympy import Add, Integer, Mul, Piecewise, Pow, Rational, S, erf, sign

from derive import functions
from derive.nodes import Apply, Gather, Product, Read, Scalar, Spread, Transpose

from .contractions import einsum
from .functions_table import CALLS, HELPERS
from .lowering import grouped, slope
from .nodes import (
    as_numbers,
    inverted,
    is_condition,
    is_constant,
    is_mask,
    is_reciprocal,
    is_variable,
    may_overflow,
    split_sign,
    term_order,
)
from .numpy_text import NumpyPrinter
from .precedence import SUM, TERM, Text
from .product_text import taken_apart
from .shared_exponentials import capped_exp, sigmoid_at, softplus_at
from .small_factors import with_number_in_small_factor, with_small_factors_together
from .vectors_of_stacks import by_vectors
from .workspace import ASKED

FILLED = {f: f"{HELPERS[f.__name__]}_into" for f in (softplus_at, sigmoid_at)}
STEPS = {functions.sigmoid: "_sigmoid", functions.softplus: "_softplus", slope: "_sigmoid_slope",
         capped_exp: "_capped_exp"}


class InPlacePrinter(NumpyPrinter):
    """Prints a right-hand side as lines that fill one array."""

    def filled(self, name: str, node, where: str) -> list[str]:
        """Return the lines that compute a node into the array `where`, called `name` from then on."""
        self.lines: list[str] = []
        self.works = 0
        self._into(name, where, node)
        return self.lines

    def increased(self, name: str, node, axes, negative: bool) -> list[str]:
        """Return the lines that add a node to what `name` holds, or subtract it where `negative`."""
        self.lines, self.works = [], 0
        less, part = split_sign(node)
        operand = self._operand(part, axes)
        return [*self.lines, f"{name} {'-' if less != negative else '+'}= {operand}"]

    def operand(self, node, axes) -> tuple[list[str], str]:
        """Return the lines that compute an operand which takes more than a read, and what it is called."""
        self.lines, self.works = [], 0
        value = self._operand(node, axes)
        return self.lines, value

    def expression(self, node) -> tuple[list[str], str]:
        """Return the lines that prepare an expression, and the expression."""
        self.lines, self.works = [], 0
        return self.lines, self.code(node)

    # ---- one array

    def _into(self, name, where, node):
        if isinstance(node, Apply) and node.head is grouped:
            node = node.args[0]
        if isinstance(node, Product):
            self._product_into(name, where, node)
        elif isinstance(node, Apply) and node.head is Add:
            self._sum_into(name, where, node)
        elif isinstance(node, Apply) and node.head is Mul:
            self._times_into(name, where, node)
        elif isinstance(node, Apply) and node.head is Pow and self._is_plain_power(node):
            self._power_into(name, where, node)
        elif isinstance(node, Apply) and len(node.args) == 1 and self._function(node.head):
            self._function_into(name, where, node)
        elif isinstance(node, Apply) and node.head in FILLED and all(isinstance(a, Read | Gather) for a in node.args):
            self.helpers[FILLED[node.head]] = None
            call = f"{FILLED[node.head]}({', '.join(self.text(a).code for a in node.args)}, {where})"
            self.lines.append(call if name == where else f"{name} = {call}")
        elif isinstance(node, Apply) and node.head is Piecewise and self._is_filled(node):
            self._choice_into(name, where, node)
        else:
            code = self.code(node)
            if name != where and isinstance(ast.parse(code, mode="eval").body, ast.IfExp):
                self._call_into(name, where, f"np.positive({code}")         # a branch is an array that others read
            else:
                self.lines.append(f"{name} = {code}" if name != where else f"{name}[...] = {code}")

    def _call_into(self, name, where, call):
        """Append a call that fills the array: its first one also gives it its name."""
        self.lines.append(f"{name} = {call}, out={where})" if name != where else f"{call}, out={name})")

    def _sum_into(self, name, where, node):
        terms = sorted(((*split_sign(a), a) for a in node.args), key=lambda t: term_order(t[0], t[1]))
        parts = [(part, negative) for negative, part, _ in terms]
        first = next((k for k, (p, _) in enumerate(parts) if self._is_computed(p, node.axes)), None)
        if first is None:
            (one, minus), (two, less), *rest = parts
            one = as_numbers(one) if is_condition(one) else one
            left = self.text(one).inside(SUM)
            self._call_into(name, where, f"np.{'subtract' if less else 'add'}({'-' if minus else ''}{left}, "
                                         f"{self.text(two).code}")
        else:
            part, negative = parts[first]
            self._into(name, where, part)
            rest = [p for k, p in enumerate(parts) if k != first]
            if negative and rest:
                at = next((k for k, (_, less) in enumerate(rest) if not less), None)
                if at is None:
                    self.lines.append(f"np.negative({name}, out={name})")
                else:
                    self.lines.append(f"np.subtract({self._operand(*rest.pop(at)[:1], node.axes)}, {name}, out={name})")
        for part, negative in rest:
            self.lines.append(f"{name} {'-' if negative else '+'}= {self._operand(part, node.axes)}")

    def _times_into(self, name, where, node):
        node = with_number_in_small_factor(with_small_factors_together(node))
        scalars = [a for a in node.args if isinstance(a, Scalar) and not is_variable(a)]
        tops = [a for a in node.args if a not in scalars and not is_reciprocal(a)]
        bottoms = [inverted(a) for a in node.args if a not in scalars and is_reciprocal(a)]
        number = Mul(*(a.expr for a in scalars))
        masks = [a for a in tops if is_mask(a) and a.axes == node.axes and not isinstance(a, Spread)]
        tops = [a for a in tops if a not in masks]
        computed = [a for a in tops if self._is_computed(a, node.axes)]
        simple = sorted((a for a in tops if a not in computed), key=self._factor_order)
        if computed:
            self._into(name, where, computed[0])
        elif len(simple) > 1:
            one, two = simple.pop(0), simple.pop(0)
            self._call_into(name, where, self._outer_call(one, two, node.axes)
                            or f"np.multiply({self.text(one).code}, {self.text(two).code}")
        elif simple and masks and isinstance(simple[0], Read | Gather):
            self._call_into(name, where, f"np.multiply({self.text(simple.pop(0)).code}, {self._mask(masks.pop(0))}")
        elif simple and bottoms and not self._is_computed(bottoms[0], node.axes):
            self._call_into(name, where, f"np.divide({self.text(simple.pop(0)).code}, {self.text(bottoms.pop(0)).code}")
        elif simple and bottoms:
            self._into(name, where, bottoms.pop(0))
            self.lines.append(f"np.divide({self.text(simple.pop(0)).code}, {name}, out={name})")
        elif simple and number == -1:
            self._call_into(name, where, f"np.negative({self.text(simple.pop(0)).code}")
            number = S.One
        elif simple and number != 1:
            up, down = number.as_numer_denom()
            one = self.text(simple.pop(0)).code
            operation = f"np.divide({one}, {self.size(down).code}" if abs(up) == 1 and down != 1 else \
                f"np.multiply({one}, {self.size(number).code}"
            number = up if abs(up) == 1 and down != 1 else S.One
            self._call_into(name, where, operation)
        else:
            code = self.code(node)
            self.lines.append(f"{name} = {code}" if name != where else f"{name}[...] = {code}")
            return
        for a in (*simple, *computed[1:]):
            self.lines.append(f"{name} *= {self._operand(a, node.axes)}")
        for a in masks:
            self.lines.append(f"{name} *= {self._mask(a)}")
        for a in bottoms:
            self.lines.append(f"{name} /= {self._operand(a, node.axes)}")
        self._scaled_by(name, number)

    def _outer_call(self, one, two, axes):
        """Return the call of np.einsum that multiplies two arrays of which each lacks an axis that the other has.

        It takes two thirds of the time of np.multiply, which copies what it broadcasts; "" for others, and in loops.
        """
        if self.counters or not (self._is_of_real_rows(one) and self._is_of_real_rows(two)):
            return ""
        left, right = set(one.body.axes), set(two.body.axes)
        if left >= right or left <= right or left | right != set(axes):
            return ""
        return einsum(self.code(one.body), self.code(two.body), one.body.axes, two.body.axes, axes).removesuffix(")")

    def _is_of_real_rows(self, node):
        """Tell whether a node is an array of the module's dtype that is repeated along some axes."""
        return isinstance(node, Spread) and isinstance(node.body, Read) \
            and node.body.name not in self.labels | self.counted

    def _scaled_by(self, name, number):
        if number == -1:
            self.lines.append(f"np.negative({name}, out={name})")
        elif number != 1:
            up, down = number.as_numer_denom()
            if number.is_Rational and down.p.bit_count() == 1 and abs(up) == 1:
                self.lines.append(f"{name} *= {float(number)}")         # exactly the same, and faster
            elif abs(up) == 1 and down != 1:
                self.lines.append(f"{name} /= {self.size(down * up).code}")
            else:
                self.lines.append(f"{name} *= {self.size(number).code}")

    def _is_plain_power(self, node):
        power = node.args[1].expr if isinstance(node.args[1], Scalar) else None
        return power in (2, 3, 4, -1, Rational(1, 2), -2, Rational(-1, 2))

    def _power_into(self, name, where, node):
        base, power = node.args[0], node.args[1].expr
        if power == -1:
            self._call_into(name, where, f"np.divide(1, {self._started(name, where, base, node.axes)}")
            return
        steps = {2: ["square"], -2: ["square"], 4: ["square", "square"]}.get(power, ["sqrt"])
        if power == 3:
            base = self._operand(base, node.axes)
            self._call_into(name, where, f"np.square({base}")
            self.lines.append(f"{name} *= {base}")
            return
        self._call_into(name, where, f"np.{steps[0]}({self._started(name, where, base, node.axes)}")
        for step in steps[1:]:
            self.lines.append(f"np.{step}({name}, out={name})")
        if power < 0:
            self.lines.append(f"np.divide(1, {name}, out={name})")

    def _is_filled(self, node):
        """Tell whether a choice is a value where a condition holds, and a number elsewhere."""
        fits = len(node.args) == 4 and self._is_computed(node.args[0], node.axes) and is_constant(node.args[2])
        return fits and not isinstance(node.args[1], Scalar) and isinstance(node.args[3], Scalar)

    def _choice_into(self, name, where, node):
        value, condition, other, _ = node.args
        self.risky |= may_overflow(value)
        self._into(name, where, value)
        least_of = isinstance(condition, Spread) and self.code(other) == "-np.inf" and not may_overflow(value)
        if not least_of or self.counters:
            self.lines.append(f"np.copyto({name}, {self.code(other)}, where=~({self.code(condition)}))")
            return
        axes = condition.body.axes                          # few, broadcast to all of them
        bound, least = self._work(axes), self._named_work()
        self.works -= 1
        self.lines += [
            f"{least} = {bound}",
            f"{least}.fill(np.inf)",
            f"np.copyto({least}, -np.inf, where=~({self.code(condition.body)}))",
            f"np.fmin({name}, {self.code(replace(condition, body=Read(axes, least)))}, out={name})",
        ]

    def _function(self, head):
        return head is functions.relu or head is erf or head in STEPS or head.__name__ in CALLS

    def _function_into(self, name, where, node):
        head, argument = node.head, node.args[0]
        if head is erf:
            self.helpers["_erf_into"] = self.scipy["erf"] = None
            call = f"_erf_into({self._started(name, where, argument, node.axes)}, {where})"
            self.lines.append(call if name == where else f"{name} = {call}")
            return
        if head in STEPS:
            self.helpers[f"{STEPS[head]}_into"] = None
            if head in (functions.sigmoid, capped_exp):         # their argument may lie where the result goes
                call = f"{STEPS[head]}_into({self._started(name, where, argument, node.axes)}, {where})"
                self.lines.append(call if name == where else f"{name} = {call}")
                return
            x, work = self._operand(argument, node.axes), self._work(node.axes)
            call = f"{STEPS[head]}_into({x}, {where}, {work})"
            self.lines.append(call if name == where else f"{name} = {call}")
            self.works -= 1
            return
        if head is sign:                                # nine times as fast beside its argument as in its place
            self._call_into(name, where, f"np.sign({self._operand(argument, node.axes)}")
            self.works -= self._is_computed(argument, node.axes)
            return
        x = self._started(name, where, argument, node.axes)
        if head is functions.relu and x != name:
            self.helpers["relu_into"] = None
            call = f"_relu_into({x}, {where})"
            self.lines.append(call if name == where else f"{name} = {call}")
        elif head is functions.relu:
            self._call_into(name, where, f"np.maximum({x}, 0")
        else:
            self._call_into(name, where, f"{CALLS[head.__name__]}({x}")

    def _started(self, name, where, node, axes):
        """Return the code of an operand that is computed into the array itself where it is no plain read."""
        if not self._is_computed(node, axes):
            return self.text(node).code
        self._into(name, where, node)
        return name

    def _product_into(self, name, where, node):
        node = replace(node, left=self._beforehand(node.left), right=self._beforehand(node.right))
        self.product_shape = ""
        code = self.code(node)
        found, asked = taken_apart(code), re.fullmatch(ASKED, where)
        if found and not found.sizes and not found.turn:
            self._call_into(name, self._laid_out(name, where, node.axes), f"np.matmul({found.left}, {found.right}")
        elif found and self.product_shape and not found.turn and name.isidentifier():
            self.lines += [] if name == where else [f"{name} = {where}"]
            self.lines.append(f"np.matmul({found.left}, {found.right}, out={name}.reshape({self.product_shape}))")
        elif found and _keeps_rows(found.turn) and not found.sizes and not self.product_shape and asked:
            back = _back(_places(found.turn))
            self.lines += [f"{name} = {where}", f"np.matmul({found.left}, {found.right}, out={name}{back})"]
        elif found and found.turn and bool(found.sizes) == bool(self.product_shape) and asked and not self.counters:
            sizes = found.sizes or ", ".join(self.lengths(_turned_back(node.axes, found.turn)))
            whole = f".reshape({self.product_shape})" if found.sizes else ""
            self.lines += [f'{name} = array("{asked[1]}", {sizes})',
                           f"np.matmul({found.left}, {found.right}, out={name}{whole})", f"{name} = {name}{found.turn}"]
        else:
            self.lines.append(f"{name} = {code}" if name != where else f"{name}[...] = {code}")

    def _gather(self, node):
        """Print rows that labels name as NumPy fetches them fastest; labels are in range."""
        text = super()._gather(node)
        rows = re.fullmatch(r"(\w+)\[(\w+)\]", text.code)
        fits = rows and rows[2] in self.labels and rows[1] not in self.labels
        return Text(f"{rows[1]}.take({rows[2]}, axis=0)") if rows and fits else text

    def _laid_out(self, name, where, axes):
        """Return the code of the array that a product goes to, its axes in memory as those want them who read it."""
        order = self.layouts.get(name)
        if not order or not re.fullmatch(ASKED, where):
            return where
        return f"{self.array(name, tuple(axes[k] for k in order))}{_back(order)}"

    def _beforehand(self, node):
        """Return an operand of a product of matrices: what is computed entry by entry is in an array of its own."""
        if isinstance(node, Transpose):
            return replace(node, body=self._beforehand(node.body))
        if not isinstance(node, Apply) or len(node.axes) < 2 or not self._is_computed(node, node.axes):
            return node
        work = self._work(node.axes)
        name = self._named_work()
        self._into(name, work, node)
        return Read(node.axes, name)

    # ---- what stands beside

    def _is_computed(self, node, axes):
        """Tell whether a node has all axes and takes more than a read."""
        return node.axes == axes and isinstance(node, Apply | Product) and not is_mask(node)

    def _operand(self, node, axes):
        """Return the code of an operand, computed into an array of its own first where it is as large as the result."""
        if not self._is_computed(node, axes):
            return self.text(node).inside(TERM)
        work = self._work(axes)
        name = self._named_work()
        self._into(name, work, node)
        return name

    def _work(self, axes):
        self.works += 1
        return self.array(self._named_work(), axes)

    def _named_work(self):
        return f"work{self.works if self.works > 1 else ''}"

    def array(self, name, axes):
        """Print the array of the workspace by a name, with the sizes of the axes."""
        return f'array("{name}", {", ".join(self.lengths(axes))})'

    def _reduced(self, function, node):
        """Sum what is computed in place first; the product of two arrays by a helper that makes none for it."""
        body = node.body
        if function == "np.sum" and (rows := by_vectors(node, self)):
            return rows
        if isinstance(body, Apply) and len(body.axes) > 1:
            pair = self._pair(body)
            if function == "np.sum" and pair and tuple(node.over) == body.axes[-1:]:
                self.helpers["dots"] = None
                return f"_dots({self._operands(pair, body.axes)})"
            if function == "np.sum" and len(node.over) == len(body.axes) and (inner := self._inner(body)):
                return inner
            work = self._work(body.axes)
            name = self._named_work()
            self._into(name, work, body)
            places = sorted(body.axes.index(i) for i in node.over)
            if len(places) == len(body.axes):
                return f"{function}({name})"
            helper = self._over_rows(function, places, len(body.axes))
            return helper.format(name) if helper else f"{name}.{function.removeprefix('np.')}(axis={as_axes(places)})"
        if self._is_real(body):
            helper = self._over_rows(function, sorted(body.axes.index(i) for i in node.over), len(body.axes))
            if helper:
                return helper.format(self.text(body).code)
        return super()._reduced(function, node)

    def _inner(self, body):
        """Print the sum of all entries of a product of two arrays; what is computed is in an array first."""
        pair = self._pair(body) if isinstance(body, Apply) else None
        if not pair or any(map(is_reciprocal, pair)):
            return ""
        self.helpers["inner"] = None
        return f"_inner({self._operands(pair, body.axes)})"

    def _is_real(self, node):
        """Tell whether a node is an array, or a part of one, and no labels."""
        return node.name not in self.labels if isinstance(node, Read) else \
            isinstance(node, Gather) and not node.read.is_integer

    def _pair(self, body):
        """Return the two arrays whose entries a product multiplies, one twice for its squares; None for others."""
        if body.head is Pow and body.args[1] == Scalar((), Integer(2)):
            body = Apply(body.axes, Mul, (body.args[0], body.args[0]))
        fits = body.head is Mul and len(body.args) == 2 and all(
            a.axes == body.axes and (isinstance(a, Read) or self._is_computed(a, body.axes)) for a in body.args)
        return body.args if fits else None

    def _operands(self, pair, axes):
        """Return the code of two operands; what is computed is in an array, the same one for the same twice."""
        first = self._operand(pair[0], axes)
        return f"{first}, {first if pair[0] == pair[1] else self._operand(pair[1], axes)}"

    def _over_rows(self, function, places, rank):
        """Return the call, but for its array, that reduces axes that lie together faster; "" where none does.

        Sums over some of the first axes and some of the last are those over the last, then over the first.
        """
        kept = [k for k in range(rank) if k not in places]
        if function == "np.sum" and kept[:1] == [0] and kept[-1] == rank - 1 and places == list(
                range(places[0], places[-1] + 1)):
            self.helpers["middle_sums"] = None
            return f"_middle_sums({{}}, {places[0]}{f', {len(places)}' if len(places) > 1 else ''})"
        if not kept or kept != list(range(kept[0], kept[-1] + 1)):
            return ""
        first, last = kept[0], rank - 1 - kept[-1]
        if function == "np.sum":
            self.helpers["row_sums" if last else "column_sums"] = None
            if not last:
                return f"_column_sums({{}}{f', {len(kept)}' if len(kept) > 1 else ''})"
            axis = f".sum(axis={as_axes(range(first))})" if first else ""
            return f"_row_sums({{}}{f', {last}' if last > 1 else ''}){axis}"
        if function == "np.max" and last == 1 and not first:
            self.helpers["row_maxima"] = None
            return "_row_maxima({})"
        return ""


def as_axes(places):
    """Print the axes of a reduction."""
    return str(places[0]) if len(places) == 1 else f"({', '.join(map(str, places))})"


def _turned_back(axes, turn):
    """Return the axes of what `turn`, the code of a transposition, makes to these."""
    if not turn.startswith(".transpose("):
        return (*axes[:-2], axes[-1], axes[-2])
    return tuple(axes[_places(turn).index(k)] for k in range(len(axes)))


def _places(turn):
    """Return the places of the axes in the code of a transposition."""
    return [int(k) for k in re.findall(r"\d+", turn)]


def _back(places):
    """Return the code that turns axes in these places back."""
    return f".transpose({', '.join(str(places.index(k)) for k in range(len(places)))})"


def _keeps_rows(turn):
    """Tell whether the code of a transposition leaves the last axis where it is: rows are written whole."""
    return turn.startswith(".transpose(") and _places(turn)[-1] == len(_places(turn)) - 1
