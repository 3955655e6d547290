"""The product of all other entries, which a product's derivative is made of: from both ends, in one pass each."""

from dataclasses import dataclass

from sympy import Eq, Idx, Piecewise, S

from derive.binders import Binder, Product
from derive.forms import form
from derive.nodes import Node
from derive.program import Program
from derive.terms import bottom_up, free_indices

from .precedence import Text
from .solutions import Parts

HELPERS = {
    "_products_of_others": '''
def _products_of_others(x, axis):
    """Return for each entry along an axis the product of all others: of those before it and those after it."""
    along = np.moveaxis(x, axis, 0)
    before, after = np.ones_like(along), np.ones_like(along)
    np.cumprod(along[:-1], axis=0, out=before[1:])
    np.cumprod(along[:0:-1], axis=0, out=after[-2::-1])
    return np.moveaxis(before * after, 0, axis)
''',
}


class ProductOfOthers(Binder):
    """The product of the terms at all other places than an index, which are the parts of it; bound is the place."""

    def as_node(self, axes) -> "Others":
        """Return the array form."""
        term, index = self.function.args
        [(place, *_)] = self.limits
        inside = tuple(place if i == index else i for i in axes if i == index or i in free_indices(term))
        body = form(term, inside, natural=True)
        return Others(tuple(index if i == place else i for i in body.axes), body, place)


@dataclass(frozen=True)
class Others(Node):
    """The products of the other entries of an array along one of its axes."""

    body: Node
    along: Idx

    def text(self, printer) -> Text:
        """Print it."""
        printer.helpers["products_of_others"] = None
        return Text(f"_products_of_others({printer.text(self.body).code}, axis={self.body.axes.index(self.along)})")


def with_products_of_others(program: Program) -> Program:
    """Return the program with products of all other entries told; a recurrence keeps its own, which come in turn."""
    looped = program.looped()
    return program.with_equations(
        e if e.name in looped else e.with_rhs(bottom_up(e.rhs, _told)) for e in program.equations)


def _told(term):
    if not isinstance(term, Product) or len(term.limits) != 1 or not isinstance(term.function, Piecewise):
        return term
    [(place, low, high)], (one, *others) = term.limits, term.function.args
    index = next((i for i in getattr(one[1], "args", ()) if i != place), None)
    if one[0] != 1 or not isinstance(one[1], Eq) or not isinstance(index, Idx) or place not in one[1].args \
            or len(others) != 1 or others[0][1] != S.true or others[0][0].has(index) \
            or (index.lower, index.upper) != (low, high) or place not in free_indices(others[0][0]):
        return term
    return ProductOfOthers(Parts(others[0][0], index), (place, low, high))
