"""Places that ignore a size: a stride, a padding or a dilation left out, what begins one place early."""

from collections.abc import Callable, Iterator

from sympy import Add, Expr, Idx, Indexed, KroneckerDelta, Mul, S, Symbol
from sympy.core.relational import Relational

from derive.program import Equation, Program
from derive.terms import instantiated, read_name, reads

from .slips import POSSIBLE, Found, Mutant, instead
from .wording import Wording


def ignored_sizes(program: Program, wording: Wording, rhs: Expr) -> Iterator[Found]:
    """Yield the changes of a right-hand side that ignore a size, or a stride, wherever it is part of a place."""
    def found_with(change: Callable[..., Expr], words: str) -> Found:
        return Found(_with_positions(rhs, change), words, "place", POSSIBLE)

    positions = [i for r in reads(rhs, program.variables) if r.is_Indexed for i in r.indices]
    positions += [a for d in rhs.atoms(KroneckerDelta) for a in d.args[:2]]
    found = {s for p in positions for s in p.free_symbols
             if s in program.sizes and not any(s in i.upper.free_symbols for i in p.atoms(Idx) if p == i)}
    strides = {f for p in positions for t in p.atoms(Mul) if t.atoms(Idx) for f in t.args if f.is_Integer and f > 1}
    for stride in sorted(strides):
        yield found_with(lambda p, s=stride: _without_stride(p, s), f"the stride {stride} is ignored: as if it were 1")
    begins = {p: [a for a in p.args if not a.atoms(Idx)] for p in positions if isinstance(p, Add) and p.atoms(Idx)}
    for size in sorted(found - set(program.derived), key=str):
        value = S.Zero if program.least.get(size, 1) == 0 or any(size in b for b in begins.values()) else S.One
        yield found_with(lambda p, s=size, v=value: _replaced(p, s, v), f"{size} is ignored: as if it were {value}")
    for place in sorted((p for p, begin in begins.items() if found & Add(*begin).free_symbols), key=str):
        if Add(*begins[place]).is_positive:
            words = f"what begins at {wording.text(Add(*begins[place]))} is read one place early"
            yield found_with(lambda p, q=place: p - 1 if p == q else p, words)


def in_slices(program: Program, wording: Wording, equation: Equation) -> Iterator[Mutant]:
    """Yield the mutants of an equation that ignore a size in the slices that it reads, which have names."""
    slices = {}
    for read in reads(equation.rhs, {e.name for e in program.forward if e.rhs.is_Indexed and not e.implicit}):
        lines = program.defining(read_name(read))
        if len(lines) == 1 and lines[0].free == lines[0].indices:
            slices[read] = instantiated(lines[0].rhs, dict(zip(lines[0].indices, read.indices, strict=True)))
    whole = equation.rhs.xreplace(slices)
    for found in ignored_sizes(program, wording, whole) if slices else ():
        if found.expr != whole:
            yield Mutant(equation.name, instead(program, equation, found.expr), found.words, found.kind, found.rank)


def _replaced(position, size, value):
    """Replace a size in a position, not in the ranges of its indices."""
    indices = {i: Symbol(f"_{k}", integer=True) for k, i in enumerate(sorted(position.atoms(Idx), key=str))}
    back = {s: i for i, s in indices.items()}
    return position.xreplace(indices).xreplace({size: value}).xreplace(back)


def _without_stride(position, stride):
    """Return a place with an index times a stride as the index alone."""
    return position.xreplace({t: t / stride for t in position.atoms(Mul) if t.atoms(Idx) and stride in t.args})


def _with_positions(expr, change):
    """Return an expression with the places in brackets changed, or those of its reads where it has no brackets."""
    found = {}
    for t in expr.atoms(KroneckerDelta):
        found[t] = KroneckerDelta(*(change(a) if not isinstance(a, Idx) else a for a in t.args[:2]))
    for t in expr.atoms(Relational):
        found[t] = t.func(*(a if isinstance(a, Idx) else change(a) for a in t.args), evaluate=False)
    for t in expr.atoms(Indexed):
        if any(not isinstance(i, Idx) for i in t.indices):
            found[t] = t.base[tuple(i if isinstance(i, Idx) else change(i) for i in t.indices)]
    return expr.xreplace(found)
