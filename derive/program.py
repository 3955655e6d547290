"""A program: a tuple of named equations over indices. Every room of the house is a function of one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from operator import is_
from typing import TYPE_CHECKING

from sympy import Eq, Expr, Idx, Indexed, S, Symbol
from sympy.utilities.iterables import strongly_connected_components

from .arrays import Array
from .binders import ArgMaximum
from .errors import DefinitionError
from .gradients import Gradient
from .notations import Notation
from .ranges import Prover, shared_prover
from .terms import MANY, index_over, read_name, reads

if TYPE_CHECKING:
    from .cost import Costs


@dataclass(frozen=True)
class Variable:
    """A named array or scalar: what it is, its shape, and how it is read.

    kind is "parameter", "input", "labels" (integers in [0, classes)), or "variable" (defined by equations). A state
    has a row -1, its initial value, on its first axis.
    """

    name: str
    base: Expr                      # an array to index, or a Symbol where the shape is ()
    shape: tuple[Expr, ...]
    kind: str = "variable"
    classes: Expr | None = None
    state: bool = False
    note: str = ""
    index_names: tuple[str, ...] = ()
    primal: str | None = None       # the variable whose adjoint this is, or is the tangent of
    tangent_of: str | None = None   # the variable whose tangent this is
    companion_of: str | None = None  # the maximum or product whose derivative needs this beside its value
    definite: bool = False          # stated: a symmetric positive definite matrix, or a stack of them
    multiplier: bool = False        # of the equation that defines `primal` implicitly, not the adjoint of its value

    @property
    def indices(self) -> tuple[Idx, ...]:
        """One index an axis, over all its rows, by the names that the variable's equations use."""
        return tuple(
            index_over(name, size, -1 if self.state and axis == 0 else 0)
            for axis, (name, size) in enumerate(zip(self.index_names, self.shape, strict=True))
        )

    def at(self, *indices: Expr) -> Expr:
        """Return the read of this variable at the given indices."""
        return self.base[indices] if self.shape else self.base


@lru_cache(maxsize=MANY)
def base_of(name: str, shape: tuple, integer: bool = False) -> Expr:
    """Return what a variable is written with: an array to index, or a symbol where the shape is ()."""
    if shape:
        return Array(name, shape, integer=integer)
    return Symbol(name, integer=True) if integer else Symbol(name, real=True)


@dataclass(frozen=True)
class Equation:
    """One named line: `lhs = rhs` for all values of the indices of `lhs`.

    An implicit one says that `rhs` vanishes for all values of those indices, which determines what `lhs` reads: as many
    equations as there are unknowns. `start` is where an iteration begins that solves it, if it is not linear.
    """

    lhs: Expr
    rhs: Expr
    implicit: bool = False
    start: Expr = S.Zero

    @cached_property
    def name(self) -> str:
        return self.lhs.base.name if isinstance(self.lhs, Indexed) else self.lhs.name

    @cached_property
    def indices(self) -> tuple[Expr, ...]:
        """The indices of the left-hand side, constants (the row -1 of a state) included."""
        return self.lhs.indices if isinstance(self.lhs, Indexed) else ()

    @cached_property
    def free(self) -> tuple[Idx, ...]:
        """The indices that the equation holds for all values of."""
        return tuple(i for i in self.indices if isinstance(i, Idx))

    def with_rhs(self, rhs: Expr) -> "Equation":
        """Return the same equation with another right-hand side."""
        return self if rhs is self.rhs else replace(self, rhs=rhs)

    def as_sympy(self) -> Eq:
        return Eq(S.Zero if self.implicit else self.lhs, self.rhs, evaluate=False)

    def __str__(self) -> str:
        return f"{self.lhs}: 0 = {self.rhs}" if self.implicit else f"{self.lhs} = {self.rhs}"

    def _repr_latex_(self) -> str:
        """Return the equation in index notation, as a notebook shows it."""
        from .paper.display import equation_latex

        return equation_latex(self)


@dataclass(frozen=True)
class Assumption:
    """What is known of parameters or inputs: `left = right` for all values of the free indices of each pair.

    kind tells what such data look like: "equation", "symmetric", "positive definite", "one-hot" or "orthogonal".
    """

    fact: str                                   # a clause: "each row of Y sums to one"
    about: tuple[str, ...]                      # the names of the variables
    equalities: tuple[tuple[Expr, Expr], ...]
    kind: str = "equation"


