"""The backward pass of another network: derived anew from a forward equation with a mistake in it.

Four readings: that network's own gradient; its backward equations run on the right values of the forward pass, as
where somebody differentiated y = x/r for y = g x/r; the same, but for what the mistaken line itself gives, where its
own derivative is written with that; and the right backward equations on mistaken values, which somebody computed anew.
"""

import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import partial

from sympy import IndexedBase, Symbol

from derive.order import reached
from derive.pipeline import derived
from derive.program import Program
from derive.terms import read_name, reads

from .axes import softmax_axes
from .diagnosis import Finding
from .evaluate import Evaluated
from .evidence import Evidence
from .forward_mutants import other_functions, spreads
from .mutants import Mutator
from .slips import FARFETCHED, Mutant
from .windows import other_poolings

KINDS = ("term", "factor", "mean", "scale", "mask", "power", "transpose", "sum", "sign", "lost", "axis", "array",
         "step", "choice", "forward")
CHOICES = ("choice",)       # one operand of a minimum, where another account may give the same numbers


def rederived(
    forward: Program, program: Program, evidence: Evidence, seconds: float, kinds: Collection[str] = KINDS,
) -> Finding | None:
    """Return what the code's gradients, all of them, are the gradients of, None where nothing is found in time."""
    deadline = time.thread_time() + seconds
    plain = Evidence(program, evidence.seen)
    wrong = plain.wrong()
    anew: list[tuple[Mutant, Program]] = []
    for mutant in _mistakes(forward, wrong, kinds):
        if time.thread_time() > deadline:
            return None
        equations = {e.lhs: e for e in mutant.equations}
        try:
            other = derived(forward.with_equations(equations.get(e.lhs, e) for e in forward.equations))
        except Exception:               # no network any more
            continue
        usual = on_values_of(program, other)
        for told, candidate in (("on the right values", usual), ("throughout", other),
                                ("in the derivative of that line alone", _in_one_line(usual, other, mutant.name))):
            if _matches(plain, candidate, wrong):
                return _finding(program, mutant, told, wrong)
        anew.append((mutant, on_values_of(other, program)))
    for mutant, candidate in anew:      # the least likely: the values of a forward pass that is nobody's
        if time.thread_time() > deadline:
            return None
        if _matches(plain, candidate, wrong):
            return _finding(program, mutant, "in the values alone that the right equations are given", wrong)
    return None


def _finding(program, mutant, told, wrong):
    place = Mutator(program).wording.equation(mutant.name)
    words = (f"the gradients are those of another network, in which {mutant.words} ({place}), {told}; this explains "
             f"{', '.join(f'd{n}' for n in wrong)}")
    return Finding("another network", words, mutant.name, tuple(wrong), mutant.words)


def on_values_of(program: Program, other: Program) -> Program:
    """Return another network's backward equations, reading the values of a program's own forward pass."""
    own = {e.name for e in program.forward}
    equations = [*program.forward, *(e for e in other.forward if e.name not in own), *other.backward]
    return replace(other, variables={**other.variables, **program.variables, **{
        n: other.variables[n] for n in other.adjoints.values()}}, equations=tuple(equations))


def _in_one_line(usual: Program, other: Program, name: str) -> Program:
    """Return those backward equations with the mistaken value in what its own line sends back."""
    wrong = [e for e in other.forward if e.name == name]
    if len(wrong) != 1 or wrong[0].implicit:
        return usual
    line, variable = wrong[0], other.variables[name]
    base = IndexedBase(f"{name}_mistaken", real=True) if variable.shape else Symbol(f"{name}_mistaken", real=True)
    own = replace(variable, name=f"{name}_mistaken", base=base)
    sent = {other.adjoints[n] for r in reads(line.rhs, other.variables) if (n := read_name(r)) in other.adjoints}
    places = {e.name for e in other.backward}

    def changed(e):
        here = {r: own.at(*getattr(r, "indices", ())) for r in reads(e.rhs, {name})}
        return e.with_rhs(e.rhs.xreplace(here)) if e.name in sent & places else e

    equations = [changed(e) for e in usual.equations]
    mistaken = replace(line, lhs=own.at(*line.indices))
    return replace(usual, variables={**usual.variables, own.name: own}, equations=(*equations, mistaken))


def _matches(plain, candidate, wrong):
    for k, seen in enumerate(plain.seen):
        try:
            gradients = Evaluated(candidate, seen.point.sizes, seen.point.arguments).gradients()
        except (NotImplementedError, KeyError, ValueError, IndexError):
            return False
        if not all(plain.close(k, n, gradients[n]) for n in wrong):
            return False
    return True


def _mistakes(forward: Program, wrong: list[str], kinds: Collection[str]) -> Iterator[Mutant]:
    """Yield changed forward equations, of those that all wrong parameters go into, the likeliest first."""
    below = _sources(forward)
    places = [e for e in reversed(forward.equations) if set(wrong) <= below[e.name]]
    places.sort(key=lambda e: len(below[e.name]))
    makers = (other_functions, other_poolings, partial(spreads, forward), softmax_axes, Mutator(forward).of)
    right = set(forward.equations)
    found = [m for e in places for make in makers for m in make(e)
             if m.kind in kinds and m.rank < FARFETCHED and not m.square and not right.issuperset(m.equations)]
    yield from sorted(found, key=lambda m: m.rank)


def _sources(forward: Program) -> dict[str, set[str]]:
    """Return for every variable the parameters that it is computed from."""
    needs: dict[str, set[str]] = {}
    for e in forward.equations:
        needs.setdefault(e.name, set()).update(read_name(r) for r in reads(e.rhs, forward.variables))
    parameters = {p.name for p in forward.parameters}
    return {name: reached([name], needs) & parameters for name in needs}
