"""Running products: Product(f(r), (r, 0, s - 1)) for all s is a state, multiplied by one factor a turn.

    T[n, s] = Product(1 - a[n, r], (r, 0, s - 1))       P[-1, n] = 1
                                                        P[r, n] = P[r - 1, n]*(1 - a[n, r])
                                                        T[n, s] = P[s - 1, n]

All of them cost together what one product costs, and so does the adjoint, which divides by nothing: factors may be 0.
What is multiplied from the end, (r, s + 1, S - 1), begins there.
"""

from sympy import Expr, Integer, Piecewise, S

from .binders import Product
from .partial_sums import Running, on_one_side
from .program import Equation, Program, Variable, base_of, is_cyclic
from .ranges import conjuncts, is_conjunction
from .terms import anonymous, bottom_up, free_indices, reads


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
            inside = found is not None and reads(found.term, self.turns.get(e.name, ()))
            return term if found is None or inside else self._read(found, e.name, lines)

        changed = e if e.implicit else e.with_rhs(bottom_up(e.rhs, change))
        return [*lines, changed]

    def all_variables(self):
        """Return the variables, each state ahead of what reads it first."""
        return {v.name: v for name, own in self.variables.items() for v in (*self.before.get(name, ()), own)}

    def _read(self, found, of, lines):
        """Return where a state has a running product; append the state's equations to the lines where it is new."""
        r, last = found.summed, found.summed.upper
        factor = found.term.xreplace({r: last - r}) if found.onwards else found.term
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


def _running(product: Expr) -> Running | None:
    """Return the running product that a product over one index is, None where it is none."""
    if not isinstance(product, Product) or len(product.limits) != 1 or not isinstance(product.function, Piecewise):
        return None
    (factor, condition), *others = product.function.args
    if others != [(S.One, S.true)] or not is_conjunction(condition):
        return None
    found = on_one_side(factor, conjuncts(condition), product.limits[0])
    if found is None or found.index in free_indices(factor) or found.summed not in free_indices(factor):
        return None
    same = (found.index.lower, found.index.upper) == (found.summed.lower, found.summed.upper)
    return found if same and found.summed.lower == 0 else None
