"""What spreads: a factor lost in all that goes back through a product, a number added to every gradient.

    dx = dy for y = g x / r, and dr from that; gradients = X.T @ error + alpha * theta[1]
"""

from collections.abc import Iterator

from sympy import Add, Expr, KroneckerDelta, Mul, Piecewise

from derive.binders import has_binder
from derive.functions import step
from derive.program import Equation, Program
from derive.terms import instantiated, read_name, reads

from .slips import POSSIBLE, RARE, Mutant
from .wording import Wording


def lost_factors(program: Program, wording: Wording) -> Iterator[Mutant]:
    """Yield the mutants in which a factor of a product is lost on the way to all the others, of which there are two."""
    for line in program.forward:
        adjoint = program.adjoints.get(line.name)
        if adjoint is None or line.implicit or line.free != line.indices:
            continue
        for factor in _factors(line.rhs, program):
            own = {program.adjoints.get(read_name(r)) for r in reads(factor, program.variables)}
            changed = [new for e in program.backward if e.name not in own
                       if (new := _without(e, factor, line, adjoint)).rhs != e.rhs]
            if len(changed) > 1:
                names = {e.name for e in changed}
                others = [e for e in program.backward if e.name in names and e.lhs not in {c.lhs for c in changed}]
                words = f"the factor {wording.text(factor)} is missing in all that goes back through {line.name}: "
                words += ", ".join(dict.fromkeys(e.name for e in changed))
                yield Mutant(changed[0].name, (*others, *changed), words, "factor", POSSIBLE)


def added_numbers(program: Program, wording: Wording, equation: Equation) -> Iterator[Mutant]:
    """Yield the mutants of a gradient to which a number that belongs to another one is added as well."""
    own = {program.adjoints[p.name] for p in program.parameters if p.name in program.adjoints}
    for other in program.backward if equation.name in own else ():
        if other.name in own - {equation.name} and not other.indices:
            for term in Add.make_args(other.rhs):
                if term != other.rhs and not reads(term, set(program.adjoints.values())) and not has_binder(term):
                    changed = equation.with_rhs(equation.rhs + term)
                    words = f"{wording.text(term)} is added, which belongs to {other.name} alone"
                    yield Mutant(equation.name, (changed,), words, "term", RARE)


def _factors(rhs: Expr, program: Program) -> list[Expr]:
    """Return the factors of a right-hand side that is a product, or of its terms, if one alone is."""
    products = [t for t in Add.make_args(rhs) if len([f for f in Mul.make_args(t) if not f.is_number]) > 1]
    if len(products) != 1 or rhs.has(Piecewise):
        return []
    return [f for f in Mul.make_args(products[0])
            if reads(f, program.variables) and not f.has(step, KroneckerDelta) and not isinstance(f, Add)]


def _without(equation: Equation, factor: Expr, line: Equation, adjoint: str) -> Equation:
    """Return an equation in which a line sends back nothing of a factor."""
    lost = {}
    for read in reads(equation.rhs, {adjoint}):
        here = dict(zip(line.indices, getattr(read, "indices", ()), strict=True))
        lost[read] = read / instantiated(factor, here)
    return equation.with_rhs(equation.rhs.xreplace(lost))
