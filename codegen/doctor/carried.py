"""Recurrences on the way back in which nothing is carried from one step to the next, at all or by one variable."""

from collections.abc import Iterator

from sympy import Add, Expr, Idx, KroneckerDelta

from derive.program import Equation, Program, is_cyclic, ordered
from derive.terms import free_indices, instantiated, reads

from .slips import POSSIBLE, RARE, Mutant
from .wording import Wording


def uncarried(program: Program) -> Iterator[Mutant]:
    """Yield for each recurrence of the adjoints what it is without all terms of other steps, or those of one equation.

    What goes to the initial row of a state is kept in some of them: a loop sends it back whatever it carries.
    """
    adjoints = set(program.adjoints.values())
    for group in ordered(program.backward):
        if not is_cyclic(group):
            continue
        terms = {e: [t for t in Add.make_args(e.rhs) if _of_another_step(t, adjoints)] for e in group}
        carrying = [e for e in group if terms[e]]
        choices = [[e] for e in carrying if len(terms[e]) > 1]
        for chosen in ([carrying] if len(carrying) > 1 else []) + choices:
            for at_first in (False, True):
                changed = [e.with_rhs(Add(e.rhs, *(_lost(t, at_first) for t in terms[e]))) for e in chosen]
                if at_first and all(c.rhs == e.rhs - Add(*terms[e]) for c, e in zip(changed, chosen, strict=True)):
                    continue
                words = "nothing is carried from one step to the step before"
                words += f", by {' or '.join(dict.fromkeys(e.name for e in chosen))}" if len(chosen) > 1 else ""
                yield Mutant(chosen[0].name, (*_other_lines(program, changed), *changed), words, "term", POSSIBLE)


def added_late(program: Program, wording: Wording) -> Iterator[Mutant]:
    """Yield the mutants in which a term of an adjoint is added when what else reads it at that step has done so."""
    adjoints = set(program.adjoints.values())
    for group in (g for g in ordered(program.backward) if is_cyclic(g)):
        for e in group:
            terms = [t for t in Add.make_args(e.rhs) if not _of_another_step(t, adjoints)]
            if not any(_of_another_step(r, {e.name}) for other in group for r in reads(other.rhs, {e.name})):
                continue
            for term in terms if len(Add.make_args(e.rhs)) > 1 else ():
                changed = [new for other in program.backward if (new := _before(other, e, term)).rhs != other.rhs]
                if changed:
                    names = ", ".join(dict.fromkeys(new.name for new in changed))
                    words = f"{wording.term(term, e.rhs)} is added too late: {names} have been computed without it"
                    yield Mutant(e.name, (*_other_lines(program, changed), *changed), words, "term", RARE)


def _before(equation: Equation, line: Equation, term: Expr) -> Equation:
    """Return an equation in which a variable is read at the same step as it is before a term is added."""
    lacking = {}
    for read in reads(equation.rhs, {line.name}):
        if not _of_another_step(read, {line.name}):
            here = dict(zip(line.indices, read.indices, strict=True))
            lacking[read] = read - instantiated(term, here)
    return equation.with_rhs(equation.rhs.xreplace(lacking))


def _of_another_step(term: Expr, adjoints: set[str]) -> bool:
    """Tell whether a term reads an adjoint at another place of its first axis than the equation's own."""
    return any(r.is_Indexed and not isinstance(r.indices[0], Idx) and free_indices(r.indices[0])
               for r in reads(term, adjoints))


def _lost(term, at_first):
    """Return what takes a term away, but for the row before the first if that is asked for."""
    before = [i for i in free_indices(term) if i.lower == -1]
    return -term * (1 - KroneckerDelta(before[0], -1)) if at_first and before else -term


def _other_lines(program: Program, changed: list[Equation]) -> list[Equation]:
    """Return the other equations of the variables whose equations are changed."""
    names, places = {e.name for e in changed}, {e.lhs for e in changed}
    return [e for e in program.backward if e.name in names and e.lhs not in places]
