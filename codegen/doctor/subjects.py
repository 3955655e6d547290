"""What is known of a network before any code is seen: derived once, for all the code that is compared with it."""

from functools import cached_property
from weakref import WeakKeyDictionary

from sympy import erf, erfc

from derive.pipeline import derived, finished

from .hypotheses import Hypotheses
from .second_order import Judged
from .trials import Point, points


class Subject:
    """A network's derived program, the points at which code is tried, and what may be wrong."""

    def __init__(self, net: Judged):
        self.forward = net.program()
        kept = [e.name for e in self.forward.equations if e.rhs.has(erf, erfc)]     # people send back by way of them
        self.program = finished(derived(self.forward, kept)) if kept else net.backward()

    @cached_property
    def points(self) -> list[Point]:
        return points(self.program)

    @cached_property
    def hypotheses(self) -> Hypotheses:
        return Hypotheses(self.program, self.points[0].ours)


_KNOWN: WeakKeyDictionary[Judged, Subject] = WeakKeyDictionary()


def subject(net: Judged) -> Subject:
    """Return what is known of a network, kept until it is changed or forgotten."""
    known = _KNOWN.get(net)
    if known is None or known.forward != net.program():
        known = _KNOWN[net] = Subject(net)
    return known
