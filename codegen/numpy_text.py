"""Printing array forms as NumPy: one node in, one expression out, as an expert would type it."""

from .contractions import transposition
from .elementwise_text import ElementwisePrinter
from .places_text import indexed
from .precedence import ATOM, Text
from .vectors_of_stacks import by_vectors


class NumpyPrinter(ElementwisePrinter):
    """Prints nodes; remembers which sizes, helpers and SciPy functions the printed code needs."""

    def _read(self, node):
        if node.name in self.labels and not self.comparing:
            return Text(f"{node.name}.astype({self.like}.dtype)")
        return Text(f"{node.name}[1:]" if node.name in self.states else node.name)

    def _scalar(self, node):
        return self.size(node.expr)

    def _transpose(self, node):
        turned = by_vectors(node.body, self, node.axes)
        return Text(turned or f"{self.text(node.body).inside(ATOM)}{transposition(node.body.axes, node.axes)}")

    def _spread(self, node):
        return indexed(self.text(node.body), node.body.axes, node.axes)
