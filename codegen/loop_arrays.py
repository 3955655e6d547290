"""The arrays that a loop fills row by row, as they are made before it: new ones, or those of a workspace."""

from collections.abc import Sequence

from sympy import Expr

from derive.forms import form
from derive.nodes import Apply, Axes, Node
from derive.program import Equation

from .inplace import InPlacePrinter
from .numpy_text import NumpyPrinter
from .statements import fresh_array


class NewArrays:
    """Arrays made anew in every call."""

    def __init__(self, printer: NumpyPrinter):
        self.printer = printer

    def allocated(self, name: str, sizes: Sequence[str], how: str, *value: str) -> str:
        """Return the line that makes an array, `how` being "empty", "zeros" or, of a value, "full"."""
        shape = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
        return f"{name} = np.{how}({', '.join([shape, *value, f'{self.printer.like}.dtype'])})"

    def computed(self, equation: Equation, dense: Expr) -> list[str]:
        """Return the lines that make an array of what is known of all rows."""
        return [fresh_array(equation.lhs, dense, self.printer)]

    def assigned(self, where: str, sign: str, node: Node, axes: Axes) -> list[str]:
        """Return the lines that assign a value to some rows, or add it to them: `sign` is "=", "+=" or "-="."""
        return [f"{where} {sign} {self.printer.code(node)}"]


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
        if not isinstance(node, Apply) or node.axes != equation.free:
            return super().computed(equation, dense)
        self.filling.like = self.printer.like
        return self.filling.filled(equation.name, node, self.filling.array(equation.name, equation.free))

    def assigned(self, where, sign, node, axes):
        if sign != "=" or not isinstance(node, Apply) or node.axes != axes or not axes:
            return super().assigned(where, sign, node, axes)
        self.filling.like = self.printer.like
        return self.filling.filled(where, node, where)
