"""What steps of the planner have in common that name a product of reads, so that a sum is a product of matrices."""

from collections.abc import Iterable, Sequence

from sympy import Expr, Idx, Indexed

from derive.program import Equation, Program, Variable, base_of
from derive.terms import read_name, reads


def introduced(stem: str, axes: Sequence[Idx], variables: dict[str, Variable]) -> Variable:
    """Return a new variable over some axes, called after a stem, and add it to the variables."""
    name = next(n for n in (stem, *(f"{stem}_{k}" for k in range(2, len(variables) + 3))) if n not in variables)
    shape = tuple(i.upper + 1 for i in axes)
    variables[name] = Variable(name, base_of(name, shape), shape, index_names=tuple(i.name for i in axes))
    return variables[name]


def is_whole(factor: Expr) -> bool:
    """Tell whether a factor is a read of real values at indices as they are."""
    return isinstance(factor, Indexed) and not factor.is_integer and len(set(factor.indices)) == len(factor.indices) \
        and all(isinstance(i, Idx) and i.lower == 0 for i in factor.indices)


def are_alike(one: Indexed, other: Indexed, row: Idx) -> bool:
    """Tell whether two reads are of one matrix, at one row, and differ in the other index."""
    differ = [(i, k) for i, k in zip(one.indices, other.indices, strict=False) if i != k]
    return one.base == other.base and len(one.indices) == 2 and len(differ) == 1 and row in one.indices


def still_read(lines: Iterable[Equation], program: Program) -> list[Equation]:
    """Drop the lines that were read in a program, by what has become a function of its own, and are no more."""
    lines = list(lines)
    before, after = ({read_name(r) for e in equations for r in reads(e.rhs, program.variables)}
                     for equations in (program.equations, lines))
    return [e for e in lines if e.name in after or e.name not in before or e.name in program.wanted]
