"""All that may be wrong with a program's backward equations, made when it is asked for, and kept."""

import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import count, islice

from derive.order import reached
from derive.program import Equation, Program
from derive.terms import read_name, reads

from .activations import slopes, softmaxes
from .alike import same_changes
from .axes import other_axes, summed_too
from .cached import other_arrays
from .carried import added_late, uncarried
from .evaluate import Evaluated
from .everywhere import same_slips
from .inlining import inlined
from .losses import lost_scalars
from .misplaced_brackets import shared_factors
from .mutants import Mutator
from .normalisations import compact_forms
from .orders import other_orders
from .places import averaged, overwritten
from .positions import in_slices
from .products import added_numbers, lost_factors
from .slips import FARFETCHED, RARE, Mutant
from .split_sums import products_of_sums
from .systems import other_systems
from .values import mistaken_values
from .windows import shared_or_strided

Changed = Mapping[str, tuple[Equation, ...]]


class Hypotheses:
    """The mutants of one program; `first` has the values of its equations at a point."""

    def __init__(self, program: Program, first: Evaluated):
        self.program, self.mutator = program, Mutator(program)
        self.reached = _reached(program)
        wording = self.mutator.wording
        self.makers = [self.mutator.of, partial(in_slices, program, wording), partial(slopes, program),
                       partial(softmaxes, program), partial(overwritten, program), partial(averaged, program),
                       partial(other_axes, program),
                       partial(summed_too, program, wording), partial(products_of_sums, program),
                       partial(shared_or_strided, program), partial(other_orders, wording), other_systems,
                       partial(added_numbers, program, wording), partial(shared_factors, program, wording),
                       partial(compact_forms, program, self.mutator, first)]
        self.far = [partial(inlined, program, self.mutator, {e.name for e in program.equations})]
        self.whole = [*lost_scalars(program), *uncarried(program), *added_late(program, wording),
                      *same_slips(program), *lost_factors(program, wording)]
        self.alike = Kept(same_changes(program, self.mutator, self.reached))
        self.values = Kept(mistaken_values(program, self.mutator))
        self.cached = Kept(other_arrays(program, first))
        self.known: dict[tuple, Kept] = {}

    def of(self, equations: tuple[Equation, ...], far: bool = False) -> "Kept":
        """Return the mutants of the equations of one variable, or those of them that are far-fetched."""
        key = equations, far
        if key not in self.known:
            makers = self.far if far else self.makers
            self.known[key] = Kept(m for e in equations for make in makers for m in _made(make, e))
        return self.known[key]

    def ranked(self, rank: int, places: Iterable[str], changed: Changed, deadline: float) -> Iterator[Mutant]:
        """Yield the mutants of one rank of the equations at the given places, until the thread's time is up."""
        for name in places:
            lines = changed.get(name) or tuple(self.program.defining(name))
            for far in (False, True)[:1 + (rank == FARFETCHED)]:
                for mutant in self.of(lines, far):
                    if time.thread_time() > deadline:
                        return
                    if mutant.rank == rank:
                        yield mutant

    def throughout(self, rank: int, changed: Changed) -> list[Mutant]:
        """Return the mutants of one rank that change many equations at once."""
        far = {RARE: (self.alike,), FARFETCHED: (self.cached, self.values)}
        known = [*self.whole, *(m for some in far.get(rank, ()) for m in some)]
        return [m for m in known if m.rank == rank and not {e.name for e in m.equations} & set(changed)]


class Kept:
    """What an iterator yields, made when it is asked for the first time."""

    def __init__(self, source: Iterator[Mutant]):
        self.source, self.made = source, list[Mutant]()

    def __iter__(self) -> Iterator[Mutant]:
        for k in count():
            if k == len(self.made):
                self.made += islice(self.source, 1)
            if k == len(self.made):
                return
            yield self.made[k]


def _made(make, equation):
    """Yield what a maker makes of an equation, until it makes an expression that SymPy refuses."""
    try:
        yield from make(equation)
    except ValueError:
        return


def _reached(program: Program) -> dict[str, frozenset[str]]:
    """Return for every variable the parameters whose gradients depend on it."""
    readers: dict[str, set[str]] = {}
    for e in program.equations:
        for read in reads(e.rhs, program.variables):
            readers.setdefault(read_name(read), set()).add(e.name)
    parameters = {program.adjoints[p.name]: p.name for p in program.parameters if p.name in program.adjoints}
    return {name: frozenset(parameters[n] for n in reached([name], readers) if n in parameters)
            for name in program.variables}