class Gradients(dict[str, Eq]):
    """Equations by the names of the parameters."""

    def __missing__(self, given):
        name = getattr(given, "name", given)                # of the array that the network handed out
        if name in self:
            return self[name]
        raise DefinitionError(f"{name!r} is not a parameter; expected one of {', '.join(self)}")


def checked_program(value: object) -> "Program":
    """Return a program; raise DefinitionError for a network, or anything else, that is handed over in its place."""
    if not isinstance(value, Program):
        kind = type(value).__name__
        raise DefinitionError(f"a {kind} is no program; expected what net.backward(), net.hessian() or the like return")
    return value


@dataclass(frozen=True, repr=False)
class Program:
    """Named equations, the variables in them, and which are the loss, the outputs and the adjoints."""

    name: str
    title: str
    variables: Mapping[str, Variable]           # in the order declared
    equations: tuple[Equation, ...]
    loss: str = "loss"
    outputs: tuple[str, ...] = ()
    sizes: tuple[Symbol, ...] = ()
    derived: Mapping[Symbol, Expr] = field(default_factory=dict)    # sizes that follow from others
    least: Mapping[Symbol, int] = field(default_factory=dict)       # sizes that may be 0
    facts: tuple[Expr, ...] = ()
    adjoints: Mapping[str, str] = field(default_factory=dict)       # primal -> its adjoint
    results: Mapping[str, str] = field(default_factory=dict)        # entry -> variable, of a program of one function
    function: str = ""                                              # the name of that function
    subject: str = ""                                               # what it computes, in words
    source: str = ""
    note: str = ""
    assumptions: tuple[Assumption, ...] = ()
    since: Mapping[str, tuple[str, ...]] = field(default_factory=dict)      # variable -> the facts that shortened it
    follows: tuple[Assumption, ...] = ()            # facts that were not stated, but shown from the lines themselves
    notation: Notation = field(default_factory=Notation)            # how it looks on paper

    def kind(self, *kinds: str) -> list[Variable]:
        """Return the variables of these kinds in the order declared."""
        return [v for v in self.variables.values() if v.kind in kinds]

    @property
    def parameters(self) -> list[Variable]:
        return self.kind("parameter")

    @property
    def inputs(self) -> list[Variable]:
        return self.kind("input", "labels")

    @cached_property
    def prover(self) -> Prover:
        """The prover that knows this program's sizes, facts and labels."""
        classes = tuple((v.name, v.classes) for v in self.kind("labels"))
        places = tuple((e.name, e.rhs.limits[0][2] + 1) for e in self.equations
                       if isinstance(e.rhs, ArgMaximum) and len(e.rhs.limits) == 1 and e.rhs.limits[0][1] == 0)
        return shared_prover(tuple(self.least.items()), self.facts, (*classes, *places))

    @cached_property
    def counted(self) -> frozenset[str]:
        """The variables made of conditions on indices alone: their arrays may be of integers."""
        found: dict[str, bool] = {}
        for group in self.groups():
            names = {read_name(r) for e in group for r in reads(e.rhs, self.variables)}
            found |= dict.fromkeys({e.name for e in group}, all(found.get(n, False) for n in names))
        return frozenset(n for n, is_counted in found.items() if is_counted)

    @cached_property
    def computed(self) -> frozenset[str]:
        """The variables that equations define."""
        return frozenset(e.name for e in self.equations)

    @cached_property
    def forward(self) -> tuple[Equation, ...]:
        """The equations of the loss and the outputs."""
        return tuple(e for e in self.equations if e.name not in self._adjoint_names)

    @cached_property
    def backward(self) -> tuple[Equation, ...]:
        """The adjoint equations."""
        return tuple(e for e in self.equations if e.name in self._adjoint_names)

    @cached_property
    def _adjoint_names(self):
        if self.results:                        # all lines lead to them: there is no way back
            return frozenset(self.adjoints.values())
        return frozenset(self.adjoints.values()) | {n for n, v in self.variables.items() if v.multiplier}

    @cached_property
    def gradients(self) -> "Gradients":
        """The adjoint equation of every parameter, by the parameter's name."""
        lines = {e.name: e.as_sympy() for e in self.equations}
        found = {p.name: lines[self.adjoints[p.name]] for p in self.parameters if p.name in self.adjoints}
        return Gradients({name: Gradient(e.lhs, e.rhs, self) for name, e in found.items()})

    @property
    def network(self) -> str:
        """The name of the network that the program was derived from."""
        return self.name.removesuffix(f"_{self.function}") if self.function else self.name

    @property
    def directions(self) -> list[Variable]:
        """The inputs that are directions in which the parameters move."""
        return [v for v in self.inputs if v.tangent_of]

    @property
    def wanted(self) -> list[str]:
        """The names of the variables that the program is for: its results; else loss, outputs and gradients."""
        if self.results:
            return list(self.results.values())
        gradients = [self.adjoints[p.name] for p in self.parameters if p.name in self.adjoints]
        return [self.loss, *self.outputs, *gradients, *self.checked]

    @property
    def checked(self) -> list[str]:
        """The names of the computed variables of which something is assumed, which a module checks."""
        about = dict.fromkeys(n for a in self.assumptions for n in a.about)
        return [n for n in about if n in self.variables and self.variables[n].kind == "variable"]

    def defining(self, name: str) -> list[Equation]:
        """Return the equations that define a variable: one, or two for a state."""
        return [e for e in self.equations if e.name == name]

    def groups(self) -> list[list[Equation]]:
        """Return the equations in an order in which they can be evaluated, those that wait for each other together."""
        return ordered(self.equations)

    def looped(self) -> set[str]:
        """Return the variables whose equations wait for each other, or for themselves."""
        return {e.name for group in self.groups() if is_cyclic(group) for e in group}

    def with_equations(self, equations: Iterable[Equation], **changes) -> "Program":
        lines = tuple(equations)
        same = not changes and len(lines) == len(self.equations) and all(map(is_, lines, self.equations))
        return self if same else replace(self, equations=lines, **changes)

    def cost(self, itemsize: int = 8) -> "Costs":
        """Return operations, bytes moved and residual memory, forward, backward and together, in the sizes."""
        from .cost import cost_of

        return cost_of(self, itemsize)

    def __str__(self) -> str:
        return "\n".join(map(str, self.equations))

    def __repr__(self) -> str:
        return f"<Program {self.name}: {len(self.parameters)} parameters, {len(self.equations)} equations>"

    def _repr_markdown_(self) -> str:
        """Return the forward and backward equations, as a notebook shows them."""
        from .paper.display import program_markdown

        return program_markdown(self)

    def _repr_latex_(self) -> str:
        """Return the forward and backward equations as displayed formulas."""
        from .paper.display import program_latex

        return program_latex(self)


