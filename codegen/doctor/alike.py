"""One slip in all equations that are alike but for their names: the same layer used thrice, a norm of each vector."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations, permutations

from sympy import Add, Expr, Idx, Indexed, Mul, Symbol, expand_mul

from derive.program import Equation, Program
from derive.terms import instantiated, read_name, reads

from .activations import slopes
from .mutants import Mutator
from .slips import FARFETCHED, RARE, Mutant

KINDS = ("term", "sign", "factor", "mean", "scale", "mask", "power", "detached", "transpose", "lost", "slope")
MOST_OPERATIONS = 40        # of an expression that is written out
MOST_NAMES = 5              # in an equation, of which the other's are found by trial
Names = Mapping[str, str]


def same_changes(program: Program, mutator: Mutator, reached: Mapping[str, frozenset[str]]) -> Iterator[Mutant]:
    """Yield the mutants of adjoints that are alike, the same change made in each, where they go into one gradient."""
    groups: dict[object, list[Equation]] = {}
    parameters = {program.adjoints[p.name] for p in program.parameters if p.name in program.adjoints}
    for e in program.backward:
        if e.free == e.indices and e.name not in parameters and len(program.defining(e.name)) == 1:
            groups.setdefault(_form(_written_out(e.rhs), program, e.indices), []).append(e)
    for first, *others in groups.values():
        names = {e: n for e in others if (n := _renaming(program, first, e)) is not None}
        together = (first, *names)
        if any(reached[a.name] & reached[b.name] for a, b in combinations(together, 2)):
            yield from _in_all(program, mutator, first, names)


def _in_all(program, mutator, first, names):
    """Yield the mutants of an equation with the same change made in others."""
    own = {read_name(r) for r in reads(first.rhs, program.variables)}
    for mutant in (*mutator.of(first), *slopes(program, first)):
        changed = mutant.equations[-1]
        if mutant.kind in KINDS and mutant.rank < FARFETCHED and {
                read_name(r) for r in reads(changed.rhs, program.variables)} <= own:
            lines = [e.with_rhs(_renamed(program, changed.rhs, first, e, new)) for e, new in names.items()]
            words = f"{mutant.words}, and likewise in {', '.join(e.name for e in names)}"
            yield replace(mutant, equations=(*mutant.equations, *lines), words=words, kind="alike", rank=RARE)


def _written_out(expr: Expr) -> Expr:
    """Return an expression without brackets, where it is short: so (a - b) c and -(b - a) c are alike."""
    return expand_mul(expr) if expr.count_ops() <= MOST_OPERATIONS else expr


def _form(expr: Expr, program: Program, indices: tuple) -> object:
    """Return what is left of an expression without names: equal for what is alike, if not the other way round."""
    if isinstance(expr, Idx):
        return indices.index(expr) if expr in indices else str(expr.upper)
    if isinstance(expr, Indexed):
        return "read", *(_form(i, program, indices) for i in expr.indices)
    if isinstance(expr, Symbol) and expr.name in program.variables:
        return "read"
    if not expr.args:
        return str(expr)
    parts = [_form(a, program, indices) for a in expr.args]
    return type(expr).__name__, *(sorted(parts, key=str) if isinstance(expr, Add | Mul) else parts)


def _renaming(program: Program, first: Equation, other: Equation) -> Names | None:
    """Return the names that make an equation of another one, None where none do; an adjoint stays its variable's."""
    old, new = (list(dict.fromkeys(read_name(r) for r in reads(e.rhs, program.variables))) for e in (first, other))
    same = [n for n in old if n in new and program.variables[n].kind in ("input", "labels")]
    old, new = [n for n in old if n not in same], [n for n in new if n not in same]
    if len(old) != len(new) or len(old) > MOST_NAMES:
        return None
    for order in permutations(new):
        names = {**dict(zip([*same, *old], [*same, *order], strict=True)), first.name: other.name}
        if _is_consistent(program, names) and _written_out(
                _renamed(program, first.rhs, first, other, names)) == _written_out(other.rhs):
            return names
    return None


def _is_consistent(program, names):
    for a, b in names.items():
        v, w = program.variables[a], program.variables[b]
        if v.shape != w.shape or v.kind != w.kind or names.get(v.primal or a, w.primal or b) != (w.primal or b):
            return False
    return True


def _renamed(program: Program, rhs: Expr, first: Equation, other: Equation, names: Names) -> Expr:
    """Return an expression in one equation as what it is in another."""
    here = instantiated(rhs, dict(zip(first.indices, other.indices, strict=True)))
    return here.xreplace({r: program.variables[names[read_name(r)]].at(*getattr(r, "indices", ()))
                          for r in reads(here, program.variables)})
