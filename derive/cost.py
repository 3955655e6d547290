"""What a program costs: operations, bytes moved and residual memory, as expressions in its sizes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from types import MappingProxyType

from sympy import Add, Expr, Mul, Symbol, expand

from .counting import Count, amount, counted, expanded, numbers, touched
from .program import Equation, Program
from .sides import with_sides_apart
from .solving import Solving, is_solved
from .terms import MANY, read_name, reads


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
    counts, iterated = _counted(program)

    def cost(part, equations):
        return Cost(amount(counts[e] for e in part), moved(program, equations, itemsize))

    late = {e.name for e in program.backward} | {n for n, v in program.variables.items() if v.multiplier}
    ahead = [e for e in counts if e.name not in late]
    back = [e for e in counts if e.name in late]
    return Costs(cost(ahead, program.forward), cost(back, program.backward), residuals(program, itemsize), iterated)


def moved(program: Program, equations: Sequence[Equation] | None = None, itemsize: int = 8) -> Expr:
    """Return how many bytes some equations of a program, or all, read and write, each by itself."""
    shapes = {name: v.shape for name, v in program.variables.items()}
    chosen = program.equations if equations is None else equations
    return amount((touched(e, shapes) for e in chosen), itemsize)


def residuals(program: Program, itemsize: int = 8) -> Expr:
    """Return how many bytes the adjoint equations read of what the forward equations make."""
    shapes = {name: v.shape for name, v in program.variables.items()}
    made = {e.name for e in program.forward}
    kept = {read_name(r) for e in program.backward for r in reads(e.rhs, made)}
    return amount([numbers(sorted(kept), shapes)], itemsize)


def operations(program: Program) -> Expr:
    """Return the number of additions, multiplications, powers and function values that all equations take together."""
    return operations_told(program)[0]


def operations_told(program: Program) -> tuple[Expr, tuple[str, ...]]:
    """Return the operations of a program, and the unknowns of which they count one step of Newton's method."""
    counts, iterated = _counted(program)
    return amount(counts.values()), iterated


def _counted(program: Program) -> tuple[dict[Equation, Count], tuple[str, ...]]:
    """Return the operations of each equation, and the unknowns that Newton's method solves for."""
    if not any(map(is_solved, program.equations)):
        return {e: counted(e) for e in program.equations}, ()
    apart = with_sides_apart(program)
    solving = Solving(apart)
    counts = {e: Count([(solving.operations(e),)]) if is_solved(e) else counted(e) for e in apart.equations}
    return counts, tuple(solving.iterated)


def in_named_sizes(cost: Expr, derived: Mapping[Symbol, Expr]) -> Expr:
    """Write products of sizes by their name: H*E as D where D = H*E, so that terms are seen to be of one degree."""
    named = {s: e.as_powers_dict() for s, e in derived.items() if e.is_Mul and e.is_commutative}
    if not named:
        return expanded(cost)
    terms = []
    for term in Add.make_args(expanded(cost)):
        for size, factors in named.items():
            powers = term.as_powers_dict()
            times = min((powers[f] // p for f, p in factors.items()), default=0)
            if times > 0:
                term *= size**times / Mul(*(f ** (p * times) for f, p in factors.items()))
        terms.append(term)
    return Add(*terms)


def grouped(terms: Sequence[Expr]) -> tuple[Expr, list[Expr]]:
    """Return the factor that terms have in common, and what is left of each: 2*N*H, [C, D]."""
    parts = [term.as_coeff_Mul() for term in terms]
    coefficient = (gcd(*(int(c) for c, _ in parts)) if all(c.is_Integer for c, _ in parts) else 1) or 1
    powers = [product.as_powers_dict() for _, product in parts]
    shared = (s ** min(p.get(s, 0) for p in powers) for s in powers[0] if s.is_Symbol)
    factor = Mul(coefficient, *shared)
    return factor, [term / factor for term in terms]


def leading(cost: Expr, derived: Mapping[Symbol, Expr] = MappingProxyType({})) -> str:
    """Return the terms of highest degree, shortly: "4DHN + 6CHN"."""
    return _sum_text(_of_highest_degree(in_named_sizes(cost, derived)))


def leading_grouped(cost: Expr, derived: Mapping[Symbol, Expr] = MappingProxyType({})) -> str:
    """Return the terms of highest degree, what they have in common before a parenthesis: "2HN(2D + 3C)"."""
    terms = _of_highest_degree(in_named_sizes(cost, derived))
    common, left = grouped(terms)
    if common == 1 or len(terms) == 1:
        return _sum_text(terms)
    apart = "·" if any(len(s.name) > 1 for s in common.free_symbols) else ""
    return f"{_sum_text([common])}{apart}({_sum_text(left)})"


def _of_highest_degree(cost):
    """Return the terms of the highest degree in the sizes, by the names of these."""
    terms = [(sum(p for _, p in _powers(term)), term) for term in Add.make_args(expanded(cost))]
    top = max(degree for degree, _ in terms)
    chosen = [term for degree, term in terms if degree == top]
    return sorted(chosen, key=lambda term: [(s, -int(p)) for s, p in _powers(term)])


@lru_cache(maxsize=MANY)
def _powers(term):
    """Return (name, power) for each size in a product, by the names."""
    return sorted((str(s), p) for s, p in term.as_powers_dict().items() if s.free_symbols)


def _sum_text(terms):
    wide = any(len(s.name) > 1 for term in terms for s in term.free_symbols)
    return " + ".join(_monomial(term, wide) for term in terms).replace(" + -", " - ")


def _monomial(term, wide):
    coefficient, powers = term.as_coeff_Mul()[0], _powers(term)
    factors = [f"{s}{'' if p == 1 else f'^{p}'}" for s, p in powers]
    apart = " " if factors and (wide or not coefficient.is_Integer) else ""
    number = "" if coefficient == 1 and factors else str(coefficient)
    return number + (apart if number else "") + ("·" if wide else "").join(factors)
