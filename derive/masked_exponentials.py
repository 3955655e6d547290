"""Exponentials that count where a condition holds, named as such: elsewhere they may overflow, and are never taken.

    y[t] = Sum([s <= t] exp(c[t] - c[s]) x[s], s)       exp_y[t, s] = exp(c[t] - c[s] if s <= t else -infinity)
                                                        y[t] = Sum(exp_y[t, s] x[s], s)
"""

from sympy import Add, Expr, Idx, Indexed, Mul, Piecewise, S, exp

from .binders import LogSumExp
from .partial_sums import is_whole
from .program import Equation, Program, Variable, base_of
from .replacing import with_reads
from .terms import bottom_up, free_indices, subterms


def with_masked_exponentials(program: Program) -> Program:
    """Return the program with exponentials behind a condition as equations of their own."""
    naming = _Naming(program)
    for e in program.equations:
        naming.take(e)
    return program.with_equations(naming.lines, variables=naming.variables)


def is_everywhere(value: Expr, condition: Expr) -> bool:
    """Tell whether a value is there, and another one, wherever a condition on indices is asked: no part of a sum."""
    read = [t for t in subterms(value) if isinstance(t, Indexed)]
    return all(isinstance(i, Idx) for t in read for i in t.indices) and set(free_indices(condition)) <= set(
        free_indices(value))


class _Naming:
    def __init__(self, program):
        self.variables = dict(program.variables)
        self.taken = {*program.variables, *(s.name for s in program.sizes)}
        self.lines: list[Equation] = []
        self.named: list[Equation] = []         # those of the equation that is taken

    def take(self, e):
        """Append an equation, and before it the exponentials behind a condition in it, read wherever they stand."""
        self.of, self.named = e, []
        rhs = e.rhs if e.implicit else bottom_up(e.rhs, self._changed)
        for named in self.named:
            for i in (i for i in named.free if i not in e.free):
                rhs = with_reads(rhs, named.rhs, named.lhs, i)
        self.lines.append(e.with_rhs(rhs))

    def _changed(self, term):
        if not isinstance(term, Piecewise) or term.args[1:] != ((S.Zero, S.true),):
            return term
        value, condition = term.args[0]
        top = next((f for f in Mul.make_args(value) if self._is_masked(f, condition)), None)
        if top is None:
            return term
        others = [f for f in Mul.make_args(value) if f is not top]
        product = Mul(self._named(top, condition), *others)
        return product if all(map(is_whole, others)) else Piecewise((product, condition), (0, True), evaluate=False)

    def _is_masked(self, factor, condition):
        """Tell whether a factor is an exponential of arrays that is there wherever the condition is asked."""
        return isinstance(factor, exp) and factor.has(Indexed) and is_everywhere(factor, condition) and all(
            i.lower == 0 for i in free_indices(factor))

    def _named(self, exponential, condition):
        """Return the read of an exponential where a condition holds, 0 elsewhere."""
        terms = Add.make_args(exponential.args[0])
        shifts = [t for t in terms if t.has(LogSumExp)]
        scores = Piecewise((Add(*(t for t in terms if t not in shifts)), condition), (S.NegativeInfinity, True),
                           evaluate=False)
        found = free_indices(exponential)
        indices = [i for i in self.of.free if i in found] + [i for i in found if i not in self.of.free]
        stem = f"{'softmax' if shifts else 'exp'}_{self.of.name}"
        name = next(n for k in range(1, len(self.taken) + 2)
                    if (n := f"{stem}{f'_{k}' if k > 1 else ''}") not in self.taken)
        self.taken.add(name)
        shape = tuple(i.upper + 1 for i in indices)
        self.variables[name] = Variable(name, base_of(name, shape), shape, index_names=tuple(i.name for i in indices))
        self.named.append(Equation(self.variables[name].at(*indices), exp(Add(scores, *shifts))))
        self.lines.append(self.named[-1])
        return self.named[-1].lhs
