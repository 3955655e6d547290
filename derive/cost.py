"""What a program costs: operations, bytes moved and residual memory, as expressions in its sizes."""

from dataclasses import dataclass

from sympy import Add, Expr, Mul, expand

from .counting import numbers, operations_of, touched
from .program import Equation, Program
from .sides import with_sides_apart
from .solving import Solving, is_solved
from .terms import read_name, reads


@dataclass(frozen=True)
class Cost:
    """What some equations take: floating-point operations, and bytes moved between memory and processor.

    Operations are additions, multiplications, powers and function values. Bytes are those of arrays read and written
    once by each equation, none kept in cache from one to the next, as in NumPy a statement an equation.
    """

    operations: Expr
    bytes: Expr

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(expand(self.operations + other.operations), expand(self.bytes + other.bytes))


@dataclass(frozen=True)
class Costs:
    """The cost of a program's forward equations, of its adjoint equations, and the bytes kept from one to the other.

    Residuals are what the adjoint equations read of the forward ones; parameters and inputs are there anyway. Of the
    unknowns that are `iterated`, one step of Newton's method is counted.
    """

    forward: Cost
    backward: Cost
    residuals: Expr
    iterated: tuple[str, ...] = ()

    @property
    def together(self) -> Cost:
        return self.forward + self.backward

    def __str__(self) -> str:
        rows = [("forward", self.forward), ("backward", self.backward), ("together", self.together)]
        lines = [f"{name:9} {cost.operations} operations, {cost.bytes} bytes" for name, cost in rows]
        told = [f"counting one step of Newton's method for {', '.join(self.iterated)}"] if self.iterated else []
        return "\n".join([*lines, f"residuals {self.residuals} bytes", *told])


def cost_of(program: Program, itemsize: int = 8) -> Costs:
    """Return what a program costs, forward, backward and together, for numbers of `itemsize` bytes.

    Implicit equations are solved, each matrix factorised once (see `solving`); of those that Newton's method solves,
    which are `iterated`, one step is counted.
    """
    shapes = {name: v.shape for name, v in program.variables.items()}
    counted, iterated = _counted(program)

    def cost(part, equations):
        moved = Add(*(_expanded(itemsize * touched(e, shapes)) for e in equations))
        return Cost(Add(*(counted[e] for e in part)), moved)

    late = {e.name for e in program.backward} | {n for n, v in program.variables.items() if v.multiplier}
    ahead = [e for e in counted if e.name not in late]
    back = [e for e in counted if e.name in late]
    return Costs(cost(ahead, program.forward), cost(back, program.backward), residuals(program, itemsize), iterated)


def residuals(program: Program, itemsize: int = 8) -> Expr:
    """Return how many bytes the adjoint equations read of what the forward equations make."""
    shapes = {name: v.shape for name, v in program.variables.items()}
    made = {e.name for e in program.forward}
    kept = {read_name(r) for e in program.backward for r in reads(e.rhs, made)}
    return expand(itemsize * numbers(sorted(kept), shapes))


def operations(program: Program) -> Expr:
    """Return the number of additions, multiplications, powers and function values that all equations take together."""
    return operations_told(program)[0]


def operations_told(program: Program) -> tuple[Expr, tuple[str, ...]]:
    """Return the operations of a program, and the unknowns of which they count one step of Newton's method."""
    counted, iterated = _counted(program)
    return Add(*counted.values()), iterated


def _counted(program: Program) -> tuple[dict[Equation, Expr], tuple[str, ...]]:
    """Return the operations of each equation, and the unknowns that Newton's method solves for."""
    if not any(map(is_solved, program.equations)):
        return {e: _expanded(operations_of(e)) for e in program.equations}, ()
    apart = with_sides_apart(program)
    solving = Solving(apart)
    counted = {e: expand(solving.operations(e) if is_solved(e) else operations_of(e)) for e in apart.equations}
    return counted, tuple(solving.iterated)


def _expanded(amount):
    """Return an amount as a sum of products of sizes, which it mostly is."""
    products = [f for term in Add.make_args(amount) for f in Mul.make_args(term)]
    return amount if all(f.is_Symbol or f.is_Number for f in products) else expand(amount)


def leading(cost: Expr) -> str:
    """Return the terms of highest degree, shortly: "4DHN + 6CHN"."""
    sizes = sorted(cost.free_symbols, key=str)
    if not sizes:
        return str(cost)
    wide = any(len(s.name) > 1 for s in sizes)
    place = {s: k for k, s in enumerate(sizes)}
    terms = []
    for term in Add.make_args(expand(cost)):
        coefficient, product = term.as_coeff_Mul()
        powers = sorted(((place[s], p) for s, p in product.as_powers_dict().items() if s in place))
        terms.append((powers, coefficient))
    top = max(sum(p for _, p in powers) for powers, _ in terms)
    shown = sorted(([(k, -p) for k, p in powers], c) for powers, c in terms if sum(p for _, p in powers) == top)
    return " + ".join(_monomial(c, {sizes[k]: -p for k, p in powers}, wide) for powers, c in shown)


def _monomial(coefficient, powers, wide):
    factors = [f"{s}{'' if p == 1 else f'^{p}'}" for s, p in powers.items()]
    apart = wide or not coefficient.is_Integer
    return ("" if coefficient == 1 else str(coefficient)) + (" " if apart else "") + ("·" if wide else "").join(factors)
