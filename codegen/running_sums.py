"""Running sums as np.cumsum: of an array over all that comes before an entry, or after it, in one pass."""

from dataclasses import dataclass

from sympy import Idx, Integer

from derive.binders import Binder
from derive.forms import form
from derive.nodes import Node
from derive.partial_sums import running
from derive.program import Program
from derive.terms import bottom_up, free_indices

from .precedence import ATOM, Text
from .solutions import Parts

HELPERS = {
    "_sums_before": '''
def _sums_before(x, axis):
    """Return for each entry along an axis the sum of those before it."""
    sums = np.zeros_like(x)
    along, total = np.moveaxis(x, axis, 0), np.moveaxis(sums, axis, 0)
    np.cumsum(along[:-1], axis=0, out=total[1:])
    return sums
''',
    "_sums_after": '''
def _sums_after(x, axis):
    """Return for each entry along an axis the sum of those after it."""
    return np.flip(_sums_before(np.flip(x, axis), axis), axis)
''',
}


class RunningSum(Binder):
    """The entry of a running sum at an index; bound is what is summed over.

    Its parts are a term, the index, whether it runs onwards, and whether it takes in the entry at the index.
    """

    def as_node(self, axes) -> "Accumulated":
        """Return the array form."""
        term, index, onwards, included = self.function.args
        [(summed, *_)] = self.limits
        inside = tuple(summed if i == index else i for i in axes if i == index or i in free_indices(term))
        body = form(term, inside, natural=True)
        return Accumulated(
            tuple(index if i == summed else i for i in body.axes), body, summed, bool(onwards), bool(included))


@dataclass(frozen=True)
class Accumulated(Node):
    """The running sums of an array along one of its axes."""

    body: Node
    along: Idx
    onwards: bool
    included: bool

    def text(self, printer) -> Text:
        """Print it."""
        text, axis = printer.text(self.body), self.body.axes.index(self.along)
        if not self.included:
            printer.helpers |= dict.fromkeys(["sums_before", *(["sums_after"] if self.onwards else [])])
            return Text(f"_sums_{'after' if self.onwards else 'before'}({text.code}, axis={axis})")
        axis_given = f", axis={axis}" if len(self.axes) > 1 else ""
        if not self.onwards:
            return Text(f"np.cumsum({text.code}{axis_given})")
        backwards = f"[{':, ' * axis}::-1]"
        return Text(f"np.cumsum({text.inside(ATOM)}{backwards}{axis_given}){backwards}")


def with_running_sums(program: Program) -> Program:
    """Return the program with its running sums told; a recurrence keeps sums over its own rows, which come in turn."""
    looped = program.looped()
    return program.with_equations(
        e if e.name in looped else e.with_rhs(bottom_up(e.rhs, _told)) for e in program.equations)


def _told(term):
    found = running(term)
    if found is None:
        return term
    flags = (Integer(found.onwards), Integer(found.included))
    return RunningSum(Parts(found.term, found.index, *flags), (found.summed, found.summed.lower, found.summed.upper))
