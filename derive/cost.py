"""What a program costs: operations, bytes moved and residual memory, as expressions in its sizes."""

from dataclasses import dataclass

from sympy import Add, Expr, Mul, expand

from .counting import numbers, operations_of, touched
from .program import Equation, Program
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

    Residuals are what the adjoint equations read of the forward ones; parameters and inputs are there anyway.
    """

    forward: Cost
    backward: Cost
    residuals: Expr

    @property
    def together(self) -> Cost:
        return self.forward + self.backward

    def __str__(self) -> str:
        rows = [("forward", self.forward), ("backward", self.backward), ("together", self.together)]
        lines = [f"{name:9} {cost.operations} operations, {cost.bytes} bytes" for name, cost in rows]
        return "\n".join([*lines, f"residuals {self.residuals} bytes"])


def cost_of(program: Program, itemsize: int = 8) -> Costs:
    """Return what a program costs, forward, backward and together, for numbers of `itemsize` bytes.

    Of an implicit equation, one evaluation of its residual is counted; solving it is not.
    """
    shapes = {name: v.shape for name, v in program.variables.items()}

    def cost(equations):
        return Cost(_total(equations), Add(*(_expanded(itemsize * touched(e, shapes)) for e in equations)))

    return Costs(cost(program.forward), cost(program.backward), residuals(program, itemsize))


def residuals(program: Program, itemsize: int = 8) -> Expr:
    """Return how many bytes the adjoint equations read of what the forward equations make."""
    shapes = {name: v.shape for name, v in program.variables.items()}
    made = {e.name for e in program.forward}
    kept = {read_name(r) for e in program.backward for r in reads(e.rhs, made)}
    return expand(itemsize * numbers(sorted(kept), shapes))


def operations(program: Program) -> Expr:
    """Return the number of additions, multiplications, powers and function values that all equations take together."""
    return _total(program.equations)


def _total(equations: tuple[Equation, ...]) -> Expr:
    return Add(*(_expanded(operations_of(e)) for e in equations))


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
    return ("" if coefficient == 1 else str(coefficient)) + (" " if wide else "") + ("·" if wide else "").join(factors)
