"""What of a program is compiled: runs of equations without matrix products, as many together as their order allows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sympy import Expr, Idx, Indexed, KroneckerDelta, Mul, Sum

from derive.forms import form
from derive.nodes import Node, Outer, Product
from derive.program import Equation, Variable, base_of, is_cyclic, ordered
from derive.terms import free_indices, read_name, reads, runs_over, subterms

from .. import taps
from ..loop_arrays import NewArrays
from ..lowering import Lowered
from ..numpy_text import NumpyPrinter
from .expressions import NotInC
from .nests import Assignment
from .reductions import Split
from .writing import function

Group = Sequence[Equation]


@dataclass(frozen=True)
class Run:
    """Equations that one C function computes."""

    assignments: list[Assignment]
    names: tuple[str, ...]


def with_named_products(low: Lowered, printer: NumpyPrinter) -> Lowered:
    """Return the program with a name for every matrix product that stands inside an equation that C can compute."""
    program, lines, backward = low.program, [], set(low.backward)
    variables = dict(program.variables)
    for group in program.groups():
        for e in group:
            if is_cyclic(group) or not _is_plain(e, program) or is_nothing_but_a_product(e.rhs) \
                    or _is_of_slices(e, program, printer):
                lines.append(e)
                continue
            taken = {*variables, *(s.name for s in program.sizes)}
            rhs, products = without_products(e.name, e.rhs, e.free, taken)
            named = {v.name: v for v, _ in products.values()}
            if products and not in_c(e.with_rhs(rhs), Split({**variables, **named}, ())):
                rhs, products, named = e.rhs, {}, {}
            variables |= named
            backward |= set(named) if e.name in backward else set()
            lines += [*(Equation(read, product) for read, (_, product) in products.items()), e.with_rhs(rhs)]
    return replace(low, program=program.with_equations(lines, variables=variables), backward=frozenset(backward))


def in_c(e: Equation, split: Split) -> list[Assignment]:
    """Return the assignments of an equation, none where C cannot compute it."""
    before = dict(split.variables)
    try:
        lines = split.of(e)
        function("trial", lines, split.variables, {e.name})
    except NotInC:
        split.variables = before
        return []
    return lines


def is_nothing_but_a_product(value: Expr) -> bool:
    """Tell whether a value is a product of matrices, or a number of them."""
    return all(map(_is_constant_or_product, Mul.make_args(value)))


def without_products(name: str, value: Expr, axes: tuple[Idx, ...], taken: Collection[str]
                     ) -> tuple[Expr, dict[Expr, tuple[Variable, Expr]]]:
    """Return a value with its matrix products named after a variable, and by its read each of them and the product."""
    found: dict[Expr, Expr] = {}
    products: dict[Expr, tuple[Variable, Expr]] = {}
    for term in subterms(value):
        if term in found or not is_product(term) or any(term in subterms(t) for t in found):
            continue
        indices = tuple(i for i in axes if i in free_indices(term))
        stems = (f"product_{name}", *(f"product_{name}_{k}" for k in range(2, 99)))
        stem = next(n for n in stems if n not in taken and all(n != v.name for v, _ in products.values()))
        shape = tuple(i.upper + 1 for i in indices)
        variable = Variable(stem, base_of(stem, shape), shape, index_names=tuple(i.name for i in indices))
        found[term] = variable.at(*indices)
        products[found[term]] = variable, term
    return value.xreplace(found), products


def _is_constant_or_product(factor):
    return is_product(factor) or not factor.atoms(Indexed, Idx)


def is_product(term: Expr) -> bool:
    """Tell whether a term is a sum that BLAS computes; a sum over two vectors is as good anywhere."""
    return isinstance(term, Sum) and _has_product(form(term, tuple(free_indices(term))))


def _has_product(node):
    if isinstance(node, Product):
        return bool(node.axes) or _has_product(node.left) or _has_product(node.right)
    inside = [node.left, node.right] if isinstance(node, Outer) else [
        *getattr(node, "args", ()), *([node.body] if hasattr(node, "body") else [])]
    return any(isinstance(n, Node) and _has_product(n) for n in inside)


def _is_plain(e, program):
    v = program.variables[e.name]
    whole = e.free == e.indices and all(runs_over(i, s) for i, s in zip(e.indices, v.shape, strict=True))
    once = sum(e.name == other.name for other in program.equations) == 1
    return whole and once and not (e.implicit or v.state or v.base.is_integer or e.name in program.checked)


class Runs:
    """Sorts the equations of a program into those of C functions and those that NumPy computes, in order."""

    def __init__(self, low: Lowered, printer: NumpyPrinter):
        self.low, self.printer = low, printer
        self.split = Split(low.program.variables, {s.name for s in low.program.sizes})

    def parts(self) -> list[Run | Group]:
        """Return runs and groups of equations, each after all that it reads."""
        waiting = [(g, self._assignments(g)) for g in ordered(self.low.program.equations)]
        done: set[str] = set()
        made = {e.name for g, _ in waiting for e in g}
        parts: list[Run | Group] = []
        compiled = False
        while waiting:
            taken, left = [], []
            for group, lines in waiting:
                if bool(lines) == compiled and self._is_ready(group, made, done):
                    taken.append((group, lines))
                    done |= {e.name for e in group}
                else:
                    left.append((group, lines))
            waiting, compiled = left, not compiled
            if not taken:
                continue
            if compiled:                        # those taken were NumPy's
                parts += [group for group, _ in taken]
            else:
                parts += self._run(taken)
        return parts

    def _run(self, taken):
        if not any(a.loops for _, lines in taken for a in lines):       # numbers alone are not worth a call
            return [group for group, _ in taken]
        return [Run([a for _, lines in taken for a in lines], tuple(e.name for group, _ in taken for e in group))]

    def _is_ready(self, group, made, done):
        waits = {read_name(r) for e in group for side in (e.rhs, e.start) for r in reads(side, made)}
        return waits - {e.name for e in group} <= done

    def _assignments(self, group) -> list[Assignment]:
        """Return the assignments of an equation in C, none where it is left to NumPy."""
        [e, *others] = group
        program = self.low.program
        if others or is_cyclic(group) or not _is_plain(e, program) or _scatters(e) \
                or any(map(is_product, subterms(e.rhs))) or _is_of_slices(e, program, self.printer):
            return []
        return in_c(e, self.split)


def _is_of_slices(e, program, printer):
    """Tell whether an equation pads, gathers windows, folds them or reshapes."""
    return bool(taps.lines(e, program, printer, NewArrays(printer)))


def _scatters(e):
    """Tell whether a sum picks terms by a delta: NumPy goes to the places picked alone."""
    for term in subterms(e.rhs):
        if isinstance(term, Sum):
            bound = {limit[0] for limit in term.limits}
            if any(bound & set(free_indices(d)) for d in term.function.atoms(KroneckerDelta)):
                return True
    return False
