"""Running products: Product(f(r), (r, 0, s - 1)) for all s is a state, multiplied by one factor a turn.

    T[n, s] = Product(1 - a[n, r], (r, 0, s - 1))       P[-1, n] = 1
                                                        P[r, n] = P[r - 1, n]*(1 - a[n, r])
                                                        T[n, s] = P[s - 1, n]

All of them cost together what one product costs, and so does the adjoint, which divides by nothing: factors may be 0.
What is multiplied from the end, (r, s + 1, S - 1), begins there.
"""

from dataclasses import dataclass

from sympy import Expr, Idx, Integer, Piecewise, S

from .binders import Product
from .program import Equation, Program, Variable, base_of, is_cyclic
from .ranges import conjuncts, index_atoms
from .terms import anonymous, bottom_up, free_indices, reads


@dataclass(frozen=True)
class _Running:
    """The products of a factor up to an index, or from it on, that entry among them or not."""

    factor: Expr
    multiplied: Idx
    index: Idx
    onwards: bool
    included: bool


def with_running_products(program: Program) -> Program:
    """Return the program with its running products as states, but for those inside of recurrences."""
    if not any(e.rhs.has(Product) for e in program.equations):
        return program
    made = _States(program)
    lines = [line for e in program.equations for line in made.taken_out(e)]
    return program.with_equations(lines, variables=made.all_variables()) if made.known else program


class _States:
    """The states that running products have become, by what is multiplied."""

    def __init__(self, program):
        self.variables = program.variables
        self.turns = {e.name: {m.name for m in group} for group in program.groups() if is_cyclic(group) for e in group}
        self.taken = {*program.variables, *(s.name for s in program.sizes)}
        self.known: dict[tuple, Variable] = {}
        self.before: dict[str, list[Variable]] = {}         # a variable -> the states that its equation needs

    def taken_out(self, e):
        """Return an equation that reads states for its running products, after the equations of those that are new."""
        lines: list[Equation] = []

        def change(term):
            found = _running(term)
            inside = found is not None and reads(found.factor, self.turns.get(e.name, ()))
            return term if found is None or inside else self._read(found, e.name, lines)

        changed = e if e.implicit else e.with_rhs(bottom_up(e.rhs, change))
        return [*lines, changed]

    def all_variables(self):
        """Return the variables, each state ahead of what reads it first."""
        return {v.name: v for name, own in self.variables.items() for v in (*self.before.get(name, ()), own)}

    def _read(self, found, of, lines):
        """Return where a state has a running product; append the state's equations to the lines where it is new."""
        r, last = found.multiplied, found.multiplied.upper
        factor = found.factor.xreplace({r: last - r}) if found.onwards else found.factor
        rest = [i for i in free_indices(factor) if i != r]
        key = anonymous(factor), r.upper
        if key not in self.known:
            names = (f"prod_{of}", *(f"prod_{of}{k}" for k in range(2, len(self.taken) + 3)))
            name = next(n for n in names if n not in self.taken)
            shape = (last + 1, *(i.upper + 1 for i in rest))
            state = Variable(
                name, base_of(name, shape), shape, state=True, index_names=(r.name, *(i.name for i in rest)))
            self.taken.add(name)
            self.known[key] = state
            self.before.setdefault(of, []).append(state)
            lines += [Equation(state.at(Integer(-1), *rest), S.One),
                      Equation(state.at(r, *rest), state.at(r - 1, *rest) * factor)]
        turns = last - found.index if found.onwards else found.index
        return self.known[key].at(turns if found.included else turns - 1, *rest)


def _running(product: Expr) -> _Running | None:
    """Return the running product that a product over one index is, None where it is none."""
    if not isinstance(product, Product) or len(product.limits) != 1 or not isinstance(product.function, Piecewise):
        return None
    r, low, high = product.limits[0]
    cases = product.function.args
    if len(cases) != 2 or cases[1] != (S.One, S.true) or (low, high) != (r.lower, r.upper) or low != 0:
        return None
    try:
        [condition] = conjuncts(cases[0][1])
    except ValueError:
        return None
    factor, others = cases[0][0], [i for i in index_atoms(condition) if i != r]
    sign = condition.coeff(r)
    if len(others) != 1 or abs(sign) != 1 or not isinstance(others[0], Idx) or r not in free_indices(factor):
        return None
    [index] = others
    offset = condition - sign * (r - index)
    if index in free_indices(factor) or offset not in (0, -1) or (index.lower, index.upper) != (low, high):
        return None
    return _Running(factor, r, index, sign == 1, offset == 0)
