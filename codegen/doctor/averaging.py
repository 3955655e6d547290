"""Networks that normalise over other axes: all means of one array, and what is made of them, over others together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, permutations

from sympy import Dummy, Expr, Idx, Mul, Sum

from derive.program import Equation, Program
from derive.terms import count, free_indices, fresh, index_names, instantiated, read_name, reads

from .slips import RARE, Mutant

MOST_AXES = 5           # of an array, that means are taken over some of
Slot = tuple[int, int]  # an index of an array's read: its place, and which of the indices there
Here = Mapping[Slot, Expr]


@dataclass(frozen=True)
class _Mean:
    """A forward equation that is a mean of something that is made of one array."""

    equation: Equation
    function: Expr
    array: str
    slots: dict[Slot, Idx]          # the array's indices
    over: frozenset[Slot]           # those that it is a mean over


def other_means(program: Program) -> Iterator[Mutant]:
    """Yield the mutants in which all means of an array, its variance for one, are over other axes of it."""
    means = {e.name: m for e in program.forward if (m := _mean(program, e))}
    for key in dict.fromkeys((m.array, m.over) for m in means.values()):
        alike = {n: m for n, m in means.items() if (m.array, m.over) == key}
        first = next(iter(alike.values()))
        for over in _choices(first):
            if lines := _Otherwise(program, alike, over).lines():
                new, old = (", ".join(first.slots[s].name for s in sorted(slots)) for slots in (over, first.over))
                words = f"{' and '.join(alike)} {'is' if len(alike) == 1 else 'are'} over {new}, not over {old}"
                yield Mutant(lines[0].name, lines, words, "axis", RARE)


def _choices(mean):
    """Return what else the means may be over, no axis more or less first."""
    slots = sorted(mean.slots)
    some = [frozenset(c) for k in range(1, len(slots) + 1) for c in combinations(slots, k)]
    return sorted((s for s in some if s != mean.over), key=lambda s: len(s ^ mean.over))


def _mean(program, equation) -> _Mean | None:
    """Return what a forward equation is a mean of, None where it is none."""
    if equation.implicit or len(program.defining(equation.name)) != 1 or equation.free != equation.indices:
        return None
    totals = [f for f in Mul.make_args(equation.rhs) if isinstance(f, Sum)]
    if len(totals) != 1 or (equation.rhs / totals[0] * count(totals[0].limits)) != 1:
        return None
    summed = {limit[0] for limit in totals[0].limits}
    for read in reads(totals[0].function, program.variables):
        slots = _slots(read)
        if summed <= set(slots.values()) <= {*summed, *equation.free} and len(slots) <= MOST_AXES:
            over = frozenset(s for s, i in slots.items() if i in summed)
            return _Mean(equation, totals[0].function, read_name(read), slots, over)
    return None


def _slots(read) -> dict[Slot, Idx]:
    places = getattr(read, "indices", ())
    return {(p, k): i for p, place in enumerate(places) for k, i in enumerate(free_indices(place))}


@dataclass
class _Otherwise:
    """The equations that read some means, with these written out over other axes."""

    program: Program
    means: Mapping[str, _Mean]
    over: frozenset[Slot]

    def __post_init__(self):
        self.made_of = dict[str, Equation]()        # of means alone: a standard deviation
        self.taken = set[str]()                     # names of indices in the equation at hand
        for e in self.program.forward:
            names = {read_name(r) for r in reads(e.rhs, self.program.variables)}
            known = {*self.means, *self.made_of}
            if names & known and names <= known and e.name not in known and e.free == e.indices and not e.implicit:
                self.made_of[e.name] = e

    def lines(self) -> tuple[Equation, ...]:
        """Return the equations, () where one of them does not read the array itself."""
        names, found = {*self.means, *self.made_of}, []
        for e in self.program.forward:
            if e.name in names or not reads(e.rhs, names):
                continue
            here = self._here(e)
            if here is None:
                return ()
            self.taken = {*index_names(e.rhs), *(i.name for i in e.free)}
            found.append(e.with_rhs(e.rhs.xreplace({r: self._written(r, here) for r in reads(e.rhs, names)})))
        return tuple(found)

    def _here(self, equation) -> Here | None:
        """Return the array's indices where an equation reads it."""
        mean = next(iter(self.means.values()))
        pattern = next(r for r in reads(mean.function, {mean.array}) if _slots(r) == mean.slots)
        for read in reads(equation.rhs, {mean.array}):
            found: dict[Slot, Expr] = {}
            for p, (asked, given) in enumerate(zip(pattern.indices, read.indices, strict=True)):
                slots = [s for s in mean.slots if s[0] == p]
                names = [given] if isinstance(asked, Idx) else free_indices(given)
                fits = (order for order in permutations(names, len(slots)) if given == instantiated(
                    asked, dict(zip((mean.slots[s] for s in slots), order, strict=True))))
                found |= dict(zip(slots, next(fits, ()), strict=False))
            if len(found) == len(mean.slots):
                return found
        return None

    def _written(self, read: Expr, here: Here) -> Expr:
        """Return what is read of a mean, or of what is made of some, over the other axes."""
        name, places = read_name(read), getattr(read, "indices", ())
        if name in self.made_of:
            equation = self.made_of[name]
            return self._inside(equation.rhs, dict(zip(equation.indices, places, strict=True)), here)
        mean = self.means[name]
        own = {s: fresh(i, self.taken) if s in self.over else here[s] for s, i in mean.slots.items()}
        self.taken |= {i.name for s, i in own.items() if s in self.over}
        limits = [(own[s], i.lower, i.upper) for s, i in mean.slots.items() if s in self.over]
        changes = dict(zip(mean.equation.indices, places, strict=True)) | {i: own[s] for s, i in mean.slots.items()}
        whole = Sum(self._inside(mean.function, changes, own), *limits)
        return whole / Mul(*(i.upper - i.lower + 1 for s, i in mean.slots.items() if s in self.over))

    def _inside(self, expr, changes, here):
        """Return an expression with other indices, in which means are written out."""
        inner = {r: Dummy(real=True) for r in reads(expr, {*self.means, *self.made_of})}
        changed = instantiated(expr.xreplace(inner), changes)
        return changed.xreplace({d: self._written(r, here) for r, d in inner.items()})
