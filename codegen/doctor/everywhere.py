"""One slip in the derivatives of all activations, or of all of one kind: as it is copied from gate to gate."""

from collections.abc import Iterator

from sympy import Expr, Function, Mul

from derive.program import Equation, Program
from derive.terms import instantiated, read_name, reads

from .slips import POSSIBLE, Mutant


def same_slips(program: Program) -> Iterator[Mutant]:
    """Yield the mutants in which the slopes of several activations are missing, or are taken at their arguments."""
    lines = [e for e in program.forward if _is_activation(e, program)]
    kinds = list(dict.fromkeys(type(e.rhs).__name__ for e in lines))
    for kind in ("activation", *(kinds if len(kinds) > 1 else ())):
        chosen = [e for e in lines if kind in ("activation", type(e.rhs).__name__)]
        for words, change in (("is missing", _missing), ("is taken at its argument, not at its value", _at_argument),
                              ("is taken at its value, not at its argument", _at_value)):
            changed = [new for e in chosen for old in program.defining(program.adjoints.get(_argument(e), ""))
                       if (new := old.with_rhs(change(old.rhs, e))).rhs != old.rhs]
            names = [e.name for e in changed]
            if len(names) == len(set(names)) > 1:
                told = f"the derivative of each {kind} {words}: in {', '.join(names)}"
                yield Mutant(names[0], tuple(changed), told, "slope", POSSIBLE)


def _is_activation(line: Equation, program: Program) -> bool:
    """Tell whether a forward equation is a function of one array, entry by entry."""
    found = reads(line.rhs, program.variables)
    return (isinstance(line.rhs, Function) and not line.implicit and found == list(line.rhs.args)
            and line.free == line.indices == getattr(found[0], "indices", ()))


def _argument(line: Equation) -> str:
    return read_name(line.rhs.args[0])


def _missing(rhs: Expr, line: Equation) -> Expr:
    """Return what is sent back without the factors that are the slope."""
    own = {line.name, _argument(line)}
    return Mul(*(f for f in Mul.make_args(rhs) if not reads(f, own)))


def _at_argument(rhs: Expr, line: Equation) -> Expr:
    """Return what is sent back with the argument read in the place of the value."""
    places = {r: dict(zip(line.indices, getattr(r, "indices", ()), strict=True)) for r in reads(rhs, {line.name})}
    return rhs.xreplace({r: instantiated(line.rhs.args[0], here) for r, here in places.items()})


def _at_value(rhs: Expr, line: Equation) -> Expr:
    """Return what is sent back with the function applied once more to the value: sigmoid'(s) for s = sigmoid(z)."""
    return rhs.xreplace({r: line.rhs.func(r) for r in reads(rhs, {line.name})})
