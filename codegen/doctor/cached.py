"""Another array wherever one is read on the way back, as where a cache keeps the wrong one."""

from collections.abc import Iterator

from derive.order import reached
from derive.program import Equation, Program
from derive.terms import read_name, reads

from .evaluate import Evaluated
from .normalisations import compact
from .slips import FARFETCHED, Mutant

STEPS = 3           # from one array to the other in the forward pass


def other_arrays(program: Program, ours: Evaluated) -> Iterator[Mutant]:
    """Yield the mutants in which several backward equations read one array for another, of a like shape."""
    near = _near(program)
    alone = [e.name for e in program.forward if len(program.defining(e.name)) == 1 and not e.implicit]
    arrays = [n for n in (*alone, *(v.name for v in program.inputs)) if program.variables[n].shape]
    for lines, places in _passes(program, ours):
        for old in arrays:
            readers = [e for e in lines if reads(e.rhs, {old})]
            likely = len(readers) > 1 and any(e.lhs in places for e in readers)
            for new in arrays if likely else ():
                if new in near[old] and program.variables[new].shape == program.variables[old].shape:
                    changed = [_reading(program, e, old, new) for e in readers]
                    words = f"{new} is read where {old} should be, in {_listed(changed)}"
                    yield Mutant(changed[0].name, _whole(program, changed), words, "array", FARFETCHED)


def _near(program) -> dict[str, set[str]]:
    """Return for each array those that it is computed from in a few steps, and those that are so from it."""
    needs = {e.name: {read_name(r) for r in reads(e.rhs, program.variables)} for e in program.forward}
    above = {n: set(needs.get(n, ())) for n in program.variables}
    for _ in range(STEPS - 1):
        above = {n: found | {far for m in found for far in needs.get(m, ())} for n, found in above.items()}
    return {n: (found | {m for m, others in above.items() if n in others}) - {n} for n, found in above.items()}


def _passes(program, ours) -> Iterator[tuple[list[Equation], set]]:
    """Yield the backward equations, and those with one adjoint in compact form; with the places that count."""
    yield list(program.backward), {e.lhs for e in program.backward}
    for line in program.backward:
        for form, _ in compact(program, ours, line):
            lines = [form if e is line else e for e in program.backward]
            needs: dict[str, set[str]] = {}
            for e in lines:
                needs.setdefault(e.name, set()).update(read_name(r) for r in reads(e.rhs, program.variables))
            live = reached([program.adjoints[p.name] for p in program.parameters if p.name in program.adjoints], needs)
            yield [e for e in lines if e.name in live], {line.lhs}


def _reading(program, equation, old, new) -> Equation:
    other = program.variables[new]
    return equation.with_rhs(equation.rhs.xreplace(
        {r: other.at(*getattr(r, "indices", ())) for r in reads(equation.rhs, {old})}))


def _whole(program, changed) -> tuple[Equation, ...]:
    """Return changed equations with the others of their variables."""
    places = {e.lhs for e in changed}
    names = dict.fromkeys(e.name for e in changed)
    return *(e for n in names for e in program.defining(n) if e.lhs not in places), *changed


def _listed(changed) -> str:
    names = list(dict.fromkeys(e.name for e in changed))
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
