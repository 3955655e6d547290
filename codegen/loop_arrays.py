"""The arrays that a loop fills slice by slice, as they are made before it: new ones, or those of a workspace."""

import re
from collections.abc import Sequence
from contextlib import contextmanager

from sympy import Add, Expr, Idx, Max

from derive.forms import form
from derive.nodes import Apply, Axes, Gather, Node, Product, Read, Reduction, Spread, Transpose
from derive.program import Equation, Program

from .inplace import InPlacePrinter
from .numpy_text import NumpyPrinter
from .workspace import ASKED


class NewArrays:
    """Arrays made anew in every call."""

    def __init__(self, printer: NumpyPrinter):
        self.printer = printer

    def allocated(self, name: str, sizes: Sequence[str], how: str, *value: str) -> str:
        """Return the line that makes an array, `how` being "empty", "zeros" or, of a value, "full"."""
        shape = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
        return f"{name} = np.{how}({', '.join([shape, *value, f'{self.printer.like}.dtype'])})"

    def computed(self, equation: Equation, dense: Expr) -> list[str]:
        """Return the lines that make an array of what is known of all rows; to a product, the rest is added."""
        terms = Add.make_args(dense)
        product = next((t for t in terms if isinstance(node := form(t, equation.free), Product)
                        and node.axes == equation.free), dense)
        lines = [fresh_array(equation.lhs, product, self.printer)]
        rest = form(dense - product, equation.free)
        return lines if product == dense else [*lines, f"{equation.name} += {self.printer.code(rest)}"]

    def assigned(self, where: str, sign: str, node: Node, axes: Axes) -> list[str]:
        """Return the lines that assign a value to some rows, or add it to them: `sign` is "=", "+=" or "-="."""
        return [f"{where} {sign} {self.printer.code(node)}"]

    def begun(self, name: str, terms: Sequence[str], sizes: Sequence[str]) -> str:
        """Return the line that makes the sum of two arrays, or the copy of one, to which others are added."""
        return f"{name} = {' + '.join(terms)}{'.copy()' if len(terms) == 1 else ''}"

    def laid_out(self, name: str, code: str, shape: Sequence[Expr]) -> str:
        """Return the line that lays out weights by which all turns of a loop multiply."""
        return f"{name} = np.ascontiguousarray({code})"

    def elsewhere(self, program: Program) -> set[str]:
        """Return the names of weights that all turns are better multiplied by in an array of ours."""
        return set()

    def ahead(self, lines: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return what a loop fetches before its first turn, and the lines of its turns."""
        return [], list(lines)

    def padded(self, name: str, array: str, shape: Sequence[Expr], widths: Sequence[tuple[Expr, Expr]]) -> list[str]:
        """Return the lines that put zeros around an array, so many before and after each axis, up to a shape."""
        shown = ", ".join(f"({self.printer.size(b).code}, {self.printer.size(a).code})" for b, a in widths)
        return [f"{name} = np.pad({array}, ({shown}{',' if len(widths) == 1 else ''}))"]

    def joined(self, name: str, slices: Sequence[str], axis: int) -> list[str]:
        """Return the line that joins slices along an axis; none where each is better put in its place."""
        return [f"{name} = np.concatenate([{', '.join(slices)}], axis={axis})"]


class WorkspaceArrays(NewArrays):
    """Arrays that are there already, as they hold what is left of the last call."""

    def __init__(self, printer: NumpyPrinter, filling: InPlacePrinter):
        super().__init__(printer)
        self.filling = filling

    def allocated(self, name, sizes, how, *value):
        if how == "full":
            return super().allocated(name, sizes, how, *value)
        array = f'array("{name}", {", ".join(sizes)})'
        if how == "zeros":
            self.printer.helpers["zeroed"] = None
        return f"{name} = {f'_zeroed({array})' if how == 'zeros' else array}"

    def computed(self, equation, dense):
        node = form(dense, equation.free)
        if not isinstance(node, Apply | Product) or node.axes != equation.free:
            return super().computed(equation, dense)
        with self._filling() as filling:
            return filling.filled(equation.name, node, filling.array(equation.name, equation.free))

    def assigned(self, where, sign, node, axes):
        if isinstance(node, Reduction) and axes and node.axes == axes:
            with self._filling() as filling:
                before, code = filling.expression(node)
                return [*before, f"{where} {sign} {code}"]
        if not isinstance(node, Apply | Product) or not axes or (sign == "=" and node.axes != axes):
            return super().assigned(where, sign, node, axes)
        with self._filling() as filling:
            if sign == "=":
                return filling.filled(where, node, filling.array(where, axes) if where.isidentifier() else where)
            terms = node.args if isinstance(node, Apply) and node.head is Add else (node,)
            return [line for t in terms for line in filling.increased(where, t, axes, sign == "-=")]

    @contextmanager
    def _filling(self):
        """Give the printer that fills arrays what is known here, and take back what it finds out."""
        filling = self.filling
        filling.like, filling.counters, filling.risky = self.printer.like, self.printer.counters, False
        yield filling
        self.printer.risky |= filling.risky

    def begun(self, name, terms, sizes):
        return f'{name} = np.{"add" if len(terms) == 2 else "positive"}({", ".join(terms)}, ' \
               f'out=array("{name}", {", ".join(sizes)}))'

    def laid_out(self, name, code, shape):
        sizes = ", ".join(self.printer.size(s).code for s in shape)
        return f'{name} = np.positive({code}, out=array("{name}", {sizes}))'

    def elsewhere(self, program):
        return {v.name for v in program.kind("parameter", "input")}

    def ahead(self, lines):
        """Name the arrays that all turns ask the workspace for by the same sizes, if these names are no others' too."""
        asked: dict[str, set[str]] = {}
        others = set()
        for line in lines:
            found = re.findall(ASKED, line)
            for name, sizes in found:
                asked.setdefault(name, set()).add(sizes)
            others |= set(re.findall(r"^\s*(\w+) = ", line)) - {name for name, _ in found}
        named = {name: sizes.pop() for name, sizes in asked.items() if len(sizes) == 1 and name not in others}
        shorter = [re.sub(ASKED, lambda m: m[1] if m[1] in named else m[0], line) for line in lines]
        turns = [re.sub(r"^(\s*)(\w+) = (.*, out=\2\))$", r"\1\3", line) for line in shorter]
        return [f'{name} = array("{name}", {sizes})' for name, sizes in named.items()], turns

    def padded(self, name, array, shape, widths):
        if any(w.has(Max) for ends in widths for w in ends):
            return super().padded(name, array, shape, widths)
        sizes = [self.printer.size(s).code for s in shape]
        ends = ["" if a == 0 else self.printer.size(-a if a.is_Integer else (size - a).expand()).code
                for size, (_, a) in zip(shape, widths, strict=True)]
        starts = [self.printer.size(b).code if b != 0 else "" for b, _ in widths]
        inside = ", ".join(f"{b}:{a}" for b, a in zip(starts, ends, strict=True))
        return [self.allocated(name, sizes, "zeros"), f"{name}[{inside}] = {array}"]

    def joined(self, name, slices, axis):
        return []


def fresh_array(lhs: Expr, dense: Expr, printer: NumpyPrinter) -> str:
    """Return one assignment whose result may be written to: what would be a view is copied."""
    node = form(dense, tuple(i for i in lhs.indices if isinstance(i, Idx)))
    code = printer.code(node)
    return f"{lhs.base.name} = np.array({code})" if _is_view(node) else f"{lhs.base.name} = {code}"


def _is_view(node):
    """Tell whether a node is an argument or a residual seen another way, not an array of its own."""
    return isinstance(node, Read | Gather | Spread) or (isinstance(node, Transpose) and _is_view(node.body))