def companion_name(equation: Equation) -> str:
    """Return the name of what the derivative of a maximum needs beside its value: ties_y, first_y."""
    return f"{equation.rhs.companion_word}_{equation.name}"


def companion_indices(equation: Equation) -> tuple[Expr, ...]:
    """Return the indices of that companion: those of the equation, and where it has an entry a term, those bound."""
    bound = (limit[0] for limit in equation.rhs.limits) if equation.rhs.companion_by_term else ()
    return (*equation.indices, *bound)


def ordered(equations: Iterable[Equation]) -> list[list[Equation]]:
    """Return the strongly connected components of the equations, each after all that it reads.

    Equations that already stand in a possible order keep it.
    """
    lines: dict[str, list[Equation]] = {}
    for e in equations:
        lines.setdefault(e.name, []).append(e)
    place = {name: k for k, name in enumerate(lines)}
    needs = {name: sorted({read_name(r) for e in group for side in (e.rhs, e.start) for r in reads(side, lines)},
                          key=place.__getitem__) for name, group in lines.items()}
    if all(place[n] < place[name] for name in lines for n in needs[name]):
        return [lines[name] for name in lines]
    components = strongly_connected_components((list(lines), [(a, b) for a in lines for b in needs[a]]))
    return [[e for name in sorted(c, key=place.__getitem__) for e in lines[name]] for c in components]


def is_cyclic(group: list[Equation]) -> bool:
    """Tell whether the equations of one group come row by row: they wait for each other, or a state has a first row."""
    names = {e.name for e in group}
    return len(names) < len(group) or any(reads(e.rhs, names) for e in group)
